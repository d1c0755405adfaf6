#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>

#include "allot/base/clock.h"

namespace allot::control {

/// The time that a server works by, of three clocks: the store's, which is the same for all
/// servers, the machine's, and its own, which runs steadily whatever becomes of the others. Two
/// that agree outvote the third, whether that was set or drifts. So nobody's work ends a day early
/// because one machine's clock was set, or because the database moved to a machine whose clock is
/// wrong.
/// Thread safe.
class ServiceClock final : public Clock {
 public:
  /// Clocks that differ by more do not agree.
  static constexpr int64_t kApartMicros = 5'000'000;
  /// By so much a comparison draws it to another at most, unless that is a correction.
  static constexpr int64_t kDrawnMicrosMax = 100'000;

  /// `machine` outlives it; `steady_micros` only ever goes forward. Until the first comparison it
  /// goes by the machine's.
  ServiceClock(const Clock& machine, std::function<int64_t()> steady_micros);

  /// Never goes back, unless two clocks say that it was wrong.
  Instant Now() const override;

  /// The store said that it was this time, at a moment between these two by the steady clock. An
  /// answer that took longer than a second says nothing, nor does a look at the machine's clock
  /// that did. To be called about once a second, by one thread.
  void Compare(Instant store_time, int64_t asked_micros, int64_t answered_micros);

  /// Whether at least two of the three agreed at the last comparison, the store's and the machine's
  /// at the first. Who is not sure of the time does not lead.
  bool is_sure() const;
  /// What the clocks were ahead of it at the last comparison, in microseconds.
  int64_t store_ahead_micros() const;
  int64_t machine_ahead_micros() const;

 private:
  const Clock& machine_;
  const std::function<int64_t()> steady_micros_;
  mutable std::mutex mutex_;
  /// What is added to the steady clock.
  int64_t offset_micros_;
  /// The latest time that was told since it was last set.
  mutable int64_t told_micros_;
  std::optional<int64_t> compared_micros_;
  bool is_sure_ = false;
  /// It was sure once.
  bool is_vouched_for_ = false;
  /// It was drawn to neither of the others at the last comparison, or is on its way back to one.
  bool goes_by_itself_ = false;
  int64_t store_ahead_micros_ = 0;
  int64_t machine_ahead_micros_ = 0;
};

}  // namespace allot::control
