#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "allot/base/random.h"
#include "allot/base/time.h"
#include "allot/base/time_window.h"

namespace allot {
namespace {

Instant At(const std::string& text) {
  const auto t = ParseRfc3339(text);
  EXPECT_TRUE(t) << text;
  return t.value_or(Instant{});
}

TEST(Rfc3339, PrintsWhatPeopleAndPostgresqlAgreeOn) {
  struct Case {
    int64_t micros;
    const char* text;
  };
  const Case cases[] = {
      {0, "1970-01-01T00:00:00Z"},
      {1, "1970-01-01T00:00:00.000001Z"},
      {-1, "1969-12-31T23:59:59.999999Z"},
      {1'772'323'207'000'000, "2026-03-01T00:00:07Z"},
      {1'772'323'207'500'000, "2026-03-01T00:00:07.5Z"},
      {1'709'164'800'000'000, "2024-02-29T00:00:00Z"},
      {kEndOfTime.micros, "9999-12-31T23:59:59Z"},
  };
  for (const Case& c : cases) EXPECT_EQ(FormatRfc3339({c.micros}), c.text);
}

TEST(Rfc3339, PrintsEveryInstantWithoutTrouble) {
  EXPECT_EQ(FormatRfc3339({std::numeric_limits<int64_t>::max()}), "294247-01-10T04:00:54.775807Z");
  EXPECT_EQ(FormatRfc3339({std::numeric_limits<int64_t>::min()}), "-290308-12-21T19:59:05.224192Z");
}

TEST(Rfc3339, ReadsZonesAndDecimals) {
  EXPECT_EQ(At("2026-03-01T09:00:07+09:00"), At("2026-03-01T00:00:07Z"));
  EXPECT_EQ(At("2026-02-28T19:00:07-05:00"), At("2026-03-01T00:00:07Z"));
  EXPECT_EQ(At("2026-03-01t00:00:07z"), At("2026-03-01T00:00:07Z"));
  EXPECT_EQ(At("2026-03-01T00:00:07.1Z").micros % 1'000'000, 100'000);
  EXPECT_EQ(At("2026-03-01T00:00:07.123456789Z").micros % 1'000'000, 123'456);
}

TEST(Rfc3339, RefusesWhatIsNotADate) {
  for (const char* text : {"",
                           "2026",
                           "2026-03-01",
                           "2026-03-01 00:00:07Z",
                           "2026-03-01T00:00:07",
                           "2026-3-1T0:0:7Z",
                           "2026-02-29T00:00:00Z",
                           "2026-04-31T00:00:00Z",
                           "2026-13-01T00:00:00Z",
                           "2026-00-01T00:00:00Z",
                           "2026-01-00T00:00:00Z",
                           "2026-03-01T24:00:00Z",
                           "2026-03-01T00:60:00Z",
                           "2026-03-01T00:00:60Z",
                           "2026-03-01T00:00:07.Z",
                           "2026-03-01T00:00:07.1234567890Z",
                           "2026-03-01T00:00:07+24:00",
                           "2026-03-01T00:00:07+0900",
                           "2026-03-01T00:00:07Z ",
                           " 2026-03-01T00:00:07Z",
                           "1969-12-31T23:59:59Z",
                           "1970-01-01T00:00:00+00:01",
                           "9999-12-31T23:59:59-00:01",
                           "-026-03-01T00:00:00Z",
                           "2026-03-01T00:00:07\xc3\x97"}) {
    EXPECT_FALSE(ParseRfc3339(text)) << text;
  }
}

TEST(Rfc3339, ReadsBackWhatItPrinted) {
  SeededRandom random(1);
  for (int i = 0; i < 100'000; ++i) {
    const Instant t{random.Between(0, kEndOfTime.micros)};
    ASSERT_EQ(ParseRfc3339(FormatRfc3339(t)), t) << t.micros;
  }
}

TEST(Duration, PrintsTheLargestUnitsFirst) {
  struct Case {
    int64_t seconds;
    const char* text;
  };
  const Case cases[] = {
      {0, "0s"},        {59, "59s"},          {60, "1m"},         {90, "1m30s"},
      {4 * 3600, "4h"}, {7 * 86400, "7d"},    {216'000, "2d12h"}, {90'061, "1d1h1m1s"},
      {-90, "-1m30s"},  {366 * 86400, "366d"}};
  for (const Case& c : cases) EXPECT_EQ(FormatDuration({c.seconds}), c.text);
  EXPECT_EQ(FormatDuration({std::numeric_limits<int64_t>::min()}), "-106751991167300d15h30m8s");
}

TEST(Duration, ReadsWhatPeopleWrite) {
  EXPECT_EQ(ParseDuration("3600s"), Hours(1));
  EXPECT_EQ(ParseDuration("90m"), Minutes(90));
  EXPECT_EQ(ParseDuration("2w"), Days(14));
  EXPECT_EQ(ParseDuration("1w2d3h4m5s"), Seconds{788'645});
  EXPECT_EQ(ParseDuration("0s"), Seconds{0});
}

TEST(Duration, RefusesTheRest) {
  for (const char* text : {"", "1", "h", "-1h", "+1h", "1.5h", "1h ", " 1h", "1h1h", "1m1h", "1y",
                           "1H", "9223372036854775808s", "15250284452472w",
                           "1h9223372036854775807s", "99999999999999999999999d", "1 h"}) {
    EXPECT_FALSE(ParseDuration(text)) << text;
  }
  EXPECT_EQ(ParseDuration("9223372036854775807s"), Seconds{std::numeric_limits<int64_t>::max()});
}

TEST(Duration, ReadsBackWhatItPrinted) {
  SeededRandom random(2);
  for (int i = 0; i < 100'000; ++i) {
    const Seconds d{static_cast<int64_t>(random.Next() >> (1 + random.Below(62)))};
    ASSERT_EQ(ParseDuration(FormatDuration(d)), d) << d.count;
  }
}

TEST(Instants, SecondsAreRoundedTowardsThePast) {
  EXPECT_EQ(Instant{1'999'999}.seconds(), 1);
  EXPECT_EQ(Instant{-1}.seconds(), -1);
  EXPECT_EQ(Instant{-1'000'000}.seconds(), -1);
  EXPECT_EQ(Instant{-1'000'001}.seconds(), -2);
}

TEST(TimeWindow, IsHalfOpenAndNeverEmpty) {
  const Instant a = Instant::FromSeconds(10);
  const Instant b = Instant::FromSeconds(20);
  const Instant c = Instant::FromSeconds(30);
  EXPECT_FALSE(TimeWindow::Make(a, a));
  EXPECT_FALSE(TimeWindow::Make(b, a));
  const TimeWindow first = *TimeWindow::Make(a, b);
  const TimeWindow second = *TimeWindow::Make(b, c);
  EXPECT_FALSE(first.Overlaps(second)) << "a GPU is handed over at the same instant";
  EXPECT_FALSE(second.Overlaps(first));
  EXPECT_TRUE(first.Overlaps(*TimeWindow::Make(Instant{b.micros - 1}, c)));
  EXPECT_TRUE(first.Contains(a));
  EXPECT_FALSE(first.Contains(b));
  EXPECT_EQ(first.length(), Seconds{10});
}

}  // namespace
}  // namespace allot
