#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <string>
#include <vector>

namespace allot::rpc {

/// Where a text stands in a message: the fields from the outside in, the last one the text's.
struct StringField {
  std::vector<const google::protobuf::FieldDescriptor*> steps;

  /// "allocation.request.after", as errors name it but for the numbers of repeated ones.
  std::string path() const;
  /// Whether it, or what it stands in, is for the server alone to say.
  bool is_output_only() const;
};

/// Every text of a message, at any depth, repeated ones and maps too.
std::vector<StringField> StringFieldsOf(const google::protobuf::Descriptor& message);

/// Puts a text there: in the first of repeated ones, made where there is none.
void SetText(google::protobuf::Message& message, const StringField& field, const std::string& text);

/// What stands in a field, wherever in `message` there is a message that has it.
std::vector<std::string> TextsIn(const google::protobuf::Message& message,
                                 const google::protobuf::FieldDescriptor& field);

}  // namespace allot::rpc
