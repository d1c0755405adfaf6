#include "allot/sim/trace.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace allot::sim {
namespace {

const std::string kHeading = "submit_time,duration_s,gpus,virtual_cluster\n";

const std::string kGood = "2017-09-07 03:58:57,60,1,a\n";
// What follows the requested time in an SWF record.
const std::string kRest = " -1 0 7 1 -1 -1 -1 -1 -1";

TEST(Trace, ReadsPhillysColumnsInTheOrderOfSubmission) {
  const auto file = ReadTrace("x.csv", kHeading +
                                           "2017-09-07 09:57:50,2643038,1,6214e9\r\n"
                                           "2017-09-07 03:58:57,60,16,ed69ec");
  ASSERT_TRUE(file.ok()) << Describe(file.error());
  const Trace& trace = file->jobs;
  ASSERT_EQ(trace.size(), 2U);
  EXPECT_EQ(trace[0].project, "ed69ec");
  EXPECT_EQ(trace[0].gpus, 16);
  EXPECT_EQ(trace[0].run, Seconds{60});
  EXPECT_EQ(FormatRfc3339(trace[1].submit), "2017-09-07T09:57:50Z");
  EXPECT_EQ(file->left_out.malformed.count, 0);
}

TEST(Trace, ReadsSwfAndCountsWhatNeverRan) {
  const auto file = ReadTrace("x.swf",
                              "; Version: 2.2\n"
                              "1 100 5 3600 16 -1 -1 -1 7200" +
                                  kRest +
                                  "\n"
                                  "2 200 -1 -1 8 -1 -1 8 7200" +
                                  kRest +
                                  "\n"
                                  "\n"
                                  "3 50 0 60.5 4 -1 -1 8 600" +
                                  kRest +
                                  "\n"
                                  "4 50 0 60 -1 -1 -1 -1 600" +
                                  kRest + "\n");
  ASSERT_TRUE(file.ok()) << Describe(file.error());
  const Trace& trace = file->jobs;
  ASSERT_EQ(trace.size(), 2U);
  EXPECT_EQ(trace[0].submit, Instant::FromSeconds(50));
  EXPECT_EQ(trace[0].gpus, 8) << "what was asked for goes before what was given";
  EXPECT_EQ(trace[0].run, Seconds{60});
  EXPECT_EQ(trace[1].gpus, 16);
  EXPECT_EQ(trace[1].limit, Seconds{7200});
  EXPECT_EQ(trace[1].project, "user-7");
  EXPECT_EQ(file->left_out.never_ran, 2);
  EXPECT_EQ(file->left_out.malformed.count, 0);
}

struct Malformed {
  std::string file;
  std::string line;
  /// What is named as wrong, and a part of what was expected.
  std::string value;
  std::string expected;
};

TEST(Trace, AMalformedLineIsLeftOutAndNamedWithWhatWasExpected) {
  const std::string good_swf = "1 0 0 60 1 -1 -1 1 60" + kRest + "\n";
  const std::string columns = "submit_time,duration_s,gpus,virtual_cluster";
  const std::vector<Malformed> cases = {
      {"a.csv", "2017-09-07 03:58:57,60,1", "2017-09-07 03:58:57,60,1", columns},
      {"a.csv", "2017-09-07 03:58:57,60,1,a,b", "2017-09-07 03:58:57,60,1,a,b", columns},
      {"a.csv", "2017-13-07 03:58:57,60,1,a", "2017-13-07 03:58:57", "2017-09-07 03:58:57"},
      {"a.csv", "2017-09-07 03:58:57,-1,1,a", "-1", "a running time"},
      {"a.csv", "2017-09-07 03:58:57,1.5,1,a", "1.5", "a running time"},
      {"a.csv", "2017-09-07 03:58:57,60,0,a", "0", "1 to 1000000 GPUs"},
      {"a.csv", "2017-09-07 03:58:57,60,,a", "", "1 to 1000000 GPUs"},
      {"a.csv", "2017-09-07 03:58:57,99999999999999999999,1,a", "99999999999999999999",
       "a running time"},
      {"a.csv", "2017-09-07 03:58:57,60,1,", "", "a virtual cluster"},
      {"a.csv", "2017-09-07 03:58:57,60,1,a\x1b[31m", "a\\x1b[31m", "plain text"},
      {"a.csv", "\xff\xfe,,,", "\\xff\\xfe", "a time"},
      {"a.csv", std::string("\0\x01\xff", 3), "\\x00\\x01\\xff", columns},
      {"a.swf", "1 2 3", "1 2 3", "18 numbers"},
      {"a.swf", "1 0 0 60 1 -1 -1 1 60" + kRest + " 19", "1 0 0 60 1 -1 -1 1 60" + kRest + " 19",
       "18 numbers"},
      {"a.swf", "1 0 0 60 1 -1 -1 1 60" + kRest + " \tjunk",
       "1 0 0 60 1 -1 -1 1 60" + kRest + " \\x09junk", "18 numbers"},
      {"a.swf", "1 0 0 x 1 -1 -1 1 1" + kRest, "x", "field 4"},
      {"a.swf", "1 0 0 60.x 1 -1 -1 1 1" + kRest, "60.x", "field 4"},
      {"a.swf", "1 -1 0 60 1 -1 -1 1 1" + kRest, "-1", "a submission time"},
      {"a.swf", "1 0 0 60 1 -1 -1 9999999 1" + kRest, "9999999", "at most 1000000 processors"},
      {"a.swf", std::string("\0\x7f", 2), "\\x00\\x7f", "field 1"},
  };
  for (const Malformed& malformed : cases) {
    SCOPED_TRACE(malformed.line);
    const bool is_swf = malformed.file.ends_with(".swf");
    const std::string before = is_swf ? ";\n" : kHeading;
    const std::string& good = is_swf ? good_swf : kGood;
    for (const std::string& end : {std::string("\n") + good, std::string("\r\n") + good}) {
      const auto file = ReadTrace(malformed.file, before + good + malformed.line + end);
      ASSERT_TRUE(file.ok()) << Describe(file.error());
      EXPECT_EQ(file->jobs.size(), 2U);
      EXPECT_EQ(file->left_out.malformed.count, 1);
      ASSERT_EQ(file->left_out.malformed.named.size(), 1U);
      EXPECT_EQ(file->left_out.malformed.named[0].line, 3);
      EXPECT_EQ(file->left_out.malformed.named[0].value, malformed.value);
      EXPECT_NE(file->left_out.malformed.named[0].expected.find(malformed.expected),
                std::string::npos)
          << file->left_out.malformed.named[0].expected;
    }
    // The last of the file, without a newline; and where malformed lines are refused.
    const std::string text = before + good + malformed.line;
    EXPECT_EQ(ReadTrace(malformed.file, text)->left_out.malformed.count, 1);
    const auto strict = ReadTrace(malformed.file, text, OnUnusable::kRefuse);
    ASSERT_FALSE(strict.ok());
    EXPECT_EQ(strict.error().reason, Reason::kConfigInvalid);
    EXPECT_EQ(strict.error().field, "line 3");
    EXPECT_EQ(strict.error().value, malformed.value);
  }
}

TEST(Trace, ABlankAfterTheLastFieldOfSwfIsNoField) {
  const auto file =
      ReadTrace("a.swf", "1 0 0 60 1 -1 -1 1 60" + kRest + " \t\r\n", OnUnusable::kRefuse);
  ASSERT_TRUE(file.ok()) << Describe(file.error());
  EXPECT_EQ(file->jobs.size(), 1U);
}

TEST(Trace, AnEndingInCapitalsIsSwfToo) {
  for (const char* name : {"a.SWF", "A.Swf", ".swf"}) {
    EXPECT_TRUE(ReadTrace(name, "1 0 0 60 1 -1 -1 1 60" + kRest).ok()) << name;
  }
  for (const char* name : {"swf", "a.swf.csv", "", "a.s0f", "a.zwf"}) {
    EXPECT_TRUE(ReadTrace(name, kHeading + kGood).ok()) << name;
  }
}

TEST(Trace, AByteOrderMarkBeforeTheFirstLineIsSkipped) {
  const std::string mark = "\xef\xbb\xbf";
  for (const auto& [name, text] : std::vector<std::pair<std::string, std::string>>{
           {"a.csv", kHeading + kGood}, {"a.swf", "1 0 0 60 1 -1 -1 1 60" + kRest}}) {
    const auto file = ReadTrace(name, mark + text, OnUnusable::kRefuse);
    ASSERT_TRUE(file.ok()) << Describe(file.error());
    EXPECT_EQ(file->jobs.size(), 1U);
  }
  EXPECT_FALSE(ReadTrace("a.csv", mark + mark + kHeading + kGood).ok());
}

TEST(Trace, APhillyJobThatRanForNoTimeNeverRan) {
  const auto file =
      ReadTrace("a.csv", kHeading + kGood + "2017-09-07 03:58:57,0,1,a\n2017-09-07 03:58:57,0,1,");
  ASSERT_TRUE(file.ok()) << Describe(file.error());
  EXPECT_EQ(file->jobs.size(), 1U);
  EXPECT_EQ(file->left_out.never_ran, 1);
  EXPECT_EQ(file->left_out.malformed.count, 1) << "of a malformed one nothing is known";
}

TEST(Trace, BlankLinesAreNoJobsAndNotMalformed) {
  for (const auto on_malformed : {OnUnusable::kLeaveOut, OnUnusable::kRefuse}) {
    const auto file =
        ReadTrace("a.csv", kHeading + "\n" + kGood + " \t\r\n\r\n" + kGood + "\n\n", on_malformed);
    ASSERT_TRUE(file.ok()) << Describe(file.error());
    EXPECT_EQ(file->jobs.size(), 2U);
    EXPECT_EQ(file->left_out.malformed.count, 0);
  }
}

TEST(Trace, AVeryLongLineIsToldInShort) {
  const std::string junk(1'000'000, 'x');
  for (const std::string& line : {junk, "2017-09-07 03:58:57,60,1," + junk}) {
    const auto file = ReadTrace("a.csv", kHeading + line + "\n" + kGood);
    ASSERT_TRUE(file.ok());
    EXPECT_EQ(file->jobs.size(), 1U);
    ASSERT_EQ(file->left_out.malformed.named.size(), 1U);
    EXPECT_LE(file->left_out.malformed.named[0].value.size(), 128U);
  }
}

TEST(Trace, AllMalformedLinesAreCountedAndTheFirstNamed) {
  std::string text = kHeading + kGood;
  for (int i = 0; i < 25; ++i) text += "junk " + std::to_string(i) + "\n";
  const auto file = ReadTrace("a.csv", text + kGood);
  ASSERT_TRUE(file.ok());
  EXPECT_EQ(file->jobs.size(), 2U);
  EXPECT_EQ(file->left_out.malformed.count, 25);
  ASSERT_EQ(file->left_out.malformed.named.size(), kLeftOutNamedMax);
  EXPECT_EQ(file->left_out.malformed.named.front().line, 3);
  EXPECT_EQ(file->left_out.malformed.named.back().line, 12);
  EXPECT_EQ(file->left_out.malformed.named.back().value, "junk 9");
}

struct Refused {
  std::string file;
  std::string text;
  std::string line;
  std::string expected;
};

TEST(Trace, AFileWithoutAJobIsRefused) {
  const std::vector<Refused> cases = {
      {"a.csv", "", "line 1", "at least one job"},
      {"a.csv", "time,gpus\n" + kGood, "line 1", "submit_time,duration_s,gpus,virtual_cluster"},
      {"a.csv",
       std::string("\x7f"
                   "ELF\0\n",
                   6) +
           kGood,
       "line 1", "submit_time"},
      {"a.csv", kHeading, "line 1", "at least one job"},
      {"a.csv", kHeading + "\n\r\n", "line 1", "at least one job"},
      {"a.csv", kHeading + "a\n\nb\nc", "line 2", "no other line can be read either (3 are"},
      {"a.swf", "; nothing\n", "line 1", "at least one job"},
      {"a.swf", "1 2 3\n", "line 1", "18 numbers"},
      {"a.swf", ";\n1 0 0 -1 1 -1 -1 1 1" + kRest, "line 1", "1 records are without a running"},
      {"a.swf", ";\n1 0 0 -1 1 -1 -1 1 1" + kRest + "\n?", "line 3", "1 records are without"},
  };
  for (const Refused& refused : cases) {
    const auto trace = ReadTrace(refused.file, refused.text);
    ASSERT_FALSE(trace.ok()) << refused.text;
    EXPECT_EQ(trace.error().reason, Reason::kConfigInvalid);
    EXPECT_EQ(trace.error().field, refused.line) << refused.text;
    EXPECT_NE(trace.error().limit.find(refused.expected), std::string::npos) << trace.error().limit;
  }
}

}  // namespace
}  // namespace allot::sim
