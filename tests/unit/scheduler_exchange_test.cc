// Requests that take as much of one model or of another as does the same work.
#include <gtest/gtest.h>

#include "allot/scheduler/check_plan.h"
#include "allot/scheduler/explain.h"
#include "allot/scheduler/plan.h"
#include "support/snapshot_builder.h"

namespace allot::scheduler {
namespace {

using testing::SnapshotBuilder;

constexpr Instant kNow = SnapshotBuilder::kNow;

// 16 H200, or 8 B200, for a week; four nodes of H200 and two of B200, all free.
class ExchangeTest : public ::testing::Test {
 protected:
  ExchangeTest() {
    builder_.Cluster("h", GpuModel::kH200, 4).Cluster("b", GpuModel::kB200, 2);
    builder_.Project("p");
    builder_.Project("q");
    SnapshotPending& row = builder_.Pending("p/1", "p", {2, 8, 0}, Days(7));
    row.request.models = {GpuModel::kH200, GpuModel::kB200};
    row.request.exchanged = ExchangedShape{GpuModel::kB200, {1, 8, 0}};
  }
  void Occupy(const std::string& node, Seconds length) {
    builder_.Claim("q/" + node.substr(0, 1) + node.substr(3), "q", node, 0xff, kNow + length);
  }
  Plan PlanIt() {
    const Snapshot snapshot = builder_.Build();
    Plan plan = Schedule(snapshot, policy_);
    EXPECT_TRUE(CheckPlan(snapshot, policy_, plan).empty());
    return plan;
  }

  SnapshotBuilder builder_;
  Policy policy_;
};

TEST_F(ExchangeTest, ThePreferredModelIsTakenWhereBothStartAtOnce) {
  const Plan plan = PlanIt();
  EXPECT_EQ(plan.placements.at(0).model, GpuModel::kH200);
  EXPECT_EQ(plan.placements.at(0).nodes.size(), 2U);
}

TEST_F(ExchangeTest, LessOfTheOtherWhereThatStartsSooner) {
  for (const char* node : {"h/n01", "h/n02", "h/n03"}) Occupy(node, Days(2));
  const Plan plan = PlanIt();
  EXPECT_EQ(plan.placements.at(0).model, GpuModel::kB200);
  EXPECT_EQ(plan.placements.at(0).window.start(), kNow);
  EXPECT_EQ(plan.placements.at(0).nodes.size(), 1U);
}

TEST_F(ExchangeTest, EachModelsQuotaAndGpuTimeDecideByWhatItTakesThere) {
  builder_.ProjectNamed("p").concurrent_gpus = {8, 15};
  EXPECT_EQ(PlanIt().placements.at(0).model, GpuModel::kB200) << "15 H200 are not 16";
  builder_.ProjectNamed("p").concurrent_gpus = {7, 15};
  EXPECT_EQ(PlanIt().deferrals.at(0).reason, DeferralReason::kQuotaExhausted);
  builder_.ProjectNamed("p").concurrent_gpus = {8, 16};
  builder_.ProjectNamed("p").gpu_time_left = *GpuSeconds::Of(15, Days(7));
  EXPECT_EQ(PlanIt().placements.at(0).model, GpuModel::kB200) << "GPU time for 15";
  builder_.ProjectNamed("p").gpu_time_left = *GpuSeconds::Of(7, Days(7));
  EXPECT_EQ(PlanIt().deferrals.at(0).reason, DeferralReason::kGpuHoursExhausted);
}

TEST_F(ExchangeTest, WhatItTakesOfTheModelItGetsIsChargedToTheGpuTime) {
  for (const char* node : {"h/n01", "h/n02", "h/n03"}) Occupy(node, Days(2));
  builder_.ProjectNamed("p").gpu_time_left = *GpuSeconds::Of(16, Days(7));
  builder_.Pending("p/2", "p", {1, 8, 0}, Days(7));
  EXPECT_EQ(PlanIt().placements.size(), 2U) << "8 B200 and 8 H200";
}

TEST_F(ExchangeTest, AnExplanationSaysWhatItTakesOfEach) {
  for (const char* node : {"h/n01", "h/n02", "h/n03"}) Occupy(node, Days(2));
  for (const char* node : {"b/n01", "b/n02"}) Occupy(node, Days(1));
  const Snapshot snapshot = builder_.Build();
  const Explanation why = Explain(snapshot, policy_, Schedule(snapshot, policy_), 0);
  EXPECT_NE(why.message.find("asks 2 nodes x 8 GPUs of H200 or 1 node x 8 GPUs of B200 for 7d"),
            std::string::npos)
      << why.message;
  ASSERT_EQ(why.clusters.size(), 2U);
  EXPECT_EQ(why.clusters[0].earliest_by_claims, kNow + Days(1)) << "one node of b";
  EXPECT_EQ(why.clusters[1].earliest_by_claims, kNow + Days(2)) << "two of h";
  ASSERT_FALSE(why.alternatives.empty());
  const Request& smaller = why.alternatives.back().request;
  EXPECT_EQ(smaller.shape, (Shape{1, 8, 0}));
  EXPECT_EQ(smaller.exchanged, (ExchangedShape{GpuModel::kB200, {1, 8, 0}})) << "in whole nodes";
}

// What is stopped on the dear model and goes on with the cheap one leaves its project no more than
// it had.
TEST(ExchangedAndStopped, WhatTheRestSavesIsNobodysInThisPlan) {
  SnapshotBuilder builder;
  builder.Cluster("h", GpuModel::kH200, 2).Cluster("b", GpuModel::kB200, 1);
  builder.Project("p").gpu_time_left = *GpuSeconds::Of(8, Days(1));
  builder.Project("q");
  for (const char* node : {"h/n01", "h/n02"}) {
    builder.Claim("p/run", "p", node, 0xff, kNow + Days(20));
  }
  SnapshotPreemptible& running = builder.Preemptible("p/run", "p", {2, 8, 0}, kNow + Days(20));
  running.request.models = {GpuModel::kH200, GpuModel::kB200};
  running.request.exchanged = ExchangedShape{GpuModel::kB200, {1, 8, 0}};
  builder.Pending("p/wait", "p", {1, 8, 0}, Days(5)).create_time = kNow - Minutes(30);
  builder.Pending("q/big", "q", {2, 8, 0}, Days(1));
  const Snapshot snapshot = builder.Build();
  const Policy policy;
  const Plan plan = Schedule(snapshot, policy);
  EXPECT_EQ(plan.preemptions.size(), 1U);
  const auto violations = CheckPlan(snapshot, policy, plan);
  EXPECT_TRUE(violations.empty()) << violations.front();
  ASSERT_EQ(plan.deferrals.size(), 1U);
  EXPECT_EQ(plan.deferrals[0].reason, DeferralReason::kGpuHoursExhausted);
}

}  // namespace
}  // namespace allot::scheduler
