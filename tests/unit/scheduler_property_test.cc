// What holds for every snapshot, tried on hundreds of random ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "allot/base/random.h"
#include "allot/scheduler/check_plan.h"
#include "allot/scheduler/explain.h"
#include "allot/scheduler/plan.h"
#include "scheduler/in_turn.h"
#include "support/manual_clock.h"
#include "support/national_pool.h"
#include "support/plain_calendar.h"
#include "support/random_snapshot.h"

namespace allot::scheduler {
namespace {

using testing::NextSnapshot;
using testing::RandomPolicy;
using testing::Shuffled;

// Half of them as a second pass finds them, with promises; of those half with promises broken.
Snapshot RandomSnapshot(uint64_t seed) {
  Snapshot first = testing::RandomSnapshot(seed);
  if (seed % 2 == 0) return first;
  return NextSnapshot(first, RandomPolicy(seed), seed, /*faults=*/seed % 4 == 1);
}

// For rules of the plan that is made one after the other, before anybody is stopped for others and
// before it is improved on.
Policy OneAfterTheOther(Policy policy) {
  policy.preemptions_per_pass = 0;
  policy.improver_rounds = 0;
  return policy;
}

std::map<int, const Placement*> ByPending(const Plan& plan) {
  std::map<int, const Placement*> placements;
  for (const Placement& placement : plan.placements) placements[placement.pending] = &placement;
  return placements;
}

TEST(SchedulerProperty, EveryPlanIsValid) {
  for (uint64_t seed = 1; seed <= 600; ++seed) {
    const Snapshot snapshot = RandomSnapshot(seed);
    const Policy policy = RandomPolicy(seed);
    const Plan plan = Schedule(snapshot, policy);
    EXPECT_EQ(CheckPlan(snapshot, policy, plan), std::vector<std::string>{}) << "seed " << seed;
  }
}

// Pass after pass, with newcomers who rank first and work that ends early: a promise is kept or
// moves up, and never slips while nothing breaks.
TEST(SchedulerProperty, NoPromiseSlipsWithoutAFault) {
  int kept = 0;
  int moved_up = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    const Policy policy = RandomPolicy(seed);
    Snapshot snapshot = testing::RandomSnapshot(seed);
    for (uint64_t pass = 1; pass <= 5; ++pass) {
      snapshot = NextSnapshot(snapshot, policy, seed * 100 + pass, /*faults=*/false);
      const Plan plan = Schedule(snapshot, policy);
      EXPECT_EQ(plan.slips, std::vector<Slip>{}) << "seed " << seed << " pass " << pass;
      const auto placements = ByPending(plan);
      for (int i = 0; i < static_cast<int>(snapshot.pending.size()); ++i) {
        const auto& promise = snapshot.pending[static_cast<std::size_t>(i)].promise;
        if (!promise) continue;
        ASSERT_TRUE(placements.contains(i)) << "seed " << seed << " pass " << pass;
        const Placement& placement = *placements.at(i);
        EXPECT_TRUE(placement.promised);
        EXPECT_LE(placement.window.start(), promise->window.start());
        ++(placement.window.start() < promise->window.start() ? moved_up : kept);
        const bool wants_a_leaf =
            snapshot.pending[static_cast<std::size_t>(i)].request.same_leaf_wait.count > 0;
        if (placement.window.start() == promise->window.start() && !wants_a_leaf) {
          EXPECT_EQ(placement.nodes, promise->nodes) << "moved for nothing";
        }
      }
    }
  }
  EXPECT_GT(kept, 500);
  EXPECT_GT(moved_up, 100);
}

// Whatever breaks, it is said which promise slipped and why (the checker holds the causes to be
// true).
TEST(SchedulerProperty, FaultsMakePromisesSlipForEveryCause) {
  std::set<SlipCause> causes;
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    const Policy policy = RandomPolicy(seed);
    const Snapshot snapshot = NextSnapshot(testing::RandomSnapshot(seed), policy, seed, true);
    for (const Slip& slip : Schedule(snapshot, policy).slips) causes.insert(slip.cause);
  }
  EXPECT_EQ(causes.size(), 9U);
}

TEST(SchedulerProperty, ShuffledInputGivesAnEqualPlan) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    const Snapshot snapshot = RandomSnapshot(seed);
    Snapshot shuffled = Shuffled(snapshot, seed);
    Canonicalise(shuffled);
    ASSERT_EQ(Digest(shuffled), Digest(snapshot)) << "seed " << seed;
    const Policy policy = RandomPolicy(seed);
    EXPECT_EQ(Hash(shuffled, Schedule(shuffled, policy)),
              Hash(snapshot, Schedule(snapshot, policy)))
        << "seed " << seed;
  }
}

// Whoever is last in rank leaves: all others keep their starts and their GPUs. The promised stay,
// wherever they rank: they hold what they were promised. Who turns out to be overdue ranks by what
// all others do; here it is about ranks alone.
TEST(SchedulerProperty, NobodyIsDelayedBySomebodyBehind) {
  int skipped = 0;
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    Snapshot snapshot = RandomSnapshot(seed);
    for (SnapshotPending& row : snapshot.pending) row.told_start.reset();
    const Policy policy = OneAfterTheOther(RandomPolicy(seed));
    const Plan plan = Schedule(snapshot, policy);
    if (plan.order.empty()) continue;
    const std::size_t ahead = SeededRandom(seed).Below(plan.order.size());
    std::vector<bool> is_ahead(snapshot.pending.size(), false);
    for (std::size_t i = 0; i < ahead; ++i) {
      is_ahead[static_cast<std::size_t>(plan.order[i])] = true;
    }

    Snapshot fewer = snapshot;
    fewer.pending.clear();
    std::vector<int> old_position;
    for (std::size_t i = 0; i < is_ahead.size(); ++i) {
      if (!is_ahead[i] && !snapshot.pending[i].promise) continue;
      fewer.pending.push_back(snapshot.pending[i]);
      old_position.push_back(static_cast<int>(i));
    }
    const auto those_ahead = [&](std::vector<Placement> placements) {
      std::erase_if(placements, [&](const Placement& placement) {
        return !is_ahead[static_cast<std::size_t>(placement.pending)];
      });
      return placements;
    };
    Plan without = Schedule(fewer, policy);
    // One that is promised has its turn sooner where those before it in its project are gone; it
    // may then move up and make room.
    const auto behind = [&](int i) {
      return !is_ahead[static_cast<std::size_t>(old_position[static_cast<std::size_t>(i)])];
    };
    if (!std::is_partitioned(without.order.begin(), without.order.end(), std::not_fn(behind))) {
      ++skipped;
      continue;
    }
    // Which nodes are kept whole goes by what all ask for; here that is the same.
    without = PlanInOrder(fewer, policy, std::vector(without.order), &snapshot);
    std::vector<Placement> placements = std::move(without.placements);
    for (Placement& placement : placements) {
      placement.pending = old_position[static_cast<std::size_t>(placement.pending)];
    }
    EXPECT_EQ(those_ahead(placements), those_ahead(plan.placements)) << "seed " << seed;
  }
  EXPECT_LT(skipped, 50);
}

// The promises that nothing broke, booked in the calendar, by the rules told plainly.
std::set<int> KeepPromises(const Snapshot& snapshot, PlainCalendar& calendar) {
  std::vector<std::pair<Instant, int>> promised;
  for (int i = 0; i < static_cast<int>(snapshot.pending.size()); ++i) {
    const auto& promise = snapshot.pending[static_cast<std::size_t>(i)].promise;
    if (promise) promised.emplace_back(promise->window.start(), i);
  }
  std::sort(promised.begin(), promised.end());
  std::set<int> kept;
  for (const auto& [start, i] : promised) {
    const SnapshotPending& row = snapshot.pending[static_cast<std::size_t>(i)];
    const TimeWindow& window = row.promise->window;
    if (start < snapshot.now - Minutes(1) || window.end() <= snapshot.now) continue;
    if (!calendar.IsFree(row, window, row.promise->nodes)) continue;
    calendar.Book(row, window, row.promise->nodes);
    kept.insert(i);
  }
  return kept;
}

/// Asks for no start before the one that `row` starts after has ended and given its GPUs back, by
/// the rules told plainly; nothing when that one has no end.
std::optional<SnapshotPending> BehindItsPredecessor(
    const Snapshot& snapshot, const Policy& policy, SnapshotPending row,
    const std::map<int, const Placement*>& placements) {
  if (!row.after) return row;
  std::optional<Instant> end;
  bool waits = false;
  for (int i = 0; i < static_cast<int>(snapshot.pending.size()); ++i) {
    if (snapshot.pending[static_cast<std::size_t>(i)].id != *row.after) continue;
    waits = true;
    const auto placed = placements.find(i);
    if (placed != placements.end()) end = placed->second->window.end() + policy.release_time;
  }
  for (const SnapshotClaim& claim : snapshot.claims) {
    if (waits || claim.allocation != *row.after || !claim.counts_against_quota) continue;
    const Instant back = claim.until + policy.release_time > snapshot.now
                             ? claim.until + policy.release_time
                             : snapshot.now + Minutes(15);
    end = std::max(end.value_or(back), back);
  }
  if (!end) return std::nullopt;
  row.request.earliest_start = std::max(row.request.earliest_start.value_or(*end), *end);
  return row;
}

/// More of them when asked: ALLOT_TEST_SEEDS=20000.
uint64_t Seeds(uint64_t usual) {
  const char* const asked = std::getenv("ALLOT_TEST_SEEDS");
  return asked == nullptr ? usual : std::strtoull(asked, nullptr, 10);
}

// No shortcut of the planner loses a start: what it finds is what trying them all would find.
TEST(SchedulerProperty, EveryoneStartsAsEarlyAsThoseAheadAllow) {
  for (uint64_t seed = 1; seed <= Seeds(200); ++seed) {
    const Policy policy = OneAfterTheOther(RandomPolicy(seed));
    const Snapshot snapshot = RandomSnapshot(seed);
    const Plan plan = Schedule(snapshot, policy);
    const auto placements = ByPending(plan);
    PlainCalendar calendar(snapshot, policy);
    const std::set<int> kept = KeepPromises(snapshot, calendar);
    for (const int position : plan.order) {
      const SnapshotPending& pending = snapshot.pending[static_cast<std::size_t>(position)];
      SCOPED_TRACE("seed " + std::to_string(seed) + " " + pending.id.str());
      const bool is_kept = kept.contains(position);
      if (is_kept) calendar.Unbook(pending, pending.promise->window, pending.promise->nodes);
      const auto behind = BehindItsPredecessor(snapshot, policy, pending, placements);
      // A promise is not given up for a leaf that comes later.
      const auto latest = is_kept ? std::optional(pending.promise->window.start()) : std::nullopt;
      auto earliest = behind ? calendar.Earliest(*behind, latest) : std::nullopt;
      if (is_kept && (!earliest || calendar.WouldRatherKeep(pending, *earliest))) {
        const int cluster =
            snapshot.nodes[static_cast<std::size_t>(pending.promise->nodes.front().node)].cluster;
        earliest = {pending.promise->window,
                    snapshot.clusters[static_cast<std::size_t>(cluster)].model};
      }
      const bool in_time = earliest && (!pending.request.deadline ||
                                        earliest->window.end() <= *pending.request.deadline);
      const auto placed = placements.find(position);
      ASSERT_EQ(placed != placements.end(), in_time);
      if (!in_time) continue;
      ASSERT_EQ(placed->second->window, earliest->window);
      ASSERT_EQ(placed->second->model, earliest->model);
      calendar.Book(pending, placed->second->window, placed->second->nodes);
    }
  }
}

TEST(SchedulerProperty, EveryExplanationAgreesWithThePlan) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const Policy policy = RandomPolicy(seed);
    const Snapshot snapshot = RandomSnapshot(seed);
    const Plan plan = Schedule(snapshot, policy);
    const auto placements = ByPending(plan);
    for (int i = 0; i < static_cast<int>(snapshot.pending.size()); ++i) {
      const Explanation explanation = Explain(snapshot, policy, plan, i);
      const auto placed = placements.find(i);
      ASSERT_EQ(explanation.planned_start.has_value(), placed != placements.end());
      EXPECT_GE(explanation.rank, 1);
      EXPECT_LE(explanation.rank, explanation.rank_of);
      EXPECT_FALSE(explanation.message.empty());
      if (placed == placements.end()) continue;
      EXPECT_EQ(*explanation.planned_start, placed->second->window.start());
      EXPECT_EQ(explanation.promised, placed->second->promised);
      EXPECT_EQ(explanation.reason == "starts_now", placed->second->window.start() <= snapshot.now);
      // Nobody starts before running work alone would let them, booked work ahead apart.
      for (const ClusterOutlook& outlook : explanation.clusters) {
        EXPECT_LE(outlook.nodes_fitting_now, outlook.nodes - outlook.unschedulable);
        EXPECT_LE(outlook.gpus_free_now, 8 * (outlook.nodes - outlook.unschedulable));
      }
    }
  }
}

// An alternative is a promise about another plan: make that plan, and see. Who asks for less may
// rank higher, and start earlier than it says.
TEST(SchedulerProperty, EveryAlternativeStartsWhenItSays) {
  int tried = 0;
  int exact = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    const Policy policy = OneAfterTheOther(RandomPolicy(seed));
    const Snapshot snapshot = RandomSnapshot(seed);
    const Plan plan = Schedule(snapshot, policy);
    for (int i = 0; i < static_cast<int>(snapshot.pending.size()); i += 3) {
      for (const Alternative& alternative : Explain(snapshot, policy, plan, i).alternatives) {
        Snapshot changed = snapshot;
        changed.pending[static_cast<std::size_t>(i)].request = alternative.request;
        const Plan other = Schedule(changed, policy);
        const auto placed =
            std::find_if(other.placements.begin(), other.placements.end(),
                         [&](const Placement& placement) { return placement.pending == i; });
        ASSERT_NE(placed, other.placements.end()) << "seed " << seed << " " << i;
        // When it ranks higher, a leaf of its own may be left to wait for.
        EXPECT_LE(placed->window.start(), alternative.start + alternative.request.same_leaf_wait)
            << "seed " << seed << " " << i << " " << alternative.message;
        if (placed->window.start() == alternative.start) ++exact;
        ++tried;
      }
    }
  }
  EXPECT_GT(tried, 100);
  EXPECT_GT(exact, tried * 3 / 4);
}

// The whole nation, as bench-plan measures it.
TEST(SchedulerProperty, ThePlanOfTheNationalPoolIsValidAndTheSameAgain) {
  Snapshot snapshot = testing::NationalPool(testing::ManualClock::kStart);
  testing::AddMixedQueue({.seed = 7, .pending = 1'500}, snapshot);
  const Policy policy;
  const Plan plan = Schedule(snapshot, policy);
  EXPECT_EQ(CheckPlan(snapshot, policy, plan), std::vector<std::string>{});
  EXPECT_EQ(Hash(snapshot, Schedule(snapshot, policy)), Hash(snapshot, plan));
  EXPECT_GT(plan.placements.size(), 1'300U);
}

}  // namespace
}  // namespace allot::scheduler
