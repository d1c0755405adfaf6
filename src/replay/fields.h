#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allot/base/result.h"

namespace allot::replay {

/// What is read goes on after the first error, with harmless values; the error is looked at once,
/// at the end.
struct FirstError {
  std::optional<Error> error;
  void Note(const std::string& path, std::string_view value, std::string expected) {
    if (!error) error = FieldError(Reason::kConfigInvalid, path, value, std::move(expected));
  }
};

/// The fields of one JSON object, by name, each as its kind demands.
class Fields {
 public:
  Fields(const nlohmann::json& json, std::string path, FirstError& first);

  bool Has(const char* name) const;
  int64_t Int(const char* name, int64_t min, int64_t max) const;
  /// A position in a list of `size` rows.
  int Position(const char* name, std::size_t size) const;
  bool Bool(const char* name) const;
  /// Not empty.
  std::string Text(const char* name) const;
  /// By the parser of the name's kind.
  template <class Parse>
  auto Named(const char* name, Parse parse, const char* expected) const {
    const std::string text = Text(name);
    const auto value = parse(text);
    if (!value) first_.Note(PathOf(name), text, expected);
    return value.value_or(typename decltype(parse(text))::value_type{});
  }
  Fields Object(const char* name) const;
  /// Each of a list of objects.
  void Each(const char* name, const std::function<void(const Fields&)>& read) const;
  /// Each of a list of texts.
  std::vector<std::string> Texts(const char* name) const;
  /// Each of a list of numbers within the bounds.
  std::vector<int> Ints(const char* name, int64_t min, int64_t max) const;

  std::string PathOf(const char* name) const;
  void Note(const char* name, std::string_view value, std::string expected) const;

 private:
  const nlohmann::json* Find(const char* name) const;

  const nlohmann::json& json_;
  std::string path_;
  FirstError& first_;
};

}  // namespace allot::replay
