#include "rpc/call_for_two.h"

#include <memory>
#include <string>
#include <string_view>

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

std::string TextOf(const Message& request) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  std::string text;
  // A message of the API that came over the wire has nothing that JSON has not.
  ALLOT_CHECK(google::protobuf::util::MessageToJsonString(*Asked(request), &text, options).ok());
  return text;
}

}  // namespace

control::CalledMethod DescribeMethod(const Message& request) {
  const auto& type = *request.GetDescriptor();
  return {
      .name = type.name().substr(0, type.name().size() - kSuffix.size()),
      .digest = control::Sha256Hex(type.full_name() + '\0' + DeterministicBytes(*Asked(request))),
      .text = [&request] { return TextOf(request); }};
}

}  // namespace allot::rpc
