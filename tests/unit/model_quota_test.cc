#include "allot/model/quota.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "allot/model/policy.h"

namespace allot {
namespace {

/// A project of the first call with room for everything; each test takes something away.
struct Admission {
  Project project;
  Quota quota;
  Usage usage;
  LargestClusterByModel largest = {255, 255};
  Policy policy = DefaultPolicy();
  Request request;

  Admission() {
    project.programme = ProgrammeId("call-2026-1");
    quota.concurrent_gpus = {128, 256};
    quota.gpu_time = *GpuSeconds::Of(256, Days(366));
    request.shape = {2, 8, 0};
    request.models = {GpuModel::kH200, GpuModel::kB200};
    request.duration = Days(30);
  }
  Result<Request> Try() const { return Admit(project, quota, usage, largest, policy, request); }
};

using Models = std::vector<GpuModel>;

TEST(Admit, LetsAFittingRequestInUnchanged) {
  const Admission a;
  const auto admitted = a.Try();
  ASSERT_TRUE(admitted.ok());
  EXPECT_EQ(*admitted, a.request);
}

TEST(Admit, RefusesAClosedProjectBeforeAnythingElse) {
  Admission a;
  a.project.open = false;
  a.request.duration = Days(10'000);
  EXPECT_EQ(a.Try().error().reason, Reason::kProjectClosed);
}

TEST(Admit, RefusesAProgrammeWithoutCaps) {
  Admission a;
  a.project.programme = ProgrammeId("other");
  EXPECT_EQ(a.Try().error().reason, Reason::kProgrammeCapExceeded);
}

TEST(Admit, HoldsTheProgrammesCapsWithNumbers) {
  Admission a;
  a.request.shape = {33, 8, 0};
  const Error error = a.Try().error();
  EXPECT_EQ(error.reason, Reason::kProgrammeCapExceeded);
  EXPECT_EQ(error.field, "gpus");
  EXPECT_EQ(error.value, "264");
  EXPECT_EQ(error.limit, "at most 256 of H200 and 128 of B200");
  EXPECT_EQ(error.message,
            "Asks 264 GPUs; programme call-2026-1 allows at most 256 of H200 and 128 of B200.");
  a.request.shape = {1, 8, 0};
  a.request.duration = Days(367);
  EXPECT_EQ(a.Try().error().message, "Asks 367d; programme call-2026-1 allows at most 366d.");
}

TEST(Admit, DropsTheModelsThatCanNeverServe) {
  Admission a;
  a.request.shape = {17, 8, 0};
  EXPECT_EQ(a.Try()->models, Models{GpuModel::kH200}) << "over the cap of B200";
  a = {};
  a.largest = {255, 1};
  EXPECT_EQ(a.Try()->models, Models{GpuModel::kB200}) << "no H200 cluster is large enough";
  a = {};
  a.quota.concurrent_gpus = {16, 15};
  EXPECT_EQ(a.Try()->models, Models{GpuModel::kB200}) << "over the quota of H200";
}

TEST(Admit, KeepsTheOrderOfPreference) {
  Admission a;
  a.request.models = {GpuModel::kB200, GpuModel::kH200};
  EXPECT_EQ(a.Try()->models, (Models{GpuModel::kB200, GpuModel::kH200}));
}

TEST(Admit, RefusesWhatNoClusterCouldHold) {
  Admission a;
  a.request.shape = {2, 8, 3};
  a.largest = {0, 2};
  const Error error = a.Try().error();
  EXPECT_EQ(error.reason, Reason::kLargerThanPool);
  EXPECT_EQ(error.message,
            "Asks 3 nodes in one cluster; the largest clusters of programme call-2026-1 have 2 of "
            "H200 and 0 of B200.");
}

TEST(Admit, RefusesWhatTheConcurrentQuotaCouldNeverHold) {
  Admission a;
  a.quota.concurrent_gpus = {8, 15};
  const Error error = a.Try().error();
  EXPECT_EQ(error.reason, Reason::kQuotaExceeded);
  EXPECT_EQ(
      error.message,
      "Asks 16 GPUs; the project may hold at most 15 of H200 and 8 of B200 at the same time.");
}

TEST(Admit, AFullQuotaOnlyMakesItWait) {
  Admission a;
  a.usage.held_gpus = a.quota.concurrent_gpus;
  EXPECT_TRUE(a.Try().ok()) << "no capacity now is not a refusal";
}

TEST(Admit, WhatBorrowsIsHeldToWhatThePolicyLends) {
  Admission a;
  a.quota.concurrent_gpus = {0, 0};
  a.request.preemptible = true;
  a.request.borrow = true;
  a.policy.borrowed_gpus_max = 16;
  EXPECT_TRUE(a.Try().ok()) << "16 GPUs beyond a quota of none";
  a.policy.borrowed_gpus_max = 15;
  const Error error = a.Try().error();
  EXPECT_EQ(error.reason, Reason::kQuotaExceeded);
  EXPECT_EQ(
      error.message,
      "Asks 16 GPUs; the project may borrow at most 15 of H200 and 15 of B200 at the same time.");
}

TEST(Admit, WhatIsExchangedIsHeldToEachModelsLimits) {
  // 128 H200, or 64 B200 that do the same work.
  Admission a;
  a.request.models = {GpuModel::kH200, GpuModel::kB200};
  a.request.shape = {16, 8, 0};
  a.request.exchanged = ExchangedShape{GpuModel::kB200, {8, 8, 0}};
  a.quota.concurrent_gpus = {64, 128};
  EXPECT_EQ(a.Try()->models, (Models{GpuModel::kH200, GpuModel::kB200}));
  a.quota.concurrent_gpus = {64, 127};
  const auto on_b200 = a.Try();
  EXPECT_EQ(on_b200->models, Models{GpuModel::kB200});
  EXPECT_EQ(on_b200->shape, (Shape{16, 8, 0})) << "what was asked is kept";
  a.largest = {7, 255};
  EXPECT_EQ(a.Try().error().reason, Reason::kQuotaExceeded) << "of H200, as B200 has no cluster";
  a = {};
  a.request.models = {GpuModel::kH200, GpuModel::kB200};
  a.request.shape = {1, 8, 0};
  a.request.exchanged = ExchangedShape{GpuModel::kB200, {1, 4, 0}};
  a.quota.concurrent_gpus = {3, 7};
  EXPECT_EQ(
      a.Try().error().message,
      "Asks 8 of H200 or 4 of B200 GPUs; the project may hold at most 7 of H200 and 3 of B200 at "
      "the same time.");
}

TEST(Admit, SetsAsideTheMostItMayTake) {
  Admission a;
  a.request.models = {GpuModel::kH200, GpuModel::kB200};
  a.request.shape = {1, 8, 0};
  a.request.exchanged = ExchangedShape{GpuModel::kB200, {1, 4, 0}};
  a.quota.gpu_time = *GpuSeconds::Of(8, a.request.duration);
  EXPECT_TRUE(a.Try().ok());
  a.usage.used = GpuSeconds::FromCount(1);
  EXPECT_EQ(a.Try().error().reason, Reason::kGpuHoursExhausted) << "of H200 it does not fit";
  a.request.models = {GpuModel::kB200};
  EXPECT_TRUE(a.Try().ok());
}

TEST(Admit, CoversTheGpuHoursToTheLastSecond) {
  Admission a;
  const GpuSeconds cost = *HighestCost(a.request);
  a.quota.gpu_time = GpuSeconds::FromCount(cost.count() + 300);
  a.usage.used = GpuSeconds::FromCount(100);
  a.usage.committed = GpuSeconds::FromCount(200);
  EXPECT_TRUE(a.Try().ok());
  a.usage.committed = GpuSeconds::FromCount(201);
  EXPECT_EQ(a.Try().error().reason, Reason::kGpuHoursExhausted);
}

TEST(Admit, SaysWhereTheGpuHoursWent) {
  Admission a;
  a.quota.gpu_time = *GpuSeconds::Of(1, Hours(12'000));
  a.usage.used = *GpuSeconds::Of(1, Hours(1'000));
  a.usage.committed = *GpuSeconds::Of(1, Hours(500));
  const Error error = a.Try().error();
  EXPECT_EQ(error.field, "duration");
  EXPECT_EQ(error.value, "11,520 GPU-hours");
  EXPECT_EQ(error.limit, "10,500 GPU-hours left");
  EXPECT_EQ(error.message,
            "Asks 11,520 GPU-hours; 10,500 GPU-hours of the project's 12,000 GPU-hours are left: "
            "1,000 GPU-hours used, 500 GPU-hours set aside.");
}

TEST(Admit, AnOverdrawnOrOverflowingBudgetHasNothingLeft) {
  Admission a;
  a.usage.used = GpuSeconds::FromCount(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(a.Try().error().limit, "0 GPU-hours left");
  a.usage.committed = a.usage.used;
  EXPECT_EQ(a.Try().error().reason, Reason::kGpuHoursExhausted);
  EXPECT_EQ(a.Try().error().limit, "0 GPU-hours left");
}

TEST(DefaultPolicy, HoldsThePublishedCaps) {
  const Policy policy = DefaultPolicy();
  EXPECT_TRUE(std::is_sorted(
      policy.programmes.begin(), policy.programmes.end(),
      [](const ProgrammeCaps& a, const ProgrammeCaps& b) { return a.programme < b.programme; }));
  const ProgrammeCaps* call = FindCaps(policy, ProgrammeId("call-2026-1"));
  ASSERT_NE(call, nullptr);
  EXPECT_EQ(At(call->gpus_max, GpuModel::kH200), 256);
  EXPECT_EQ(At(call->gpus_max, GpuModel::kB200), 128);
  EXPECT_EQ(call->duration_max, Days(366));
  const ProgrammeCaps* national = FindCaps(policy, ProgrammeId("national"));
  ASSERT_NE(national, nullptr);
  EXPECT_EQ(At(national->gpus_max, GpuModel::kH200), 0);
  EXPECT_EQ(At(national->gpus_max, GpuModel::kB200), 2'040);
  EXPECT_EQ(FindCaps(policy, ProgrammeId("other")), nullptr);
}

TEST(DefaultPolicy, ANationalProjectMayAskForAWholeCluster) {
  Admission a;
  a.project.programme = ProgrammeId("national");
  a.quota.concurrent_gpus = {2'040, 0};
  a.quota.gpu_time = *GpuSeconds::Of(2'040, Days(366));
  a.request.shape = {255, 8, 0};
  EXPECT_EQ(a.Try()->models, Models{GpuModel::kB200});
  a.request.shape = {256, 8, 0};
  EXPECT_EQ(a.Try().error().reason, Reason::kProgrammeCapExceeded);
}

}  // namespace
}  // namespace allot
