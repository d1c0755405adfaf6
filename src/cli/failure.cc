#include "cli/failure.h"

#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>

#include "allot/base/reason.h"
#include "allot/v1/error_reason.pb.h"
#include "cli/text.h"

namespace allot::cli {
namespace {

ExitCode ExitCodeOf(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::OUT_OF_RANGE:
      return ExitCode::kInvalid;
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
      return ExitCode::kNotFound;
    case grpc::StatusCode::ALREADY_EXISTS:
    case grpc::StatusCode::ABORTED:
    case grpc::StatusCode::FAILED_PRECONDITION:
      return ExitCode::kConflict;
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
    case grpc::StatusCode::CANCELLED:
      return ExitCode::kUnavailable;
    default:
      return ExitCode::kInternal;
  }
}

std::string LowerCase(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

constexpr std::string_view kErrorInfoType = "/google.rpc.ErrorInfo";

std::string Metadata(const v1::ErrorInfo& info, const char* key) {
  const auto found = info.metadata().find(key);
  return found == info.metadata().end() ? std::string() : found->second;
}

/// Within reason, whatever a server says.
std::chrono::milliseconds PauseIn(const google::protobuf::Duration& delay) {
  constexpr int64_t kSecondsMax = 60;
  const int64_t seconds = std::clamp<int64_t>(delay.seconds(), 0, kSecondsMax);
  return std::chrono::milliseconds(seconds * 1'000 +
                                   std::clamp(delay.nanos(), 0, 999'999'999) / 1'000'000);
}

void ReadDetails(const google::rpc::Status& status, Failure& failure) {
  for (const auto& any : status.details()) {
    google::rpc::BadRequest bad_request;
    google::rpc::RequestInfo request_info;
    google::rpc::RetryInfo retry_info;
    // Debian's copy of the Google protos is older than ErrorInfo; ours is the same on the wire.
    v1::ErrorInfo info;
    if (any.type_url().ends_with(kErrorInfoType) && info.ParseFromString(any.value())) {
      failure.reason = LowerCase(info.reason());
      failure.value = Metadata(info, "value");
      failure.limit = Metadata(info, "limit");
      if (const auto field = Metadata(info, "field"); !field.empty()) failure.field = field;
      failure.advice = Metadata(info, "advice");
    } else if (any.UnpackTo(&bad_request)) {
      if (failure.field.empty() && bad_request.field_violations_size() > 0) {
        failure.field = bad_request.field_violations(0).field();
      }
    } else if (any.UnpackTo(&request_info)) {
      failure.call_id = request_info.request_id();
    } else if (any.UnpackTo(&retry_info)) {
      failure.retry_after = PauseIn(retry_info.retry_delay());
    }
  }
}

/// An answer that no server of ours wrote: the connection's, or a deadline on this side.
void WordTransportFailure(const grpc::Status& status, const std::string& server,
                          const std::string& timeout, Failure& failure) {
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      failure.reason = "server_unreachable";
      failure.message = "cannot reach " + server + ": " + status.error_message();
      failure.advice = status.error_message().find("andshake") == std::string::npos
                           ? "Check that allotd serves there, or name another server with --server."
                           : "Check that the server speaks TLS (https://) or not (http://), that "
                             "its certificate is for this name, and that --ca-file names its "
                             "authority.";
      break;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      failure.reason = "deadline_exceeded";
      failure.message = "no answer from " + server + " within " + timeout;
      failure.advice = "Ask again, or raise --timeout.";
      break;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      if (status.error_message().find("larger than max") != std::string::npos) {
        failure.reason = "answer_too_large";
        failure.message = "the answer from " + server + " is too large: " + status.error_message();
        failure.advice = "Ask for less: --limit, one institute, or one project.";
        break;
      }
      failure.reason = "overloaded";
      failure.message = server + " has too many calls: " + status.error_message();
      failure.advice = "Wait a moment, and make fewer calls at a time.";
      break;
    case grpc::StatusCode::UNIMPLEMENTED:
      failure.reason = "method_unknown";
      failure.message = server + " does not know this method";
      failure.advice = "Use the allot of the server's release.";
      break;
    default:
      failure.reason = "answer_without_details";
      failure.message = "code " + std::to_string(status.error_code()) + " from " + server + ": " +
                        status.error_message();
  }
}

}  // namespace

Failure FailureOf(const Error& error) {
  Failure failure;
  failure.exit_code = ExitCodeOf(static_cast<grpc::StatusCode>(CodeOf(error.reason)));
  failure.reason = Name(error.reason);
  failure.message = error.message;
  failure.field = error.field;
  failure.value = error.value;
  failure.limit = error.limit;
  failure.advice = Advice(error.reason);
  return failure;
}

Failure OfMutation(Failure failure, const std::string& request_id) {
  failure.request_id = request_id;
  if (failure.reason == "deadline_exceeded") {
    failure.advice = "It may have happened: repeat with the same --request-id, or raise --timeout.";
  }
  return failure;
}

Failure UsageFailure(std::string message, std::string advice) {
  return {.exit_code = ExitCode::kUsage,
          .reason = "usage",
          .message = std::move(message),
          .advice = std::move(advice)};
}

Failure FailureOf(const grpc::Status& status, const std::string& server,
                  const std::string& timeout) {
  Failure failure;
  failure.exit_code = ExitCodeOf(status.error_code());
  failure.message = status.error_message();
  google::rpc::Status rich;
  if (!status.error_details().empty() && rich.ParseFromString(status.error_details())) {
    ReadDetails(rich, failure);
  }
  if (failure.reason.empty()) {
    WordTransportFailure(status, server, timeout, failure);
    return failure;
  }
  // The reason stands in front of the message wherever it is shown.
  if (const std::string prefix = failure.reason + ": "; failure.message.starts_with(prefix)) {
    failure.message.erase(0, prefix.size());
  }
  if (failure.advice.empty()) {
    if (const auto known = ParseReason(failure.reason)) failure.advice = Advice(*known);
  }
  return failure;
}

Failure About(const std::string& resource, Failure failure) {
  failure.message = resource + ": " + failure.message;
  return failure;
}

std::string DescribeForPeople(const Failure& failure) {
  std::string text = "error: " + Harmless(failure.reason) + ": " + Harmless(failure.message) + "\n";
  const auto line = [&text](const char* name, const std::string& value) {
    if (!value.empty()) text += std::string("  ") + name + ": " + Harmless(value) + "\n";
  };
  line("field", failure.field);
  line("value", failure.value);
  line("limit", failure.limit);
  line("advice", failure.advice);
  line("request id", failure.request_id);
  line("repeat with", Join(failure.repeat_with, " "));
  line("call id", failure.call_id);
  return text;
}

std::string DescribeAsJson(const Failure& failure) {
  nlohmann::ordered_json error;
  const auto part = [&error](const char* name, const std::string& value) {
    if (!value.empty()) error[name] = value;
  };
  part("reason", failure.reason);
  part("message", failure.message);
  part("field", failure.field);
  part("value", failure.value);
  part("limit", failure.limit);
  part("advice", failure.advice);
  part("requestId", failure.request_id);
  if (!failure.repeat_with.empty()) error["repeatWith"] = failure.repeat_with;
  part("callId", failure.call_id);
  error["exitCode"] = static_cast<int>(failure.exit_code);
  return nlohmann::ordered_json{{"error", error}}.dump(
             -1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) +
         "\n";
}

}  // namespace allot::cli
