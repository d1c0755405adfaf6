#include "allot/scheduler/standing_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "allot/base/random.h"
#include "allot/scheduler/check_plan.h"
#include "scheduler/at.h"
#include "scheduler/in_turn.h"
#include "support/plain_calendar.h"
#include "support/random_snapshot.h"
#include "support/snapshot_builder.h"

namespace allot::scheduler {
namespace {

using testing::NextSnapshot;
using testing::RandomPolicy;
using testing::SnapshotBuilder;

constexpr Instant kNow = SnapshotBuilder::kNow;

using Outcome = std::variant<Placement, Deferral>;

// ---- On a pool that can be counted by hand
// ---------------------------------------------------------

// Two nodes; "p/a" stands on both for four hours.
class StandingPlanTest : public ::testing::Test {
 protected:
  StandingPlanTest() {
    builder_.Cluster("c", GpuModel::kH200, 2).Project("p");
    builder_.Project("q").concurrent_gpus = {8, 8};
    builder_.Pending("p/a", "p", {2, 8, 0}, Hours(4));
  }
  StandingPlan Stand() {
    const Snapshot snapshot = builder_.Build();
    return {snapshot, policy_, Schedule(snapshot, policy_)};
  }
  /// Of one node for two hours, created just now.
  static SnapshotPending Newcomer(const std::string& id, int project) {
    SnapshotPending row;
    row.id = AllocationId(id);
    row.project = project;
    row.create_time = kNow;
    row.request.shape = {1, 8, 0};
    row.request.models = {GpuModel::kH200};
    row.request.duration = Hours(2);
    return row;
  }
  /// Hours from now, with a "!" for a promise; or why not.
  static std::string Told(const Outcome& outcome) {
    if (const auto* placement = std::get_if<Placement>(&outcome)) {
      return std::to_string(Between(kNow, placement->window.start()).count / 3'600) +
             (placement->promised ? "!" : "");
    }
    return std::string(Name(std::get<Deferral>(outcome).reason));
  }

  SnapshotBuilder builder_;
  Policy policy_;
};

TEST_F(StandingPlanTest, EachGetsTheEarliestStartThatAllBeforeItLeave) {
  StandingPlan plan = Stand();
  EXPECT_EQ(Told(plan.Insert(Newcomer("p/n1", 0))), "4");
  EXPECT_EQ(Told(plan.Insert(Newcomer("p/n2", 0))), "4") << "on the other node";
  EXPECT_EQ(Told(plan.Insert(Newcomer("p/n3", 0))), "6");
}

TEST_F(StandingPlanTest, EachCountsAgainstItsProjectsQuotaForThoseBehind) {
  StandingPlan plan = Stand();
  EXPECT_EQ(Told(plan.Insert(Newcomer("q/n1", 1))), "4");
  EXPECT_EQ(Told(plan.Insert(Newcomer("q/n2", 1))), "6") << "a node is free, its quota is not";
  SnapshotPending large = Newcomer("q/n3", 1);
  large.request.shape = {2, 8, 0};
  EXPECT_EQ(Told(plan.Insert(large)), "quota_exhausted");
}

TEST_F(StandingPlanTest, StartsAfterWhatStandsHoldsGpusOrCameBefore) {
  builder_.Claim("p/running", "p", "c/n01", 0xff, kNow + Hours(1));
  StandingPlan plan = Stand();
  SnapshotPending behind_one_that_stands = Newcomer("p/n1", 0);
  behind_one_that_stands.after = AllocationId("p/a");
  EXPECT_EQ(Told(plan.Insert(behind_one_that_stands)), "5");
  SnapshotPending behind_a_newcomer = Newcomer("p/n2", 0);
  behind_a_newcomer.after = AllocationId("p/n1");
  EXPECT_EQ(Told(plan.Insert(behind_a_newcomer)), "7");
  SnapshotPending behind_what_runs = Newcomer("p/n3", 0);
  behind_what_runs.after = AllocationId("p/running");
  behind_what_runs.request.duration = Hours(1);
  EXPECT_EQ(Told(plan.Insert(behind_what_runs)), "5");
  SnapshotPending too_large = Newcomer("p/n4", 0);
  too_large.request.shape = {3, 8, 0};
  EXPECT_EQ(Told(plan.Insert(too_large)), "larger_than_pool");
  SnapshotPending behind_none = Newcomer("p/n5", 0);
  behind_none.after = AllocationId("p/n4");
  EXPECT_EQ(Told(plan.Insert(behind_none)), "predecessor_unfinished");
}

TEST_F(StandingPlanTest, OneThatDeservesAPromiseIsToldSo) {
  policy_.promise_nodes = 2;
  StandingPlan plan = Stand();
  SnapshotPending gang = Newcomer("p/n1", 0);
  gang.request.shape = {2, 8, 0};
  EXPECT_EQ(Told(plan.Insert(gang)), "4!");
  EXPECT_EQ(Told(plan.Insert(Newcomer("p/n2", 0))), "6");
}

TEST_F(StandingPlanTest, ItsPositionIsBehindAllOthers) {
  StandingPlan plan = Stand();
  SnapshotPending too_large = Newcomer("p/0", 0);
  too_large.request.shape = {3, 8, 0};
  EXPECT_EQ(std::get<Deferral>(plan.Insert(too_large)).pending, 1);
  EXPECT_EQ(std::get<Placement>(plan.Insert(Newcomer("p/n", 0))).pending, 2);
  EXPECT_EQ(plan.snapshot().pending[1].id, AllocationId("p/0"));
  EXPECT_EQ(plan.snapshot().pending[2].id, AllocationId("p/n"));
}

TEST_F(StandingPlanTest, WhatThePlanStopsHoldsItsGpusUntilThenAndNoLonger) {
  SnapshotBuilder builder;
  builder.Cluster("c", GpuModel::kH200, 1).Project("p");
  builder.Claim("p/running", "p", "c/n01", 0xff, kNow + Days(9)).start = kNow - Days(1);
  Snapshot snapshot = builder.Build();
  SnapshotPreemptible running;
  running.id = AllocationId("p/running");
  running.request.shape = {1, 8, 0};
  running.request.models = {GpuModel::kH200};
  running.request.duration = Days(10);
  running.request.preemptible = true;
  running.start = kNow - Days(1);
  running.until = kNow + Days(9);
  snapshot.preemptible.push_back(running);
  snapshot.pending.push_back(Newcomer("p/whom", 0));
  const Plan plan = Schedule(snapshot, policy_);
  ASSERT_EQ(plan.preemptions.size(), 1U);

  const auto outcome = StandingPlan(snapshot, policy_, plan).Insert(Newcomer("p/n", 0));
  const TimeWindow& first = plan.placements.at(0).window;
  const TimeWindow& second = std::get<Placement>(outcome).window;
  EXPECT_GE(second.start(), first.end());
  EXPECT_LT(second.start(), kNow + Days(1));
}

TEST_F(StandingPlanTest, WhatIsOnlyTriedIsNotInTheWay) {
  StandingPlan plan = Stand();
  SnapshotPending behind = Newcomer("p/n2", 0);
  behind.after = AllocationId("p/n1");
  const auto told = plan.Try({Newcomer("p/n1", 0), behind});
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(Told(told[0]), "4");
  EXPECT_EQ(Told(told[1]), "6") << "they follow each other";
  EXPECT_EQ(plan.snapshot().pending.size(), 1U);
  EXPECT_EQ(Told(plan.Insert(Newcomer("p/n1", 0))), "4");
}

// ---- On hundreds of random ones
// --------------------------------------------------------------------

/// A random snapshot, half of them with promises to keep, whose queue is split: those who stand,
/// and newcomers in the order they come.
struct Split {
  Snapshot all;
  Snapshot standing;
  // Positions in `all`: of those who stand, by their position in `standing`; and of newcomers.
  std::vector<int> stands;
  std::vector<int> comes;
};

void ComeInTurn(const Snapshot& all, int pending, std::set<int>& to_come, std::vector<int>& come) {
  if (to_come.erase(pending) == 0) return;
  const auto& after = At(all.pending, pending).after;
  const auto before = after ? FindPending(all, *after) : std::nullopt;
  if (before) ComeInTurn(all, *before, to_come, come);
  come.push_back(pending);
}

Split RandomSplit(uint64_t seed, const Policy& policy) {
  Split split;
  split.all = testing::RandomSnapshot(seed);
  if (seed % 2 == 1) split.all = NextSnapshot(split.all, policy, seed, /*faults=*/seed % 4 == 1);
  SeededRandom random(seed ^ 0x7374616e64);
  const int pending = static_cast<int>(split.all.pending.size());
  std::set<int> newcomers;
  for (int i = 0; i < pending; ++i) {
    if (random.Below(3) == 0) newcomers.insert(i);
  }
  // Nobody who stands starts after a newcomer.
  for (std::size_t before = 0; before != newcomers.size();) {
    before = newcomers.size();
    for (int i = 0; i < pending; ++i) {
      const auto& after = At(split.all.pending, i).after;
      const auto waiting = after ? FindPending(split.all, *after) : std::nullopt;
      if (waiting && newcomers.contains(*waiting)) newcomers.insert(i);
    }
  }
  split.standing = split.all;
  split.standing.pending.clear();
  for (int i = 0; i < pending; ++i) {
    if (newcomers.contains(i)) {
      At(split.all.pending, i).promise.reset();
    } else {
      split.stands.push_back(i);
      split.standing.pending.push_back(At(split.all.pending, i));
    }
  }
  std::vector<int> order(newcomers.begin(), newcomers.end());
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
  for (const int i : order) ComeInTurn(split.all, i, newcomers, split.comes);
  return split;
}

/// By position in `all`, each once.
std::map<int, Outcome> ByPending(const Plan& plan) {
  std::map<int, Outcome> outcomes;
  for (const Placement& placement : plan.placements) outcomes.emplace(placement.pending, placement);
  for (const Deferral& deferral : plan.deferrals) outcomes.emplace(deferral.pending, deferral);
  return outcomes;
}

Outcome WithPosition(Outcome outcome, int pending) {
  std::visit([&](auto& one) { one.pending = pending; }, outcome);
  return outcome;
}

/// The standing plan told in positions in `all`, with the newcomers behind: what each was told.
Plan Combined(const Split& split, Plan plan, const std::vector<Outcome>& told) {
  const auto in_all = [&](int& pending) { pending = At(split.stands, pending); };
  for (Placement& placement : plan.placements) in_all(placement.pending);
  for (Deferral& deferral : plan.deferrals) in_all(deferral.pending);
  for (Slip& slip : plan.slips) in_all(slip.pending);
  for (Preemption& preemption : plan.preemptions) in_all(preemption.pending);
  for (int& pending : plan.overdue) in_all(pending);
  for (int& pending : plan.order) in_all(pending);
  for (std::size_t i = 0; i < told.size(); ++i) {
    plan.order.push_back(split.comes[i]);
    if (const auto* placement = std::get_if<Placement>(&told[i])) {
      plan.placements.push_back(*placement);
      plan.placements.back().pending = split.comes[i];
    } else {
      plan.deferrals.push_back(std::get<Deferral>(told[i]));
      plan.deferrals.back().pending = split.comes[i];
    }
  }
  std::sort(plan.deferrals.begin(), plan.deferrals.end(),
            [](const Deferral& a, const Deferral& b) { return a.pending < b.pending; });
  return plan;
}

/// What the newcomers are told: all at once, as a trial, and then for good.
std::vector<Outcome> InsertAll(const Split& split, const Policy& policy, const Plan& plan) {
  StandingPlan standing(split.standing, policy, plan);
  std::vector<SnapshotPending> rows;
  for (const int pending : split.comes) rows.push_back(At(split.all.pending, pending));
  const std::vector<Outcome> tried = standing.Try(rows);
  std::vector<Outcome> told;
  for (const SnapshotPending& row : rows) told.push_back(standing.Insert(row));
  EXPECT_EQ(tried, told);
  return told;
}

/// More of them when asked: ALLOT_TEST_SEEDS=20000.
uint64_t Seeds(uint64_t usual) {
  const char* const asked = std::getenv("ALLOT_TEST_SEEDS");
  return asked == nullptr ? usual : std::strtoull(asked, nullptr, 10);
}

// What is inserted one by one is what the full plan gives in that order: starts, GPUs, promises,
// reasons to the letter; and all who stand are where they were.
TEST(StandingPlanProperty, TheOutcomeIsThatOfTheFullPlanWithTheNewcomersBehind) {
  std::map<std::string, int> outcomes;
  for (uint64_t seed = 1; seed <= Seeds(400); ++seed) {
    Policy policy = RandomPolicy(seed);
    // A plan that is made one after the other, which alone can be made again from its order.
    policy.preemptions_per_pass = 0;
    policy.improver_rounds = 0;
    Split split = RandomSplit(seed, policy);
    const Plan plan = Schedule(split.standing, policy);
    const std::vector<Outcome> told = InsertAll(split, policy, plan);
    const Plan combined = Combined(split, plan, told);

    // With their marks those who are overdue deserve promises.
    for (const int late : combined.overdue) At(split.all.pending, late).overdue = true;
    const Plan full = PlanInOrder(split.all, policy, combined.order, &split.standing);
    const auto expected = ByPending(full);
    for (std::size_t i = 0; i < told.size(); ++i) {
      const int pending = split.comes[i];
      ASSERT_EQ(WithPosition(told[i], pending), expected.at(pending))
          << "seed " << seed << " " << At(split.all.pending, pending).id.str();
      const auto* deferral = std::get_if<Deferral>(&told[i]);
      ++outcomes[deferral == nullptr ? "placed" : std::string(Name(deferral->reason))];
    }
    ASSERT_EQ(full.deferrals, combined.deferrals) << "seed " << seed;
    ASSERT_EQ(full.placements.size(), combined.placements.size()) << "seed " << seed;
    for (std::size_t i = 0; i < full.placements.size(); ++i) {
      const Placement& stands = combined.placements[i];
      ASSERT_EQ(full.placements[i].pending, stands.pending) << "seed " << seed;
      ASSERT_EQ(full.placements[i].window, stands.window) << "seed " << seed;
      ASSERT_EQ(full.placements[i].nodes, stands.nodes) << "seed " << seed;
    }
  }
  EXPECT_GT(outcomes["placed"], 500);
  EXPECT_EQ(outcomes.size(), 10U) << "a start, and all nine reasons";
}

/// In plain sight: the windows and models that are left when each start is tried on each GPU. Says
/// nothing of one that starts after another.
TEST(StandingPlanProperty, BehindAnyPlanEachGetsTheEarliestStartThatIsLeft) {
  int placed = 0;
  int stopping = 0;
  for (uint64_t seed = 1; seed <= Seeds(300); ++seed) {
    const Policy policy = RandomPolicy(seed);
    const Split split = RandomSplit(seed, policy);
    const Plan plan = Schedule(split.standing, policy);
    if (!plan.preemptions.empty()) ++stopping;
    const std::vector<Outcome> told = InsertAll(split, policy, plan);
    const Snapshot world = AfterPreemptions(split.standing, plan);
    PlainCalendar calendar(world, policy);
    for (const Placement& placement : plan.placements) {
      calendar.Book(At(world.pending, placement.pending), placement.window, placement.nodes);
    }
    for (std::size_t i = 0; i < told.size(); ++i) {
      const SnapshotPending& row = At(split.all.pending, split.comes[i]);
      SCOPED_TRACE("seed " + std::to_string(seed) + " " + row.id.str());
      const auto* placement = std::get_if<Placement>(&told[i]);
      if (!row.after) {
        const auto earliest = calendar.Earliest(row);
        const bool in_time =
            earliest && (!row.request.deadline || earliest->window.end() <= *row.request.deadline);
        ASSERT_EQ(placement != nullptr, in_time);
        if (!in_time) continue;
        ASSERT_EQ(placement->window, earliest->window);
        ASSERT_EQ(placement->model, earliest->model);
      }
      if (placement == nullptr) continue;
      ASSERT_TRUE(calendar.IsFree(row, placement->window, placement->nodes));
      calendar.Book(row, placement->window, placement->nodes);
      ++placed;
    }
  }
  EXPECT_GT(placed, 500);
  EXPECT_GT(stopping, 10);
}

// No GPU twice, no quota exceeded, chains and reservations heeded: by the independent checker.
// Newcomers as they are, who have no right to go before anybody yet.
TEST(StandingPlanProperty, TheStandingPlanWithItsNewcomersIsValid) {
  int checked = 0;
  for (uint64_t seed = 1; seed <= Seeds(300); ++seed) {
    const Policy policy = RandomPolicy(seed);
    Split split = RandomSplit(seed, policy);
    bool borrows = std::any_of(split.standing.pending.begin(), split.standing.pending.end(),
                               [](const SnapshotPending& row) { return row.request.borrow; });
    // Who borrows is behind all who do not.
    bool in_order = true;
    for (const int pending : split.comes) {
      SnapshotPending& row = At(split.all.pending, pending);
      row.create_time = split.all.now;
      row.requeued = row.overdue = row.urgent = false;
      row.told_start.reset();
      in_order = in_order && (row.request.borrow || !borrows);
      borrows = borrows || row.request.borrow;
    }
    if (!in_order) continue;
    const Plan plan = Schedule(split.standing, policy);
    const Plan combined = Combined(split, plan, InsertAll(split, policy, plan));
    ASSERT_EQ(CheckPlan(split.all, policy, combined), std::vector<std::string>{})
        << "seed " << seed;
    ++checked;
  }
  EXPECT_GT(checked, 100);
}

}  // namespace
}  // namespace allot::scheduler
