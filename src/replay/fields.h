#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allot/base/result.h"
#include "allot/replay/recording.h"

namespace allot::replay {

/// Of one recording. What is read goes on after the first error, with harmless values; the error is
/// looked at once, at the end.
struct Reading {
  /// What the recording says of itself; until that is read, the newest.
  int64_t format = kRecordingVersion;
  std::optional<Error> error;
  void Note(const std::string& path, std::string_view value, std::string expected) {
    if (!error) error = FieldError(Reason::kConfigInvalid, path, value, std::move(expected));
  }
};

/// The fields of one JSON object, by name, each as its kind demands.
class Fields {
 public:
  Fields(const nlohmann::json& json, std::string path, Reading& reading);

  /// `since`: the format that the field came with; in an older one it stays a stranger.
  bool Has(const char* name, int64_t since = 1) const;
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
    if (!value) reading_.Note(PathOf(name), text, expected);
    return value.value_or(typename decltype(parse(text))::value_type{});
  }
  /// What `read` makes of an object, which holds nothing else.
  template <class Read>
  auto Object(const char* name, Read read) const {
    const Fields object = ObjectAt(name);
    auto value = read(object);
    object.RefuseOthers();
    return value;
  }
  /// Each of a list of objects, which hold nothing but what is read.
  void Each(const char* name, const std::function<void(const Fields&)>& read) const;
  /// Each of a list of texts.
  std::vector<std::string> Texts(const char* name) const;
  /// Each of a list of numbers within the bounds.
  std::vector<int> Ints(const char* name, int64_t min, int64_t max) const;

  std::string PathOf(const char* name) const;
  void Note(const char* name, std::string_view value, std::string expected) const;
  /// Notes a field that nobody asked for: its reader would have lost it unseen.
  void RefuseOthers() const;

 private:
  Fields ObjectAt(const char* name) const;
  const nlohmann::json* Find(const char* name) const;
  void Refuse(const char* name, const nlohmann::json* json, std::string expected) const;

  const nlohmann::json& json_;
  std::string path_;
  Reading& reading_;
  /// Grows as fields are read, which changes nothing that is read.
  mutable std::vector<const nlohmann::json*> asked_for_;
};

}  // namespace allot::replay
