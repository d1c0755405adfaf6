#include "apps/allotd/yaml_fields.h"

#include <charconv>
#include <utility>

namespace allot::allotd {
namespace {

std::string Join(const std::set<std::string>& names) {
  std::string joined;
  for (const std::string& name : names) {
    if (!joined.empty()) joined += ", ";
    joined += name;
  }
  return joined;
}

std::string WhatStandsThere(const YAML::Node& node) {
  if (node.IsScalar()) return "'" + Printable(node.Scalar()) + "'";
  if (node.IsMap()) return "a mapping";
  if (node.IsSequence()) return "a list";
  return "nothing";
}

}  // namespace

YamlFields::YamlFields(const YAML::Node& mapping, std::string file, std::string path,
                       std::optional<Error>& error)
    : file_(std::move(file)), path_(std::move(path)), error_(error) {
  if (!mapping || mapping.IsNull()) return;
  line_ = mapping.Mark().line + 1;
  if (!mapping.IsMap()) {
    Fail(line_, path_.empty() ? "the file" : path_, WhatStandsThere(mapping),
         "a mapping of settings");
    return;
  }
  for (const auto& entry : mapping) {
    const int key_line = entry.first.Mark().line + 1;
    if (!entry.first.IsScalar()) {
      Fail(key_line, path_.empty() ? "the file" : path_, WhatStandsThere(entry.first),
           "the name of a setting");
      return;
    }
    const std::string key = entry.first.Scalar();
    if (!fields_.emplace(key, Field{entry.second, key_line}).second) {
      Fail(key_line, PathOf(key), "a second time", "each setting once");
    }
    order_.push_back(key);
  }
}

void YamlFields::Read(const std::string& key, std::string& value, const std::string& expected,
                      bool (*accepted)(std::string_view)) {
  const Field* field = Find(key);
  if (field == nullptr) return;
  if (!field->value.IsScalar() || !accepted(field->value.Scalar())) return Refuse(key, expected);
  value = field->value.Scalar();
}

void YamlFields::Read(const std::string& key, int& value, int min, int max) {
  const Field* field = Find(key);
  if (field == nullptr) return;
  const std::string expected =
      "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
  if (!field->value.IsScalar()) return Refuse(key, expected);
  const std::string& text = field->value.Scalar();
  // Eight to whoever knows YAML 1.1, ten to everybody else.
  if (text.size() > 1 && text.front() == '0')
    return Refuse(key, expected + " that begins with no 0");
  int parsed = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (code != std::errc() || end != text.data() + text.size() || parsed < min || parsed > max) {
    return Refuse(key, expected);
  }
  value = parsed;
}

void YamlFields::Read(const std::string& key, Seconds& value, Seconds min, Seconds max) {
  const Field* field = Find(key);
  if (field == nullptr) return;
  const std::string expected =
      "a duration from " + FormatDuration(min) + " to " + FormatDuration(max);
  if (!field->value.IsScalar()) return Refuse(key, expected);
  const std::optional<Seconds> parsed = ParseDuration(field->value.Scalar());
  if (!parsed || *parsed < min || *parsed > max) return Refuse(key, expected);
  value = *parsed;
}

void YamlFields::Read(const std::string& key, bool& value) {
  const Field* field = Find(key);
  if (field == nullptr) return;
  const std::string text = field->value.IsScalar() ? field->value.Scalar() : "";
  if (text != "true" && text != "false") return Refuse(key, "true or false");
  value = text == "true";
}

void YamlFields::Read(const std::string& key, std::vector<std::string>& values,
                      const std::string& expected, bool (*accepted)(std::string_view)) {
  const Field* field = Find(key);
  if (field == nullptr) return;
  if (!field->value.IsSequence() || field->value.size() == 0) return Refuse(key, expected);
  std::vector<std::string> read;
  for (const auto& item : field->value) {
    if (!item.IsScalar() || !accepted(item.Scalar())) return Refuse(key, expected);
    read.push_back(item.Scalar());
  }
  values = std::move(read);
}

void YamlFields::Require(const std::string& key, const std::string& expected) {
  if (Find(key) == nullptr) Fail(line_, PathOf(key), "missing", expected);
}

std::vector<YamlFields> YamlFields::Mappings(const std::string& key, std::size_t most) {
  const Field* field = Find(key);
  std::vector<YamlFields> mappings;
  if (field == nullptr) return mappings;
  if (!field->value.IsSequence() || field->value.size() > most) {
    Refuse(key, "a list of at most " + std::to_string(most) + " mappings");
    return mappings;
  }
  for (std::size_t i = 0; i < field->value.size(); ++i) {
    const std::string path = PathOf(key) + "[" + std::to_string(i) + "]";
    const YAML::Node item = field->value[i];
    if (!item.IsMap()) Fail(field->line, path, WhatStandsThere(item), "a mapping of settings");
    mappings.emplace_back(item.IsMap() ? item : YAML::Node(), file_, path, error_);
  }
  return mappings;
}

YamlFields YamlFields::Mapping(const std::string& key) {
  const Field* field = Find(key);
  return YamlFields(field == nullptr ? YAML::Node() : field->value, file_, PathOf(key), error_);
}

std::vector<std::string> YamlFields::Keys() {
  read_.insert(order_.begin(), order_.end());
  return order_;
}

void YamlFields::Refuse(const std::string& key, const std::string& expected) {
  const Field* field = Find(key);
  if (field != nullptr) Fail(field->line, PathOf(key), WhatStandsThere(field->value), expected);
}

void YamlFields::Finish() {
  for (const std::string& key : order_) {
    if (read_.contains(key)) continue;
    std::set<std::string> known;
    for (const std::string& name : read_) known.insert(name);
    Fail(fields_.at(key).line, PathOf(key), "an unknown setting", "one of: " + Join(known));
  }
}

const YamlFields::Field* YamlFields::Find(const std::string& key) {
  // Remembered even when the file does not have it: these are the names that Finish proposes.
  read_.insert(key);
  const auto field = fields_.find(key);
  return field == fields_.end() ? nullptr : &field->second;
}

std::string YamlFields::PathOf(const std::string& key) const {
  const std::string shown = key.empty() ? "''" : Printable(key);
  return path_.empty() ? shown : path_ + "." + shown;
}

void YamlFields::Fail(int line, const std::string& field, const std::string& value,
                      const std::string& expected) {
  if (error_) return;
  error_ = Error{Reason::kConfigInvalid, field, value, expected,
                 file_ + ":" + std::to_string(line) + ": " + field + " is " + value +
                     ": expected " + expected};
}

}  // namespace allot::allotd
