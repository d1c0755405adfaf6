#include "cli/answer.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <cstdint>
#include <string>
#include <vector>

namespace allot::cli {
namespace {

using google::protobuf::Duration;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Timestamp;

constexpr int64_t kSecondsMin = -62'135'596'800;  // 0001-01-01
constexpr int64_t kSecondsMax = 253'402'300'799;  // 9999-12-31
constexpr int64_t kLengthMax = 315'576'000'000;   // 10,000 years
constexpr int32_t kNanosMax = 999'999'999;

bool IsTime(const Timestamp& time) {
  return time.seconds() >= kSecondsMin && time.seconds() <= kSecondsMax && time.nanos() >= 0 &&
         time.nanos() <= kNanosMax;
}

bool IsLength(const Duration& length) {
  const bool one_sign = length.seconds() == 0 || length.nanos() == 0 ||
                        (length.seconds() < 0) == (length.nanos() < 0);
  return one_sign && length.seconds() >= -kLengthMax && length.seconds() <= kLengthMax &&
         length.nanos() >= -kNanosMax && length.nanos() <= kNanosMax;
}

/// The first field, at whatever depth, that is none.
const FieldDescriptor* FindFault(const Message& message);

const FieldDescriptor* FaultIn(const Message& value, const FieldDescriptor* field) {
  const std::string& type = value.GetDescriptor()->full_name();
  if (type == "google.protobuf.Timestamp") {
    return IsTime(static_cast<const Timestamp&>(value)) ? nullptr : field;
  }
  if (type == "google.protobuf.Duration") {
    return IsLength(static_cast<const Duration&>(value)) ? nullptr : field;
  }
  return FindFault(value);
}

const FieldDescriptor* FindFault(const Message& message) {
  const auto& reflection = *message.GetReflection();
  std::vector<const FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const Message& value = field->is_repeated() ? reflection.GetRepeatedMessage(message, field, i)
                                                  : reflection.GetMessage(message, field);
      if (const auto* fault = FaultIn(value, field)) return fault;
    }
  }
  return nullptr;
}

}  // namespace

Failure Malformed(std::string what) {
  return {
      .exit_code = ExitCode::kInternal,
      .reason = "answer_malformed",
      .message = "the server's answer is none: " + std::move(what),
      .advice = "Use the allot of the server's release; if it is, tell whoever runs the server."};
}

std::optional<Failure> WhyMalformed(const Message& answer) {
  const FieldDescriptor* const fault = FindFault(answer);
  if (fault == nullptr) return std::nullopt;
  return Malformed(fault->full_name() + " is out of range");
}

}  // namespace allot::cli
