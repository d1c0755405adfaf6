#include "cli/text.h"

#include <gtest/gtest.h>

#include <sstream>

#include "cli/table.h"

namespace allot::cli {
namespace {

TEST(DisplayWidth, CountsKoreanAsTwoColumnsAndMarksAsNone) {
  EXPECT_EQ(DisplayWidth("naver"), 5);
  EXPECT_EQ(DisplayWidth("네이버"), 6);
  EXPECT_EQ(DisplayWidth("네이버 (Naver)"), 14);
  EXPECT_EQ(DisplayWidth("e\u0301"), 1);
  EXPECT_EQ(DisplayWidth("\xff\xfe"), 2) << "a byte that is not UTF-8 takes a column";
}

TEST(Harmless, LeavesNothingThatDrivesATerminal) {
  EXPECT_EQ(Harmless("서울\x1b[31m\n"), "서울\\x1b[31m\\x0a");
  EXPECT_EQ(Harmless("\xff"), "\\xff");
}

TEST(Relative, SaysHowFarInTheLargestUnits) {
  const Instant now = Instant::FromSeconds(1'000'000);
  const struct {
    Seconds ahead;
    const char* text;
  } kRows[] = {{{0}, "now"},        {{7}, "in 7s"},         {Minutes(90), "in 1h30m"},
               {Hours(3), "in 3h"}, {Hours(50), "in 2d2h"}, {Days(40) + Hours(5), "in 40d"},
               {{-120}, "2m ago"}};
  for (const auto& row : kRows) EXPECT_EQ(Relative(now + row.ahead, now), row.text);
}

TEST(Moment, IsUtcAndHidesZeroSeconds) {
  const Instant now = *ParseRfc3339("2026-03-01T00:00:00Z");
  EXPECT_EQ(Moment(now + Hours(3), now), "2026-03-01 03:00Z (in 3h)");
  EXPECT_EQ(Moment(now + Seconds{7}, now), "2026-03-01 00:00:07Z (in 7s)");
}

TEST(Table, AlignsWideCharactersAndEndsNoLineInBlanks) {
  Table table({{"NAME"}, {"GPUS", Align::kRight}, {"NOTE"}, {"MORE", Align::kLeft, true}});
  table.Add({"네이버", "8", "", "x"});
  table.Add({"kakao-a", "2,040", "ready", "y"});
  std::ostringstream narrow;
  table.Print(narrow, /*wide=*/false, /*colours=*/false);
  EXPECT_EQ(narrow.str(),
            "NAME      GPUS  NOTE\n"
            "네이버       8  -\n"
            "kakao-a  2,040  ready\n");
  std::ostringstream wide;
  table.Print(wide, /*wide=*/true, /*colours=*/false);
  EXPECT_NE(wide.str().find("kakao-a  2,040  ready  y\n"), std::string::npos);
}

TEST(Table, PaintsOnlyWhereColoursAreTaken) {
  Table table({{"STATE"}});
  table.Add({Cell("active", PaintOf("active"))});
  std::ostringstream plain;
  table.Print(plain, false, /*colours=*/false);
  EXPECT_EQ(plain.str().find('\x1b'), std::string::npos);
  std::ostringstream painted;
  table.Print(painted, false, /*colours=*/true);
  EXPECT_NE(painted.str().find("\x1b[32mactive\x1b[0m"), std::string::npos);
}

}  // namespace
}  // namespace allot::cli
