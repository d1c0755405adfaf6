#include "rpc/any_call.h"

#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <utility>

#include "rpc/bytes.h"

namespace allot::rpc {

namespace pb = google::protobuf;

std::map<std::string, const pb::MethodDescriptor*> AllMethods() {
  std::map<std::string, const pb::MethodDescriptor*> methods;
  for (const auto& entry : std::filesystem::directory_iterator("proto/allot/v1")) {
    const std::string name = "allot/v1/" + entry.path().filename().string();
    const auto* file = pb::DescriptorPool::generated_pool()->FindFileByName(name);
    if (file == nullptr) {
      ADD_FAILURE() << name << " is not linked: nothing serves it";
      continue;
    }
    for (int i = 0; i < file->service_count(); ++i) {
      const auto* service = file->service(i);
      for (int j = 0; j < service->method_count(); ++j) {
        const auto* method = service->method(j);
        methods.emplace(service->name() + "/" + method->name(), method);
      }
    }
  }
  return methods;
}

std::unique_ptr<pb::Message> RequestOf(const pb::MethodDescriptor& method) {
  const auto* prototype =
      pb::MessageFactory::generated_factory()->GetPrototype(method.input_type());
  return std::unique_ptr<pb::Message>(prototype->New());
}

std::string PathOf(const pb::MethodDescriptor& method) {
  return "/" + method.service()->full_name() + "/" + method.name();
}

grpc::Status CallBytes(const std::shared_ptr<grpc::Channel>& channel, const std::string& path,
                       const std::string& bytes, grpc::ClientContext* context,
                       std::string* answer) {
  grpc::GenericStub stub(channel);
  const grpc::ByteBuffer request = ToByteBuffer(bytes);
  grpc::ByteBuffer response;
  std::promise<grpc::Status> ended;
  stub.UnaryCall(context, path, grpc::StubOptions(), &request, &response,
                 [&](grpc::Status status) { ended.set_value(std::move(status)); });
  grpc::Status status = ended.get_future().get();
  if (status.ok() && answer != nullptr) *answer = FromByteBuffer(response).value_or("");
  return status;
}

Answer CallUnary(const std::shared_ptr<grpc::Channel>& channel,
                 std::unique_ptr<grpc::ClientContext> context, const pb::MethodDescriptor& method,
                 const std::string& request) {
  Answer answer;
  std::string bytes;
  answer.status = CallBytes(channel, PathOf(method), request, context.get(), &bytes);
  const auto* prototype =
      pb::MessageFactory::generated_factory()->GetPrototype(method.output_type());
  answer.message.reset(prototype->New());
  EXPECT_TRUE(answer.message->ParseFromString(bytes));
  for (const auto& [key, value] : context->GetServerTrailingMetadata()) {
    answer.trailing.emplace(std::string(key.data(), key.size()),
                            std::string(value.data(), value.size()));
  }
  return answer;
}

}  // namespace allot::rpc
