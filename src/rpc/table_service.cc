#include "rpc/table_service.h"

#include <utility>

#include <grpcpp/impl/codegen/server_callback_handlers.h>

namespace allot::rpc {

using grpc::ByteBuffer;
using grpc::internal::RpcMethod;

TableService::TableService(ServiceMethods methods, Gateway& gateway)
    : methods_(std::move(methods)) {
  const auto& service = methods_.table.service();
  for (int i = 0; i < service.method_count(); ++i) Register(*service.method(i), gateway);
}

void TableService::Register(const google::protobuf::MethodDescriptor& method, Gateway& gateway) {
  const std::string name = methods_.table.service().full_name() + '/' + method.name();
  paths_.push_back('/' + name);
  const auto type = method.server_streaming() ? RpcMethod::SERVER_STREAMING : RpcMethod::NORMAL_RPC;
  const Method& handler = methods_.table.At(&method);
  const int index = method.index();
  // gRPC owns what is handed over here, as in the code that its plugin generates.
  AddMethod(new grpc::internal::RpcServiceMethod(paths_.back().c_str(), type, nullptr));
  if (method.server_streaming()) {
    MarkMethodRawCallback(
        index, new grpc::internal::CallbackServerStreamingHandler<ByteBuffer, ByteBuffer>(
                   [&gateway, name, &handler](grpc::CallbackServerContext* context,
                                              const ByteBuffer* request) {
                     return gateway.Watch(name, std::get<WatchMethod>(handler), context, request);
                   }));
    return;
  }
  const bool changes = methods_.table.Changes(method);
  MarkMethodRawCallback(
      index,
      new grpc::internal::CallbackUnaryHandler<ByteBuffer, ByteBuffer>(
          [&gateway, name, &handler, changes](grpc::CallbackServerContext* context,
                                              const ByteBuffer* request, ByteBuffer* response) {
            return gateway.Answer(name, handler, changes, context, request, response);
          }));
}

}  // namespace allot::rpc
