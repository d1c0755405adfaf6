#include "replay/fields.h"

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

}  // namespace

Fields::Fields(const nlohmann::json& json, std::string path, FirstError& first)
    : json_(json.is_object() ? json : kNothing), path_(std::move(path)), first_(first) {
  if (!json.is_object()) first_.Note(path_, json.dump(), "an object");
}

std::string Fields::PathOf(const char* name) const {
  return path_.empty() ? name : path_ + "." + name;
}

void Fields::Note(const char* name, std::string_view value, std::string expected) const {
  first_.Note(PathOf(name), value, std::move(expected));
}

const nlohmann::json* Fields::Find(const char* name) const {
  const auto found = json_.find(name);
  return found == json_.end() ? nullptr : &*found;
}

bool Fields::Has(const char* name) const { return Find(name) != nullptr; }

int64_t Fields::Int(const char* name, int64_t min, int64_t max) const {
  const nlohmann::json* json = Find(name);
  const auto value = json == nullptr ? std::nullopt : Number(*json, min, max);
  if (!value) Note(name, json == nullptr ? "" : json->dump(), Range(min, max));
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
  Note(name, json == nullptr ? "" : json->dump(), "true or false");
  return false;
}

std::string Fields::Text(const char* name) const {
  const nlohmann::json* json = Find(name);
  if (json != nullptr && json->is_string() && !json->get_ref<const std::string&>().empty()) {
    return json->get<std::string>();
  }
  Note(name, json == nullptr ? "" : json->dump(), "a text");
  return "";
}

Fields Fields::Object(const char* name) const {
  const nlohmann::json* json = Find(name);
  if (json == nullptr) Note(name, "", "an object");
  return {json == nullptr ? kNothing : *json, PathOf(name), first_};
}

void Fields::Each(const char* name, const std::function<void(const Fields&)>& read) const {
  const nlohmann::json* json = Find(name);
  if (json == nullptr || !json->is_array()) {
    Note(name, json == nullptr ? "" : json->dump(), "a list");
    return;
  }
  for (std::size_t i = 0; i < json->size(); ++i) {
    read(Fields((*json)[i], PathOf(name) + "[" + std::to_string(i) + "]", first_));
  }
}

std::vector<std::string> Fields::Texts(const char* name) const {
  std::vector<std::string> texts;
  const nlohmann::json* json = Find(name);
  const bool list = json != nullptr && json->is_array();
  for (const auto& element : list ? *json : nlohmann::json::array()) {
    if (element.is_string()) texts.push_back(element.get<std::string>());
  }
  if (!list || texts.size() != json->size()) {
    Note(name, json == nullptr ? "" : json->dump(), "a list of texts");
  }
  return texts;
}

std::vector<int> Fields::Ints(const char* name, int64_t min, int64_t max) const {
  std::vector<int> numbers;
  const nlohmann::json* json = Find(name);
  const bool list = json != nullptr && json->is_array();
  for (const auto& element : list ? *json : nlohmann::json::array()) {
    if (const auto number = Number(element, min, max)) {
      numbers.push_back(static_cast<int>(*number));
    }
  }
  if (!list || numbers.size() != json->size()) Note(name, "", "a list, each " + Range(min, max));
  return numbers;
}

}  // namespace allot::replay
