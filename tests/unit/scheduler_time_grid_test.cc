#include "scheduler/time_grid.h"

#include <gtest/gtest.h>

#include "support/manual_clock.h"

namespace allot::scheduler {
namespace {

constexpr Instant kMidnight = testing::ManualClock::kStart;
constexpr Seconds kHorizon = Days(732);

TEST(TimeGrid, BeginsNowAndGoesOnAtQuartersOfAnHour) {
  const Instant now = kMidnight + Minutes(7);
  const TimeGrid grid(now, kHorizon);
  EXPECT_EQ(grid.Start(0), now);
  EXPECT_EQ(grid.Start(1), kMidnight + Minutes(15));
  EXPECT_EQ(grid.Start(2), kMidnight + Minutes(30));
}

TEST(TimeGrid, OnABoundaryTheFirstSlotIsAWholeOne) {
  const TimeGrid grid(kMidnight, kHorizon);
  EXPECT_EQ(grid.Start(1), kMidnight + Minutes(15));
}

TEST(TimeGrid, EveryInstantIsInTheSlotThatHoldsIt) {
  for (const Seconds offset : {Seconds{0}, Seconds{1}, Minutes(7), Hours(13), Seconds{86'399}}) {
    const TimeGrid grid(kMidnight + offset, kHorizon);
    for (int slot = 0; slot < grid.slots(); ++slot) {
      EXPECT_EQ(grid.SlotOf(grid.Start(slot)), slot);
      if (slot > 0) {
        EXPECT_EQ(grid.SlotBefore(grid.Start(slot)), slot - 1);
        EXPECT_LT(grid.Start(slot - 1), grid.Start(slot));
      }
    }
    EXPECT_EQ(grid.SlotOf(kMidnight - Days(1)), 0);
    EXPECT_EQ(grid.SlotOf(kMidnight + Days(100'000)), grid.slots() - 1);
  }
}

// Else a plan would move its starts only because time went by.
TEST(TimeGrid, ABoundaryStaysOneUntilItIsReached) {
  for (int hours = 0; hours < 24 * 90; hours += 5) {
    const TimeGrid before(kMidnight + Minutes(7), kHorizon);
    const TimeGrid later(kMidnight + Minutes(7) + Hours(hours), kHorizon);
    for (int slot = 1; slot < before.slots() - 1; ++slot) {
      const Instant boundary = before.Start(slot);
      if (boundary <= later.now()) continue;
      EXPECT_EQ(later.Start(later.SlotOf(boundary)), boundary);
    }
  }
}

TEST(TimeGrid, NothingStartsAtTheHorizonOrBehindIt) {
  for (const Seconds horizon : {Seconds{1}, Minutes(20), Days(3), kHorizon}) {
    const TimeGrid grid(kMidnight + Minutes(7), horizon);
    EXPECT_LT(grid.Start(grid.last_start_slot()), grid.horizon_end());
    EXPECT_GE(grid.Start(grid.last_start_slot() + 1), grid.horizon_end());
  }
}

TEST(TimeGrid, AWindowTouchesEverySlotItIsInAndNoOther) {
  const TimeGrid grid(kMidnight, kHorizon);
  EXPECT_EQ(grid.LastSlot(0, {Minutes(15), kMidnight}), 0);
  EXPECT_EQ(grid.LastSlot(0, {Seconds{15 * 60 + 1}, kMidnight}), 1);
  EXPECT_EQ(grid.LastSlot(4, {Hours(1), kMidnight}), 7);
}

TEST(TimeGrid, AnEarliestStartInsideASlotIsKeptExactly) {
  const TimeGrid grid(kMidnight, kHorizon);
  const Span span{Minutes(15), kMidnight + Minutes(20)};
  EXPECT_EQ(grid.WindowFrom(1, span).start(), kMidnight + Minutes(20));
  EXPECT_EQ(grid.LastSlot(1, span), 2);
  EXPECT_EQ(grid.WindowFrom(2, span).start(), kMidnight + Minutes(30));
}

}  // namespace
}  // namespace allot::scheduler
