// What an institute lives through, with the real programs.

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/installation.h"

namespace allot::testing {
namespace {

using ::testing::HasSubstr;

TEST(Lifecycle, ASubmissionBecomesActiveAndCompletesWhenReleased) {
  const Installation nation;
  nation.RegisterSmallNation();
  const auto agent = nation.StartAgent("naver-a");

  const Ended submitted = nation.Allot({"submit", "snu/llm", "--name", "main", "--nodes", "2",
                                        "--models", "H200", "--for", "7d", "--wait"});
  ASSERT_EQ(submitted.exit_code, 0) << submitted.err;
  EXPECT_EQ(nation.StateOf("snu/llm/main"), "active");
  EXPECT_EQ(nation.AllotJson({"get", "snu/llm/main"})["nodes"].size(), 2U);

  const Ended released = nation.Allot({"release", "snu/llm/main", "--reason", "done", "--wait"});
  ASSERT_EQ(released.exit_code, 0) << released.err;
  EXPECT_EQ(nation.StateOf("snu/llm/main"), "completed");
}

TEST(Lifecycle, WhoFindsThePoolFullIsPlannedAndStartsWhenTheGpusAreBack) {
  const Installation nation;
  nation.RegisterSmallNation();
  const auto agent = nation.StartAgent("naver-a");
  ASSERT_EQ(nation
                .Allot({"submit", "snu/llm", "--name", "all", "--nodes", "4", "--models", "H200",
                        "--for", "7d", "--wait"})
                .exit_code,
            0);

  const Ended planned =
      nation.Allot({"submit", "kaist/vision", "--name", "next", "--nodes", "1", "--models", "H200",
                    "--for", "1d", "--wait", "--until", "planned"});
  ASSERT_EQ(planned.exit_code, 0) << planned.err;
  EXPECT_EQ(nation.StateOf("kaist/vision/next"), "planned");
  const auto why = nation.AllotJson({"explain", "kaist/vision/next"});
  EXPECT_EQ(why["rank"], 1);
  EXPECT_FALSE(why["plannedStartTime"].get<std::string>().empty());

  // The watch begins where the waiting does, so that the change cannot be missed.
  const auto watch = nation.StartAllot({"watch", "kaist/vision", "--from-revision", "0"});
  ASSERT_EQ(nation.Allot({"release", "snu/llm/all", "--reason", "done"}).exit_code, 0);
  EXPECT_TRUE(watch->AwaitOut("active")) << watch->out() << watch->err();
  EXPECT_EQ(nation.StateOf("kaist/vision/next"), "active");
}

TEST(Lifecycle, WhatIsCancelledWhileItWaitsHoldsNothing) {
  const Installation nation;
  nation.RegisterSmallNation();

  const Ended submitted =
      nation.Allot({"submit", "snu/llm", "--name", "main", "--gpus", "3", "--for", "4h"});
  ASSERT_EQ(submitted.exit_code, 5) << "no cluster has nodes yet: " << submitted.out;
  EXPECT_THAT(submitted.err, HasSubstr("larger_than_pool"));

  const auto agent = nation.StartAgent("naver-a");
  ASSERT_EQ(nation
                .Allot({"submit", "snu/llm", "--name", "later", "--gpus", "3", "--for", "4h",
                        "--start", "+30d"})
                .exit_code,
            0);
  const Ended cancelled =
      nation.Allot({"cancel", "snu/llm/later", "--reason", "changed", "--wait"});
  ASSERT_EQ(cancelled.exit_code, 0) << cancelled.err;
  EXPECT_EQ(nation.StateOf("snu/llm/later"), "cancelled");
  EXPECT_EQ(nation.AllotJson({"pool"})["clusters"][1]["gpusHeld"], 0);
}

TEST(Lifecycle, APassIsRecordedAndDecidedAgain) {
  const Installation nation("policy: {gathering_time: 0s}\n");
  nation.RegisterSmallNation();
  const auto agent = nation.StartAgent("naver-a");
  ASSERT_EQ(nation
                .Allot({"submit", "snu/llm", "--name", "long", "--nodes", "4", "--models", "H200",
                        "--for", "1d", "--wait"})
                .exit_code,
            0);
  ASSERT_EQ(nation
                .Allot({"submit", "snu/llm", "--name", "next", "--gpus", "2", "--models", "H200",
                        "--for", "4h", "--wait", "--until", "planned"})
                .exit_code,
            0);
  const Ended recorded = nation.Allot({"record"});
  ASSERT_EQ(recorded.exit_code, 0) << recorded.err;
  const std::string file = nation.data_dir() + "/pass.json";
  std::ofstream(file) << recorded.out;
  const Ended again = RunToEnd({Binary("allot-sim"), "replay", file, "--explain", "snu/llm/next"});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("the plan is the same"));
  EXPECT_THAT(again.out, HasSubstr("rank 1 of 1"));
  const Ended drained = RunToEnd({Binary("allot-sim"), "what-if", file, "--drain", "naver-a"});
  EXPECT_EQ(drained.exit_code, 0) << drained.err;
  EXPECT_THAT(drained.out, HasSubstr("snu/llm"));
}

}  // namespace
}  // namespace allot::testing
