#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace allot::oidc {

/// The JSON object that `text` is: UTF-8, at most 8 deep, no name twice in one object. Two readers
/// that took different ones of two values would judge one thing and do another.
std::optional<nlohmann::json> ParseObject(std::string_view text);

/// A member that is a text; nothing when it is missing or none.
std::optional<std::string> TextIn(const nlohmann::json& object, const char* name);

}  // namespace allot::oidc
