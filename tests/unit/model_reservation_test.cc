#include "allot/model/reservation.h"

#include <gtest/gtest.h>

#include "support/manual_clock.h"

namespace allot {
namespace {

constexpr Instant kNow = testing::ManualClock::kStart;

Reservation Make(Instant start, Seconds length, Seconds every = {}, int occurrences = 1) {
  Reservation reservation;
  reservation.window = *TimeWindow::Make(start, start + length);
  reservation.repeat_every = every;
  reservation.occurrences = occurrences;
  return reservation;
}

TEST(Reservation, RepeatsItsWindowAndForgetsWhatIsOver) {
  const Reservation weekly = Make(kNow + Hours(2), Hours(4), Days(7), 3);
  const auto windows = WindowsOf(weekly);
  ASSERT_EQ(windows.size(), 3U);
  EXPECT_EQ(windows[2].start(), kNow + Days(14) + Hours(2));
  EXPECT_EQ(windows[2].length(), Hours(4));
  EXPECT_EQ(WindowsFrom(weekly, kNow + Hours(5)).size(), 3U) << "the first is not over";
  EXPECT_EQ(WindowsFrom(weekly, kNow + Hours(6)).size(), 2U);
  EXPECT_TRUE(WindowsFrom(weekly, kNow + Days(15)).empty());
}

struct Row {
  const char* what;
  Reservation reservation;
  /// Empty when it can be.
  std::string field;
};

TEST(Reservation, TimesThatCannotBeServedAreRefusedByTheField) {
  const Row rows[] = {
      {"now", Make(kNow, Hours(1)), ""},
      {"a minute ago", Make(kNow - Minutes(1), Hours(1)), ""},
      {"longer ago", Make(kNow - Minutes(1) - Seconds{1}, Hours(1)), "reservation.start_time"},
      {"as long as can be", Make(kNow, kReservationLengthMax), ""},
      {"too long", Make(kNow, kReservationLengthMax + Seconds{1}), "reservation.end_time"},
      {"too short", Make(kNow, Seconds{59}), "reservation.end_time"},
      {"too far ahead", Make(kNow + Days(1098), Hours(1)), "reservation.end_time"},
      {"as far as time goes", Make(Instant{INT64_MAX / 2}, Hours(1)), "reservation.end_time"},
      {"weekly", Make(kNow, Hours(4), Days(7), 26), ""},
      {"one after the other", Make(kNow, Hours(4), Hours(4), 2), ""},
      {"meeting", Make(kNow, Hours(4), Hours(4) - Seconds{1}, 2), "reservation.repeat_every"},
      {"never again", Make(kNow, Hours(4), {}, 2), "reservation.repeat_every"},
      {"negative", Make(kNow, Hours(4), Seconds{-86'400}, 2), "reservation.repeat_every"},
      {"as seldom as time goes", Make(kNow, Hours(4), Seconds{INT64_MAX}, 2),
       "reservation.repeat_every"},
      {"again but once", Make(kNow, Hours(4), Days(7), 1), "reservation.occurrences"},
      {"no window", Make(kNow, Hours(4), Days(7), 0), "reservation.occurrences"},
      {"too often", Make(kNow, Minutes(1), Hours(1), 401), "reservation.occurrences"},
      {"for too many years", Make(kNow, Hours(4), Days(30), 400), "reservation.occurrences"},
  };
  for (const Row& row : rows) {
    const Status checked = CheckTimes(row.reservation, kNow);
    EXPECT_EQ(checked.ok() ? "" : checked.error().field, row.field) << row.what;
  }
}

}  // namespace
}  // namespace allot
