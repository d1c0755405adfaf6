#pragma once

#include <vector>

#include "allot/base/time.h"
#include "allot/base/time_window.h"

namespace allot::scheduler {

/// The time a request's window takes, wherever it starts.
struct Span {
  Seconds duration;
  /// Never starts before this; not before `now` either.
  Instant not_before;
};

/// The planner's division of time. Slot 0 begins at `now`; all others begin at absolute multiples
/// of their length, fine near now and coarser far out, so that a plan keeps its starts while now
/// moves. The last slot is endless and nothing may start in it: windows that reach past the horizon
/// conflict there as they would in reality, because all of them cover its beginning.
class TimeGrid {
 public:
  /// `release_time`: for how long GPUs are still held after a window.
  TimeGrid(Instant now, Seconds horizon, Seconds release_time = {});

  int slots() const { return static_cast<int>(starts_.size()); }
  /// The last slot in which a window may start.
  int last_start_slot() const { return slots() - 2; }
  Instant now() const { return starts_.front(); }
  /// Everything planned starts before this.
  Instant horizon_end() const { return horizon_end_; }
  Instant Start(int slot) const { return starts_[static_cast<std::size_t>(slot)]; }
  /// The slot that holds `t`; times before now are in slot 0.
  int SlotOf(Instant t) const;

  /// The window of a span that starts in `slot`: at the slot's start, or at `not_before` inside it.
  TimeWindow WindowFrom(int slot, const Span& span) const;
  /// The last slot in which that window's GPUs are held. Does not fall when `slot` rises.
  int LastSlot(int slot, const Span& span) const { return LastHeld(WindowFrom(slot, span).end()); }
  /// The last slot in which GPUs are held whose window ends at `end`.
  int LastHeld(Instant end) const { return SlotBefore(end + release_time_); }
  /// The last slot that holds any time before `end`.
  int SlotBefore(Instant end) const { return SlotOf(Instant{end.micros - 1}); }

 private:
  // A run of slots of one length; its last slot may be longer, up to a boundary of the next run.
  struct Run {
    Instant start;
    int first_slot = 0;
    // Its length's place in the table of lengths.
    std::size_t resolution = 0;
  };

  std::vector<Instant> starts_;
  std::vector<Run> runs_;
  Instant horizon_end_;
  Seconds release_time_;
};

}  // namespace allot::scheduler
