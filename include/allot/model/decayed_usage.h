#pragma once

#include <cstdint>

#include "allot/base/time.h"
#include "allot/base/time_window.h"

namespace allot {

/// GPU time used, halved every half-life: U(t) = ∑ gpus · ∫ 2^-((t-τ)/half_life) dτ.
/// Integer: GPU-seconds scaled by 2^8, decay by a 256-step table, error under 0.5 % a half-life and
/// half a unit a call.
struct DecayedUsage {
  /// GPU-seconds × 256 as of `as_of`.
  int64_t value = 0;
  Instant as_of;

  friend bool operator==(const DecayedUsage&, const DecayedUsage&) = default;
};

/// Ten years: far more than any policy wants, and safe to compute with.
inline constexpr Seconds kUsageHalfLifeMax = Days(3'660);

/// Carried to `t`; a `t` before `as_of` changes nothing.
/// Requires: 0 < half_life <= kUsageHalfLifeMax, here and below.
DecayedUsage DecayTo(const DecayedUsage& usage, Instant t, Seconds half_life);
/// Adds `gpus` held over `held`, seen at max(as_of, held.end()); saturates instead of overflowing.
DecayedUsage AddHeld(const DecayedUsage& usage, int gpus, const TimeWindow& held,
                     Seconds half_life);

}  // namespace allot
