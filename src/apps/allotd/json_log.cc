#include "apps/allotd/json_log.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <grpc/support/log.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "allot/base/line_limit.h"
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

/// A remark may quote a header of a stranger's call.
constexpr std::size_t kRemarkBytesMax = 300;
std::atomic<int64_t> errors_of_grpc = 0;

/// gRPC's own remarks, in the same form as ours. Its errors are mostly what strangers did.
void LogForGrpc(gpr_log_func_args* remark) {
  const bool is_error = remark->severity == GPR_LOG_SEVERITY_ERROR;
  const auto level = is_error ? spdlog::level::err : spdlog::level::debug;
  if (is_error) ++errors_of_grpc;
  if (!spdlog::should_log(level)) return;
  static LineLimit lines(10);
  using std::chrono::steady_clock;
  const auto now =
      std::chrono::duration_cast<std::chrono::microseconds>(steady_clock::now().time_since_epoch());
  const std::optional<int64_t> unwritten = is_error ? lines.Take(now.count()) : 0;
  if (!unwritten) return;
  ordered_json line{{"event", "grpc"},
                    {"message", std::string_view(remark->message).substr(0, kRemarkBytesMax)}};
  if (*unwritten > 0) line["errors_without_a_line"] = *unwritten;
  spdlog::log(level, "{}", line.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
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

int64_t ErrorsOfGrpc() { return errors_of_grpc; }

void LogInfo(std::string_view event, const ordered_json& fields) {
  Log(spdlog::level::info, event, fields);
}

void LogWarning(std::string_view event, const ordered_json& fields) {
  Log(spdlog::level::warn, event, fields);
}

void LogError(std::string_view event, const Error& error, std::string_view advice) {
  const ordered_json line{{"event", event},
                          {"reason", Name(error.reason)},
                          {"message", error.message},
                          {"advice", advice.empty() ? Advice(error.reason) : advice}};
  spdlog::error("{}", line.dump(-1, ' ', false, ordered_json::error_handler_t::replace));
}

}  // namespace allot::allotd
