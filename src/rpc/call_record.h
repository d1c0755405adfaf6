#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include <grpcpp/support/status.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <spdlog/logger.h>

#include "allot/base/line_limit.h"
#include "allot/base/result.h"
#include "allot/model/principal.h"

namespace allot::rpc {

/// What is said about one call when it is over.
struct CallRecord {
  /// "allot.v1.AllocationService/CreateAllocation".
  std::string method;
  /// Minted for each call; in the log and in every error's RequestInfo.
  std::string call_id;
  /// The caller's own, as sent.
  std::string request_id;
  Principal principal;
  int64_t start_micros = 0;
  /// Of a token that was refused: why, which nobody but the log and the metrics is told.
  std::string_view token_fault = {};
};

/// Counts calls and writes one line for each that ended. Thread safe.
class CallJournal {
 public:
  CallJournal(std::shared_ptr<spdlog::logger> log, std::shared_ptr<prometheus::Registry> registry,
              std::function<int64_t()> steady_micros);

  int64_t NowMicros() const { return steady_micros_(); }
  void Began();
  /// `error` is null for success and for calls whose caller went away.
  void Ended(const CallRecord& record, grpc::StatusCode code, const Error* error);
  void WatchBegan();
  void WatchEnded();
  /// Until all that began have ended; false if some have not by then.
  bool AwaitNone(std::chrono::steady_clock::time_point deadline);

 private:
  void Count(const CallRecord& record, grpc::StatusCode code, int64_t micros);
  void Write(const CallRecord& record, grpc::StatusCode code, const Error* error, int64_t micros);

  const std::shared_ptr<spdlog::logger> log_;
  const std::shared_ptr<prometheus::Registry> registry_;
  const std::function<int64_t()> steady_micros_;
  prometheus::Family<prometheus::Counter>* calls_ = nullptr;
  prometheus::Family<prometheus::Counter>* bad_tokens_ = nullptr;
  prometheus::Family<prometheus::Histogram>* durations_ = nullptr;
  prometheus::Gauge* in_flight_ = nullptr;
  prometheus::Gauge* watches_ = nullptr;
  std::mutex under_way_mutex_;
  std::condition_variable none_under_way_;
  int64_t under_way_ = 0;
  /// Of calls that were not let in.
  LineLimit refusal_lines_{10};
};

/// "OK", "INVALID_ARGUMENT", …
std::string_view CodeName(grpc::StatusCode code);

}  // namespace allot::rpc
