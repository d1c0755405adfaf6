#include "scheduler/time_grid.h"

#include <algorithm>
#include <array>

#include "allot/base/check.h"
#include "allot/scheduler/plan.h"

namespace allot::scheduler {
namespace {

struct Resolution {
  Seconds step;
  /// Used up to this far from now; the last one to the horizon.
  Seconds reach;
};
// Each step divides the next, so that a boundary, once coarse, stays one when it comes near.
constexpr std::array kResolutions = {
    Resolution{Minutes(15), Days(2)},
    Resolution{Hours(1), Days(14)},
    Resolution{Hours(4), Days(60)},
    Resolution{Days(1), Days(100'000)},
};

// By a constant, which costs a multiplication instead of a division.
int64_t StepsIn(int64_t micros, std::size_t resolution) {
  switch (resolution) {
    case 0:
      return micros / (kResolutions[0].step.count * 1'000'000);
    case 1:
      return micros / (kResolutions[1].step.count * 1'000'000);
    case 2:
      return micros / (kResolutions[2].step.count * 1'000'000);
    default:
      static_assert(kResolutions.size() == 4);
      return micros / (kResolutions[3].step.count * 1'000'000);
  }
}

Instant NextMultiple(Instant t, Seconds step) {
  const int64_t step_micros = step.count * 1'000'000;
  int64_t multiples = t.micros / step_micros;
  if (t.micros < 0 && t.micros % step_micros != 0) --multiples;
  return Instant{(multiples + 1) * step_micros};
}

}  // namespace

Seconds CoarsenessAt(Instant now, Instant t) {
  for (std::size_t i = 0; i + 1 < kResolutions.size(); ++i) {
    // The last slot of a run may be as long as one of the next.
    if (t + kResolutions[i + 1].step < now + kResolutions[i].reach) return kResolutions[i].step;
  }
  return kResolutions.back().step;
}

TimeGrid::TimeGrid(Instant now, Seconds horizon, Seconds release_time)
    : starts_{now}, horizon_end_(now + std::max(horizon, Seconds{1})), release_time_(release_time) {
  for (std::size_t i = 0; i < kResolutions.size(); ++i) {
    const Resolution& resolution = kResolutions[i];
    const Instant reach = std::min(now + resolution.reach, horizon_end_);
    if (starts_.back() >= reach) continue;
    const Instant first = NextMultiple(starts_.back(), resolution.step);
    runs_.push_back({first, slots(), i});
    starts_.push_back(first);
    while (starts_.back() < reach) starts_.push_back(starts_.back() + resolution.step);
  }
  ALLOT_CHECK(starts_.back() >= horizon_end_);
}

int TimeGrid::SlotOf(Instant t) const {
  int slots_before = slots();
  for (auto run = runs_.rbegin(); run != runs_.rend(); ++run) {
    if (t >= run->start) {
      const int64_t steps = StepsIn(t.micros - run->start.micros, run->resolution);
      return static_cast<int>(std::min<int64_t>(run->first_slot + steps, slots_before - 1));
    }
    slots_before = run->first_slot;
  }
  return 0;
}

TimeWindow TimeGrid::WindowFrom(int slot, const Span& span) const {
  const Instant start = std::max(Start(slot), span.not_before);
  return *TimeWindow::Make(start, start + span.duration);
}

}  // namespace allot::scheduler
