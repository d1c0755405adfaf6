#include "scheduler/improve.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "allot/scheduler/check_plan.h"
#include "support/random_snapshot.h"
#include "support/snapshot_builder.h"

namespace allot::scheduler {
namespace {

using testing::NextSnapshot;
using testing::RandomPolicy;
using testing::SnapshotBuilder;

constexpr Instant kNow = SnapshotBuilder::kNow;

std::map<int, Instant> Starts(const Plan& plan) {
  std::map<int, Instant> starts;
  for (const Placement& placement : plan.placements) {
    starts[placement.pending] = placement.window.start();
  }
  return starts;
}

// Two nodes, one half taken up to 07:00. One after the other, "a" goes to that half, which fits it
// best, and "b" has to take the other node: "c", for a whole one, waits for days. Both fit the
// other node.
TEST(Improve, SomeStartSoonerAndNobodyLater) {
  SnapshotBuilder builder;
  builder.Cluster("c", GpuModel::kH200, 2).Project("i/p");
  builder.Claim("i/p/half", "i/p", "c/n01", 0x0f, kNow + Hours(7));
  builder.Pending("i/p/a", "i/p", {1, 4, 0}, Days(4)).request.earliest_start = kNow + Hours(6);
  builder.Pending("i/p/b", "i/p", {1, 4, 0}, Days(9)).request.earliest_start = kNow + Hours(6);
  builder.Pending("i/p/c", "i/p", {1, 8, 0}, Days(1)).request.earliest_start = kNow + Hours(7);
  const Snapshot snapshot = builder.Build();
  Policy policy;
  policy.promise_within = Seconds{0};
  policy.improver_rounds = 0;
  EXPECT_EQ(Starts(Schedule(snapshot, policy)),
            (std::map<int, Instant>{
                {0, kNow + Hours(6)}, {1, kNow + Hours(6)}, {2, kNow + Days(4) + Hours(6)}}));
  policy.improver_rounds = 20;
  const Plan improved = Schedule(snapshot, policy);
  EXPECT_EQ(CheckPlan(snapshot, policy, improved), std::vector<std::string>{});
  EXPECT_EQ(
      Starts(improved),
      (std::map<int, Instant>{{0, kNow + Hours(6)}, {1, kNow + Hours(6)}, {2, kNow + Hours(7)}}));
}

TEST(ImproveProperty, NobodyEverStartsLaterAndSomeSooner) {
  int sooner = 0;
  for (uint64_t seed = 1; seed <= 300; ++seed) {
    Policy policy = RandomPolicy(seed);
    policy.improver_rounds = 0;
    policy.improver_delay_max = Seconds{0};
    Snapshot snapshot = testing::RandomSnapshot(seed);
    if (seed % 2 == 0) snapshot = NextSnapshot(snapshot, policy, seed, /*faults=*/seed % 4 == 0);
    const Plan plan = Schedule(snapshot, policy);
    policy.improver_rounds = 40;
    const Plan improved = Schedule(snapshot, policy);
    ASSERT_EQ(CheckPlan(snapshot, policy, improved), std::vector<std::string>{}) << seed;
    ASSERT_EQ(Hash(snapshot, improved), Hash(snapshot, Schedule(snapshot, policy))) << seed;
    EXPECT_EQ(improved.slips, plan.slips) << seed;
    EXPECT_EQ(improved.deferrals, plan.deferrals) << seed;
    const auto before = Starts(plan);
    const auto after = Starts(improved);
    ASSERT_EQ(before.size(), after.size()) << seed;
    for (const auto& [pending, start] : before) {
      EXPECT_LE(after.at(pending), start) << seed;
      if (after.at(pending) < start) ++sooner;
    }
    for (std::size_t i = 0; i < plan.placements.size(); ++i) {
      const Placement& placement = plan.placements[i];
      const auto& row = snapshot.pending[static_cast<std::size_t>(placement.pending)];
      const bool stays = row.promise || placement.window.start() <= snapshot.now;
      if (stays) {
        EXPECT_EQ(improved.placements[i], placement) << seed;
      }
    }
  }
  EXPECT_GT(sooner, 10);
}

// For "q/a", which is worth more, "p/b" could well start an hour later; but "p/c" starts after it.
TEST(Improve, WhoStartsAfterAnotherNeverComesBeforeItsEnd) {
  SnapshotBuilder builder;
  builder.Cluster("c", GpuModel::kH200, 1).Cluster("d", GpuModel::kB200, 1);
  builder.Project("p");
  SnapshotProject& worth_more = builder.Project("q");
  worth_more.merit = 1'000;
  worth_more.concurrent_gpus = {8, 8};
  builder.Pending("p/b", "p", {1, 8, 0}, Hours(1)).request.earliest_start = kNow + Hours(2);
  builder.Pending("p/c", "p", {1, 8, 0}, Hours(1)).request.models = {GpuModel::kB200};
  builder.Pending("q/a", "q", {1, 8, 0}, Hours(1)).request.earliest_start = kNow + Hours(2);
  bool is_followed = false;
  const auto start_of = [&](int pending) {
    Snapshot snapshot = builder.Build();
    if (is_followed) snapshot.pending[1].after = AllocationId("p/b");
    Policy policy;
    policy.improver_rounds = 50;
    policy.improver_delay_max = Hours(5);
    const Plan plan = Schedule(snapshot, policy);
    EXPECT_EQ(CheckPlan(snapshot, policy, plan), std::vector<std::string>{});
    return Starts(plan).at(pending);
  };
  EXPECT_EQ(start_of(0), kNow + Hours(3)) << "it does, where nobody follows it";
  is_followed = true;
  EXPECT_EQ(start_of(0), kNow + Hours(2));
}

// For "q/a", which is worth more, "p/b" could start two hours later; but not behind the horizon.
TEST(Improve, NobodyIsPutBehindThePlanningHorizon) {
  SnapshotBuilder builder;
  builder.Cluster("c", GpuModel::kH200, 1);
  builder.Project("p").merit = 300;
  SnapshotProject& worth_more = builder.Project("q");
  worth_more.merit = 1'000;
  worth_more.concurrent_gpus = {8, 8};
  builder.Pending("p/b", "p", {1, 8, 0}, Hours(1)).request.earliest_start = kNow + Hours(46);
  builder.Pending("q/a", "q", {1, 8, 0}, Hours(2)).request.earliest_start = kNow + Hours(46);
  const Snapshot snapshot = builder.Build();
  Policy policy;
  policy.improver_rounds = 50;
  policy.improver_delay_max = Hours(5);
  EXPECT_EQ(Starts(Schedule(snapshot, policy)).at(0), kNow + Hours(48)) << "where there is room";
  policy.planning_horizon = Days(2);
  const Plan plan = Schedule(snapshot, policy);
  EXPECT_EQ(CheckPlan(snapshot, policy, plan), std::vector<std::string>{});
  EXPECT_EQ(Starts(plan).at(0), kNow + Hours(46));
}

TEST(ImproveProperty, WithADelaySomeStartLaterByThatAndMoreIsGained) {
  int later = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Policy policy = RandomPolicy(seed);
    policy.improver_rounds = 0;
    const Snapshot snapshot = testing::RandomSnapshot(seed);
    const Plan plan = Schedule(snapshot, policy);
    policy.improver_rounds = 40;
    // Near the planning horizon, too.
    policy.improver_delay_max = seed % 2 == 0 ? Hours(6) : Days(10);
    const Plan improved = Schedule(snapshot, policy);
    ASSERT_EQ(CheckPlan(snapshot, policy, improved), std::vector<std::string>{}) << seed;
    const auto before = Starts(plan);
    const auto after = Starts(improved);
    int64_t gain = 0;
    for (const auto& [pending, start] : before) {
      const auto& row = snapshot.pending[static_cast<std::size_t>(pending)];
      const int merit = snapshot.projects[static_cast<std::size_t>(row.project)].merit;
      EXPECT_LE(after.at(pending), start + policy.improver_delay_max) << seed;
      if (after.at(pending) > start) ++later;
      gain += std::max(1, merit) * Between(after.at(pending), start).count;
    }
    EXPECT_GE(gain, 0) << seed;
  }
  EXPECT_GT(later, 5);
}

}  // namespace
}  // namespace allot::scheduler
