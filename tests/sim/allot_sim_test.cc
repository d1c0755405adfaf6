#include <gtest/gtest.h>

#include <string>

#include "allot/sim/national_call.h"
#include "support/process.h"

namespace allot::sim {
namespace {

using testing::Binary;
using testing::Ended;
using testing::RunToEnd;

TEST(AllotSim, WritesTheCallOfTheSeedToStandardOutput) {
  const Ended ended = RunToEnd({Binary("allot-sim"), "national-call", "--seed", "42"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_TRUE(ended.out == FormatNationalCall(MakeNationalCall(42)));
}

TEST(AllotSim, SaysWhyNothingWasWritten) {
  const Ended bad_seed = RunToEnd({Binary("allot-sim"), "national-call", "--seed", "many"});
  EXPECT_NE(bad_seed.exit_code, 0);
  EXPECT_NE(bad_seed.err.find("--seed"), std::string::npos) << bad_seed.err;

  const Ended no_folder =
      RunToEnd({Binary("allot-sim"), "national-call", "--out", "/no/such/folder/call.yaml"});
  EXPECT_EQ(no_folder.exit_code, 1);
  EXPECT_NE(no_folder.err.find("/no/such/folder/call.yaml: No such file"), std::string::npos)
      << no_folder.err;
}

TEST(AllotSim, AFullDiskIsAnError) {
  const Ended ended = RunToEnd({Binary("allot-sim"), "national-call", "--out", "/dev/full"});
  EXPECT_EQ(ended.exit_code, 1) << ended.err;
}

TEST(AllotSim, ComparesDisciplinesInATable) {
  const Ended ended = RunToEnd({Binary("allot-sim"), "compare", "--disciplines", "greedy,allot",
                                "--seeds", "1", "--days", "1", "--scale", "32", "--quiet"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_NE(ended.out.find("\ngreedy "), std::string::npos) << ended.out;
  EXPECT_NE(ended.out.find("\nallot "), std::string::npos) << ended.out;
}

TEST(AllotSim, RefusesWhatItCannotRun) {
  const Ended no_file = RunToEnd({Binary("allot-sim"), "run", "--workload", "/no/such/trace.swf"});
  EXPECT_EQ(no_file.exit_code, 2);
  EXPECT_NE(no_file.err.find("/no/such/trace.swf: cannot be read"), std::string::npos);
  EXPECT_EQ(RunToEnd({Binary("allot-sim"), "run", "--workload", "/"}).exit_code, 2);
  const Ended nobody =
      RunToEnd({Binary("allot-sim"), "compare", "--disciplines", "allot,slurm", "--quiet"});
  EXPECT_EQ(nobody.exit_code, 2);
  EXPECT_NE(nobody.err.find("there is no 'slurm'"), std::string::npos) << nobody.err;
  EXPECT_NE(RunToEnd({Binary("allot-sim"), "run", "--load", "0"}).exit_code, 0);
}

}  // namespace
}  // namespace allot::sim
