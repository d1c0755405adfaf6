#pragma once

#include <deque>
#include <string>

#include <grpcpp/impl/service_type.h>

#include "rpc/gateway.h"
#include "rpc/handlers.h"

namespace allot::rpc {

/// A gRPC service whose methods take and give bytes: the messages are read by us, because gRPC's
/// own reader answers a text that is not UTF-8 without a reason.
class TableService final : public grpc::Service {
 public:
  /// Requires: the table has every method of its service.
  TableService(ServiceMethods methods, Gateway& gateway);

 private:
  void Register(const google::protobuf::MethodDescriptor& method, Gateway& gateway);

  const ServiceMethods methods_;
  /// gRPC keeps pointers to these.
  std::deque<std::string> paths_;
};

}  // namespace allot::rpc
