#include "rpc/call_for_two.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/util/json_util.h>

#include "allot/base/check.h"

namespace allot::rpc {
namespace {

using google::protobuf::Message;

constexpr std::string_view kSuffix = "Request";

/// What two calls that ask for the same have in common.
std::unique_ptr<Message> Asked(const Message& request) {
  std::unique_ptr<Message> asked(request.New());
  asked->CopyFrom(request);
  const auto* request_id = request.GetDescriptor()->FindFieldByName("request_id");
  ALLOT_CHECK(request_id != nullptr);
  asked->GetReflection()->ClearField(asked.get(), request_id);
  return asked;
}

/// Whether a newer release knows more of it than we do.
bool HasUnknownFields(const Message& message) {
  const auto& reflection = *message.GetReflection();
  if (!reflection.GetUnknownFields(message).empty()) return true;
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      if (HasUnknownFields(reflection.GetMessage(message, field))) return true;
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(message, field); ++i) {
      if (HasUnknownFields(reflection.GetRepeatedMessage(message, field, i))) return true;
    }
  }
  return false;
}

/// All that takes effect, or nothing: what the second person is not shown must not be approved.
Result<std::string> TextOf(const Message& request) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  std::string text;
  const bool shown =
      !HasUnknownFields(request) &&
      google::protobuf::util::MessageToJsonString(*Asked(request), &text, options).ok();
  if (shown) return text;
  return StateError(Reason::kRequestMalformed,
                    "the request has something that a second person cannot be shown: a field of a "
                    "later release, or a time that is none");
}

}  // namespace

control::CalledMethod DescribeMethod(const Message& request) {
  const auto& type = *request.GetDescriptor();
  return {.name = type.name().substr(0, type.name().size() - kSuffix.size()),
          .digest =
              [&request] {
                return control::Sha256Hex(request.GetDescriptor()->full_name() + '\0' +
                                          DeterministicBytes(*Asked(request)));
              },
          .text = [&request] { return TextOf(request); }};
}

}  // namespace allot::rpc
