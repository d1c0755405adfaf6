// What holds for every snapshot, tried on hundreds of random ones.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "allot/base/random.h"
#include "allot/scheduler/check_plan.h"
#include "allot/scheduler/explain.h"
#include "allot/scheduler/plan.h"
#include "scheduler/time_grid.h"
#include "support/national_pool.h"
#include "support/snapshot_builder.h"

namespace allot::scheduler {
namespace {

constexpr Seconds kOverdue = Minutes(15);

Policy ShortPolicy() {
  Policy policy;
  policy.planning_horizon = Days(12);
  return policy;
}

template <class Row>
void Shuffle(SeededRandom& random, std::vector<Row>& rows) {
  for (std::size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[random.Below(i)]);
}

// A few small clusters under pressure: two programmes, tight quotas, closed projects, nodes that
// take nothing, overdue releases, every kind of shape, starts in the future and deadlines.
Snapshot RandomSnapshot(uint64_t seed) {
  SeededRandom random(seed);
  const auto chance = [&](uint64_t percent) { return random.Below(100) < percent; };
  const auto pick = [&](int low, int high) { return static_cast<int>(random.Between(low, high)); };
  Snapshot snapshot;
  snapshot.now = testing::ManualClock::kStart + Seconds{random.Between(0, 7'200)};

  const int clusters = pick(1, 4);
  for (int i = 0; i < clusters; ++i) {
    std::vector<ProgrammeId> programmes = {ProgrammeId("call")};
    if (chance(40)) programmes.emplace_back("national");
    snapshot.clusters.push_back({ClusterId("c" + std::to_string(i)),
                                 chance(50) ? GpuModel::kH200 : GpuModel::kB200,
                                 std::move(programmes)});
    const int nodes = pick(1, 10);
    for (int n = 0; n < nodes; ++n) {
      SnapshotNode node;
      node.id = NodeId("c" + std::to_string(i) + "/n" + std::to_string(10 + n));
      node.cluster = i;
      node.schedulable = !chance(8);
      snapshot.nodes.push_back(std::move(node));
    }
  }
  const int projects = pick(1, 8);
  for (int i = 0; i < projects; ++i) {
    SnapshotProject project;
    project.id = ProjectId("i/p" + std::to_string(i));
    project.programme = ProgrammeId(chance(25) ? "national" : "call");
    project.merit = pick(0, kMeritMax);
    project.open = !chance(5);
    project.concurrent_gpus = {pick(0, 80), pick(0, 80)};
    if (chance(30))
      project.gpu_time_left = GpuSeconds::FromCount(random.Between(-1'000, 9'000'000));
    project.usage = {random.Between(0, int64_t{1} << 30), snapshot.now - Hours(1)};
    snapshot.projects.push_back(std::move(project));
  }
  for (int node = 0; node < static_cast<int>(snapshot.nodes.size()); ++node) {
    if (!chance(50)) continue;
    const auto gpus = static_cast<GpuMask>(chance(50) ? 255 : random.Between(1, 255));
    const Instant until = snapshot.now + Minutes(chance(10) ? -5 : random.Between(1, 6'000));
    const int project = pick(0, projects - 1);
    snapshot.claims.push_back({AllocationId("i/r" + std::to_string(node)), project, node, gpus,
                               snapshot.now - Hours(2), until, !chance(10)});
    if (chance(20) && gpus != 255) {
      // A booking ahead, on what is left of the node.
      snapshot.claims.push_back({AllocationId("i/f" + std::to_string(node)), project, node,
                                 static_cast<GpuMask>(~gpus), snapshot.now + Hours(30),
                                 snapshot.now + Hours(60)});
    }
  }
  const int pending = pick(0, 45);
  for (int i = 0; i < pending; ++i) {
    SnapshotPending row;
    row.id = AllocationId("i/w" + std::to_string(100 + i));
    row.project = pick(0, projects - 1);
    row.create_time = snapshot.now - Minutes(random.Between(0, 20 * 24 * 60));
    Request& request = row.request;
    request.shape = chance(50) ? ShapeForGpus(pick(1, 40)) : Shape{pick(1, 6), pick(1, 8), 0};
    request.models = {chance(50) ? GpuModel::kH200 : GpuModel::kB200};
    if (chance(40)) {
      request.models.push_back(request.models[0] == GpuModel::kH200 ? GpuModel::kB200
                                                                    : GpuModel::kH200);
    }
    // Few different ones, so that bounds learnt from others matter.
    request.duration = chance(70) ? Hours(int64_t{1} << pick(0, 6)) : Minutes(pick(1, 5'000));
    if (chance(20)) request.earliest_start = snapshot.now + Minutes(pick(-100, 20'000));
    if (chance(20)) request.deadline = snapshot.now + request.duration + Minutes(pick(0, 9'000));
    snapshot.pending.push_back(std::move(row));
  }
  Canonicalise(snapshot);
  return snapshot;
}

// The same rows in another order, positions following.
Snapshot Shuffled(const Snapshot& original, uint64_t seed) {
  SeededRandom random(seed);
  Snapshot snapshot = original;
  Shuffle(random, snapshot.clusters);
  Shuffle(random, snapshot.nodes);
  Shuffle(random, snapshot.projects);
  Shuffle(random, snapshot.pending);
  Shuffle(random, snapshot.claims);
  for (SnapshotCluster& cluster : snapshot.clusters) Shuffle(random, cluster.programmes);
  const auto follow = [](const auto& from, const auto& to, int& position) {
    const std::string& id = from[static_cast<std::size_t>(position)].id.str();
    position = testing::SnapshotBuilder::PositionOf(to, id);
  };
  for (SnapshotNode& node : snapshot.nodes) {
    follow(original.clusters, snapshot.clusters, node.cluster);
  }
  for (SnapshotPending& pending : snapshot.pending) {
    follow(original.projects, snapshot.projects, pending.project);
  }
  for (SnapshotClaim& claim : snapshot.claims) {
    follow(original.nodes, snapshot.nodes, claim.node);
    follow(original.projects, snapshot.projects, claim.project);
  }
  return snapshot;
}

TEST(SchedulerProperty, EveryPlanIsValid) {
  for (uint64_t seed = 1; seed <= 400; ++seed) {
    const Snapshot snapshot = RandomSnapshot(seed);
    const Plan plan = Schedule(snapshot, ShortPolicy());
    EXPECT_EQ(CheckPlan(snapshot, ShortPolicy(), plan), std::vector<std::string>{})
        << "seed " << seed;
  }
}

TEST(SchedulerProperty, ShuffledInputGivesAnEqualPlan) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    const Snapshot snapshot = RandomSnapshot(seed);
    Snapshot shuffled = Shuffled(snapshot, seed);
    Canonicalise(shuffled);
    ASSERT_EQ(Digest(shuffled), Digest(snapshot)) << "seed " << seed;
    EXPECT_EQ(Hash(shuffled, Schedule(shuffled, ShortPolicy())),
              Hash(snapshot, Schedule(snapshot, ShortPolicy())))
        << "seed " << seed;
  }
}

// Whoever is last in rank leaves: all others keep their starts and their GPUs.
TEST(SchedulerProperty, NobodyIsDelayedBySomebodyBehind) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    const Snapshot snapshot = RandomSnapshot(seed);
    const Plan plan = Schedule(snapshot, ShortPolicy());
    if (plan.order.empty()) continue;
    const std::size_t kept = SeededRandom(seed).Below(plan.order.size());
    std::vector<bool> stays(snapshot.pending.size(), false);
    for (std::size_t i = 0; i < kept; ++i) stays[static_cast<std::size_t>(plan.order[i])] = true;

    Snapshot fewer = snapshot;
    fewer.pending.clear();
    std::vector<int> old_position;
    for (std::size_t i = 0; i < stays.size(); ++i) {
      if (!stays[i]) continue;
      fewer.pending.push_back(snapshot.pending[i]);
      old_position.push_back(static_cast<int>(i));
    }
    std::vector<Placement> expected;
    for (const Placement& placement : plan.placements) {
      if (stays[static_cast<std::size_t>(placement.pending)]) expected.push_back(placement);
    }
    std::vector<Placement> placements = Schedule(fewer, ShortPolicy()).placements;
    for (Placement& placement : placements) {
      placement.pending = old_position[static_cast<std::size_t>(placement.pending)];
    }
    EXPECT_EQ(placements, expected) << "seed " << seed;
  }
}

// The calendar told plainly: every GPU of every slot, every quota of every slot, every start tried.
class PlainCalendar {
 public:
  PlainCalendar(const Snapshot& snapshot, const Policy& policy)
      : snapshot_(snapshot),
        grid_(snapshot.now, policy.planning_horizon),
        free_(snapshot.nodes.size(), Slots<GpuMask>(0xff)),
        held_(snapshot.projects.size(), {Slots<int>(0), Slots<int>(0)}) {
    for (const SnapshotProject& project : snapshot.projects) {
      gpu_seconds_left_.push_back(project.gpu_time_left.count());
    }
    for (const SnapshotClaim& claim : snapshot.claims) {
      const Instant until = claim.until > snapshot.now ? claim.until : snapshot.now + kOverdue;
      const int first = grid_.SlotOf(claim.start);
      const int last = grid_.SlotBefore(until);
      Take(claim.node, claim.gpus, first, last);
      if (claim.counts_against_quota) Hold(claim.project, claim.node, claim.gpus, first, last);
    }
  }

  // The slot of the earliest start, and the model it would be on; nothing when there is none.
  std::optional<std::pair<int, GpuModel>> Earliest(const SnapshotPending& pending) const {
    if (CostOf(pending.request)->count() >
        gpu_seconds_left_[static_cast<std::size_t>(pending.project)]) {
      return std::nullopt;
    }
    for (int slot = grid_.SlotOf(SpanOf(pending).not_before); slot <= grid_.last_start_slot();
         ++slot) {
      if (grid_.WindowFrom(slot, SpanOf(pending)).start() >= grid_.horizon_end()) break;
      for (const GpuModel model : pending.request.models) {
        if (Fits(pending, model, slot)) return std::pair(slot, model);
      }
    }
    return std::nullopt;
  }
  TimeWindow WindowFrom(int slot, const SnapshotPending& pending) const {
    return grid_.WindowFrom(slot, SpanOf(pending));
  }
  void Book(const Placement& placement) {
    const SnapshotPending& pending = snapshot_.pending[static_cast<std::size_t>(placement.pending)];
    const int first = grid_.SlotOf(placement.window.start());
    const int last = grid_.SlotBefore(placement.window.end());
    gpu_seconds_left_[static_cast<std::size_t>(pending.project)] -=
        CostOf(pending.request)->count();
    for (const PlacedNode& placed : placement.nodes) {
      Take(placed.node, placed.gpus, first, last);
      Hold(pending.project, placed.node, placed.gpus, first, last);
    }
  }

 private:
  template <class T>
  std::vector<T> Slots(T value) const {
    return std::vector<T>(static_cast<std::size_t>(grid_.slots()), value);
  }
  Span SpanOf(const SnapshotPending& pending) const {
    return {pending.request.duration,
            std::max(snapshot_.now, pending.request.earliest_start.value_or(snapshot_.now))};
  }
  void Take(int node, GpuMask gpus, int first, int last) {
    for (int slot = first; slot <= last; ++slot) {
      GpuMask& free = free_[static_cast<std::size_t>(node)][static_cast<std::size_t>(slot)];
      free = static_cast<GpuMask>(free & ~gpus);
    }
  }
  void Hold(int project, int node, GpuMask gpus, int first, int last) {
    const int cluster = snapshot_.nodes[static_cast<std::size_t>(node)].cluster;
    const GpuModel model = snapshot_.clusters[static_cast<std::size_t>(cluster)].model;
    auto& held = held_[static_cast<std::size_t>(project)][static_cast<std::size_t>(model)];
    for (int slot = first; slot <= last; ++slot) {
      held[static_cast<std::size_t>(slot)] += CountGpus(gpus);
    }
  }
  bool Fits(const SnapshotPending& pending, GpuModel model, int slot) const {
    const Shape& shape = pending.request.shape;
    const auto& project = snapshot_.projects[static_cast<std::size_t>(pending.project)];
    const int last = grid_.LastSlot(slot, SpanOf(pending));
    const auto& held =
        held_[static_cast<std::size_t>(pending.project)][static_cast<std::size_t>(model)];
    for (int s = slot; s <= last; ++s) {
      if (held[static_cast<std::size_t>(s)] + shape.gpus() > At(project.concurrent_gpus, model)) {
        return false;
      }
    }
    for (std::size_t c = 0; c < snapshot_.clusters.size(); ++c) {
      const SnapshotCluster& cluster = snapshot_.clusters[c];
      if (cluster.model != model) continue;
      if (std::find(cluster.programmes.begin(), cluster.programmes.end(), project.programme) ==
          cluster.programmes.end()) {
        continue;
      }
      int whole = 0;
      int remainder = 0;
      for (std::size_t n = 0; n < snapshot_.nodes.size(); ++n) {
        const SnapshotNode& node = snapshot_.nodes[n];
        if (node.cluster != static_cast<int>(c) || !node.schedulable) continue;
        GpuMask free = 0xff;
        for (int s = slot; s <= last && free != 0; ++s) {
          free = static_cast<GpuMask>(free & free_[n][static_cast<std::size_t>(s)]);
        }
        if (CountGpus(free) >= shape.gpus_per_node) {
          ++whole;
        } else if (shape.remainder_gpus > 0 && CountGpus(free) >= shape.remainder_gpus) {
          ++remainder;
        }
      }
      if (whole >= shape.nodes && whole + remainder >= shape.node_count()) return true;
    }
    return false;
  }

  const Snapshot& snapshot_;
  TimeGrid grid_;
  std::vector<std::vector<GpuMask>> free_;
  std::vector<std::array<std::vector<int>, kGpuModelCount>> held_;
  std::vector<int64_t> gpu_seconds_left_;
};

// No shortcut of the planner loses a start: what it finds is what trying them all would find.
TEST(SchedulerProperty, EveryoneStartsAsEarlyAsThoseAheadAllow) {
  const Policy policy = ShortPolicy();
  for (uint64_t seed = 1; seed <= 120; ++seed) {
    const Snapshot snapshot = RandomSnapshot(seed);
    const Plan plan = Schedule(snapshot, policy);
    std::map<int, const Placement*> placements;
    for (const Placement& placement : plan.placements) {
      placements[placement.pending] = &placement;
    }
    PlainCalendar calendar(snapshot, policy);
    for (const int position : plan.order) {
      const SnapshotPending& pending = snapshot.pending[static_cast<std::size_t>(position)];
      if (!snapshot.projects[static_cast<std::size_t>(pending.project)].open) continue;
      const auto earliest = calendar.Earliest(pending);
      const bool in_time = earliest && (!pending.request.deadline ||
                                        calendar.WindowFrom(earliest->first, pending).end() <=
                                            *pending.request.deadline);
      const auto placed = placements.find(position);
      ASSERT_EQ(placed != placements.end(), in_time) << "seed " << seed << " " << pending.id.str();
      if (!in_time) continue;
      const Placement& placement = *placed->second;
      ASSERT_EQ(placement.window, calendar.WindowFrom(earliest->first, pending))
          << "seed " << seed << " " << pending.id.str();
      ASSERT_EQ(placement.model, earliest->second) << "seed " << seed << " " << pending.id.str();
      calendar.Book(placement);
    }
  }
}

TEST(SchedulerProperty, EveryExplanationAgreesWithThePlan) {
  const Policy policy = ShortPolicy();
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const Snapshot snapshot = RandomSnapshot(seed);
    const Plan plan = Schedule(snapshot, policy);
    std::map<int, const Placement*> placements;
    for (const Placement& placement : plan.placements) {
      placements[placement.pending] = &placement;
    }
    for (int i = 0; i < static_cast<int>(snapshot.pending.size()); ++i) {
      const Explanation explanation = Explain(snapshot, policy, plan, i);
      const auto placed = placements.find(i);
      ASSERT_EQ(explanation.planned_start.has_value(), placed != placements.end());
      EXPECT_GE(explanation.rank, 1);
      EXPECT_LE(explanation.rank, explanation.rank_of);
      EXPECT_FALSE(explanation.message.empty());
      if (placed == placements.end()) continue;
      EXPECT_EQ(*explanation.planned_start, placed->second->window.start());
      EXPECT_EQ(explanation.reason == "starts_now", placed->second->window.start() == snapshot.now);
      // Nobody starts before running work alone would let them, booked work ahead apart.
      for (const ClusterOutlook& outlook : explanation.clusters) {
        EXPECT_LE(outlook.nodes_fitting_now, outlook.nodes - outlook.unschedulable);
        EXPECT_LE(outlook.gpus_free_now, 8 * (outlook.nodes - outlook.unschedulable));
      }
    }
  }
}

// An alternative is a promise about another plan: make that plan, and see.
TEST(SchedulerProperty, EveryAlternativeStartsWhenItSays) {
  const Policy policy = ShortPolicy();
  int tried = 0;
  for (uint64_t seed = 1; seed <= 60; ++seed) {
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
        EXPECT_EQ(placed->window.start(), alternative.start)
            << "seed " << seed << " " << i << " " << alternative.message;
        ++tried;
      }
    }
  }
  EXPECT_GT(tried, 100);
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
