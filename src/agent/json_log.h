#pragma once

#include <optional>
#include <string_view>

#include "allot/agent/log.h"

namespace allot::agent {

/// "debug", "info", "warn", "error".
std::optional<LogLevel> ParseLogLevel(std::string_view name);

/// Lines at `level` and above as JSON objects on stderr: {"time":…,"level":…,"message":…, and the
/// fields}.
Log MakeJsonLog(LogLevel level);

}  // namespace allot::agent
