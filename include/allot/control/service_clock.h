#pragma once

#include <atomic>
#include <cstdint>
#include <functional>

#include "allot/base/clock.h"

namespace allot::control {

/// The time that a server works by, of three clocks: the store's, which is the same for all
/// servers, the machine's, and its own, which runs steadily whatever becomes of the others. Two
/// that agree outvote the third. So nobody's work ends a day early because one machine's clock was
/// set, or because the database moved to a machine whose clock is wrong.
/// Thread safe.
class ServiceClock final : public Clock {
 public:
  /// Clocks that differ by more do not agree.
  static constexpr int64_t kApartMicros = 5'000'000;

  /// `machine` outlives it; `steady_micros` only ever goes forward. Until the first comparison it
  /// goes by the machine's.
  ServiceClock(const Clock& machine, std::function<int64_t()> steady_micros);

  /// Never goes back, unless two clocks say that it was wrong.
  Instant Now() const override;

  /// The store said that it was this time, at a moment between these two by the steady clock. An
  /// answer that took longer than a second says nothing. To be called about once a second, by one
  /// thread.
  void Compare(Instant store_time, int64_t asked_micros, int64_t answered_micros);

  /// Whether at least two of the three agreed at the last comparison, the store's and the machine's
  /// at the first. Who is not sure of the time does not lead.
  bool is_sure() const { return is_sure_; }
  /// What the clocks were ahead of it at the last comparison, in microseconds.
  int64_t store_ahead_micros() const { return store_ahead_micros_; }
  int64_t machine_ahead_micros() const { return machine_ahead_micros_; }

 private:
  const Clock& machine_;
  const std::function<int64_t()> steady_micros_;
  /// What is added to the steady clock.
  std::atomic<int64_t> offset_micros_;
  std::atomic<bool> is_sure_ = false;
  std::atomic<int64_t> store_ahead_micros_ = 0;
  std::atomic<int64_t> machine_ahead_micros_ = 0;
  /// Of the comparing thread.
  int64_t compared_micros_ = 0;
  /// It was sure once.
  bool is_vouched_for_ = false;
};

}  // namespace allot::control
