#include "rpc/call_record.h"

#include <array>
#include <optional>

#include <nlohmann/json.hpp>

namespace allot::rpc {
namespace {

constexpr std::array<std::string_view, 17> kCodeNames = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

const prometheus::Histogram::BucketBoundaries kSecondsBuckets = {
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};

spdlog::level::level_enum LevelOf(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::INTERNAL:
    case grpc::StatusCode::UNKNOWN:
      return spdlog::level::err;
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return spdlog::level::warn;
    default:
      return spdlog::level::info;
  }
}

}  // namespace

std::string_view CodeName(grpc::StatusCode code) {
  const auto index = static_cast<std::size_t>(code);
  return index < kCodeNames.size() ? kCodeNames[index] : "UNKNOWN";
}

CallJournal::CallJournal(std::shared_ptr<spdlog::logger> log,
                         std::shared_ptr<prometheus::Registry> registry,
                         std::function<int64_t()> steady_micros)
    : log_(std::move(log)),
      registry_(std::move(registry)),
      steady_micros_(std::move(steady_micros)) {
  if (!registry_) return;
  calls_ = &prometheus::BuildCounter()
                .Name("allot_rpc_calls_total")
                .Help("Calls that ended, by method and code.")
                .Register(*registry_);
  bad_tokens_ = &prometheus::BuildCounter()
                     .Name("allot_rpc_tokens_refused_total")
                     .Help("Calls refused because of their token, by cause.")
                     .Register(*registry_);
  durations_ = &prometheus::BuildHistogram()
                    .Name("allot_rpc_call_seconds")
                    .Help("From arrival to answer, by method; watches are left out.")
                    .Register(*registry_);
  in_flight_ = &prometheus::BuildGauge()
                    .Name("allot_rpc_calls_in_flight")
                    .Help("Calls that arrived and are not answered, watches included.")
                    .Register(*registry_)
                    .Add({});
  watches_ = &prometheus::BuildGauge()
                  .Name("allot_rpc_watches")
                  .Help("Open watches.")
                  .Register(*registry_)
                  .Add({});
}

void CallJournal::Began() {
  {
    const std::lock_guard lock(under_way_mutex_);
    ++under_way_;
  }
  if (in_flight_ != nullptr) in_flight_->Increment();
}

void CallJournal::Ended(const CallRecord& record, grpc::StatusCode code, const Error* error) {
  const int64_t micros = steady_micros_() - record.start_micros;
  if (registry_) Count(record, code, micros);
  if (log_) Write(record, code, error, micros);
  const std::lock_guard lock(under_way_mutex_);
  if (--under_way_ == 0) none_under_way_.notify_all();
}

bool CallJournal::AwaitNone(std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(under_way_mutex_);
  return none_under_way_.wait_until(lock, deadline, [this] { return under_way_ == 0; });
}

void CallJournal::WatchBegan() {
  if (watches_ != nullptr) watches_->Increment();
}

void CallJournal::WatchEnded() {
  if (watches_ != nullptr) watches_->Decrement();
}

void CallJournal::Count(const CallRecord& record, grpc::StatusCode code, int64_t micros) {
  in_flight_->Decrement();
  calls_->Add({{"method", record.method}, {"code", std::string(CodeName(code))}}).Increment();
  if (!record.token_fault.empty()) {
    bad_tokens_->Add({{"cause", std::string(record.token_fault)}}).Increment();
  }
  if (record.method.ends_with("/WatchAllocations")) return;
  durations_->Add({{"method", record.method}}, kSecondsBuckets)
      .Observe(static_cast<double>(micros) / 1e6);
}

void CallJournal::Write(const CallRecord& record, grpc::StatusCode code, const Error* error,
                        int64_t micros) {
  const auto level = LevelOf(code);
  if (!log_->should_log(level)) return;
  std::optional<int64_t> unwritten = 0;
  // Nobody knows who called, or there are too many.
  const bool not_let_in =
      record.principal.key.empty() || (error != nullptr && error->reason == Reason::kOverloaded);
  if (not_let_in) unwritten = refusal_lines_.Take(steady_micros_());
  if (!unwritten) return;
  nlohmann::json line = {{"event", "rpc"},
                         {"method", record.method},
                         {"call_id", record.call_id},
                         {"code", CodeName(code)},
                         {"micros", micros}};
  if (!record.principal.key.empty()) {
    line["key"] = record.principal.key.str();
    line["role"] = Name(record.principal.role);
  }
  if (!record.request_id.empty()) line["request_id"] = Printable(record.request_id);
  if (error != nullptr) {
    line["reason"] = Name(error->reason);
    line["message"] = error->message;
  }
  if (!record.token_fault.empty()) line["token_fault"] = record.token_fault;
  if (*unwritten > 0) line["refused_without_a_line"] = *unwritten;
  log_->log(level, line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
}

}  // namespace allot::rpc
