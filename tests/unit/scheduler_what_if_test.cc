#include "allot/scheduler/what_if.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "allot/scheduler/check_plan.h"
#include "support/snapshot_builder.h"

namespace allot::scheduler {
namespace {

using testing::SnapshotBuilder;

constexpr Instant kNow = SnapshotBuilder::kNow;

// Two nodes, one of them busy for four hours; p and q want one each, and p ranks first by its
// merit.
Snapshot TwoWait() {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 2);
  builder.Project("i/p").merit = 900;
  builder.Project("i/q").merit = 100;
  builder.Claim("i/q/r", "i/q", "a/n02", 0xff, kNow + Hours(4)).counts_against_quota = false;
  builder.Pending("i/p/one", "i/p", {1, 8, 0}, Hours(2));
  builder.Pending("i/q/one", "i/q", {1, 8, 0}, Hours(2));
  return builder.Build();
}

std::vector<ProjectShift> ShiftsUnder(const Change& change) {
  const Snapshot snapshot = TwoWait();
  Snapshot changed = snapshot;
  EXPECT_TRUE(Apply(change, changed).ok());
  return ComparePlans(snapshot, Schedule(snapshot, Policy{}), changed, Schedule(changed, Policy{}));
}

TEST(WhatIf, MeritTradesPlaces) {
  const auto shifts = ShiftsUnder(SetMerit{ProjectId("i/p"), 1});
  ASSERT_EQ(shifts.size(), 2U);
  EXPECT_EQ(shifts[0],
            (ProjectShift{.project = ProjectId("i/p"), .later = 1, .seconds_later = 7'200}));
  EXPECT_EQ(shifts[1],
            (ProjectShift{.project = ProjectId("i/q"), .sooner = 1, .seconds_sooner = 7'200}));
}

TEST(WhatIf, AQuotaTakenAwayLosesTheStart) {
  const auto shifts = ShiftsUnder(SetQuota{ProjectId("i/p"), GpuModel::kH200, 4});
  ASSERT_EQ(shifts.size(), 2U);
  EXPECT_EQ(shifts[0].lost, 1);
  EXPECT_EQ(shifts[1].sooner, 1);
}

TEST(WhatIf, ADrainOfANodeOrAClusterDelays) {
  const auto node = ShiftsUnder(Drain{"a/n01"});
  ASSERT_EQ(node.size(), 2U);
  EXPECT_EQ(node[0].seconds_later, 4 * 3'600);
  const auto cluster = ShiftsUnder(Drain{"a"});
  ASSERT_EQ(cluster.size(), 2U);
  EXPECT_EQ(cluster[0].lost + cluster[1].lost, 2);
}

TEST(WhatIf, WithoutARequestOthersComeSoonerAndItIsNotCounted) {
  const auto shifts = ShiftsUnder(Withdraw{AllocationId("i/p/one")});
  ASSERT_EQ(shifts.size(), 1U);
  EXPECT_EQ(shifts[0].project, ProjectId("i/q"));
  EXPECT_EQ(shifts[0].sooner, 1);
}

TEST(WhatIf, WhoFollowedAWithdrawnOneWaitsForNobody) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 2);
  builder.Project("i/p").merit = 900;
  builder.Pending("i/p/one", "i/p", {1, 8, 0}, Hours(2));
  builder.Pending("i/p/two", "i/p", {1, 8, 0}, Hours(2)).after = AllocationId("i/p/one");
  const Snapshot snapshot = builder.Build();
  Snapshot changed = snapshot;
  ASSERT_TRUE(Apply(Withdraw{AllocationId("i/p/one")}, changed).ok());
  const Plan plan = Schedule(changed, Policy{});
  ASSERT_EQ(plan.placements.size(), 1U);
  EXPECT_EQ(plan.placements[0].window.start(), kNow);
}

TEST(WhatIf, ARequestMoreTakesItsPlaceAmongTheOthers) {
  const Snapshot snapshot = TwoWait();
  Snapshot changed = snapshot;
  Request request = snapshot.pending[0].request;
  request.duration = Hours(3);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(Apply(Submit{ProjectId("i/p"), request}, changed).ok());
  }
  ASSERT_EQ(changed.pending.size(), 4U);
  Snapshot sorted = changed;
  Canonicalise(sorted);
  EXPECT_EQ(Digest(sorted), Digest(changed)) << "rows in canonical order";
  const Plan plan = Schedule(changed, Policy{});
  EXPECT_TRUE(CheckPlan(changed, Policy{}, plan).empty());
  EXPECT_EQ(plan.placements.size(), 4U);
  for (int n = 1; n <= 2; ++n) {
    const AllocationId id = SubmittedId(ProjectId("i/p"), n);
    EXPECT_TRUE(
        std::ranges::any_of(changed.pending, [&](const auto& row) { return row.id == id; }));
  }
}

TEST(WhatIf, WhatDoesNotExistOrIsOutOfRangeChangesNothing) {
  const Snapshot snapshot = TwoWait();
  const std::vector<std::pair<Change, Reason>> changes = {
      {SetMerit{ProjectId("i/x"), 1}, Reason::kNotFound},
      {SetMerit{ProjectId("i/p"), 1'001}, Reason::kMeritOutOfRange},
      {SetMerit{ProjectId("i/p"), -1}, Reason::kMeritOutOfRange},
      {SetQuota{ProjectId("i/x"), GpuModel::kB200, 1}, Reason::kNotFound},
      {SetQuota{ProjectId("i/p"), GpuModel::kB200, -1}, Reason::kQuotaOutOfRange},
      {Drain{"a/n99"}, Reason::kNotFound},
      {Drain{""}, Reason::kNotFound},
      {Submit{ProjectId("i/x"), {}}, Reason::kNotFound},
      {SetUrgent{AllocationId("i/q/r")}, Reason::kNotFound},
      {Withdraw{AllocationId("i/q/r")}, Reason::kNotFound},
  };
  for (const auto& [change, reason] : changes) {
    Snapshot changed = snapshot;
    const Status applied = Apply(change, changed);
    ASSERT_FALSE(applied.ok());
    EXPECT_EQ(applied.error().reason, reason);
    EXPECT_EQ(Digest(changed), Digest(snapshot));
  }
}

TEST(WhatIf, ASummaryCountsThePlan) {
  const Snapshot snapshot = TwoWait();
  const PlanSummary summary = Summarise(snapshot, Schedule(snapshot, Policy{}));
  EXPECT_EQ(summary.starts_now, 1);
  EXPECT_EQ(summary.planned, 1);
  EXPECT_EQ(summary.deferred, 0);
  EXPECT_EQ(summary.gpus_now, 16);
  // Eight hours of eight GPUs, of a week of sixteen.
  EXPECT_EQ(summary.week_permille, 23);
}

}  // namespace
}  // namespace allot::scheduler
