// Work that starts small, and to which GPUs are added while it runs.
#include <gtest/gtest.h>

#include <map>

#include "allot/scheduler/check_plan.h"
#include "allot/scheduler/explain.h"
#include "allot/scheduler/plan.h"
#include "support/snapshot_builder.h"

namespace allot::scheduler {
namespace {

using testing::SnapshotBuilder;

constexpr Instant kNow = SnapshotBuilder::kNow;

// p/base runs on one of four nodes for two days more; p/base-g1 and p/base-g2 would add one each.
class GrowthTest : public ::testing::Test {
 protected:
  GrowthTest() {
    builder_.Cluster("a", GpuModel::kH200, 4).Cluster("other", GpuModel::kH200, 4);
    builder_.Project("p");
    builder_.Project("q");
    builder_.Claim("p/base", "p", "a/n01", 0xff, kNow + Days(2));
    AddGrowth("p/base-g1");
    AddGrowth("p/base-g2");
  }
  SnapshotPending& AddGrowth(const std::string& id) {
    SnapshotPending& row = builder_.Pending(id, "p", {1, 8, 0}, Days(7));
    row.grows = AllocationId("p/base");
    return row;
  }
  void Occupy(const std::string& node, Seconds length) {
    builder_.Claim("q/" + node.substr(0, 1) + node.substr(node.size() - 2), "q", node, 0xff,
                   kNow + length);
  }
  struct Outcome {
    Snapshot snapshot;
    Plan plan;
    std::map<std::string, const Placement*> placed;
    std::map<std::string, const Deferral*> deferred;
  };
  Outcome PlanIt() {
    Outcome made{builder_.Build(), {}, {}, {}};
    made.plan = Schedule(made.snapshot, policy_);
    const auto violations = CheckPlan(made.snapshot, policy_, made.plan);
    EXPECT_TRUE(violations.empty()) << violations.front();
    const auto id = [&](int pending) {
      return made.snapshot.pending[static_cast<std::size_t>(pending)].id.str();
    };
    for (const Placement& one : made.plan.placements) made.placed.emplace(id(one.pending), &one);
    for (const Deferral& one : made.plan.deferrals) made.deferred.emplace(id(one.pending), &one);
    return made;
  }

  SnapshotBuilder builder_;
  Policy policy_;
};

TEST_F(GrowthTest, ItIsAddedNowInTheSameClusterUntilTheBaseEnds) {
  for (const char* node : {"a/n02", "a/n03"}) Occupy(node, Hours(5));
  const Outcome made = PlanIt();
  ASSERT_TRUE(made.placed.contains("p/base-g1"));
  EXPECT_EQ(made.placed.at("p/base-g1")->window, *TimeWindow::Make(kNow, kNow + Days(2)));
  EXPECT_EQ(made.snapshot.clusters[static_cast<std::size_t>(made.placed.at("p/base-g1")->cluster)]
                .id.str(),
            "a");
  ASSERT_TRUE(made.deferred.contains("p/base-g2")) << "the other cluster is of no use to it";
  EXPECT_EQ(made.deferred.at("p/base-g2")->reason, DeferralReason::kNoRoomToGrow);
}

TEST_F(GrowthTest, TheReasonIsTheSameWithEveryPass) {
  for (const char* node : {"a/n02", "a/n03", "a/n04"}) Occupy(node, Hours(5));
  const Outcome made = PlanIt();
  EXPECT_EQ(made.deferred.at("p/base-g1")->message,
            "adds 1 node x 8 GPUs to p/base as soon as there is room for it on a, within its "
            "project's quota");
}

TEST_F(GrowthTest, WhatDoesNotRunHasNothingAddedAndHoldsNobodyBack) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  builder.Project("p").merit = 501;
  builder.Project("q");
  builder.Pending("p/g", "p", {1, 8, 0}, Days(300)).grows = AllocationId("p/base");
  builder.Pending("p/next", "p", {1, 8, 0}, Days(1)).create_time = kNow - Minutes(30);
  builder.Pending("q/1", "q", {1, 8, 0}, Days(1));
  builder_ = builder;
  const Outcome made = PlanIt();
  EXPECT_EQ(made.deferred.at("p/g")->reason, DeferralReason::kBaseNotRunning);
  EXPECT_EQ(made.placed.at("p/next")->window.start(), kNow)
      << "300 days that are not asked for yet are charged to nobody's turn";
}

TEST_F(GrowthTest, WhatEndsSoonHasNothingAdded) {
  policy_.growth_min = Days(3);
  EXPECT_EQ(PlanIt().deferred.at("p/base-g1")->reason, DeferralReason::kNoRoomToGrow);
  policy_.growth_min = Days(2);
  EXPECT_TRUE(PlanIt().placed.contains("p/base-g1"));
}

TEST_F(GrowthTest, WhatHasLessLeftThanTheBaseEndsBeforeIt) {
  AddGrowth("p/base-g3").request.duration = Hours(30);
  EXPECT_EQ(PlanIt().placed.at("p/base-g3")->window, *TimeWindow::Make(kNow, kNow + Hours(30)));
  policy_.growth_min = Hours(31);
  EXPECT_EQ(PlanIt().deferred.at("p/base-g3")->reason, DeferralReason::kNoRoomToGrow);
}

TEST_F(GrowthTest, APlanThatLetsItOutliveTheBaseIsRefused) {
  Outcome made = PlanIt();
  for (Placement& placement : made.plan.placements) {
    placement.window = *TimeWindow::Make(kNow, kNow + Days(2) + Seconds{1});
    made.snapshot.pending[static_cast<std::size_t>(placement.pending)].request.duration =
        placement.window.length();
  }
  const auto violations = CheckPlan(made.snapshot, policy_, made.plan);
  ASSERT_FALSE(violations.empty());
  EXPECT_NE(violations.front().find("while what it is added to does"), std::string::npos)
      << violations.front();
}

TEST_F(GrowthTest, QuotaAndGpuTimeHoldForIt) {
  builder_.ProjectNamed("p").concurrent_gpus = {0, 23};
  const Outcome by_quota = PlanIt();
  EXPECT_TRUE(by_quota.placed.contains("p/base-g1"));
  EXPECT_TRUE(by_quota.deferred.contains("p/base-g2"));
  builder_.ProjectNamed("p").concurrent_gpus = {0, 64};
  builder_.ProjectNamed("p").gpu_time_left = *GpuSeconds::Of(15, Days(2));
  const Outcome by_time = PlanIt();
  EXPECT_TRUE(by_time.placed.contains("p/base-g1")) << "two days of it, not seven";
  EXPECT_EQ(by_time.deferred.at("p/base-g2")->reason, DeferralReason::kGpuHoursExhausted);
}

TEST_F(GrowthTest, ItNeverGoesAheadAndIsPromisedNothing) {
  AddGrowth("p/base-g3").create_time = kNow - Days(300);
  builder_.Pending("q/1", "q", {3, 8, 0}, Hours(1)).create_time = kNow - Days(20);
  policy_.promise_nodes = 1;
  const Outcome made = PlanIt();
  EXPECT_EQ(made.snapshot.pending[static_cast<std::size_t>(made.plan.order[0])].id.str(), "q/1");
  for (const Placement& placement : made.plan.placements) EXPECT_FALSE(placement.promised);
}

// p/base and what was added to it may be stopped for q/big.
class StoppedGrowthTest : public GrowthTest {
 protected:
  StoppedGrowthTest() {
    builder_ = SnapshotBuilder();
    builder_.Cluster("a", GpuModel::kH200, 4);
    builder_.Project("p");
    builder_.Project("q");
    Hold("p/base", {"a/n01", "a/n02"}).growths = {AllocationId("p/base-g1")};
    Hold("p/base-g1", {"a/n03"}).grows = AllocationId("p/base");
    policy_.preemption_grace = Minutes(10);
  }
  SnapshotPreemptible& Hold(const std::string& id, const std::vector<std::string>& nodes) {
    for (const std::string& node : nodes) builder_.Claim(id, "p", node, 0xff, kNow + Days(20));
    return builder_.Preemptible(id, "p", {static_cast<int>(nodes.size()), 8, 0}, kNow + Days(20));
  }
  std::vector<std::string> Stopped(const Outcome& made) {
    std::vector<std::string> ids;
    for (const Preemption& one : made.plan.preemptions) {
      ids.push_back(made.snapshot.preemptible[static_cast<std::size_t>(one.preemptible)].id.str());
    }
    return ids;
  }
};

TEST_F(StoppedGrowthTest, WhatWasAddedIsStoppedAloneWhereThatIsEnough) {
  builder_.Pending("q/big", "q", {2, 8, 0}, Days(1));
  const Outcome made = PlanIt();
  EXPECT_EQ(Stopped(made), (std::vector<std::string>{"p/base-g1"}));
  EXPECT_EQ(made.placed.at("q/big")->window.start(), kNow + Minutes(15));
}

TEST_F(StoppedGrowthTest, WhatIsStoppedTakesAlongWhatWasAddedToIt) {
  builder_.Pending("q/big", "q", {4, 8, 0}, Days(1));
  builder_.Pending("p/base-g2", "p", {1, 8, 0}, Days(21)).grows = AllocationId("p/base");
  const Outcome made = PlanIt();
  EXPECT_EQ(Stopped(made), (std::vector<std::string>{"p/base", "p/base-g1"}));
  EXPECT_EQ(made.placed.at("q/big")->window.start(), kNow + Minutes(15));
  EXPECT_TRUE(made.deferred.contains("p/base-g2")) << "nothing is added to what is stopped";
  const Snapshot after = AfterPreemptions(made.snapshot, made.plan);
  for (const SnapshotClaim& claim : after.claims) EXPECT_EQ(claim.until, kNow + Minutes(10));
}

TEST_F(StoppedGrowthTest, StoppedWithItsBaseItIsOneStopOfTheBudget) {
  policy_.preemptions_per_project = 1;
  builder_.Pending("q/big", "q", {4, 8, 0}, Days(1));
  EXPECT_EQ(Stopped(PlanIt()), (std::vector<std::string>{"p/base", "p/base-g1"}));
  builder_.ProjectNamed("p").stopped_lately = 1;
  EXPECT_TRUE(Stopped(PlanIt()).empty());
}

TEST_F(StoppedGrowthTest, TheGpuTimeOfWhatIsStoppedIsNobodysInThisPlan) {
  // A day of one node is left, and six more are what the step has not used.
  builder_.ProjectNamed("p").gpu_time_left = *GpuSeconds::Of(8, Days(1));
  builder_.Pending("p/long", "p", {1, 8, 0}, Days(5));
  builder_.Pending("q/big", "q", {2, 8, 0}, Days(1));
  const Outcome made = PlanIt();
  EXPECT_EQ(Stopped(made), (std::vector<std::string>{"p/base-g1"}));
  EXPECT_EQ(made.deferred.at("p/long")->reason, DeferralReason::kGpuHoursExhausted);
}

TEST_F(StoppedGrowthTest, WhatCouldBeAddedKeepsNobodyFromHavingWorkStopped) {
  builder_.Pending("p/base-g2", "p", {1, 8, 0}, Days(21)).grows = AllocationId("p/base");
  builder_.ProjectNamed("q").merit = 1;
  builder_.ProjectNamed("p").merit = 1000;
  builder_.Pending("q/big", "q", {2, 8, 0}, Days(1));
  const Outcome made = PlanIt();
  EXPECT_EQ(Stopped(made), (std::vector<std::string>{"p/base-g1"}));
  EXPECT_TRUE(made.deferred.contains("p/base-g2"));
}

}  // namespace
}  // namespace allot::scheduler
