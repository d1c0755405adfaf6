#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <grpcpp/grpcpp.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace allot::rpc {

/// All methods that allot.v1 defines, by "Service/Method": of every file in proto/allot/v1.
std::map<std::string, const google::protobuf::MethodDescriptor*> AllMethods();

/// An empty request of the method.
std::unique_ptr<google::protobuf::Message> RequestOf(
    const google::protobuf::MethodDescriptor& method);

/// "/allot.v1.AllocationService/GetAllocation".
std::string PathOf(const google::protobuf::MethodDescriptor& method);

/// One call of bytes, whatever the method; a stream's status too, because it comes before any
/// message.
grpc::Status CallBytes(const std::shared_ptr<grpc::Channel>& channel, const std::string& path,
                       const std::string& bytes, grpc::ClientContext* context,
                       std::string* answer = nullptr);

/// All that came of a call.
struct Answer {
  grpc::Status status;
  /// Of a stream: the messages that came, merged.
  std::unique_ptr<google::protobuf::Message> message;
  std::multimap<std::string, std::string> trailing;
};

/// Calls any unary method, with any bytes.
Answer CallUnary(const std::shared_ptr<grpc::Channel>& channel,
                 std::unique_ptr<grpc::ClientContext> context,
                 const google::protobuf::MethodDescriptor& method, const std::string& request);

}  // namespace allot::rpc
