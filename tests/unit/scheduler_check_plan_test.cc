// A valid plan is broken in one way at a time; the checker must name each.
#include "allot/scheduler/check_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "support/snapshot_builder.h"

namespace allot::scheduler {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::SnapshotBuilder;

constexpr Instant kNow = SnapshotBuilder::kNow;

Snapshot SmallPool() {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 4)
      .Cluster("b", GpuModel::kB200, 2)
      .Cluster("z", GpuModel::kH200, 2, {ProgrammeId("national")});
  builder.Project("i/p").concurrent_gpus = {16, 24};
  builder.Project("i/q");
  builder.Node("a/n04").schedulable = false;
  builder.Claim("i/p/running", "i/p", "a/n01", 0x0f, kNow + Hours(2));
  builder.Claim("i/p/overdue", "i/p", "b/n01", 0xff, kNow);
  builder.Pending("i/p/one", "i/p", {1, 4, 0}, Hours(3));
  builder.Pending("i/p/two", "i/p", {1, 8, 3}, Hours(1)).request.deadline = kNow + Days(3);
  builder.Pending("i/q/later", "i/q", {1, 2, 0}, Hours(1)).request.earliest_start = kNow + Hours(5);
  builder.Pending("i/q/large", "i/q", {9, 8, 0}, Hours(1));
  builder.Pending("i/q/endless", "i/q", {9, 8, 0}, Hours(1));
  return builder.Build();
}

class CheckPlanTest : public ::testing::Test {
 protected:
  Snapshot snapshot_ = SmallPool();
  Policy policy_;
  Plan plan_ = Schedule(snapshot_, policy_);

  Placement& Of(const std::string& id) {
    const int position = SnapshotBuilder::PositionOf(snapshot_.pending, id);
    for (Placement& placement : plan_.placements) {
      if (placement.pending == position) return placement;
    }
    ALLOT_CHECK(false);
  }
  int Node(const std::string& id) { return SnapshotBuilder::PositionOf(snapshot_.nodes, id); }
  SnapshotPending& Pending(const std::string& id) {
    return snapshot_
        .pending[static_cast<std::size_t>(SnapshotBuilder::PositionOf(snapshot_.pending, id))];
  }
  SnapshotProject& Project(const std::string& id) {
    return snapshot_
        .projects[static_cast<std::size_t>(SnapshotBuilder::PositionOf(snapshot_.projects, id))];
  }
  void MoveTo(Placement& placement, Instant start, Seconds duration) {
    placement.window = *TimeWindow::Make(start, start + duration);
  }
  void ExpectViolation(const std::string& text) {
    EXPECT_THAT(CheckPlan(snapshot_, policy_, plan_), Contains(HasSubstr(text)));
  }
};

TEST_F(CheckPlanTest, AcceptsAValidPlan) {
  ASSERT_EQ(plan_.placements.size(), 3U);
  ASSERT_EQ(plan_.deferrals.size(), 2U);
  EXPECT_EQ(CheckPlan(snapshot_, policy_, plan_), std::vector<std::string>{});
}

TEST_F(CheckPlanTest, AnotherTime) {
  plan_.now = plan_.now + Seconds{1};
  ExpectViolation("another time or revision");
}
TEST_F(CheckPlanTest, AnotherRevision) {
  ++plan_.revision;
  ExpectViolation("another time or revision");
}

TEST_F(CheckPlanTest, LaterThanToldWithoutAMark) {
  Pending("i/q/later").told_start = kNow;
  policy_.planned_slip_max = Hours(4);
  ExpectViolation("i/q/later: starts later than told and is not marked");
  plan_.overdue = {SnapshotBuilder::PositionOf(snapshot_.pending, "i/q/later")};
  EXPECT_EQ(CheckPlan(snapshot_, policy_, plan_), std::vector<std::string>{});
  policy_.planned_slip_max = Hours(5);
  EXPECT_EQ(CheckPlan(snapshot_, policy_, plan_), std::vector<std::string>{})
      << "early is no fault";
}
TEST_F(CheckPlanTest, AMarkForWhoWasToldNothing) {
  plan_.overdue = {SnapshotBuilder::PositionOf(snapshot_.pending, "i/q/later")};
  ExpectViolation("i/q/later: is marked overdue and was told nothing");
}
TEST_F(CheckPlanTest, MarksOutOfOrder) {
  for (SnapshotPending& row : snapshot_.pending) row.told_start = kNow - Days(400);
  plan_.overdue = {1, 0};
  ExpectViolation("those that are overdue are not in order");
}
TEST_F(CheckPlanTest, SomebodyWithoutARightBeforeAnUrgentOne) {
  ASSERT_NE(plan_.order.back(), plan_.order.front());
  snapshot_.pending[static_cast<std::size_t>(plan_.order.back())].urgent = true;
  ExpectViolation("goes before others and is ranked behind them");
}

TEST_F(CheckPlanTest, WhoBorrowsBeforeOneWithinItsQuota) {
  snapshot_.pending[static_cast<std::size_t>(plan_.order.front())].request.borrow = true;
  ExpectViolation("is ranked behind one that borrows");
}
TEST_F(CheckPlanTest, WhatIsBorrowedPromised) {
  Placement& last = plan_.placements.back();
  snapshot_.pending[static_cast<std::size_t>(last.pending)].request.borrow = true;
  last.promised = true;
  ExpectViolation("is promised what it borrows");
}
TEST_F(CheckPlanTest, MoreBorrowedThanThePolicyLends) {
  for (SnapshotPending& row : snapshot_.pending) row.request.borrow = true;
  policy_.borrowed_gpus_max = 7;
  ExpectViolation(" borrowed at ");
}

TEST_F(CheckPlanTest, SomebodyForgotten) {
  plan_.placements.pop_back();
  ExpectViolation("placed or deferred 0 times");
}
TEST_F(CheckPlanTest, SomebodyPlacedAndDeferred) {
  plan_.deferrals.insert(plan_.deferrals.begin(),
                         {plan_.placements[0].pending, DeferralReason::kNoCapacity, "why"});
  ExpectViolation("placed or deferred 2 times");
}
TEST_F(CheckPlanTest, SomebodyWhoDoesNotExist) {
  plan_.deferrals.push_back({99, DeferralReason::kNoCapacity, "why"});
  ExpectViolation("pending allocation 99: does not exist");
}
TEST_F(CheckPlanTest, ADeferralWithoutAMessage) {
  plan_.deferrals[0].message.clear();
  ExpectViolation("deferred without a message");
}
TEST_F(CheckPlanTest, DeferralsOutOfOrder) {
  std::swap(plan_.deferrals[0], plan_.deferrals[1]);
  ExpectViolation("out of order among the deferrals");
}

TEST_F(CheckPlanTest, ARankMissing) {
  plan_.order.pop_back();
  ExpectViolation("has no rank");
}
TEST_F(CheckPlanTest, ARankTwice) {
  plan_.order.push_back(plan_.order[0]);
  ExpectViolation("has two ranks");
}
TEST_F(CheckPlanTest, ARankOfNobody) {
  plan_.order.push_back(-1);
  ExpectViolation("has a rank but does not exist");
}
TEST_F(CheckPlanTest, PlacedAgainstTheRanks) {
  std::swap(plan_.placements[0], plan_.placements[2]);
  ExpectViolation("placed before one of a lower rank");
}

TEST_F(CheckPlanTest, AClusterThatDoesNotExist) {
  Of("i/p/one").cluster = 7;
  ExpectViolation("a cluster that does not exist");
}
TEST_F(CheckPlanTest, ANodeThatDoesNotExist) {
  Of("i/p/one").nodes[0].node = -1;
  ExpectViolation("a node that does not exist");
}
TEST_F(CheckPlanTest, ANodeOfAnotherCluster) {
  Of("i/p/two").nodes.back().node = Node("b/n02");
  ExpectViolation("a node of another cluster");
}
TEST_F(CheckPlanTest, ANodeThatTakesNoNewWork) {
  Of("i/p/two").nodes.back().node = Node("a/n04");
  ExpectViolation("takes no new work");
}
TEST_F(CheckPlanTest, ANodeTwice) {
  Of("i/p/two").nodes[1].node = Of("i/p/two").nodes[0].node;
  ExpectViolation("nodes out of order or twice");
}
TEST_F(CheckPlanTest, AModelItDoesNotAccept) {
  Placement& placement = Of("i/q/later");
  placement.cluster = SnapshotBuilder::PositionOf(snapshot_.clusters, "b");
  placement.model = GpuModel::kB200;
  placement.nodes[0].node = Node("b/n02");
  ExpectViolation("a model it does not accept");
}
TEST_F(CheckPlanTest, AModelTheClusterDoesNotHave) {
  Of("i/q/later").model = GpuModel::kB200;
  ExpectViolation("another model than its cluster has");
}
TEST_F(CheckPlanTest, AClusterOfAnotherProgramme) {
  Placement& placement = Of("i/q/later");
  placement.cluster = SnapshotBuilder::PositionOf(snapshot_.clusters, "z");
  placement.nodes[0].node = Node("z/n01");
  ExpectViolation("does not serve its programme");
}
TEST_F(CheckPlanTest, AClosedProject) {
  Project("i/q").open = false;
  ExpectViolation("its project is closed");
}

TEST_F(CheckPlanTest, PartOfAGang) {
  Of("i/p/two").nodes.pop_back();
  ExpectViolation("does not have the shape");
}
TEST_F(CheckPlanTest, OneGpuTooFew) {
  GpuMask& gpus = Of("i/p/one").nodes[0].gpus;
  gpus = static_cast<GpuMask>(gpus & (gpus - 1));
  ExpectViolation("does not have the shape");
}
TEST_F(CheckPlanTest, OneGpuTooMany) {
  Of("i/q/later").nodes[0].gpus = 0x07;
  ExpectViolation("does not have the shape");
}

TEST_F(CheckPlanTest, AShorterWindow) {
  MoveTo(Of("i/p/one"), kNow, Hours(2));
  ExpectViolation("another duration");
}
TEST_F(CheckPlanTest, AStartInThePast) {
  MoveTo(Of("i/p/one"), kNow - Seconds{1}, Hours(3));
  ExpectViolation("starts before now");
}
TEST_F(CheckPlanTest, AStartBeforeTheEarliest) {
  MoveTo(Of("i/q/later"), kNow + Hours(4), Hours(1));
  ExpectViolation("before its earliest start");
}
TEST_F(CheckPlanTest, AStartWhileOthersMayStillArrive) {
  policy_.gathering_time = Hours(2);
  ExpectViolation("before its gathering time has passed");
}
TEST_F(CheckPlanTest, AStartBehindTheHorizon) {
  MoveTo(Of("i/q/later"), kNow + policy_.planning_horizon, Hours(1));
  ExpectViolation("behind the planning horizon");
}
TEST_F(CheckPlanTest, AnEndAfterTheDeadline) {
  MoveTo(Of("i/p/two"), kNow + Days(3), Hours(1));
  ExpectViolation("after its deadline");
}

TEST_F(CheckPlanTest, AGpuOfRunningWork) {
  Placement& placement = Of("i/p/one");
  placement.nodes = {{Node("a/n01"), 0x1e}};
  MoveTo(placement, kNow, Hours(3));
  ExpectViolation("GPU 1 of a/n01 is given twice");
}
TEST_F(CheckPlanTest, RunningWorkEndsWhenThePlacementStarts) {
  Placement& placement = Of("i/p/one");
  placement.nodes = {{Node("a/n01"), 0x0f}};
  MoveTo(placement, kNow + Hours(2), Hours(3));
  MoveTo(Of("i/p/two"), kNow + Days(1), Hours(1));
  EXPECT_EQ(CheckPlan(snapshot_, policy_, plan_), std::vector<std::string>{});
}
TEST_F(CheckPlanTest, AGpuWhoseReleaseIsOverdue) {
  SnapshotPending& pending = Pending("i/q/later");
  pending.request.models = {GpuModel::kB200};
  pending.request.earliest_start.reset();
  Placement& placement = Of("i/q/later");
  placement.cluster = SnapshotBuilder::PositionOf(snapshot_.clusters, "b");
  placement.model = GpuModel::kB200;
  placement.nodes[0].node = Node("b/n01");
  MoveTo(placement, kNow, Hours(1));
  ExpectViolation("of b/n01 is given twice");
}
TEST_F(CheckPlanTest, TwoPlacementsOnOneGpu) {
  Of("i/q/later").nodes = {{Of("i/p/one").nodes[0].node, 0x03}};
  Of("i/p/one").nodes[0].gpus = 0x0f;
  MoveTo(Of("i/p/one"), kNow + Hours(5), Hours(3));
  ExpectViolation("is given twice");
}
TEST_F(CheckPlanTest, AClaimThatBeginsDuringAPlacement) {
  Placement& placement = Of("i/p/one");
  snapshot_.claims.push_back(snapshot_.claims[0]);
  SnapshotClaim& claim = snapshot_.claims.back();
  claim.node = placement.nodes[0].node;
  claim.gpus = 0xff;
  claim.start = placement.window.start() + Minutes(10);
  claim.until = claim.start + Hours(1);
  ExpectViolation("is given twice");
}

TEST_F(CheckPlanTest, MoreThanTheQuotaAtAnInstant) {
  Project("i/p").concurrent_gpus = {16, 14};
  ExpectViolation("its quota is 14");
}
TEST_F(CheckPlanTest, AQuotaBelowWhatIsHeldRefusesOnlyWhatIsAdded) {
  Project("i/q").concurrent_gpus = {0, 2};
  snapshot_.claims[0].project = SnapshotBuilder::PositionOf(snapshot_.projects, "i/q");
  EXPECT_EQ(CheckPlan(snapshot_, policy_, plan_), std::vector<std::string>{});
  MoveTo(Of("i/q/later"), kNow + Hours(1), Hours(1));
  Pending("i/q/later").request.earliest_start.reset();
  ExpectViolation("would hold 6 H200");
}
TEST_F(CheckPlanTest, MoreGpuTimeThanIsLeft) {
  Project("i/p").gpu_time_left = GpuSeconds::FromCount(1);
  ExpectViolation("is given more GPU time than it has left, 1 GPU-seconds");
}
TEST_F(CheckPlanTest, WhatWasLostWithItsNodeSparesTheQuota) {
  Project("i/p").concurrent_gpus = {16, 15};
  for (SnapshotClaim& claim : snapshot_.claims) claim.counts_against_quota = false;
  EXPECT_EQ(CheckPlan(snapshot_, policy_, plan_), std::vector<std::string>{});
}

// ---- Promises: i/p/two is promised the start that the plan gives it.

class CheckPromisesTest : public CheckPlanTest {
 protected:
  CheckPromisesTest() {
    Placement& placement = Of("i/p/two");
    start_ = placement.window.start();
    Pending("i/p/two").promise = {placement.window, placement.nodes};
    plan_ = Schedule(snapshot_, policy_);
  }
  int two() { return SnapshotBuilder::PositionOf(snapshot_.pending, "i/p/two"); }
  SnapshotNode& PromisedNode() {
    return snapshot_.nodes[static_cast<std::size_t>(Pending("i/p/two").promise->nodes[0].node)];
  }
  Instant start_;
};

TEST_F(CheckPromisesTest, AcceptsAKeptPromiseThoughPolicyAndClockWentOn) {
  EXPECT_TRUE(Of("i/p/two").promised);
  EXPECT_EQ(CheckPlan(snapshot_, policy_, plan_), std::vector<std::string>{});
  policy_.gathering_time = Days(1);
  snapshot_.now = snapshot_.now + Seconds{60};
  plan_ = Schedule(snapshot_, policy_);
  EXPECT_EQ(CheckPlan(snapshot_, policy_, plan_), std::vector<std::string>{});
  EXPECT_EQ(Of("i/p/two").window.start(), start_);
  Of("i/p/two").window = *TimeWindow::Make(start_ - Seconds{1}, start_ + Hours(1) - Seconds{1});
  ExpectViolation("i/p/two: starts before now");
}
TEST_F(CheckPromisesTest, LostWithoutAWord) {
  MoveTo(Of("i/p/two"), start_ + Hours(1), Hours(1));
  ExpectViolation("i/p/two: loses its promise without a word");
}
TEST_F(CheckPromisesTest, LostThoughNothingIsInTheWay) {
  MoveTo(Of("i/p/two"), start_ + Hours(1), Hours(1));
  for (const SlipCause cause : {SlipCause::kNodeLost, SlipCause::kNodeDraining, SlipCause::kMissed,
                                SlipCause::kClusterClosed, SlipCause::kProjectClosed}) {
    plan_.slips = {{two(), start_, cause}};
    ExpectViolation("i/p/two: loses its promise though nothing is in the way");
  }
}
TEST_F(CheckPromisesTest, LostToWhatIsInTheWay) {
  MoveTo(Of("i/p/two"), start_ + Hours(1), Hours(1));
  PromisedNode().schedulable = false;
  plan_.slips = {{two(), start_, SlipCause::kNodeLost}};
  EXPECT_THAT(CheckPlan(snapshot_, policy_, plan_), Not(Contains(HasSubstr("loses its promise"))));
}
TEST_F(CheckPromisesTest, KeptAndSaidToBeLost) {
  plan_.slips = {{two(), start_, SlipCause::kNodeLost}};
  ExpectViolation("keeps its promise and is said to have lost it");
}
TEST_F(CheckPromisesTest, LostWithoutEverBeingMade) {
  plan_.slips = {
      {SnapshotBuilder::PositionOf(snapshot_.pending, "i/p/one"), start_, SlipCause::kNodeLost}};
  ExpectViolation("i/p/one: is said to have lost a promise it did not have");
}

}  // namespace
}  // namespace allot::scheduler
