#include "allot/model/decayed_usage.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "allot/base/random.h"
#include "support/manual_clock.h"

namespace allot {
namespace {

constexpr Instant kStart = testing::ManualClock::kStart;
constexpr Seconds kHalfLife = Days(14);

/// The formula itself, in floating point: gpus · ∫ 2^-((t-τ)/half_life) dτ, in GPU-seconds.
long double Exact(int gpus, const TimeWindow& held, Instant t, Seconds half_life) {
  const auto rate = std::log(2.0L) / static_cast<long double>(half_life.count);
  const auto since_end = static_cast<long double>(t.micros - held.end().micros) / 1e6L;
  const auto since_start = static_cast<long double>(t.micros - held.start().micros) / 1e6L;
  return gpus * (std::exp(-rate * since_end) - std::exp(-rate * since_start)) / rate;
}

long double InGpuSeconds(const DecayedUsage& usage) {
  return static_cast<long double>(usage.value) / 256.0L;
}

TimeWindow Window(Instant start, Seconds length) {
  return *TimeWindow::Make(start, start + length);
}

TEST(DecayedUsage, HalvesExactlyEachHalfLife) {
  DecayedUsage usage{256LL << 20, kStart};
  for (int i = 1; i <= 20; ++i) {
    usage = DecayTo(usage, usage.as_of + kHalfLife, kHalfLife);
    EXPECT_EQ(usage.value, (256LL << 20) >> i);
  }
  EXPECT_EQ(usage.as_of, kStart + Days(280));
}

TEST(DecayedUsage, StaysWithinTheStatedErrorOfTheFormula) {
  SeededRandom random(4);
  for (int i = 0; i < 20'000; ++i) {
    const Seconds half_life{random.Between(60, kUsageHalfLifeMax.count)};
    const int gpus = static_cast<int>(random.Between(1, 10'456));
    const TimeWindow held =
        Window(kStart + Seconds{random.Between(0, 1'000'000)}, {random.Between(1, 31'622'400)});
    const Instant seen =
        held.end() + Seconds{random.Between(0, std::min<int64_t>(4 * half_life.count, 31'622'400))};
    const DecayedUsage usage =
        DecayTo(AddHeld({0, kStart}, gpus, held, half_life), seen, half_life);
    const long double exact = Exact(gpus, held, seen, half_life);
    const long double halvings = static_cast<long double>(Between(held.start(), seen).count) /
                                 static_cast<long double>(half_life.count);
    const long double bound = exact * 0.005L * (1 + halvings) + 2.0L / 256;
    ASSERT_NEAR(static_cast<double>(InGpuSeconds(usage)), static_cast<double>(exact),
                static_cast<double>(bound))
        << "case " << i << " gpus " << gpus << " half-life " << half_life.count;
  }
}

TEST(DecayedUsage, ManySmallStepsAgreeWithOneLargeStep) {
  const TimeWindow held = Window(kStart, Days(1));
  const DecayedUsage start = AddHeld({0, kStart}, 64, held, kHalfLife);
  DecayedUsage stepped = start;
  for (int i = 0; i < 14 * 24 * 60; ++i) {
    stepped = DecayTo(stepped, stepped.as_of + Minutes(1), kHalfLife);
  }
  const DecayedUsage at_once = DecayTo(start, stepped.as_of, kHalfLife);
  EXPECT_NEAR(static_cast<double>(stepped.value), static_cast<double>(at_once.value),
              static_cast<double>(at_once.value) * 0.005);
}

TEST(DecayedUsage, HoldingInPartsCountsAsHoldingAtOnce) {
  DecayedUsage parts{0, kStart};
  for (int hour = 0; hour < 24 * 30; ++hour) {
    parts = AddHeld(parts, 8, Window(kStart + Hours(hour), Hours(1)), kHalfLife);
  }
  const DecayedUsage whole = AddHeld({0, kStart}, 8, Window(kStart, Days(30)), kHalfLife);
  EXPECT_EQ(parts.as_of, whole.as_of);
  EXPECT_NEAR(static_cast<double>(parts.value), static_cast<double>(whole.value),
              static_cast<double>(whole.value) * 0.005);
}

TEST(DecayedUsage, CountsWorkThatEndedBeforeItIsSeen) {
  const DecayedUsage late{0, kStart + kHalfLife + Days(1)};
  const TimeWindow held = Window(kStart, Days(1));
  const DecayedUsage usage = AddHeld(late, 100, held, kHalfLife);
  EXPECT_EQ(usage.as_of, late.as_of);
  const auto exact = static_cast<double>(Exact(100, held, late.as_of, kHalfLife));
  EXPECT_NEAR(static_cast<double>(InGpuSeconds(usage)), exact, exact * 0.01);
}

TEST(DecayedUsage, NeverRunsBackwards) {
  const DecayedUsage usage{1'000, kStart};
  EXPECT_EQ(DecayTo(usage, kStart - Days(1), kHalfLife), usage);
  EXPECT_EQ(DecayTo(usage, kStart, kHalfLife), usage);
}

TEST(DecayedUsage, MoreUseNeverCountsLess) {
  int64_t last = 0;
  for (int hours = 1; hours <= 24 * 60; ++hours) {
    const DecayedUsage usage = AddHeld({0, kStart}, 8, Window(kStart, Hours(hours)), kHalfLife);
    ASSERT_GT(usage.value, last) << hours;
    last = usage.value;
  }
}

TEST(DecayedUsage, SaturatesInsteadOfOverflowing) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  const TimeWindow held = Window(kStart, Days(1));
  EXPECT_EQ(AddHeld({kMax, held.end()}, 10'456, held, kHalfLife).value, kMax);
  const TimeWindow forever = *TimeWindow::Make(Instant{std::numeric_limits<int64_t>::min()},
                                               Instant{std::numeric_limits<int64_t>::max()});
  const DecayedUsage huge =
      AddHeld({0, Instant{0}}, std::numeric_limits<int>::max(), forever, kUsageHalfLifeMax);
  EXPECT_EQ(huge.value, kMax);
  EXPECT_EQ(DecayTo({kMax, Instant{std::numeric_limits<int64_t>::min()}}, forever.end(), Seconds{1})
                .value,
            0);
}

TEST(DecayedUsage, SmallUseFadesToNothing) {
  EXPECT_EQ(DecayTo({256, kStart}, kStart + Days(14 * 62), kHalfLife).value, 0);
}

}  // namespace
}  // namespace allot
