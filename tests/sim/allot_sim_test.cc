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

}  // namespace
}  // namespace allot::sim
