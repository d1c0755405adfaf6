#include "allot/sim/trace.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace allot::sim {
namespace {

const std::string kHeading = "submit_time,duration_s,gpus,virtual_cluster\n";

TEST(Trace, ReadsPhillysColumnsInTheOrderOfSubmission) {
  const auto trace = ReadPhilly(kHeading +
                                "2017-09-07 09:57:50,2643038,1,6214e9\r\n"
                                "2017-09-07 03:58:57,60,16,ed69ec");
  ASSERT_TRUE(trace.ok()) << Describe(trace.error());
  ASSERT_EQ(trace->size(), 2U);
  EXPECT_EQ(trace->at(0).project, "ed69ec");
  EXPECT_EQ(trace->at(0).gpus, 16);
  EXPECT_EQ(trace->at(0).run, Seconds{60});
  EXPECT_EQ(FormatRfc3339(trace->at(1).submit), "2017-09-07T09:57:50Z");
}

TEST(Trace, ReadsSwfAndLeavesOutWhatNeverRan) {
  const std::string rest = " -1 -1 -1 0 7 1 -1 -1 -1 -1 -1";
  const auto trace = ReadTrace("x.swf",
                               "; Version: 2.2\n"
                               "1 100 5 3600 16 -1 -1 -1 7200" +
                                   rest.substr(6) +
                                   "\n"
                                   "2 200 -1 -1 8 -1 -1 8 7200" +
                                   rest.substr(6) +
                                   "\n"
                                   "\n"
                                   "3 50 0 60.5 4 -1 -1 8 600" +
                                   rest.substr(6) + "\n");
  ASSERT_TRUE(trace.ok()) << Describe(trace.error());
  ASSERT_EQ(trace->size(), 2U);
  EXPECT_EQ(trace->at(0).submit, Instant::FromSeconds(50));
  EXPECT_EQ(trace->at(0).gpus, 8) << "what was asked for goes before what was given";
  EXPECT_EQ(trace->at(0).run, Seconds{60});
  EXPECT_EQ(trace->at(1).gpus, 16);
  EXPECT_EQ(trace->at(1).limit, Seconds{7200});
  EXPECT_EQ(trace->at(1).project, "user-7");
}

struct Broken {
  std::string file;
  std::string text;
  std::string line;
};

TEST(Trace, WhatIsBrokenIsNamedByItsLine) {
  const std::vector<Broken> cases = {
      {"a.csv", "", "line 1"},
      {"a.csv", "time,gpus\n", "line 1"},
      {"a.csv", kHeading, "line 1"},
      {"a.csv", kHeading + "2017-09-07 03:58:57,60,1\n", "line 2"},
      {"a.csv", kHeading + "2017-13-07 03:58:57,60,1,a\n", "line 2"},
      {"a.csv", kHeading + "2017-09-07 03:58:57,-1,1,a\n", "line 2"},
      {"a.csv", kHeading + "2017-09-07 03:58:57,60,0,a\n", "line 2"},
      {"a.csv", kHeading + "2017-09-07 03:58:57,99999999999999999999,1,a\n", "line 2"},
      {"a.csv", kHeading + "2017-09-07 03:58:57,60,1,a\n2017-09-07 03:58:57,60,1,\n", "line 3"},
      {"a.swf", "; nothing\n", "line 1"},
      {"a.swf", "1 2 3\n", "line 1"},
      {"a.swf", ";\n1 0 0 x 1 -1 -1 1 1 -1 0 7 1 -1 -1 -1 -1 -1\n", "line 2"},
  };
  for (const Broken& broken : cases) {
    const auto trace = ReadTrace(broken.file, broken.text);
    ASSERT_FALSE(trace.ok()) << broken.text;
    EXPECT_EQ(trace.error().reason, Reason::kConfigInvalid);
    EXPECT_EQ(trace.error().field, broken.line) << broken.text;
    EXPECT_FALSE(trace.error().limit.empty());
  }
}

}  // namespace
}  // namespace allot::sim
