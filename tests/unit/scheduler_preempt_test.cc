#include "scheduler/preempt.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <functional>
#include <map>
#include <string>

#include "allot/scheduler/check_plan.h"
#include "support/random_snapshot.h"
#include "support/snapshot_builder.h"

namespace allot::scheduler {
namespace {

using testing::NextSnapshot;
using testing::RandomPolicy;
using testing::SnapshotBuilder;

constexpr Instant kNow = SnapshotBuilder::kNow;

// Four nodes; "i/p/one" to "i/p/four" hold one each for two days more, and may be stopped.
class PreemptTest : public ::testing::Test {
 protected:
  PreemptTest() {
    builder_.Cluster("c", GpuModel::kH200, 4).Project("i/p");
    for (const auto& [name, node] :
         {std::pair("one", "c/n01"), {"two", "c/n02"}, {"three", "c/n03"}, {"four", "c/n04"}}) {
      Run(name, {node});
    }
    snapshot_ = builder_.Build();
    policy_.preemption_gain = Hours(4);
  }

  void Run(const std::string& name, const std::vector<std::string>& nodes) {
    for (const std::string& node : nodes) {
      builder_.Claim("i/p/" + name, "i/p", node, 0xff, kNow + Days(2)).start = kNow - Hours(2);
    }
    SnapshotPreemptible row;
    row.id = AllocationId("i/p/" + name);
    row.request.shape = {static_cast<int>(nodes.size()), 8, 0};
    row.request.models = {GpuModel::kH200};
    row.request.duration = Days(2) + Hours(2);
    row.request.preemptible = true;
    row.start = kNow - Hours(2);
    row.until = kNow + Days(2);
    row.create_time = kNow - Hours(3);
    running_.push_back(row);
  }

  Snapshot With(const SnapshotPending& pending) {
    Snapshot snapshot = builder_.Build();
    snapshot.preemptible = running_;
    snapshot.pending = {pending};
    Canonicalise(snapshot);
    return snapshot;
  }
  SnapshotPending Ask(int nodes, Seconds duration) {
    SnapshotPending pending;
    pending.id = AllocationId("i/p/x");
    pending.request.shape = {nodes, 8, 0};
    pending.request.models = {GpuModel::kH200};
    pending.request.duration = duration;
    pending.create_time = kNow - Hours(1);
    return pending;
  }
  /// Names of what is stopped; the plan is valid.
  std::string Stopped(const Snapshot& snapshot) {
    const Plan plan = Schedule(snapshot, policy_);
    EXPECT_EQ(CheckPlan(snapshot, policy_, plan), std::vector<std::string>{});
    std::string names;
    for (const Preemption& preemption : plan.preemptions) {
      const std::string& id =
          snapshot.preemptible[static_cast<std::size_t>(preemption.preemptible)].id.str();
      names += (names.empty() ? "" : " ") + id.substr(4);
    }
    return names;
  }

  SnapshotBuilder builder_;
  std::vector<SnapshotPreemptible> running_;
  Snapshot snapshot_;
  Policy policy_;
};

TEST_F(PreemptTest, RoomIsMadeForWorkThatMayNotBeStopped) {
  const Snapshot snapshot = With(Ask(1, Hours(8)));
  EXPECT_EQ(Stopped(snapshot), "one") << "of equal ones the first by node";
  const Plan plan = Schedule(snapshot, policy_);
  ASSERT_EQ(plan.preemptions.size(), 1U);
  EXPECT_TRUE(plan.placements[0].promised);
  EXPECT_EQ(plan.preemptions[0].stop, kNow + policy_.preemption_grace);
  EXPECT_LT(plan.placements[0].window.start(), kNow + Hours(1));
}

TEST_F(PreemptTest, ForAnUrgentOneItIsEnoughThatItStartsSooner) {
  SnapshotPending pending = Ask(1, Hours(8));
  pending.request.shape.gpus_per_node = 1;
  policy_.preemption_gain = Hours(10);
  EXPECT_EQ(Stopped(With(pending)), "") << "eight GPUs for one, two days sooner";
  pending.urgent = true;
  EXPECT_EQ(Stopped(With(pending)), "one");
  pending.request.preemptible = true;
  EXPECT_EQ(Stopped(With(pending)), "") << "what may be stopped stops nobody";
}

TEST_F(PreemptTest, WhatIsBorrowedIsStoppedFirstAndWeighsNothing) {
  running_[2].request.borrow = true;
  EXPECT_EQ(Stopped(With(Ask(1, Hours(8)))), "three");
  EXPECT_EQ(Stopped(With(Ask(2, Hours(8)))), "one three");
  running_[2].preemptions = 1'000;
  EXPECT_EQ(Stopped(With(Ask(1, Hours(8)))), "three") << "however often";
  // Two days sooner for one GPU: not for eight of somebody's own, but for eight borrowed ones.
  SnapshotPending one_gpu = Ask(1, Hours(8));
  one_gpu.request.shape.gpus_per_node = 1;
  policy_.preemption_gain = Hours(10);
  EXPECT_EQ(Stopped(With(one_gpu)), "three");
  policy_.preemption_gain = Days(3);
  EXPECT_EQ(Stopped(With(one_gpu)), "") << "nor for less time than is worth it";
}

TEST_F(PreemptTest, WhoMayBeStoppedHasWhatIsBorrowedStoppedAndNothingElse) {
  SnapshotPending soft = Ask(1, Hours(8));
  soft.request.preemptible = true;
  EXPECT_EQ(Stopped(With(soft)), "");
  running_[2].request.borrow = true;
  EXPECT_EQ(Stopped(With(soft)), "three");
  soft.request.borrow = true;
  EXPECT_EQ(Stopped(With(soft)), "") << "nor one that borrows itself";
}

TEST_F(PreemptTest, ABudgetTakenUpByOneDoesNotHideAnother) {
  // Two may be stopped of a project: one with a node to itself, and eight on another.
  builder_ = SnapshotBuilder();
  running_.clear();
  builder_.Cluster("c", GpuModel::kH200, 2).Project("i/p");
  Run("whole", {"c/n01"});
  for (int i = 0; i < 8; ++i) {
    Run("part" + std::to_string(i), {"c/n02"});
    running_.back().request.shape = {1, 1, 0};
  }
  policy_.preemptions_per_project = 2;
  Snapshot snapshot = With(Ask(1, Hours(8)));
  for (std::size_t i = 1; i < snapshot.claims.size(); ++i) {
    snapshot.claims[i].gpus = static_cast<GpuMask>(1 << (i - 1));
  }
  EXPECT_EQ(Stopped(snapshot), "whole");
}

// Three nodes: on the first two run "one" and "two", which may be stopped, on the third "full",
// which may not.
class ConsolidateTest : public PreemptTest {
 protected:
  ConsolidateTest() {
    builder_ = SnapshotBuilder();
    running_.clear();
    builder_.Cluster("c", GpuModel::kH200, 3).Project("i/p");
    Run("one", {"c/n01"});
    Run("two", {"c/n02"});
    builder_.Claim("i/p/full", "i/p", "c/n03", 0xff, kNow + Days(9));
    policy_.preemption_gain = Days(20);
    policy_.release_time = Minutes(5);
  }
  /// They hold so many GPUs each.
  Snapshot With(const SnapshotPending& pending, int one, int two, int full) {
    Snapshot snapshot = PreemptTest::With(pending);
    const std::array gpus = {one, two, full};
    for (std::size_t i = 0; i < gpus.size(); ++i) {
      snapshot.claims[i].gpus = static_cast<GpuMask>((1 << gpus[i]) - 1);
      if (i < 2) snapshot.preemptible[i].request.shape = {1, gpus[i], 0};
    }
    return snapshot;
  }
  SnapshotPending Named(Seconds duration) {
    SnapshotPending pending = Ask(1, duration);
    pending.consolidate = true;
    return pending;
  }
};

TEST_F(ConsolidateTest, WorkIsMovedForOneThatWasNamedAndGoesOnAtOnce) {
  EXPECT_EQ(Stopped(With(Ask(1, Hours(8)), 4, 4, 8)), "") << "to stop it gains too little";
  const Snapshot snapshot = With(Named(Hours(8)), 4, 4, 8);
  EXPECT_EQ(Stopped(snapshot), "one");
  const Plan plan = Schedule(snapshot, policy_);
  ASSERT_EQ(plan.preemptions.size(), 1U);
  const Instant stop = kNow + policy_.preemption_grace;
  EXPECT_EQ(plan.preemptions[0].stop, stop);
  EXPECT_EQ(plan.preemptions[0].restart, stop) << "on GPUs that are free already";
  EXPECT_TRUE(plan.placements[0].promised);
  EXPECT_GE(plan.placements[0].window.start(), stop + policy_.release_time);

  policy_.preemptions_per_pass = 0;
  EXPECT_EQ(Stopped(snapshot), "") << "by that policy nobody is ever stopped";
}

TEST_F(ConsolidateTest, WhatIsMovedKeepsItsPlaceWhenOthersAreStoppedToo) {
  // An urgent one wants the half that "one" is to go to, and has "two" stopped for it.
  SnapshotPending urgent = Ask(1, Hours(8));
  urgent.id = AllocationId("i/p/urgent");
  urgent.urgent = true;
  Snapshot snapshot = With(Named(Hours(8)), 4, 4, 8);
  snapshot.pending.push_back(urgent);
  Canonicalise(snapshot);
  Stopped(snapshot);
}

TEST_F(ConsolidateTest, WhatIsBorrowedIsStoppedRatherThanMoved) {
  Snapshot snapshot = With(Named(Hours(8)), 5, 5, 8);
  EXPECT_EQ(Stopped(snapshot), "") << "neither has anywhere to go";
  snapshot.preemptible[1].request.borrow = true;
  snapshot.claims[1].borrowed = true;
  EXPECT_EQ(Stopped(snapshot), "two");
}

TEST_F(ConsolidateTest, NothingIsMovedThatHasNowhereToGo) {
  Snapshot snapshot = With(Named(Hours(8)), 5, 5, 8);
  EXPECT_EQ(Stopped(snapshot), "") << "three GPUs are free beside either";
  snapshot.pending[0].consolidate = false;
  snapshot.pending[0].urgent = true;
  EXPECT_EQ(Stopped(snapshot), "one") << "for what is urgent it is stopped";
}

TEST_F(ConsolidateTest, WhoCanGoOnElsewhereIsMovedRatherThanWhoIsSmaller) {
  // The third node is set aside in a day: room for ten hours, not for two days.
  Snapshot snapshot = With(Named(Days(3)), 3, 6, 2);
  snapshot.claims[1].until = snapshot.preemptible[1].until = kNow + Hours(10);
  snapshot.reservations.push_back({.id = ReservationId("c/r"),
                                   .project = std::nullopt,
                                   .nodes = {2},
                                   .windows = {*TimeWindow::Make(kNow + Days(1), kNow + Days(9))}});
  EXPECT_EQ(Stopped(snapshot), "two");
  snapshot.reservations[0].nodes = {1, 2};
  EXPECT_EQ(Stopped(snapshot), "") << "nor is there room for three days where it was";
}

TEST_F(ConsolidateTest, NobodyElseStartsLaterForIt) {
  // "other" is to have the free half of the second node, where "one" would go.
  SnapshotPending other = Ask(1, Days(1));
  other.id = AllocationId("i/p/other");
  other.request.shape = {1, 4, 0};
  other.create_time = kNow - Hours(9);
  Snapshot snapshot = With(Named(Hours(8)), 4, 4, 8);
  EXPECT_EQ(Stopped(snapshot), "one");
  snapshot.pending.push_back(other);
  snapshot.pending.back().request.earliest_start = kNow + Hours(1);
  snapshot.pending.push_back(snapshot.pending.back());
  snapshot.pending.back().id = AllocationId("i/p/other-2");
  Canonicalise(snapshot);
  EXPECT_EQ(Stopped(snapshot), "") << "the two others start there in an hour";
}

TEST_F(PreemptTest, ALateReleaseHasNoMoreWorkStoppedForAnUrgentOne) {
  // "one" was stopped for it, and the provider is late.
  Snapshot snapshot = With(Ask(1, Hours(8)));
  snapshot.pending[0].urgent = true;
  std::erase_if(snapshot.preemptible,
                [](const auto& row) { return row.id == AllocationId("i/p/one"); });
  for (SnapshotClaim& claim : snapshot.claims) {
    if (claim.allocation == AllocationId("i/p/one")) claim.until = kNow - Minutes(1);
  }
  policy_.preemption_grace = Minutes(2);
  policy_.release_time = Minutes(5);
  for (int minute = 0; minute < 15; ++minute) {
    snapshot.now = kNow + Minutes(minute);
    EXPECT_EQ(Stopped(snapshot), "") << "at minute " << minute;
  }
}

TEST_F(PreemptTest, NobodyIsStoppedForWorkThatMayBeStopped) {
  SnapshotPending pending = Ask(1, Hours(8));
  pending.request.preemptible = true;
  EXPECT_EQ(Stopped(With(pending)), "");
}

TEST_F(PreemptTest, EachConditionKeepsItRunning) {
  const auto each = [&](const auto& change) {
    const std::vector<SnapshotPreemptible> before = running_;
    const Policy policy = policy_;
    for (SnapshotPreemptible& row : running_) change(row);
    const std::string stopped = Stopped(With(Ask(1, Hours(8))));
    running_ = before;
    policy_ = policy;
    return stopped;
  };
  EXPECT_EQ(each([](SnapshotPreemptible& row) { row.start = kNow - Minutes(59); }), "");
  EXPECT_EQ(each([](SnapshotPreemptible& row) { row.preemptions = 3; }), "");
  EXPECT_EQ(each([](SnapshotPreemptible& row) { row.preemptions = 2; }), "one");
  EXPECT_EQ(each([&](SnapshotPreemptible& row) {
              row.until = kNow + policy_.preemption_grace;
              policy_.preemption_gain = Seconds{0};
            }),
            "");
  EXPECT_EQ(each([&](SnapshotPreemptible&) { policy_.preemptions_per_pass = 0; }), "");
  EXPECT_EQ(each([&](SnapshotPreemptible&) { policy_.preemptions_per_project = 0; }), "");
  EXPECT_EQ(each([&](SnapshotPreemptible&) { policy_.preemption_gain = Days(2); }), "");
}

TEST_F(PreemptTest, OfOneProjectOnlySoManyAreStoppedInAnHour) {
  EXPECT_EQ(Stopped(With(Ask(3, Hours(8)))), "one three two");
  policy_.preemptions_per_project = 2;
  EXPECT_EQ(Stopped(With(Ask(3, Hours(8)))), "");
  EXPECT_EQ(Stopped(With(Ask(2, Hours(8)))), "one two");
  Snapshot snapshot = With(Ask(2, Hours(8)));
  snapshot.projects[0].stopped_lately = 1;
  EXPECT_EQ(Stopped(snapshot), "");
  snapshot.pending[0].request.shape.nodes = 1;
  EXPECT_EQ(Stopped(snapshot), "one");
}

TEST_F(PreemptTest, WholeGangsAreStoppedAndTheFewestGpus) {
  builder_ = SnapshotBuilder();
  running_.clear();
  builder_.Cluster("c", GpuModel::kH200, 5).Project("i/p");
  Run("pair", {"c/n01", "c/n02"});
  Run("three", {"c/n03", "c/n04", "c/n05"});
  EXPECT_EQ(Stopped(With(Ask(2, Hours(30)))), "pair");
  EXPECT_EQ(Stopped(With(Ask(3, Hours(30)))), "three");
  EXPECT_EQ(Stopped(With(Ask(4, Hours(30)))), "pair three");
  EXPECT_EQ(Stopped(With(Ask(1, Hours(8)))), "pair");
}

TEST_F(PreemptTest, TheGainIsWeighedAgainstTheGpusTakenBack) {
  builder_ = SnapshotBuilder();
  running_.clear();
  builder_.Cluster("c", GpuModel::kH200, 4).Project("i/p");
  Run("all", {"c/n01", "c/n02", "c/n03", "c/n04"});
  // One node two days sooner for four nodes taken back: up to half a day for each.
  policy_.preemption_gain = Hours(11);
  EXPECT_EQ(Stopped(With(Ask(1, Hours(8)))), "all");
  policy_.preemption_gain = Hours(13);
  EXPECT_EQ(Stopped(With(Ask(1, Hours(8)))), "");
}

TEST_F(PreemptTest, WhoeverElseMayNotBeStoppedIsNotDelayed) {
  // What is left of "one" would run beyond the start of another, who waits for all nodes.
  Snapshot snapshot = With(Ask(1, Hours(8)));
  SnapshotPending behind = Ask(4, Hours(8));
  behind.id = AllocationId("i/p/y");
  behind.create_time = kNow;
  snapshot.pending.push_back(behind);
  EXPECT_EQ(Stopped(snapshot), "");
  snapshot.pending[1].request.preemptible = true;
  EXPECT_EQ(Stopped(snapshot), "one");
}

TEST_F(PreemptTest, WhatAnEarlierAttemptLostIsNotGivenBackSooner) {
  // "one" was lost on n04 first, which its provider has not cleared; it runs on n01 now.
  builder_ = SnapshotBuilder();
  running_.clear();
  builder_.Cluster("c", GpuModel::kH200, 4).Project("i/p");
  Run("one", {"c/n01"});
  Run("two", {"c/n02", "c/n03"});
  auto& lost = builder_.Claim("i/p/one", "i/p", "c/n04", 0xff, kNow + Hours(1));
  lost.start = kNow - Days(1);
  lost.counts_against_quota = false;
  EXPECT_EQ(Stopped(With(Ask(1, Hours(8)))), "") << "n04 is free in an hour";
  lost.until = kNow + Days(2);
  EXPECT_EQ(Stopped(With(Ask(1, Hours(8)))), "one");
  EXPECT_EQ(Stopped(With(Ask(4, Hours(30)))), "");
}

TEST_F(PreemptTest, GpusThatNobodyMayUseAreNoRoom) {
  builder_.Node("c/n01").schedulable = false;
  builder_.Node("c/n01").draining = true;
  EXPECT_EQ(Stopped(With(Ask(1, Hours(8)))), "two");
}

TEST_F(PreemptTest, WhatIsStoppedHasAStartAgain) {
  for (SnapshotPreemptible& row : running_) row.request.deadline = kNow + Days(2) + Hours(1);
  EXPECT_EQ(Stopped(With(Ask(1, Hours(8)))), "");
}

TEST_F(PreemptTest, GpuTimeThatTheRestWillUseIsThereForIt) {
  builder_ = SnapshotBuilder();
  running_.clear();
  builder_.Cluster("c", GpuModel::kH200, 4);
  // All of the budget is held by what runs, and by x.
  builder_.Project("i/p").gpu_time_left = *GpuSeconds::Of(8, Hours(8));
  for (const auto& [name, node] :
       {std::pair("one", "c/n01"), {"two", "c/n02"}, {"three", "c/n03"}, {"four", "c/n04"}}) {
    Run(name, {node});
  }
  EXPECT_EQ(Stopped(With(Ask(1, Hours(8)))), "one");
}

TEST_F(PreemptTest, WhoHasNoQuotaLeftHasNobodyStopped) {
  builder_ = SnapshotBuilder();
  running_.clear();
  builder_.Cluster("c", GpuModel::kH200, 4).Project("i/p").concurrent_gpus = {32, 32};
  builder_.Project("i/q").concurrent_gpus = {8, 8};
  Run("one", {"c/n01"});
  Run("rest", {"c/n02", "c/n03", "c/n04"});
  SnapshotPending pending = Ask(1, Hours(8));
  pending.project = 1;
  EXPECT_EQ(Stopped(With(pending)), "one");
  builder_.Claim("i/q/held", "i/q", "c/n02", 0xff, kNow + Days(5)).gpus = 0x01;
  EXPECT_EQ(Stopped(With(pending)), "");
}

TEST_F(PreemptTest, TheCheckerRefusesWhatMayNotBeStopped) {
  struct Case {
    const char* problem;
    std::function<void(Snapshot&, Plan&)> change;
  };
  const std::vector<Case> cases = {
      {"may not be", [](Snapshot& s, Plan&) { s.preemptible[1].request.preemptible = false; }},
      {"before it ran", [](Snapshot& s, Plan&) { s.preemptible[1].start = kNow - Minutes(59); }},
      {"more than", [](Snapshot& s, Plan&) { s.preemptible[1].preemptions = 3; }},
      {"from now", [](Snapshot&, Plan& p) { p.preemptions[0].stop = kNow + Minutes(9); }},
      {"others are stopped for it",
       [](Snapshot& s, Plan&) { s.pending[0].request.preemptible = true; }},
      {"promised nothing", [](Snapshot&, Plan& p) { p.placements[0].promised = false; }},
      {"one more of its project", [](Snapshot& s, Plan&) { s.projects[0].stopped_lately = 16; }},
      {"before it is stopped",
       [](Snapshot&, Plan& p) { p.preemptions[0].restart = kNow + Minutes(9); }},
      {"does not go on at once", [](Snapshot& s, Plan&) { s.pending[0].consolidate = true; }},
      {"out of order", [](Snapshot&, Plan& p) { p.preemptions.push_back(p.preemptions[0]); }},
      {"does not run", [](Snapshot&, Plan& p) { p.preemptions[0].preemptible = 9; }},
      {"given twice", [](Snapshot&, Plan& p) { p.preemptions.clear(); }},
  };
  const Snapshot snapshot = With(Ask(1, Hours(8)));
  const Plan plan = Schedule(snapshot, policy_);
  ASSERT_EQ(plan.preemptions.size(), 1U);
  ASSERT_EQ(plan.preemptions[0].preemptible, 1);
  for (const Case& c : cases) {
    Snapshot other = snapshot;
    Plan changed = plan;
    c.change(other, changed);
    const auto violations = CheckPlan(other, policy_, changed);
    EXPECT_TRUE(std::any_of(violations.begin(), violations.end(),
                            [&](const std::string& violation) {
                              return violation.find(c.problem) != std::string::npos;
                            }))
        << c.problem << ": " << (violations.empty() ? "nothing" : violations.front());
  }
}

std::map<int, Instant> Starts(const Plan& plan) {
  std::map<int, Instant> starts;
  for (const Placement& placement : plan.placements) {
    starts[placement.pending] = std::max(placement.window.start(), plan.now);
  }
  return starts;
}

TEST(PreemptProperty, WhoMayNotBeStoppedNeverStartsLater) {
  int stopped = 0;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    Policy policy = RandomPolicy(seed);
    policy.improver_delay_max = Seconds{0};
    Snapshot snapshot = NextSnapshot(testing::RandomSnapshot(seed), policy, seed, false);
    // Whoever turns out to be overdue goes before others; here it is about stopping alone.
    for (SnapshotPending& row : snapshot.pending) row.told_start.reset();
    for (SnapshotPending& row : snapshot.pending) row.overdue = false;
    const Plan around = PlanAround(snapshot, policy);
    const Plan plan = Schedule(snapshot, policy);
    EXPECT_EQ(CheckPlan(snapshot, policy, plan), std::vector<std::string>{}) << "seed " << seed;
    EXPECT_EQ(plan.slips, around.slips) << "seed " << seed;
    stopped += static_cast<int>(plan.preemptions.size());
    const auto before = Starts(around);
    const auto after = Starts(plan);
    for (int i = 0; i < static_cast<int>(snapshot.pending.size()); ++i) {
      const auto was = before.find(i);
      const SnapshotPending& row = snapshot.pending[static_cast<std::size_t>(i)];
      // What would be added to another takes what is left.
      if (row.request.preemptible || row.grows || was == before.end()) continue;
      ASSERT_TRUE(after.contains(i)) << "seed " << seed;
      EXPECT_LE(after.at(i), was->second) << "seed " << seed;
    }
    for (const Preemption& preemption : plan.preemptions) {
      const auto was = before.find(preemption.pending);
      if (was == before.end()) continue;
      const auto& row = snapshot.pending[static_cast<std::size_t>(preemption.pending)];
      const bool named = row.urgent || row.consolidate;
      const Seconds gain = named ? Minutes(45) : policy.preemption_gain;
      EXPECT_LE(after.at(preemption.pending) + gain, was->second);
    }
  }
  EXPECT_GT(stopped, 20);
}

// Pass after pass, with newcomers and with what was stopped coming back: none is stopped more often
// than the policy allows, who may not be stopped never is, and recorded passes are decided alike.
// ALLOT_TEST_PASSES=1000000 makes it a campaign.
TEST(PreemptProperty, PassAfterPassThereAreNoCyclesAndEqualPlans) {
  const char* wanted = std::getenv("ALLOT_TEST_PASSES");
  const int64_t passes = wanted == nullptr ? 1'500 : std::strtoll(wanted, nullptr, 10);
  int64_t stopped = 0;
  int64_t made = 0;
  for (uint64_t seed = 1; made < passes; ++seed) {
    Policy policy = RandomPolicy(seed);
    policy.preemptions_max = 2;
    policy.preemption_gain = Hours(1);
    Snapshot snapshot = testing::RandomSnapshot(seed);
    std::map<AllocationId, int> times;
    for (const SnapshotPreemptible& row : snapshot.preemptible) times[row.id] = row.preemptions;
    for (uint64_t pass = 1; pass <= 12 && made < passes; ++pass, ++made) {
      const Plan plan = Schedule(snapshot, policy);
      ASSERT_EQ(CheckPlan(snapshot, policy, plan), std::vector<std::string>{}) << seed;
      if (made % 16 == 0) {
        ASSERT_EQ(Hash(snapshot, Schedule(snapshot, policy)), Hash(snapshot, plan)) << seed;
      }
      for (const Preemption& preemption : plan.preemptions) {
        const auto& row = snapshot.preemptible[static_cast<std::size_t>(preemption.preemptible)];
        ++stopped;
        // What is borrowed is stopped however often.
        if (++times[row.id] > policy.preemptions_max) {
          ASSERT_TRUE(row.request.borrow) << seed << " " << row.id.str();
        }
      }
      snapshot = NextSnapshot(snapshot, policy, seed * 100 + pass, /*faults=*/false);
      for (SnapshotPreemptible& row : snapshot.preemptible) row.preemptions = times[row.id];
    }
  }
  EXPECT_GT(stopped, passes / 100);
}

}  // namespace
}  // namespace allot::scheduler
