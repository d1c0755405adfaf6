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
  journal_.Began();
  const CallRecord record{.method = "unknown",
                          .call_id = ids_.Mint(kCallIdLength),
                          .request_id = {},
                          .principal = {},
                          .start_micros = journal_.NowMicros()};
  context->AddTrailingMetadata(kCallIdHeader, record.call_id);
  const Error error =
      FieldError(Reason::kMethodUnknown, "method", context->method(),
                 "a method of allot.v1, as /allot.v1.AllocationService/GetAllocation");
  const grpc::Status status = ToStatus(error, record.call_id);
  journal_.Ended(record, status.error_code(), &error);
  return new Refusal(status);
}

}  // namespace allot::rpc
