#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "allot/base/result.h"

namespace allot::allotd {

/// From here on every line of the default logger is one JSON object on stderr:
/// {"time":…,"level":…,"message":…}. A message that is itself a JSON object gives its members to
/// the line instead, so that a request id is a field and not a part of a sentence. Requires:
/// `level` is one that IsLogLevel accepts.
/// gRPC's own errors, which strangers can cause as they like, are ten lines a second at most, and
/// cut; of others it is said how many there were.
void LogAsJson(const std::string& level);

/// How many gRPC remarked since then.
int64_t ErrorsOfGrpc();

/// A line {"time":…,"level":"info","event":event, …fields}.
void LogInfo(std::string_view event, const nlohmann::ordered_json& fields);
/// The same with level "warning", for what somebody should look at.
void LogWarning(std::string_view event, const nlohmann::ordered_json& fields);
/// The same with level "error" and the reason and message of `error`, and its advice or another.
void LogError(std::string_view event, const Error& error, std::string_view advice = {});

}  // namespace allot::allotd
