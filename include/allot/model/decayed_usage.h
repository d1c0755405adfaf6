#pragma once

#include <cstdint>

#include "allot/base/time.h"
#include "allot/base/time_window.h"

namespace allot {

/// GPU time used, halved every half-life: U(t) = ∑ gpus · ∫ 2^-((t-τ)/half_life) dτ.
/// Integer: GPU-seconds scaled by 2^8, decay by a 256-step table, error under 0.5 % a half-life.
struct DecayedUsage {
  /// GPU-seconds × 256 as of `as_of`.
  int64_t value = 0;
  Instant as_of;

  friend bool operator==(const DecayedUsage&, const DecayedUsage&) = default;
};

/// Carried to `t`, not before `as_of`.
DecayedUsage DecayTo(const DecayedUsage& usage, Instant t, Seconds half_life);
/// Adds `gpus` held over `held`, seen at max(as_of, held.end()); saturates instead of overflowing.
DecayedUsage AddHeld(const DecayedUsage& usage, int gpus, const TimeWindow& held,
                     Seconds half_life);

}  // namespace allot
