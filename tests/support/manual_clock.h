#pragma once

#include <atomic>

#include "allot/base/clock.h"

namespace allot::testing {

/// A clock that moves only when a test says so. Thread safe.
class ManualClock final : public Clock {
 public:
  /// 2026-03-01T00:00:00Z, the month of the programme's first result.
  static constexpr Instant kStart = Instant::FromSeconds(1'772'323'200);

  explicit ManualClock(Instant start = kStart) : micros_(start.micros) {}

  Instant Now() const override { return {micros_.load()}; }
  void Advance(Seconds by) { micros_.fetch_add(by.count * 1'000'000); }
  void Set(Instant to) { micros_.store(to.micros); }

 private:
  std::atomic<int64_t> micros_;
};

}  // namespace allot::testing
