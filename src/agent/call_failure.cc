#include "agent/call_failure.h"

#include <google/protobuf/any.pb.h>
#include <google/protobuf/empty.pb.h>
#include <google/protobuf/unknown_field_set.h>
#include <google/rpc/status.pb.h>

#include <optional>
#include <string>

#include "allot/base/reason.h"

namespace allot::agent {
namespace {

/// The `reason` of a serialised google.rpc.ErrorInfo, its field 1. The message is younger than the
/// google protos that Debian 12 packages, so it is read without a class of its own.
std::string ReasonField(const std::string& error_info) {
  google::protobuf::Empty message;
  if (!message.ParseFromString(error_info)) return "";
  const google::protobuf::UnknownFieldSet& fields =
      message.GetReflection()->GetUnknownFields(message);
  for (int i = 0; i < fields.field_count(); ++i) {
    const google::protobuf::UnknownField& field = fields.field(i);
    const bool text = field.type() == google::protobuf::UnknownField::TYPE_LENGTH_DELIMITED;
    if (field.number() == 1 && text) return field.length_delimited();
  }
  return "";
}

std::optional<Reason> ReasonOf(const grpc::Status& status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return std::nullopt;
  for (const google::protobuf::Any& any : details.details()) {
    if (!any.type_url().ends_with("/google.rpc.ErrorInfo")) continue;
    std::string name;
    for (const char c : ReasonField(any.value())) {
      name += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    }
    return ParseReason(name);
  }
  return std::nullopt;
}

/// Whether the same call can only get the same answer. What carries no reason of ours was said by
/// something on the way, whose mind may change: a proxy that has nothing behind it for a moment
/// answers as UNIMPLEMENTED, too.
bool IsRefusal(grpc::StatusCode code, bool ours) {
  switch (code) {
    case grpc::StatusCode::UNIMPLEMENTED:
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::FAILED_PRECONDITION:
      return ours;
    default:
      return false;
  }
}

Failure::Kind KindOf(const grpc::Status& status, std::optional<Reason> reason) {
  if (reason == Reason::kAgentSuperseded) return Failure::Kind::kSuperseded;
  if (reason == Reason::kInventoryStale) return Failure::Kind::kInventoryStale;
  if (reason == Reason::kOrderNotCurrent) return Failure::Kind::kOrderNotCurrent;
  return IsRefusal(status.error_code(), reason.has_value()) ? Failure::Kind::kRefused
                                                            : Failure::Kind::kTryLater;
}

std::string MessageOf(const grpc::Status& status, std::optional<Reason> reason) {
  const std::string words = Printable(status.error_message());
  if (reason) {
    return std::string(Name(*reason)) + ": " + words + ". " + std::string(Advice(*reason));
  }
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return "the server cannot be reached: " + words;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return "the server did not answer in time";
    case grpc::StatusCode::CANCELLED:
      return "the call was cancelled";
    default:
      return "code " + std::to_string(status.error_code()) + ": " + words;
  }
}

}  // namespace

Failure FailureOf(const grpc::Status& status) {
  const std::optional<Reason> reason = ReasonOf(status);
  return {KindOf(status, reason), MessageOf(status, reason)};
}

}  // namespace allot::agent
