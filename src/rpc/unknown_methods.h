#pragma once

#include <grpcpp/generic/async_generic_service.h>

#include "allot/base/random.h"

namespace allot::rpc {

/// Answers every call of a method that the API does not have with method_unknown. Without it gRPC
/// answers itself, in words that are in no catalogue.
class UnknownMethods final : public grpc::CallbackGenericService {
 public:
  explicit UnknownMethods(IdSource& ids) : ids_(ids) {}

 private:
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override;

  IdSource& ids_;
};

}  // namespace allot::rpc
