#pragma once

#include <grpcpp/generic/async_generic_service.h>

#include "allot/base/random.h"
#include "rpc/call_record.h"

namespace allot::rpc {

/// Answers every call of a method that the API does not have with method_unknown. Without it gRPC
/// answers itself, in words that are in no catalogue. In the journal all of them have one name:
/// there is no end of others.
class UnknownMethods final : public grpc::CallbackGenericService {
 public:
  UnknownMethods(IdSource& ids, CallJournal& journal) : ids_(ids), journal_(journal) {}

 private:
  grpc::ServerGenericBidiReactor* CreateReactor(
      grpc::GenericCallbackServerContext* context) override;

  IdSource& ids_;
  CallJournal& journal_;
};

}  // namespace allot::rpc
