#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

namespace allot::yaml {

/// Why there are no documents.
struct Problem {
  enum class Kind : uint8_t {
    kNoText,   ///< not UTF-8, or with a zero in it
    kNotYaml,  ///< message says why
    kTooDeep,
    kAlias,  ///< *name, where there may be none
  };
  Kind kind = Kind::kNotYaml;
  /// Counted from 1.
  int line = 1;
  /// Plain text, at most 128 bytes.
  std::string message;
};

enum class Aliases : uint8_t { kTaken, kRefused };

/// The documents of a text in YAML or JSON, or why there are none. Ends whatever the text: yaml-cpp
/// itself reads documents without end out of a single comma.
std::variant<std::vector<YAML::Node>, Problem> ReadDocuments(const std::string& text,
                                                             Aliases aliases);

}  // namespace allot::yaml
