#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "allot/base/result.h"

namespace allot::allotd {

/// From here on every line of the default logger is one JSON object on stderr:
/// {"time":…,"level":…,"message":…}. A message that is itself a JSON object gives its members to
/// the line instead, so that a request id is a field and not a part of a sentence. Requires:
/// `level` is one that IsLogLevel accepts.
void LogAsJson(const std::string& level);

/// A line {"time":…,"level":"info","event":event, …fields}.
void LogInfo(std::string_view event, const nlohmann::ordered_json& fields);
/// The same with level "warning", for what somebody should look at.
void LogWarning(std::string_view event, const nlohmann::ordered_json& fields);
/// The same with level "error" and the reason, message and advice of `error`.
void LogError(std::string_view event, const Error& error);

}  // namespace allot::allotd
