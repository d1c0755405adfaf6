#include "scheduler/fair_order.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "support/snapshot_builder.h"

namespace allot::scheduler {
namespace {

using testing::SnapshotBuilder;
using Ids = std::vector<std::string>;

constexpr Instant kNow = SnapshotBuilder::kNow;
constexpr Shape kOneNode = {1, 8, 0};

// The ids in the order handed out, when all of them are placed, or none.
enum class Outcome { kPlaced, kDeferred };
Ids Order(const SnapshotBuilder& builder, Outcome outcome = Outcome::kPlaced) {
  const Snapshot snapshot = builder.Build();
  FairOrder order(snapshot, Policy{}, std::vector<bool>(snapshot.pending.size(), false));
  Ids ids;
  while (!order.Done()) {
    ids.push_back(snapshot.pending[static_cast<std::size_t>(order.Next())].id.str());
    if (outcome == Outcome::kPlaced) order.ChargeLast();
  }
  return ids;
}

TEST(FairOrder, EqualProjectsTakeTurns) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  for (const char* project : {"p", "q"}) builder.Project(project);
  for (const char* id : {"p/1", "p/2", "p/3"}) builder.Pending(id, "p", kOneNode, Hours(1));
  for (const char* id : {"q/1", "q/2", "q/3"}) builder.Pending(id, "q", kOneNode, Hours(1));
  EXPECT_EQ(Order(builder), (Ids{"p/1", "q/1", "p/2", "q/2", "p/3", "q/3"}));
}

TEST(FairOrder, WhoLostItsGpusGoesBeforeAllOthers) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  builder.Project("p").merit = 1;
  builder.Project("q").merit = 1000;
  builder.Pending("q/1", "q", kOneNode, Hours(1));
  builder.Pending("q/starved", "q", kOneNode, Hours(1)).create_time = kNow - Days(400);
  builder.Pending("p/lost", "p", kOneNode, Hours(1)).requeued = true;
  EXPECT_EQ(Order(builder), (Ids{"p/lost", "q/starved", "q/1"}));
}

TEST(FairOrder, UrgentOnesGoFirstAndOverdueOnesAsStarvedOnes) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  builder.Project("p").merit = 1;
  builder.Project("q").merit = 1000;
  builder.Pending("q/1", "q", kOneNode, Hours(1));
  builder.Pending("q/starved", "q", kOneNode, Hours(1)).create_time = kNow - Days(400);
  builder.Pending("p/requeued", "p", kOneNode, Hours(1)).requeued = true;
  builder.Pending("p/urgent", "p", kOneNode, Hours(1)).urgent = true;
  builder.Pending("p/overdue", "p", kOneNode, Hours(1)).overdue = true;
  auto& follower = builder.Pending("p/follower", "p", kOneNode, Hours(1));
  follower.after = AllocationId("q/1");
  follower.urgent = true;
  EXPECT_EQ(Order(builder),
            (Ids{"p/urgent", "p/requeued", "q/starved", "p/overdue", "q/1", "p/follower"}));
}

TEST(FairOrder, WhoBorrowsComesBehindAllOthersHoweverOldOrUrgent) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  builder.Project("p").merit = 1000;
  builder.Project("q").merit = 1;
  for (const char* id : {"p/b1", "p/b2"}) {
    SnapshotPending& row = builder.Pending(id, "p", kOneNode, Hours(1));
    row.request.borrow = true;
    row.urgent = true;
    row.create_time = kNow - Days(400);
  }
  builder.Pending("q/b", "q", kOneNode, Hours(1)).request.borrow = true;
  builder.Pending("q/1", "q", kOneNode, Days(30));
  builder.Pending("p/1", "p", kOneNode, Hours(1));
  EXPECT_EQ(Order(builder), (Ids{"p/1", "q/1", "p/b1", "p/b2", "q/b"}));
}

TEST(FairOrder, TiesAreDrawnFromTheSeedOfThePolicy) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  for (const char* project : {"p", "q", "r", "s"}) {
    builder.Project(project);
    builder.Pending(std::string(project) + "/1", project, kOneNode, Hours(1));
  }
  const Snapshot snapshot = builder.Build();
  const auto first = [&](int seed) {
    Policy policy;
    policy.tie_seed = seed;
    FairOrder order(snapshot, policy, std::vector<bool>(snapshot.pending.size(), false));
    return snapshot.pending[static_cast<std::size_t>(order.Next())].id.str();
  };
  EXPECT_EQ(first(0), "p/1") << "by name";
  std::map<std::string, int> firsts;
  for (int seed = 1; seed <= 400; ++seed) {
    ++firsts[first(seed)];
  }
  ASSERT_EQ(firsts.size(), 4U);
  for (const auto& [id, times] : firsts) EXPECT_GT(times, 60) << id << " has its fair part";
}

TEST(FairOrder, WhatIsBorrowedIsNotCharged) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 2);
  for (const char* project : {"p", "q"}) builder.Project(project);
  builder.Claim("p/borrowed", "p", "a/n01", 0xff, kNow + Days(9)).borrowed = true;
  builder.Claim("q/own", "q", "a/n02", 0xff, kNow + Days(1));
  builder.Pending("p/1", "p", kOneNode, Hours(1));
  builder.Pending("q/1", "q", kOneNode, Hours(1));
  EXPECT_EQ(Order(builder), (Ids{"p/1", "q/1"}));
}

TEST(FairOrder, WhatCannotBePlacedIsNotCharged) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  for (const char* project : {"p", "q"}) builder.Project(project);
  for (const char* id : {"p/1", "p/2"}) builder.Pending(id, "p", kOneNode, Hours(1));
  for (const char* id : {"q/1", "q/2"}) builder.Pending(id, "q", kOneNode, Hours(1));
  EXPECT_EQ(Order(builder, Outcome::kDeferred), (Ids{"p/1", "p/2", "q/1", "q/2"}));
}

TEST(FairOrder, MeritScalesTheShare) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  builder.Project("p").merit = 250;
  builder.Project("q").merit = 750;
  for (const char* id : {"p/1", "p/2"}) builder.Pending(id, "p", kOneNode, Hours(1));
  for (const char* id : {"q/1", "q/2", "q/3", "q/4"}) builder.Pending(id, "q", kOneNode, Hours(1));
  // Three of q to one of p.
  EXPECT_EQ(Order(builder), (Ids{"q/1", "q/2", "q/3", "p/1", "q/4", "p/2"}));
}

TEST(FairOrder, AQuotaTwiceAsLargeGetsTwiceTheShare) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  builder.Project("p").concurrent_gpus = {50, 50};
  builder.Project("q").concurrent_gpus = {100, 100};
  for (const char* id : {"p/1", "p/2"}) builder.Pending(id, "p", kOneNode, Hours(1));
  for (const char* id : {"q/1", "q/2", "q/3"}) builder.Pending(id, "q", kOneNode, Hours(1));
  EXPECT_EQ(Order(builder), (Ids{"q/1", "p/1", "q/2", "q/3", "p/2"}));
}

// What the next one costs counts before it is charged: one that asks for much waits while others
// of equal shares ask for little, and no longer than until they have had as much.
TEST(FairOrder, WhoWouldHaveTheLeastAfterItsTurnIsNext) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  for (const char* project : {"p", "q"}) builder.Project(project);
  builder.Pending("p/long", "p", kOneNode, Hours(3)).create_time = kNow - Hours(9);
  builder.Pending("p/then", "p", kOneNode, Hours(1));
  for (const char* id : {"q/1", "q/2", "q/3", "q/4", "q/5"}) {
    builder.Pending(id, "q", kOneNode, Hours(1));
  }
  EXPECT_EQ(Order(builder), (Ids{"q/1", "q/2", "p/long", "q/3", "p/then", "q/4", "q/5"}));
}

TEST(FairOrder, MeritZeroIsStillServed) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  builder.Project("p").merit = 0;
  builder.Project("q").merit = 1;
  for (const char* id : {"p/1", "p/2"}) builder.Pending(id, "p", kOneNode, Hours(1));
  for (const char* id : {"q/1", "q/2"}) builder.Pending(id, "q", kOneNode, Hours(1));
  EXPECT_EQ(Order(builder), (Ids{"q/1", "p/1", "q/2", "p/2"}));
}

TEST(FairOrder, OfEqualSharesTheHigherMeritGoesFirstThenTheOlder) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  builder.Project("p").merit = 500;
  builder.Project("q").merit = 500;
  builder.Project("r").merit = 501;
  builder.Pending("p/1", "p", kOneNode, Hours(1));
  builder.Pending("q/1", "q", kOneNode, Hours(1)).create_time = kNow - Days(3);
  builder.Pending("r/1", "r", kOneNode, Hours(1)).create_time = kNow;
  EXPECT_EQ(Order(builder), (Ids{"r/1", "q/1", "p/1"}));
}

TEST(FairOrder, UsageCountsLessTheLongerAgoItWas) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  // The same GPU time, one half-life apart.
  builder.Project("p").usage = {int64_t{1} << 40, kNow};
  builder.Project("q").usage = {int64_t{1} << 40, kNow - Days(14)};
  builder.Pending("p/1", "p", kOneNode, Hours(1)).create_time = kNow - Days(3);
  builder.Pending("q/1", "q", kOneNode, Hours(1));
  EXPECT_EQ(Order(builder), (Ids{"q/1", "p/1"}));
  const Snapshot snapshot = builder.Build();
  const std::vector<Charge> charges = ChargesAtStart(snapshot, Policy{});
  EXPECT_EQ(charges[0], Charge{1} << 40);
  EXPECT_EQ(charges[1], Charge{1} << 39);
}

TEST(FairOrder, WhatRunsIsChargedToItsEnd) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  builder.Project("p");
  builder.Project("q");
  builder.Claim("p/running", "p", "a/n01", 0x0f, kNow + Days(1));
  builder.Pending("p/1", "p", kOneNode, Hours(1)).create_time = kNow - Days(3);
  builder.Pending("q/1", "q", kOneNode, Hours(1));
  EXPECT_EQ(Order(builder), (Ids{"q/1", "p/1"}));
  const std::vector<Charge> charges = ChargesAtStart(builder.Build(), Policy{});
  // A day to come in full, the hour held so far hardly decayed.
  EXPECT_GT(charges[0], Charge{4} * 24 * 3'600 * 256 + Charge{4} * 3'590 * 256);
  EXPECT_LE(charges[0], Charge{4} * 25 * 3'600 * 256);
}

TEST(FairOrder, WhoWaitedLongerThanTheBoundGoesFirstTheOldestFirst) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  builder.Project("p").merit = 1'000;
  builder.Project("q").merit = 0;
  builder.Pending("p/1", "p", kOneNode, Hours(1));
  builder.Pending("q/old", "q", kOneNode, Hours(1)).create_time = kNow - Days(15);
  builder.Pending("q/older", "q", kOneNode, Hours(1)).create_time = kNow - Days(16);
  builder.Pending("q/bound", "q", kOneNode, Hours(1)).create_time = kNow - Days(14);
  EXPECT_EQ(Order(builder), (Ids{"q/older", "q/old", "p/1", "q/bound"}));
}

TEST(FairOrder, AWaitBeginsWhenItMayStart) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  builder.Project("p").merit = 0;
  SnapshotPending& pending = builder.Pending("p/1", "p", kOneNode, Hours(1));
  pending.create_time = kNow - Days(90);
  pending.request.earliest_start = kNow - Days(13);
  EXPECT_FALSE(IsOverdue(pending, kNow, Policy{}));
  EXPECT_TRUE(IsOverdue(pending, kNow + Days(2), Policy{}));
}

TEST(FairOrder, WithinAProjectTheOlderGoesFirstThenTheLowerId) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  builder.Project("p");
  builder.Pending("p/3", "p", kOneNode, Hours(1));
  builder.Pending("p/2", "p", kOneNode, Hours(1));
  builder.Pending("p/1", "p", kOneNode, Hours(1)).create_time = kNow;
  EXPECT_EQ(Order(builder), (Ids{"p/2", "p/3", "p/1"}));
}

// A year of a whole cluster, a thousand times over, is no reason to forget who used more.
TEST(FairOrder, HugeChargesAreComparedExactly) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  for (const char* project : {"p", "q"}) {
    builder.Project(project).usage = {INT64_MAX - 1'000'000, kNow};
  }
  for (int i = 0; i < 1'000; ++i) {
    const std::string number = std::to_string(1'000 + i);
    builder.Pending("p/" + number, "p", {510, 8, 0}, Days(366));
    builder.Pending("q/" + number, "q", {510, 8, 0}, Days(366) + Seconds{1});
  }
  const Ids ids = Order(builder);
  for (std::size_t i = 0; i < ids.size(); i += 2) {
    ASSERT_EQ(ids[i].substr(0, 2), "p/") << i;
    ASSERT_EQ(ids[i + 1].substr(0, 2), "q/") << i;
  }
}

}  // namespace
}  // namespace allot::scheduler
