#pragma once

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

namespace allot::agent {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarn, kError };

/// What a line of the log is about: "allocation", "order", "node" …
struct LogField {
  std::string key;
  std::variant<std::string, int64_t> value;
};

/// Where the agent's log goes: one call a line. Handed in from main; thread safe.
using Log = std::function<void(LogLevel level, std::string_view message,
                               std::initializer_list<LogField> fields)>;

}  // namespace allot::agent
