#pragma once

#include <optional>

#include "allot/base/time.h"

namespace allot {

/// Half-open [start, end): a GPU can be handed over at the same instant. Never empty.
class TimeWindow {
 public:
  /// Nothing when `end` is not after `start`.
  static constexpr std::optional<TimeWindow> Make(Instant start, Instant end) {
    if (end <= start) return std::nullopt;
    return TimeWindow(start, end);
  }

  constexpr Instant start() const { return start_; }
  constexpr Instant end() const { return end_; }
  constexpr Seconds length() const { return Between(start_, end_); }
  constexpr bool Overlaps(const TimeWindow& other) const {
    return start_ < other.end_ && other.start_ < end_;
  }
  constexpr bool Contains(Instant t) const { return start_ <= t && t < end_; }
  constexpr bool Encloses(const TimeWindow& other) const {
    return start_ <= other.start_ && other.end_ <= end_;
  }

  friend bool operator==(const TimeWindow&, const TimeWindow&) = default;
  friend auto operator<=>(const TimeWindow&, const TimeWindow&) = default;

 private:
  constexpr TimeWindow(Instant start, Instant end) : start_(start), end_(end) {}

  Instant start_;
  Instant end_;
};

}  // namespace allot
