#include "fuzz/support/message_text.h"

#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/text_format.h>

#include <memory>

namespace allot::fuzz {
namespace {

/// Most inputs are no text form, and none of them is worth a line.
class Silent final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int, google::protobuf::io::ColumnNumber, const std::string&) override {}
};

}  // namespace

std::optional<std::string> BytesOf(const google::protobuf::Message& type, std::string_view input) {
  if (!input.starts_with(kTextMark)) return std::string(input);
  const std::unique_ptr<google::protobuf::Message> message(type.New());
  Silent silent;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&silent);
  if (!parser.ParseFromString(std::string(input.substr(kTextMark.size())), message.get())) {
    return std::nullopt;
  }
  return message->SerializeAsString();
}

}  // namespace allot::fuzz
