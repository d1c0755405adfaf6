#include "replay/fields.h"

#include <algorithm>
#include <utility>

namespace allot::replay {
namespace {

const nlohmann::json kNothing = nlohmann::json::object();

std::string Range(int64_t min, int64_t max) {
  return "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
}

std::optional<int64_t> Number(const nlohmann::json& json, int64_t min, int64_t max) {
  if (!json.is_number_integer()) return std::nullopt;
  // Beyond int64_t it would wrap around.
  if (json.is_number_unsigned() && json.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX)) {
    return std::nullopt;
  }
  const auto value = json.get<int64_t>();
  if (value < min || value > max) return std::nullopt;
  return value;
}

/// For messages. Lists and objects are only named: to write one down takes as much stack as it is
/// deep.
std::string Shown(const nlohmann::json& json) {
  if (json.is_array()) return "a list";
  if (json.is_object()) return "an object";
  return json.dump();
}

}  // namespace

Fields::Fields(const nlohmann::json& json, std::string path, Reading& reading)
    : json_(json.is_object() ? json : kNothing), path_(std::move(path)), reading_(reading) {
  if (!json.is_object()) reading_.Note(path_, Shown(json), "an object");
}

std::string Fields::PathOf(const char* name) const {
  return path_.empty() ? name : path_ + "." + name;
}

void Fields::Note(const char* name, std::string_view value, std::string expected) const {
  reading_.Note(PathOf(name), value, std::move(expected));
}

void Fields::Refuse(const char* name, const nlohmann::json* json, std::string expected) const {
  Note(name, json == nullptr ? "" : Shown(*json), std::move(expected));
}

void Fields::RefuseOthers() const {
  if (asked_for_.size() == json_.size()) return;
  for (const auto& [name, json] : json_.items()) {
    if (std::ranges::find(asked_for_, &json) != asked_for_.end()) continue;
    Refuse(Printable(name).c_str(), &json,
           "no such field in a recording of format " + std::to_string(reading_.format));
  }
}

const nlohmann::json* Fields::Find(const char* name) const {
  const auto found = json_.find(name);
  if (found == json_.end()) return nullptr;
  if (std::ranges::find(asked_for_, &*found) == asked_for_.end()) asked_for_.push_back(&*found);
  return &*found;
}

bool Fields::Has(const char* name, int64_t since) const {
  return since <= reading_.format && Find(name) != nullptr;
}

int64_t Fields::Int(const char* name, int64_t min, int64_t max) const {
  const nlohmann::json* json = Find(name);
  const auto value = json == nullptr ? std::nullopt : Number(*json, min, max);
  if (!value) Refuse(name, json, Range(min, max));
  return value.value_or(min);
}

int Fields::Position(const char* name, std::size_t size) const {
  if (size > 0) return static_cast<int>(Int(name, 0, static_cast<int64_t>(size) - 1));
  Note(name, "", "a row to refer to; there is none");
  return 0;
}

bool Fields::Bool(const char* name) const {
  const nlohmann::json* json = Find(name);
  if (json != nullptr && json->is_boolean()) return json->get<bool>();
  Refuse(name, json, "true or false");
  return false;
}

std::string Fields::Text(const char* name) const {
  const nlohmann::json* json = Find(name);
  if (json != nullptr && json->is_string() && !json->get_ref<const std::string&>().empty()) {
    return json->get<std::string>();
  }
  Refuse(name, json, "a text that is not empty");
  return "";
}

Fields Fields::ObjectAt(const char* name) const {
  const nlohmann::json* json = Find(name);
  if (json == nullptr) Note(name, "", "an object");
  return {json == nullptr ? kNothing : *json, PathOf(name), reading_};
}

void Fields::Each(const char* name, const std::function<void(const Fields&)>& read) const {
  const nlohmann::json* json = Find(name);
  if (json == nullptr || !json->is_array()) {
    Refuse(name, json, "a list");
    return;
  }
  for (std::size_t i = 0; i < json->size(); ++i) {
    const Fields row((*json)[i], PathOf(name) + "[" + std::to_string(i) + "]", reading_);
    read(row);
    row.RefuseOthers();
  }
}

std::vector<std::string> Fields::Texts(const char* name) const {
  std::vector<std::string> texts;
  const nlohmann::json* json = Find(name);
  if (json == nullptr || !json->is_array()) {
    Refuse(name, json, "a list of texts");
    return texts;
  }
  for (const nlohmann::json& element : *json) {
    if (element.is_string()) {
      texts.push_back(element.get<std::string>());
    } else {
      Refuse(name, &element, "a list of texts");
    }
  }
  return texts;
}

std::vector<int> Fields::Ints(const char* name, int64_t min, int64_t max) const {
  std::vector<int> numbers;
  const nlohmann::json* json = Find(name);
  if (json == nullptr || !json->is_array()) {
    Refuse(name, json, "a list, each " + Range(min, max));
    return numbers;
  }
  for (const nlohmann::json& element : *json) {
    if (const auto number = Number(element, min, max)) {
      numbers.push_back(static_cast<int>(*number));
    } else {
      Refuse(name, &element, "a list, each " + Range(min, max));
    }
  }
  return numbers;
}

}  // namespace allot::replay
