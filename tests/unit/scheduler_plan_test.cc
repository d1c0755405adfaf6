#include "allot/scheduler/plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <set>

#include "allot/scheduler/check_plan.h"
#include "support/snapshot_builder.h"

namespace allot::scheduler {
namespace {

using ::testing::HasSubstr;
using testing::SnapshotBuilder;

constexpr Instant kNow = SnapshotBuilder::kNow;

// A plan with its snapshot, to be asked by id.
struct Planned {
  explicit Planned(const SnapshotBuilder& builder, Policy policy_used = {})
      : policy(std::move(policy_used)),
        snapshot(builder.Build()),
        plan(Schedule(snapshot, policy)) {
    EXPECT_EQ(CheckPlan(snapshot, policy, plan), std::vector<std::string>{});
  }
  const Placement* Of(const std::string& id) const {
    const int position = SnapshotBuilder::PositionOf(snapshot.pending, id);
    for (const Placement& placement : plan.placements) {
      if (placement.pending == position) return &placement;
    }
    return nullptr;
  }
  const Deferral* Deferred(const std::string& id) const {
    const int position = SnapshotBuilder::PositionOf(snapshot.pending, id);
    for (const Deferral& deferral : plan.deferrals) {
      if (deferral.pending == position) return &deferral;
    }
    return nullptr;
  }
  /// Since now, in minutes; -1 when it has no start.
  int64_t StartMinutes(const std::string& id) const {
    const Placement* placement = Of(id);
    return placement == nullptr ? -1 : Between(kNow, placement->window.start()).count / 60;
  }
  std::string ClusterOf(const std::string& id) const {
    const Placement* placement = Of(id);
    return placement == nullptr
               ? ""
               : snapshot.clusters[static_cast<std::size_t>(placement->cluster)].id.str();
  }

  Policy policy;
  Snapshot snapshot;
  Plan plan;
};

TEST(Schedule, AnEmptySnapshotGivesAnEmptyPlan) {
  const Snapshot snapshot;
  const Plan plan = Schedule(snapshot, {});
  EXPECT_TRUE(plan.placements.empty());
  EXPECT_TRUE(plan.deferrals.empty());
  EXPECT_TRUE(plan.order.empty());
}

TEST(Schedule, StartsAtNowExactlyWhatFitsNow) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 2);
  builder.Project("p");
  builder.Pending("p/1", "p", {2, 8, 0}, Seconds{5'401});
  const Planned planned(builder);
  ASSERT_NE(planned.Of("p/1"), nullptr);
  EXPECT_EQ(planned.Of("p/1")->window, *TimeWindow::Make(kNow, kNow + Seconds{5'401}));
}

TEST(Schedule, PacksSmallRequestsOntoOneNode) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 4);
  builder.Project("p");
  for (const char* id : {"p/1", "p/2", "p/3", "p/4"}) {
    builder.Pending(id, "p", {1, 2, 0}, Hours(2));
  }
  const Planned planned(builder);
  std::set<int> nodes;
  GpuMask gpus = 0;
  for (const Placement& placement : planned.plan.placements) {
    nodes.insert(placement.nodes[0].node);
    gpus = static_cast<GpuMask>(gpus | placement.nodes[0].gpus);
  }
  EXPECT_EQ(nodes.size(), 1U);
  EXPECT_EQ(gpus, 0xff);
}

TEST(Schedule, AGangNeverLeavesItsCluster) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 2).Cluster("b", GpuModel::kH200, 2);
  builder.Project("p");
  builder.Claim("p/running", "p", "a/n01", 0x01, kNow + Hours(3));
  builder.Claim("p/running", "p", "b/n01", 0x01, kNow + Hours(1));
  builder.Pending("p/gang", "p", {2, 8, 0}, Hours(1));
  const Planned planned(builder);
  EXPECT_EQ(planned.ClusterOf("p/gang"), "b");
  EXPECT_EQ(planned.StartMinutes("p/gang"), 60);
}

TEST(Schedule, EqualStartsGoToThePreferredModelThenToTheSmallestCluster) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kB200, 9)
      .Cluster("b", GpuModel::kH200, 5)
      .Cluster("c", GpuModel::kH200, 3)
      .Cluster("d", GpuModel::kH200, 3);
  builder.Project("p");
  builder.Pending("p/h", "p", {1, 1, 0}, Hours(1)).request.models = {GpuModel::kH200,
                                                                     GpuModel::kB200};
  builder.Pending("p/b", "p", {1, 1, 0}, Hours(1)).request.models = {GpuModel::kB200,
                                                                     GpuModel::kH200};
  const Planned planned(builder);
  EXPECT_EQ(planned.ClusterOf("p/h"), "c");
  EXPECT_EQ(planned.ClusterOf("p/b"), "a");
}

TEST(Schedule, AnEarlierStartBeatsThePreferredModel) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kB200, 1).Cluster("b", GpuModel::kH200, 1);
  builder.Project("p");
  builder.Claim("p/running", "p", "b/n01", 0xff, kNow + Hours(1));
  builder.Pending("p/1", "p", {1, 1, 0}, Hours(1)).request.models = {GpuModel::kH200,
                                                                     GpuModel::kB200};
  EXPECT_EQ(Planned(builder).ClusterOf("p/1"), "a");
}

TEST(Schedule, KeepsAnEarliestStartBetweenTwoBoundaries) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  builder.Project("p");
  builder.Pending("p/1", "p", {1, 8, 0}, Hours(1)).request.earliest_start = kNow + Minutes(100);
  EXPECT_EQ(Planned(builder).StartMinutes("p/1"), 100);
}

TEST(Schedule, WhatArrivesTogetherIsRankedTogether) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  builder.Project("p").merit = 1;
  builder.Project("q").merit = 900;
  builder.Pending("p/1", "p", {1, 8, 0}, Hours(1)).create_time = kNow - Minutes(9);
  builder.Pending("q/1", "q", {1, 8, 0}, Hours(1)).create_time = kNow - Minutes(5);
  Policy policy;
  policy.gathering_time = Minutes(10);
  const Planned planned(builder, policy);
  EXPECT_EQ(planned.StartMinutes("q/1"), 5);
  EXPECT_EQ(planned.StartMinutes("p/1"), 75);
}

TEST(Schedule, FillsAHoleWithoutDelayingTheGangAhead) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 2);
  builder.Project("p");
  builder.Project("q").merit = 1;
  builder.Claim("p/running", "p", "a/n01", 0xff, kNow + Hours(2));
  builder.Pending("p/gang", "p", {2, 8, 0}, Hours(4)).create_time = kNow - Days(20);
  builder.Pending("q/fits", "q", {1, 8, 0}, Hours(2));
  builder.Pending("q/long", "q", {1, 8, 0}, Minutes(121));
  const Planned planned(builder);
  EXPECT_EQ(planned.StartMinutes("p/gang"), 120);
  EXPECT_EQ(planned.StartMinutes("q/fits"), 0);
  EXPECT_EQ(planned.StartMinutes("q/long"), 360);
}

TEST(Schedule, AnOverdueReleaseHoldsItsGpusForAnotherQuarterOfAnHour) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  builder.Project("p");
  builder.Claim("p/overdue", "p", "a/n01", 0x01, kNow);
  builder.Pending("p/1", "p", {1, 8, 0}, Hours(1));
  builder.Pending("p/2", "p", {1, 7, 0}, Minutes(15));
  const Planned planned(builder);
  EXPECT_EQ(planned.StartMinutes("p/1"), 15);
  EXPECT_EQ(planned.StartMinutes("p/2"), 0);
}

TEST(Schedule, ANodeThatTakesNoNewWorkTakesNone) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 2);
  builder.Project("p");
  builder.Node("a/n01").schedulable = false;
  builder.Pending("p/1", "p", {1, 8, 0}, Hours(1));
  builder.Pending("p/2", "p", {1, 8, 0}, Hours(1));
  builder.Pending("p/both", "p", {2, 8, 0}, Hours(1));
  const Planned planned(builder);
  EXPECT_EQ(planned.StartMinutes("p/1"), 0);
  EXPECT_EQ(planned.StartMinutes("p/2"), 60);
  ASSERT_NE(planned.Deferred("p/both"), nullptr);
  EXPECT_EQ(planned.Deferred("p/both")->reason, DeferralReason::kLargerThanPool);
  EXPECT_EQ(planned.Deferred("p/both")->message,
            "asks 2 nodes x 8 GPUs of H200 for 1h; the largest cluster open to it now, a, has 1 "
            "schedulable node of 2");
}

TEST(Schedule, AQuotaIsKeptAtEveryInstant) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 8);
  builder.Project("p").concurrent_gpus = {0, 16};
  builder.Claim("p/running", "p", "a/n01", 0xff, kNow + Hours(1));
  builder.Pending("p/1", "p", {1, 8, 0}, Hours(3));
  builder.Pending("p/2", "p", {2, 8, 0}, Hours(1));
  builder.Pending("p/3", "p", {1, 8, 0}, Hours(1));
  const Planned planned(builder);
  EXPECT_EQ(planned.StartMinutes("p/1"), 0);
  EXPECT_EQ(planned.StartMinutes("p/2"), 180);
  EXPECT_EQ(planned.StartMinutes("p/3"), 60);
}

TEST(Schedule, QuotasAreByModel) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 2).Cluster("b", GpuModel::kB200, 2);
  builder.Project("p").concurrent_gpus = {8, 0};
  builder.Pending("p/1", "p", {1, 8, 0}, Hours(3)).request.models = {GpuModel::kH200,
                                                                     GpuModel::kB200};
  EXPECT_EQ(Planned(builder).ClusterOf("p/1"), "b");
}

struct DeferralCase {
  const char* name;
  void (*change)(SnapshotBuilder& builder, SnapshotPending& pending, SnapshotProject& project);
  DeferralReason reason;
  const char* says;
};

class ScheduleDefers : public ::testing::TestWithParam<DeferralCase> {};

TEST_P(ScheduleDefers, WithTheReasonAndTheNumbers) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 2).Cluster("b", GpuModel::kB200, 1);
  SnapshotProject& project = builder.Project("p");
  SnapshotPending& pending = builder.Pending("p/1", "p", {2, 8, 0}, Days(1));
  GetParam().change(builder, pending, project);
  Policy policy;
  policy.planning_horizon = Days(10);
  const Planned planned(builder, policy);
  ASSERT_NE(planned.Deferred("p/1"), nullptr);
  EXPECT_EQ(Name(planned.Deferred("p/1")->reason), Name(GetParam().reason));
  EXPECT_THAT(planned.Deferred("p/1")->message, HasSubstr(GetParam().says));
}

INSTANTIATE_TEST_SUITE_P(
    Reasons, ScheduleDefers,
    ::testing::Values(
        DeferralCase{"ProjectClosed",
                     [](SnapshotBuilder&, SnapshotPending&, SnapshotProject& project) {
                       project.open = false;
                     },
                     DeferralReason::kProjectClosed,
                     "asks 2 nodes x 8 GPUs of H200 for 1d; the "
                     "project is closed"},
        DeferralCase{"LargerThanEveryCluster",
                     [](SnapshotBuilder&, SnapshotPending& pending, SnapshotProject&) {
                       pending.request.shape = {3, 1, 0};
                     },
                     DeferralReason::kLargerThanPool, "a, has 2 schedulable nodes of 2"},
        DeferralCase{"ARemainderNeedsANodeToo",
                     [](SnapshotBuilder&, SnapshotPending& pending, SnapshotProject&) {
                       pending.request.shape = {2, 8, 1};
                     },
                     DeferralReason::kLargerThanPool, "asks 2 nodes x 8 GPUs + 1 GPU"},
        DeferralCase{"NoClusterOfItsProgramme",
                     [](SnapshotBuilder&, SnapshotPending&, SnapshotProject& project) {
                       project.programme = ProgrammeId("national");
                     },
                     DeferralReason::kLargerThanPool, "no cluster of H200 serves its programme"},
        DeferralCase{"QuotaTooSmall",
                     [](SnapshotBuilder&, SnapshotPending&, SnapshotProject& project) {
                       project.concurrent_gpus = {100, 15};
                     },
                     DeferralReason::kQuotaExhausted,
                     "its project may hold 15 H200 GPUs at the same time, this asks 16"},
        DeferralCase{"QuotaTakenForLong",
                     [](SnapshotBuilder& builder, SnapshotPending&, SnapshotProject& project) {
                       project.concurrent_gpus = {100, 20};
                       builder.Claim("p/running", "p", "a/n01", 0xff, kNow + Days(99));
                     },
                     DeferralReason::kQuotaExhausted, "may hold 20 H200 GPUs"},
        DeferralCase{
            "NoCapacity",
            [](SnapshotBuilder& builder, SnapshotPending&, SnapshotProject&) {
              builder.Claim("p/running", "p", "a/n01", 0x10, kNow + Days(99));
            },
            DeferralReason::kNoCapacity,
            "no 2 nodes come free together, within its project's quota, before the end of the "
            "planning horizon, "
            "2026-03-11T00:00:00Z"},
        DeferralCase{"EarliestStartBehindTheHorizon",
                     [](SnapshotBuilder&, SnapshotPending& pending, SnapshotProject&) {
                       pending.request.earliest_start = kNow + Days(10);
                     },
                     DeferralReason::kNoCapacity,
                     "its earliest start 2026-03-11T00:00:00Z is not before the end"},
        DeferralCase{"DeadlineMissed",
                     [](SnapshotBuilder& builder, SnapshotPending& pending, SnapshotProject&) {
                       builder.Claim("p/running", "p", "a/n01", 0x10, kNow + Hours(2));
                       pending.request.deadline = kNow + Hours(25);
                     },
                     DeferralReason::kDeadlineUnreachable,
                     "the earliest end is 2026-03-02T02:00:00Z, after the deadline "
                     "2026-03-02T01:00:00Z"}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(Schedule, ADeferredOneTakesNothingFromThoseBehind) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  builder.Project("p");
  builder.Pending("p/1", "p", {1, 8, 0}, Days(2)).request.deadline = kNow + Days(1);
  builder.Pending("p/2", "p", {1, 8, 0}, Hours(1));
  const Planned planned(builder);
  EXPECT_EQ(planned.StartMinutes("p/1"), -1);
  EXPECT_EQ(planned.StartMinutes("p/2"), 0);
}

TEST(Schedule, ALongRequestMayReachBehindTheHorizon) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  builder.Project("p");
  for (const char* id : {"p/1", "p/2"}) builder.Pending(id, "p", {1, 8, 0}, Days(366));
  Policy policy;
  policy.planning_horizon = Days(367);
  const Planned planned(builder, policy);
  EXPECT_EQ(planned.StartMinutes("p/1"), 0);
  EXPECT_EQ(planned.StartMinutes("p/2"), 366 * 24 * 60);
  policy.planning_horizon = Days(366);
  const Planned shorter(builder, policy);
  EXPECT_EQ(shorter.StartMinutes("p/2"), -1);
}

// A plan made a little later, with nothing changed, promises the same starts.
TEST(Schedule, StartsStayWhileNowMoves) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  builder.Project("p");
  builder.Claim("p/running", "p", "a/n01", 0xff, kNow + Minutes(100));
  for (const char* id : {"p/1", "p/2", "p/3"}) builder.Pending(id, "p", {1, 8, 0}, Days(3));
  Snapshot snapshot = builder.Build();
  const Plan plan = Schedule(snapshot, {});
  snapshot.now = kNow + Minutes(71);
  const Plan later = Schedule(snapshot, {});
  EXPECT_EQ(later.placements, plan.placements);
  EXPECT_EQ(Between(kNow, plan.placements[0].window.start()), Minutes(105));
}

TEST(PlanHash, SeesEveryPartOfAPlan) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 2);
  builder.Project("p");
  builder.Pending("p/1", "p", {1, 8, 0}, Hours(1));
  builder.Pending("p/2", "p", {9, 8, 0}, Hours(1));
  const Planned planned(builder);
  std::set<uint64_t> hashes = {Hash(planned.snapshot, planned.plan)};
  const auto changed = [&](auto change) {
    Plan plan = planned.plan;
    change(plan);
    hashes.insert(Hash(planned.snapshot, plan));
  };
  changed([](Plan& plan) { plan.placements[0].nodes[0].node = 1; });
  changed([](Plan& plan) { plan.placements[0].nodes[0].gpus = 1; });
  changed([](Plan& plan) { plan.placements[0].pending = 1; });
  changed([](Plan& plan) { plan.placements[0].model = GpuModel::kB200; });
  changed([](Plan& plan) { plan.placements[0].window = *TimeWindow::Make(kNow, kNow + Hours(2)); });
  changed([](Plan& plan) { plan.deferrals[0].reason = DeferralReason::kNoCapacity; });
  changed([](Plan& plan) { plan.deferrals[0].message += "."; });
  changed([](Plan& plan) { plan.deferrals.clear(); });
  EXPECT_EQ(hashes.size(), 9U);
}

// Two nodes on each of two leaves, of which one is busy for five hours.
SnapshotBuilder TwoLeavesHalfBusy() {
  SnapshotBuilder builder;
  builder.Cluster("c", GpuModel::kH200, 4).Project("p");
  for (const auto& [node, leaf] :
       {std::pair("c/n01", "a"), {"c/n02", "a"}, {"c/n03", "b"}, {"c/n04", "b"}}) {
    builder.Node(node).leaf = leaf;
  }
  for (const char* node : {"c/n02", "c/n04"}) {
    builder.Claim("p/busy" + std::string(node + 4), "p", node, 0xff, kNow + Hours(5));
  }
  return builder;
}

// Promised under two leaves, and could start now under two others: it wants one, and has it at the
// promised time.
TEST(Schedule, APromiseMovesToOneLeafAtItsOwnTime) {
  SnapshotBuilder builder = TwoLeavesHalfBusy();
  SnapshotPending& gang = builder.Pending("p/gang", "p", {2, 8, 0}, Hours(4));
  gang.promise = {*TimeWindow::Make(kNow + Hours(5), kNow + Hours(9)), {{1, 0xff}, {3, 0xff}}};
  EXPECT_EQ(Planned(builder).Of("p/gang")->window.start(), kNow) << "any leaves will do";
  gang.request.same_leaf_wait = Hours(6);
  const Planned planned(builder);
  EXPECT_EQ(planned.Of("p/gang")->window, gang.promise->window);
  EXPECT_EQ(planned.Of("p/gang")->nodes, (std::vector<PlacedNode>{{0, 0xff}, {1, 0xff}}));
}

TEST(Schedule, NobodyWaitsForALeafBeyondTheDeadline) {
  SnapshotBuilder builder = TwoLeavesHalfBusy();
  SnapshotPending& gang = builder.Pending("p/gang", "p", {2, 8, 0}, Hours(4));
  gang.request.same_leaf_wait = Hours(6);
  EXPECT_EQ(Planned(builder).Of("p/gang")->window.start(), kNow + Hours(5));
  gang.request.deadline = kNow + Hours(8);
  const Planned planned(builder);
  ASSERT_NE(planned.Of("p/gang"), nullptr);
  EXPECT_EQ(planned.Of("p/gang")->window.start(), kNow) << "under two leaves, and in time";
}

// One node, busy for an hour; behind that three wait whose projects rank before i/late's.
TEST(SchedulePlan, WhoWouldStartTooLongAfterWhatItWasToldGoesBeforeOthers) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  builder.Project("i/late").merit = 1;
  builder.Claim("i/late/r", "i/late", "a/n01", 0xff, kNow + Hours(1)).counts_against_quota = false;
  for (const char* project : {"i/p", "i/q", "i/r"}) {
    builder.Project(project).merit = 1000;
    builder.Pending(std::string(project) + "/one", project, {1, 8, 0}, Hours(8));
  }
  builder.Pending("i/late/one", "i/late", {1, 8, 0}, Hours(8)).told_start = kNow + Hours(1);
  Policy policy;
  policy.planned_slip_max = Days(2);
  const Planned patient(builder, policy);
  EXPECT_EQ(patient.Of("i/late/one")->window.start(), kNow + Hours(25));
  EXPECT_TRUE(patient.plan.overdue.empty());

  policy.planned_slip_max = Hours(10);
  const Planned strict(builder, policy);
  EXPECT_EQ(strict.Of("i/late/one")->window.start(), kNow + Hours(1)) << "in the same pass";
  EXPECT_TRUE(strict.Of("i/late/one")->promised);
  ASSERT_EQ(strict.plan.overdue.size(), 1U);
  EXPECT_EQ(strict.snapshot.pending[static_cast<std::size_t>(strict.plan.overdue[0])].id.str(),
            "i/late/one");
}

}  // namespace
}  // namespace allot::scheduler
