#include "rpc/unknown_methods.h"

#include "rpc/gateway.h"
#include "rpc/status.h"

namespace allot::rpc {
namespace {

/// Ends at once, reads nothing.
class Refusal final : public grpc::ServerGenericBidiReactor {
 public:
  explicit Refusal(const grpc::Status& status) { Finish(status); }

 private:
  // The last call of gRPC on this object.
  void OnDone() override { delete this; }
};

}  // namespace

grpc::ServerGenericBidiReactor* UnknownMethods::CreateReactor(
    grpc::GenericCallbackServerContext* context) {
  const std::string call_id = ids_.Mint(kCallIdLength);
  context->AddTrailingMetadata(kCallIdHeader, call_id);
  const Error error =
      FieldError(Reason::kMethodUnknown, "method", context->method(),
                 "a method of allot.v1, as /allot.v1.AllocationService/GetAllocation");
  return new Refusal(ToStatus(error, call_id));
}

}  // namespace allot::rpc
