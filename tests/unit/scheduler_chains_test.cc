#include "scheduler/chains.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "allot/scheduler/check_plan.h"
#include "support/snapshot_builder.h"

namespace allot::scheduler {
namespace {

using testing::SnapshotBuilder;

constexpr Instant kNow = SnapshotBuilder::kNow;

// Two nodes free; "p/b" starts after "p/a", "p/c" after "p/b".
class ChainsTest : public ::testing::Test {
 protected:
  ChainsTest() {
    builder_.Cluster("c", GpuModel::kH200, 2).Project("p");
    for (const char* id : {"p/a", "p/b", "p/c"}) builder_.Pending(id, "p", {1, 8, 0}, Hours(4));
    snapshot_ = builder_.Build();
    snapshot_.pending[1].after = AllocationId("p/a");
    snapshot_.pending[2].after = AllocationId("p/b");
  }
  std::string Starts(const Snapshot& snapshot) const {
    const Plan plan = Schedule(snapshot, policy_);
    EXPECT_EQ(CheckPlan(snapshot, policy_, plan), std::vector<std::string>{});
    std::string text;
    for (const Placement& placement : plan.placements) {
      text += snapshot.pending[static_cast<std::size_t>(placement.pending)].id.str().substr(2) +
              std::to_string(Between(kNow, placement.window.start()).count / 60) +
              (placement.promised ? "! " : " ");
    }
    return text;
  }

  SnapshotBuilder builder_;
  Snapshot snapshot_;
  Policy policy_ = [] {
    Policy policy;
    policy.gathering_time = Seconds{0};
    policy.release_time = Minutes(10);
    policy.promise_nodes = 1;
    return policy;
  }();
};

TEST_F(ChainsTest, EachStartsWhenTheOneBeforeHasEndedAndGivenItsGpusBack) {
  EXPECT_EQ(Starts(snapshot_), "a0 b250 c500 ") << "on the other node, so not on a boundary";
}

TEST_F(ChainsTest, TheOrderIsThatOfTheChainWhateverTheTimesOfCreationSay) {
  snapshot_.pending[0].create_time = kNow;
  snapshot_.pending[2].create_time = kNow - Days(2);
  EXPECT_EQ(Starts(snapshot_), "a0 b250 c500 ");
}

TEST_F(ChainsTest, NobodyGrowsOldWhileWhatItStartsAfterIsUnfinished) {
  for (const int i : {1, 2})
    snapshot_.pending[static_cast<std::size_t>(i)].create_time = kNow - Days(90);
  const Plan plan = Schedule(snapshot_, policy_);
  EXPECT_EQ(plan.order, (std::vector<int>{0, 1, 2}));
  for (const Placement& placement : plan.placements) EXPECT_FALSE(placement.promised);
}

TEST_F(ChainsTest, BehindOneThatRunsItStartsAfterItsWindow) {
  snapshot_.pending.erase(snapshot_.pending.begin());
  for (const int node : {0, 1}) {
    snapshot_.claims.push_back(
        {AllocationId("p/a"), 0, node, 0x0f, kNow - Hours(1), kNow + Hours(3)});
  }
  Canonicalise(snapshot_);
  EXPECT_EQ(Starts(snapshot_), "b195 c445 ") << "its nodes come free at a boundary";
}

TEST_F(ChainsTest, BehindOneWhoseReleaseIsOverdueItDoesNotStartNow) {
  snapshot_.pending.erase(snapshot_.pending.begin());
  snapshot_.claims.push_back({AllocationId("p/a"), 0, 0, 0xff, kNow - Hours(1), kNow - Minutes(1)});
  EXPECT_EQ(Starts(snapshot_), "b9 c259 ") << "it is not late before the release time is over";
  snapshot_.claims[0].until = kNow - Minutes(10);
  EXPECT_EQ(Starts(snapshot_), "b15 c265 ");
}

TEST_F(ChainsTest, WhatAnEarlierAttemptLostWithANodeSaysNothingOfTheEnd) {
  snapshot_.claims.push_back(
      {AllocationId("p/a"), 0, 0, 0xff, kNow - Hours(1), kNow + Days(3), false});
  EXPECT_EQ(Starts(snapshot_), "a0 b255 c510 ") << "on one node, at boundaries";
  snapshot_.pending.erase(snapshot_.pending.begin());
  EXPECT_EQ(Starts(snapshot_), "") << "it lost its GPUs a moment ago, and will wait again";
}

TEST_F(ChainsTest, BehindWhatHasNoStartThereIsNone) {
  snapshot_.pending[0].request.shape.nodes = 3;
  EXPECT_EQ(Starts(snapshot_), "");
  const Plan plan = Schedule(snapshot_, policy_);
  EXPECT_EQ(plan.deferrals.at(0).reason, DeferralReason::kLargerThanPool);
  EXPECT_EQ(plan.deferrals.at(1).reason, DeferralReason::kPredecessorUnfinished);
  EXPECT_EQ(plan.deferrals.at(2).message,
            "asks 1 node x 8 GPUs of H200 for 4h; it starts after p/b, which has no start yet");
}

// Only a recording made up by hand can say this.
TEST_F(ChainsTest, ACircleIsDeferredWhole) {
  snapshot_.pending[0].after = AllocationId("p/c");
  EXPECT_EQ(Starts(snapshot_), "");
  snapshot_.pending[0].after = AllocationId("p/a");
  EXPECT_EQ(Starts(snapshot_), "");
}

TEST_F(ChainsTest, NobodyIsStoppedForWhoStartsAfterAnother) {
  const auto claim = [&](const char* id, int node, GpuMask gpus, Seconds left) {
    snapshot_.claims.push_back({AllocationId(id), 0, node, gpus, kNow - Days(1), kNow + left});
  };
  claim("p/r0", 0, 0x0f, Hours(1));
  claim("p/stays", 0, 0xf0, Days(3));
  claim("p/r1", 1, 0xff, Days(3));
  SnapshotPreemptible row;
  row.id = AllocationId("p/r1");
  row.request = snapshot_.pending[0].request;
  row.request.duration = Days(4);
  row.request.preemptible = true;
  row.create_time = row.start = kNow - Days(1);
  row.until = kNow + Days(3);
  snapshot_.preemptible.push_back(row);
  snapshot_.pending.resize(1);
  // Ahead of what is left of the other, too.
  snapshot_.pending[0].create_time = kNow - Days(2);
  Canonicalise(snapshot_);
  EXPECT_EQ(Schedule(snapshot_, policy_).preemptions.size(), 1U);
  snapshot_.pending[0].after = AllocationId("p/r0");
  EXPECT_EQ(Schedule(snapshot_, policy_).preemptions.size(), 0U);
}

TEST_F(ChainsTest, TheCheckerRefusesAStartBeforeTheEndOfAnother) {
  const Plan plan = Schedule(snapshot_, policy_);
  const auto violation = [&](const std::function<void(Plan&)>& change) {
    Plan changed = plan;
    change(changed);
    const auto violations = CheckPlan(snapshot_, policy_, changed);
    return violations.empty() ? "" : violations[0];
  };
  const auto move = [](Placement& placement, Seconds by) {
    placement.window =
        *TimeWindow::Make(placement.window.start() + by, placement.window.end() + by);
    placement.nodes[0].node = 1;
  };
  EXPECT_EQ(violation([&](Plan& p) { move(p.placements[1], Minutes(-11)); }),
            "p/b: starts before the end of p/a");
  EXPECT_EQ(violation([&](Plan& p) { p.placements[1].promised = true; }),
            "p/b: is promised a start after another's end");
  EXPECT_EQ(violation([&](Plan& p) {
              p.placements.erase(p.placements.begin());
              p.deferrals = {{0, DeferralReason::kNoCapacity, "no"}};
            }),
            "p/b: is placed though what it starts after has no start");
  snapshot_.pending.erase(snapshot_.pending.begin());
  snapshot_.claims.push_back({AllocationId("p/a"), 0, 0, 0xff, kNow - Hours(1), kNow - Minutes(1)});
  Plan early = Schedule(snapshot_, policy_);
  early.placements[0].window = *TimeWindow::Make(kNow, kNow + Hours(4));
  early.placements[0].nodes[0].node = 1;
  EXPECT_EQ(CheckPlan(snapshot_, policy_, early).at(0), "p/b: starts before the end of p/a");
}

}  // namespace
}  // namespace allot::scheduler
