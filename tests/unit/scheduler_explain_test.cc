#include "allot/scheduler/explain.h"

#include <gtest/gtest.h>

#include "support/snapshot_builder.h"

namespace allot::scheduler {
namespace {

using testing::SnapshotBuilder;

constexpr Instant kNow = SnapshotBuilder::kNow;

Explanation ExplainIn(const SnapshotBuilder& builder, const std::string& id) {
  const Snapshot snapshot = builder.Build();
  const Policy policy;
  const Plan plan = Schedule(snapshot, policy);
  return Explain(snapshot, policy, plan, SnapshotBuilder::PositionOf(snapshot.pending, id));
}

// Two of five nodes busy, one draining.
SnapshotBuilder BusyPool() {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 5).Cluster("other", GpuModel::kB200, 3);
  builder.Project("p");
  builder.Project("q");
  builder.Node("a/n05").schedulable = false;
  builder.Node("a/n05").draining = true;
  builder.Claim("q/running", "q", "a/n01", 0xff, kNow + Hours(2));
  builder.Claim("q/running", "q", "a/n02", 0x0f, kNow + Hours(1));
  return builder;
}

TEST(Explain, SaysWhatIsThereAndWhenRunningWorkLeavesEnough) {
  SnapshotBuilder builder = BusyPool();
  builder.Pending("p/1", "p", {3, 8, 0}, Days(7));
  const Explanation explanation = ExplainIn(builder, "p/1");
  EXPECT_EQ(explanation.reason, "no_capacity");
  EXPECT_EQ(explanation.planned_start, kNow + Hours(1));
  ASSERT_EQ(explanation.clusters.size(), 1U);
  EXPECT_EQ(explanation.clusters[0].nodes, 5);
  EXPECT_EQ(explanation.clusters[0].unschedulable, 1);
  EXPECT_EQ(explanation.clusters[0].nodes_fitting_now, 2);
  EXPECT_EQ(explanation.clusters[0].gpus_free_now, 20);
  EXPECT_EQ(explanation.clusters[0].earliest_by_claims, kNow + Hours(1));
  EXPECT_EQ(explanation.message,
            "asks 3 nodes x 8 GPUs of H200 for 7d; a: 5 nodes, 1 unschedulable, 2 with 8 GPUs free "
            "now, 20 GPUs free in all, running work leaves enough by 2026-03-01T01:00:00Z; rank 1 "
            "of 1; planned to start 2026-03-01T01:00:00Z");
}

TEST(Explain, AWholeGangWithARemainderNeedsOneNodeMore) {
  SnapshotBuilder builder = BusyPool();
  builder.Pending("p/1", "p", {2, 8, 4}, Days(7));
  builder.Pending("p/2", "p", {2, 8, 5}, Days(7));
  EXPECT_EQ(ExplainIn(builder, "p/1").clusters[0].earliest_by_claims, kNow);
  EXPECT_EQ(ExplainIn(builder, "p/2").clusters[0].earliest_by_claims, kNow + Hours(1));
}

TEST(Explain, TellsThoseAheadFromRunningWork) {
  SnapshotBuilder builder = BusyPool();
  builder.Pending("p/1", "p", {2, 8, 0}, Days(7)).create_time = kNow - Days(20);
  builder.Pending("q/1", "q", {2, 8, 0}, Days(7));
  const Explanation ahead = ExplainIn(builder, "p/1");
  EXPECT_EQ(ahead.reason, "starts_now");
  EXPECT_EQ(ahead.rank, 1);
  const Explanation behind = ExplainIn(builder, "q/1");
  EXPECT_EQ(behind.reason, "ahead_in_rank");
  EXPECT_EQ(behind.rank, 2);
  EXPECT_EQ(behind.rank_of, 2);
}

TEST(Explain, NamesTheProjectsOwnQuota) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 4);
  builder.Project("p").concurrent_gpus = {0, 12};
  builder.Claim("p/running", "p", "a/n01", 0xff, kNow + Hours(2));
  builder.Pending("p/1", "p", {1, 8, 0}, Hours(1));
  const Explanation explanation = ExplainIn(builder, "p/1");
  EXPECT_EQ(explanation.reason, "quota_exhausted");
  EXPECT_EQ(explanation.quota_held, 8);
  EXPECT_EQ(explanation.quota_limit, 12);
  EXPECT_EQ(explanation.planned_start, kNow + Hours(2));
  EXPECT_NE(explanation.message.find("its project holds 8 of 12 GPUs"), std::string::npos);
}

TEST(Explain, WhoAskedToStartLaterIsToldSo) {
  SnapshotBuilder builder = BusyPool();
  builder.Pending("p/1", "p", {1, 8, 0}, Hours(1)).request.earliest_start = kNow + Days(1);
  EXPECT_EQ(ExplainIn(builder, "p/1").reason, "earliest_start");
}

// What keeps it for longer is why, not its own wish or that it came a moment ago.
TEST(Explain, AWishIsTheReasonOnlyUntilItIsFulfilled) {
  SnapshotBuilder builder = BusyPool();
  builder.Pending("p/1", "p", {4, 8, 0}, Hours(1)).request.earliest_start = kNow + Minutes(1);
  EXPECT_EQ(ExplainIn(builder, "p/1").reason, "no_capacity");
  builder.Pending("p/2", "p", {4, 8, 0}, Hours(1)).create_time = kNow - Seconds{5};
  const Snapshot snapshot = builder.Build();
  Policy policy;
  policy.gathering_time = Minutes(5);
  const Plan plan = Schedule(snapshot, policy);
  EXPECT_EQ(Explain(snapshot, policy, plan, 1).reason, "no_capacity");
  builder.Pending("p/3", "p", {1, 1, 0}, Hours(1)).create_time = kNow - Seconds{5};
  const Snapshot again = builder.Build();
  EXPECT_EQ(Explain(again, policy, Schedule(again, policy), 2).reason, "gathering");
}

TEST(Explain, ADeferralKeepsItsReason) {
  SnapshotBuilder builder = BusyPool();
  builder.Pending("p/1", "p", {5, 8, 0}, Hours(1));
  const Explanation explanation = ExplainIn(builder, "p/1");
  EXPECT_EQ(explanation.reason, "larger_than_pool");
  EXPECT_FALSE(explanation.planned_start.has_value());
  EXPECT_EQ(explanation.clusters[0].earliest_by_claims, std::nullopt);
}

TEST(Explain, SharesAreOfTheProgrammesProjectsPerMille) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 4);
  builder.Project("p").merit = 300;
  builder.Project("q").merit = 100;
  SnapshotProject& elsewhere = builder.Project("r");
  elsewhere.programme = ProgrammeId("national");
  elsewhere.usage.value = int64_t{1} << 40;
  builder.Claim("q/running", "q", "a/n01", 0xff, kNow + Hours(2));
  builder.Pending("p/1", "p", {1, 8, 0}, Hours(1));
  builder.Pending("q/1", "q", {1, 8, 0}, Hours(1));
  const Explanation p = ExplainIn(builder, "p/1");
  EXPECT_EQ(p.entitled_share_permille, 750);
  EXPECT_EQ(p.used_share_permille, 0);
  const Explanation q = ExplainIn(builder, "q/1");
  EXPECT_EQ(q.entitled_share_permille, 250);
  EXPECT_EQ(q.used_share_permille, 1'000);
}

TEST(Explain, NamesNoOtherTenant) {
  SnapshotBuilder builder = BusyPool();
  builder.Project("secret-institute/secret");
  builder.Claim("secret-institute/secret/run", "secret-institute/secret", "a/n03", 0xff,
                kNow + Hours(9));
  builder.Pending("p/1", "p", {4, 8, 0}, Hours(1));
  EXPECT_EQ(ExplainIn(builder, "p/1").message.find("secret"), std::string::npos);
}

using Change = Alternative::Change;

TEST(Explain, SaysWhatSmallerWishWouldStartNow) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 4).Cluster("b", GpuModel::kB200, 4);
  builder.Project("p");
  builder.Project("q").merit = 1'000;
  builder.Project("r");
  builder.Claim("r/running", "r", "a/n01", 0xff, kNow + Hours(2));
  // Ahead in rank: takes all four nodes from two to five o'clock.
  builder.Pending("q/gang", "q", {4, 8, 0}, Hours(3));
  builder.Pending("p/1", "p", {3, 8, 0}, Hours(48));
  const Explanation explanation = ExplainIn(builder, "p/1");
  ASSERT_EQ(explanation.planned_start, kNow + Hours(5));
  ASSERT_EQ(explanation.alternatives.size(), 2U);
  const Alternative& shorter = explanation.alternatives[0];
  EXPECT_EQ(shorter.change, Change::kShorter);
  EXPECT_EQ(shorter.request.duration, Hours(2));
  EXPECT_EQ(shorter.request.shape, (Shape{3, 8, 0}));
  EXPECT_EQ(shorter.start, kNow);
  EXPECT_EQ(shorter.message, "for 2h instead of 2d it would start now");
  const Alternative& other = explanation.alternatives[1];
  EXPECT_EQ(other.change, Change::kOtherModel);
  EXPECT_EQ(other.request.models, std::vector{GpuModel::kB200});
  EXPECT_EQ(other.message, "on B200 it would start now");
}

TEST(Explain, SaysWhenItWouldStartBeyondItsQuota) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 2);
  builder.Project("p").concurrent_gpus = {8, 8};
  builder.Claim("p/running", "p", "a/n01", 0xff, kNow + Days(2));
  builder.Pending("p/1", "p", {1, 8, 0}, Hours(1));
  const Explanation explanation = ExplainIn(builder, "p/1");
  EXPECT_EQ(explanation.reason, "quota_exhausted");
  ASSERT_EQ(explanation.alternatives.size(), 1U);
  EXPECT_EQ(explanation.alternatives[0].change, Change::kBorrowed);
  EXPECT_TRUE(explanation.alternatives[0].request.preemptible);
  EXPECT_EQ(explanation.alternatives[0].message,
            "beyond its quota, to be stopped for others, it would start now");
  // Whoever is within its quota takes that node: behind it, there is no gain.
  builder.Project("q");
  builder.Pending("q/1", "q", {1, 8, 0}, Days(3)).create_time = kNow - Minutes(1);
  EXPECT_TRUE(ExplainIn(builder, "p/1").alternatives.empty());
}

TEST(Explain, WhatBorrowsIsToldWhatItsProjectBorrows) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 10);
  builder.Project("p").concurrent_gpus = {0, 0};
  for (const char* node :
       {"a/n01", "a/n02", "a/n03", "a/n04", "a/n05", "a/n06", "a/n07", "a/n08"}) {
    builder.Claim("p/running", "p", node, 0xff, kNow + Days(2)).borrowed = true;
  }
  builder.Pending("p/1", "p", {1, 8, 0}, Hours(1)).request.borrow = true;
  const Explanation explanation = ExplainIn(builder, "p/1");
  EXPECT_EQ(explanation.reason, "quota_exhausted");
  EXPECT_NE(
      explanation.message.find("its project borrows 64 of 64 GPUs it may borrow at the same time"),
      std::string::npos)
      << explanation.message;
}

TEST(Explain, FewerNodesOrGpusMayStartNow) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 3);
  builder.Project("p");
  builder.Project("q");
  builder.Claim("q/running", "q", "a/n01", 0xff, kNow + Days(2));
  builder.Claim("q/running", "q", "a/n02", 0x1f, kNow + Days(2));
  builder.Pending("p/gang", "p", {2, 8, 0}, Days(1));
  const Explanation gang = ExplainIn(builder, "p/gang");
  ASSERT_EQ(gang.alternatives.size(), 1U);
  EXPECT_EQ(gang.alternatives[0].change, Change::kSmaller);
  EXPECT_EQ(gang.alternatives[0].request.shape, (Shape{1, 8, 0}));
  EXPECT_EQ(gang.alternatives[0].message,
            "with 1 node x 8 GPUs instead of 2 nodes x 8 GPUs it would start now");

  SnapshotBuilder full = builder;
  full.Claim("q/other", "q", "a/n03", 0xff, kNow + Days(2));
  full.Pending("p/node", "p", {1, 8, 0}, Days(1)).create_time = kNow - Hours(2);
  const Explanation node = ExplainIn(full, "p/node");
  ASSERT_EQ(node.alternatives.size(), 1U);
  EXPECT_EQ(node.alternatives[0].request.shape, (Shape{1, 3, 0}));
}

TEST(Explain, WhoStartsNowOrWaitsByItselfNeedsNoAlternative) {
  SnapshotBuilder builder = BusyPool();
  builder.Pending("p/now", "p", {1, 8, 0}, Days(1));
  builder.Pending("p/later", "p", {2, 8, 0}, Days(1)).request.earliest_start = kNow + Hours(3);
  EXPECT_TRUE(ExplainIn(builder, "p/now").alternatives.empty());
  EXPECT_TRUE(ExplainIn(builder, "p/later").alternatives.empty());
}

}  // namespace
}  // namespace allot::scheduler
