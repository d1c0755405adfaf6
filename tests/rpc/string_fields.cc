#include "rpc/string_fields.h"

#include <google/api/field_behavior.pb.h>

#include <algorithm>

namespace allot::rpc {

namespace pb = google::protobuf;

namespace {

void Collect(const pb::Descriptor& message, StringField& above, std::vector<StringField>& fields) {
  for (int i = 0; i < message.field_count(); ++i) {
    const auto* field = message.field(i);
    const auto in_itself = [&](const pb::FieldDescriptor* step) {
      return step->message_type() == field->message_type();
    };
    above.steps.push_back(field);
    if (field->type() == pb::FieldDescriptor::TYPE_STRING) {
      fields.push_back(above);
    } else if (field->message_type() != nullptr &&
               std::none_of(above.steps.begin(), above.steps.end() - 1, in_itself)) {
      Collect(*field->message_type(), above, fields);
    }
    above.steps.pop_back();
  }
}

/// One of a repeated field's messages: one that has `next` already, else the first, made if need
/// be.
pb::Message* ElementWith(pb::Message& message, const pb::FieldDescriptor* field,
                         const pb::FieldDescriptor* next) {
  const auto* reflection = message.GetReflection();
  const int count = reflection->FieldSize(message, field);
  if (count == 0) return reflection->AddMessage(&message, field);
  for (int i = 0; i < count; ++i) {
    auto* element = reflection->MutableRepeatedMessage(&message, field, i);
    if (!next->is_repeated() && element->GetReflection()->HasField(*element, next)) return element;
  }
  return reflection->MutableRepeatedMessage(&message, field, 0);
}

}  // namespace

std::string StringField::path() const {
  std::string path;
  for (const auto* step : steps) path += (path.empty() ? "" : ".") + step->name();
  return path;
}

bool StringField::is_output_only() const {
  return std::any_of(steps.begin(), steps.end(), [](const pb::FieldDescriptor* step) {
    const auto& behaviors = step->options().GetRepeatedExtension(google::api::field_behavior);
    return std::find(behaviors.begin(), behaviors.end(), google::api::OUTPUT_ONLY) !=
           behaviors.end();
  });
}

std::vector<StringField> StringFieldsOf(const pb::Descriptor& message) {
  StringField above;
  std::vector<StringField> fields;
  Collect(message, above, fields);
  return fields;
}

void SetText(pb::Message& message, const StringField& field, const std::string& text) {
  pb::Message* at = &message;
  for (std::size_t i = 0; i < field.steps.size(); ++i) {
    const auto* step = field.steps[i];
    const auto* reflection = at->GetReflection();
    if (step != field.steps.back()) {
      at = step->is_repeated() ? ElementWith(*at, step, field.steps[i + 1])
                               : reflection->MutableMessage(at, step);
    } else if (!step->is_repeated()) {
      reflection->SetString(at, step, text);
    } else if (reflection->FieldSize(*at, step) > 0) {
      reflection->SetRepeatedString(at, step, 0, text);
    } else {
      reflection->AddString(at, step, text);
    }
  }
}

std::vector<std::string> TextsIn(const pb::Message& message, const pb::FieldDescriptor& wanted) {
  std::vector<std::string> texts;
  const auto* reflection = message.GetReflection();
  std::vector<const pb::FieldDescriptor*> fields;
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->message_type() != nullptr) {
        const auto& below = field->is_repeated() ? reflection->GetRepeatedMessage(message, field, i)
                                                 : reflection->GetMessage(message, field);
        for (std::string& text : TextsIn(below, wanted)) texts.push_back(std::move(text));
      } else if (field == &wanted) {
        texts.push_back(field->is_repeated() ? reflection->GetRepeatedString(message, field, i)
                                             : reflection->GetString(message, field));
      }
    }
  }
  return texts;
}

}  // namespace allot::rpc
