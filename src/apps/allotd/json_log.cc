#include "apps/allotd/json_log.h"

#include <chrono>
#include <memory>
#include <string_view>
#include <utility>

#include <grpc/support/log.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "allot/base/time.h"

namespace allot::allotd {
namespace {

using nlohmann::ordered_json;

class JsonFormatter final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    using std::chrono::duration_cast;
    using std::chrono::microseconds;
    const auto level = spdlog::level::to_string_view(message.level);
    const std::string_view payload(message.payload.data(), message.payload.size());
    ordered_json line;
    line["time"] =
        FormatRfc3339({duration_cast<microseconds>(message.time.time_since_epoch()).count()});
    line["level"] = std::string_view(level.data(), level.size());
    if (message.logger_name.size() > 0) {
      line["logger"] = std::string_view(message.logger_name.data(), message.logger_name.size());
    }
    const bool has_members = IsObjectWithMembers(payload);
    if (!has_members) line["message"] = payload;
    // Bytes that are not UTF-8 are replaced: a line that cannot be parsed is a line lost.
    std::string text = line.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
    if (has_members) {
      text.back() = ',';
      text += payload.substr(1);
    }
    text += '\n';
    out.append(text.data(), text.data() + text.size());
  }

  std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<JsonFormatter>();
  }

 private:
  /// On one line, as it can stand in another.
  static bool IsObjectWithMembers(std::string_view payload) {
    return payload.starts_with("{\"") && payload.ends_with('}') &&
           payload.find('\n') == std::string_view::npos && ordered_json::accept(payload);
  }
};

/// gRPC's own remarks, in the same form as ours.
void LogForGrpc(gpr_log_func_args* remark) {
  const ordered_json line{{"event", "grpc"}, {"message", remark->message}};
  const std::string text = line.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  if (remark->severity == GPR_LOG_SEVERITY_ERROR) {
    spdlog::error("{}", text);
  } else {
    spdlog::debug("{}", text);
  }
}

void Log(spdlog::level::level_enum level, std::string_view event, const ordered_json& fields) {
  ordered_json line{{"event", event}};
  for (const auto& [key, value] : fields.items()) line[key] = value;
  spdlog::log(level, "{}", line.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
}

}  // namespace

void LogAsJson(const std::string& level) {
  auto logger =
      std::make_shared<spdlog::logger>("", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(std::make_unique<JsonFormatter>());
  logger->set_level(spdlog::level::from_str(level == "warn" ? "warning" : level));
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  gpr_set_log_function(LogForGrpc);
}

void LogInfo(std::string_view event, const ordered_json& fields) {
  Log(spdlog::level::info, event, fields);
}

void LogWarning(std::string_view event, const ordered_json& fields) {
  Log(spdlog::level::warn, event, fields);
}

void LogError(std::string_view event, const Error& error) {
  const ordered_json line{{"event", event},
                          {"reason", Name(error.reason)},
                          {"message", error.message},
                          {"advice", Advice(error.reason)}};
  spdlog::error("{}", line.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
}

}  // namespace allot::allotd
