#include "rpc/status.h"

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>

#include "allot/v1/error_reason.pb.h"

namespace allot::rpc {
namespace {

constexpr char kErrorInfoType[] = "type.googleapis.com/google.rpc.ErrorInfo";

/// How long to wait before a repeat can help; 0 where it does not.
int64_t RetryDelaySeconds(Reason reason) {
  switch (CodeOf(reason)) {
    case Code::kResourceExhausted:
      return 1;
    case Code::kUnavailable:
      return 2;
    default:
      return 0;
  }
}

v1::ErrorInfo InfoOf(const Error& error) {
  v1::ErrorInfo info;
  info.set_reason(UpperName(error.reason));
  info.set_domain(kErrorDomain);
  auto& metadata = *info.mutable_metadata();
  metadata["advice"] = std::string(Advice(error.reason));
  if (!error.field.empty()) {
    metadata["field"] = error.field;
    metadata["value"] = error.value;
    metadata["limit"] = error.limit;
  }
  return info;
}

google::rpc::BadRequest ViolationOf(const Error& error) {
  google::rpc::BadRequest bad_request;
  auto& violation = *bad_request.add_field_violations();
  violation.set_field(error.field);
  violation.set_description(error.message);
  return bad_request;
}

}  // namespace

std::string UpperName(Reason reason) {
  std::string name(Name(reason));
  for (char& c : name) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return name;
}

grpc::Status ToStatus(const Error& error, const std::string& call_id) {
  const auto code = static_cast<grpc::StatusCode>(CodeOf(error.reason));
  google::rpc::Status status;
  status.set_code(static_cast<int>(code));
  status.set_message(error.message);
  auto& info = *status.add_details();
  info.set_type_url(kErrorInfoType);
  info.set_value(InfoOf(error).SerializeAsString());
  if (CodeOf(error.reason) == Code::kInvalidArgument && !error.field.empty()) {
    status.add_details()->PackFrom(ViolationOf(error));
  }
  if (const int64_t delay = RetryDelaySeconds(error.reason); delay > 0) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(delay);
    status.add_details()->PackFrom(retry);
  }
  google::rpc::RequestInfo call;
  call.set_request_id(call_id);
  status.add_details()->PackFrom(call);
  return {code, error.message, status.SerializeAsString()};
}

Error RefusalOf(QueueVerdict verdict) {
  switch (verdict) {
    case QueueVerdict::kLineFull:
      return StateError(Reason::kOverloaded,
                        "too many calls of yours are waiting: have fewer under way at a time");
    case QueueVerdict::kQueueFull:
      return StateError(Reason::kOverloaded, "too many calls are waiting for a worker");
    case QueueVerdict::kTaken:
    case QueueVerdict::kStopped:
      break;
  }
  return StateError(Reason::kShuttingDown, "the server is shutting down");
}

}  // namespace allot::rpc
