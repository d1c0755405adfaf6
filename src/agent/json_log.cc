#include "agent/json_log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

namespace allot::agent {
namespace {

using nlohmann::ordered_json;

spdlog::level::level_enum LevelOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      break;
  }
  return spdlog::level::err;
}

}  // namespace

std::optional<LogLevel> ParseLogLevel(std::string_view name) {
  constexpr std::array<std::string_view, 4> kNames = {"debug", "info", "warn", "error"};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames.at(i) == name) return static_cast<LogLevel>(i);
  }
  return std::nullopt;
}

Log MakeJsonLog(LogLevel level) {
  auto logger =
      std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_level(LevelOf(level));
  logger->set_pattern(R"({"time":"%Y-%m-%dT%H:%M:%S.%fZ","level":"%l",%v)",
                      spdlog::pattern_time_type::utc);
  return
      [logger](LogLevel of_line, std::string_view message, std::initializer_list<LogField> fields) {
        ordered_json line;
        line["message"] = message;
        for (const LogField& field : fields) {
          if (const auto* text = std::get_if<std::string>(&field.value)) {
            if (!text->empty()) line[field.key] = *text;
          } else {
            line[field.key] = std::get<int64_t>(field.value);
          }
        }
        // The pattern opened the object. Bytes that are not UTF-8 are replaced: a line that cannot
        // be parsed is a line lost.
        const std::string text = line.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
        logger->log(LevelOf(of_line), text.substr(1));
      };
}

}  // namespace allot::agent
