#include "allot/base/text.h"

#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <set>
#include <string>

#include "allot/base/gpu_seconds.h"
#include "allot/base/random.h"
#include "allot/base/result.h"

namespace allot {
namespace {

TEST(PlainText, AcceptsEveryLanguageAndRefusesWhatHidesOrBreaks) {
  for (const char* text : {"", "plain", "한국어 모델", "naïve", "🙂", "a\\b"}) {
    EXPECT_TRUE(IsPlainText(text)) << text;
  }
  using namespace std::string_literals;
  for (const std::string& text : {
           "a\nb"s, "a\tb"s, "\0"s, "\x7f"s, "\xc2\x80"s,            // control characters
           "\xe2\x80\xa8"s, "\xe2\x80\xae"s, "\xef\xbb\xbf"s,        // line separator, turns, mark
           "\xff"s, "\x80"s, "\xc3"s, "\xc0\xaf"s, "\xe0\x80\xaf"s,  // not UTF-8, cut, overlong
           "\xed\xa0\x80"s, "\xf4\x90\x80\x80"s, "\xf8\x88\x80\x80"s,  // surrogate, past the end
       }) {
    EXPECT_FALSE(IsPlainText(text)) << Printable(text);
  }
}

TEST(IsBlank, CountsWhatNobodyCanSee) {
  using namespace std::string_literals;
  // The blank of a Korean keyboard, a no-break one, one without width, the Hangul filler, a tag.
  for (const std::string& unseen : {""s, " "s, "   "s, "\u3000"s, "\u00a0"s, "\u200b"s, "\u3164"s,
                                    "\U000e0041"s, "\u2800"s, " \u3000\u200b "s}) {
    EXPECT_TRUE(IsBlank(unseen)) << Printable(unseen);
    EXPECT_FALSE(IsBlank(unseen + "한")) << Printable(unseen);
  }
  for (const char* text : {"a", " . ", "한", "\u2014", "\u00ac", "\ue000"}) {
    EXPECT_FALSE(IsBlank(text)) << text;
  }
}

TEST(Printable, EscapesAndCutsButNeverSplitsACharacter) {
  EXPECT_EQ(Printable("한국"), "한국");
  EXPECT_EQ(Printable("a\nb\xff"), "a\\x0ab\\xff");
  EXPECT_EQ(Printable("\xe2\x80\xae"), "\\xe2\\x80\\xae");
  EXPECT_EQ(Printable(std::string(128, 'a')), std::string(128, 'a'));
  EXPECT_EQ(Printable(std::string(129, 'a')), std::string(125, 'a') + "…");
  std::string korean;
  for (int i = 0; i < 1'000; ++i) korean += "한";
  EXPECT_TRUE(IsPlainText(Printable(korean)));
  SeededRandom random(3);
  for (int i = 0; i < 10'000; ++i) {
    std::string bytes(random.Below(200), ' ');
    for (char& c : bytes) c = static_cast<char>(random.Next());
    const std::string shown = Printable(bytes);
    ASSERT_LE(shown.size(), 128U);
    ASSERT_TRUE(IsPlainText(shown));
  }
}

TEST(FormatCount, SeparatesThousands) {
  EXPECT_EQ(FormatCount(0), "0");
  EXPECT_EQ(FormatCount(999), "999");
  EXPECT_EQ(FormatCount(1'000), "1,000");
  EXPECT_EQ(FormatCount(-999), "-999");
  EXPECT_EQ(FormatCount(-123'456), "-123,456");
  EXPECT_EQ(FormatCount(std::numeric_limits<int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(Hex, WritesEveryByteAndReadsOnlyWhatItWrites) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  EXPECT_EQ(Hex({bytes.data() + 0x9f, 3}), "9fa0a1");
  EXPECT_EQ(BytesOfHex(Hex(bytes)), bytes);
  EXPECT_EQ(BytesOfHex(""), "");
  for (const char* text : {"0", "000", "0g", "A0", " 0", "0x"}) {
    EXPECT_FALSE(BytesOfHex(text)) << text;
  }
}

TEST(GpuSeconds, GivesNothingInsteadOfAWrongNumber) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(GpuSeconds::Of(8, Hours(1)), GpuSeconds::FromCount(28'800));
  EXPECT_FALSE(GpuSeconds::Of(2, {kMax}));
  EXPECT_FALSE(GpuSeconds::FromCount(kMax).Plus(GpuSeconds::FromCount(1)));
  EXPECT_FALSE(GpuSeconds::FromCount(-kMax).Minus(GpuSeconds::FromCount(2)));
  EXPECT_EQ(GpuSeconds::FromCount(kMax).Minus(GpuSeconds::FromCount(kMax)), GpuSeconds());
}

TEST(GpuSeconds, PrintsHoursRoundedHalfUp) {
  const std::map<int64_t, std::string> cases = {{0, "0 GPU-hours"},
                                                {3'600, "1 GPU-hours"},
                                                {3'688'200, "1,024.5 GPU-hours"},
                                                {179, "179 GPU-seconds"},
                                                {360, "0.1 GPU-hours"},
                                                {3'419, "0.9 GPU-hours"},
                                                {3'420, "1 GPU-hours"},
                                                {-180, "-180 GPU-seconds"},
                                                {-541, "-0.2 GPU-hours"},
                                                {-3'600'000, "-1,000 GPU-hours"}};
  for (const auto& [seconds, text] : cases) {
    EXPECT_EQ(FormatGpuHours(GpuSeconds::FromCount(seconds)), text) << seconds;
  }
  EXPECT_EQ(FormatGpuHours(GpuSeconds::FromCount(std::numeric_limits<int64_t>::max())),
            "2,562,047,788,015,215.5 GPU-hours");
}

TEST(SystemIdSource, MintsDistinctNamesThatStartWithALetter) {
  SystemIdSource ids;
  std::set<std::string> seen;
  std::set<char> firsts;
  std::set<char> others;
  for (int i = 0; i < 2'000; ++i) {
    const std::string id = ids.Mint(26);
    ASSERT_EQ(id.size(), 26U);
    ASSERT_EQ(id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789"), std::string::npos);
    ASSERT_TRUE(id[0] >= 'a' && id[0] <= 'z') << id;
    firsts.insert(id[0]);
    others.insert(id.begin() + 1, id.end());
    ASSERT_TRUE(seen.insert(id).second) << "minted twice: " << id;
  }
  EXPECT_EQ(firsts.size(), 26U);
  EXPECT_EQ(others.size(), 36U);
  EXPECT_EQ(ids.Mint(1).size(), 1U);
  EXPECT_EQ(ids.Mint(300).size(), 300U);
}

TEST(SeededRandom, GivesTheSameNumbersOnEveryMachine) {
  SeededRandom random(0);
  // The published reference values of SplitMix64.
  EXPECT_EQ(random.Next(), 0xe220a8397b1dcdafULL);
  EXPECT_EQ(random.Next(), 0x6e789e6aa1b965f4ULL);
  for (int i = 0; i < 1'000; ++i) {
    const int64_t x = random.Between(-3, 3);
    ASSERT_TRUE(x >= -3 && x <= 3);
  }
}

}  // namespace
}  // namespace allot
