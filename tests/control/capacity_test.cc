#include <cstdlib>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "control/free_gpus.h"
#include "control/world.h"

namespace allot::control {
namespace {

constexpr Instant kStart = Instant::FromSeconds(1'772'323'200);

/// Counted anew at each moment, over everything there is.
std::vector<int> FreeAt(const PoolView& view, Instant now, Instant time) {
  std::map<ClusterId, int> free;
  for (const auto& [id, cluster] : view.clusters()) free[id] = 0;
  std::set<NodeId> set_aside;
  std::map<std::pair<ProjectId, ClusterId>, int> set_aside_for;
  for (const auto& [id, reservation] : view.reservations()) {
    const auto windows = WindowsFrom(reservation, time);
    if (windows.empty() || !windows.front().Contains(time)) continue;
    set_aside.insert(reservation.nodes.begin(), reservation.nodes.end());
    set_aside_for[{reservation.project, reservation.cluster}] +=
        static_cast<int>(reservation.nodes.size()) * kGpusPerNode;
  }
  const auto may_be_free = [&](const Node& node) {
    const Cluster& cluster = view.clusters().at(node.cluster);
    return IsInService(cluster, time) && Schedulable(cluster, node, now) &&
           !set_aside.contains(node.id);
  };
  for (const auto& [id, node] : view.nodes()) {
    if (may_be_free(node)) free[node.cluster] += kGpusPerNode;
  }
  for (const auto& [id, claims] : view.claims()) {
    for (const Claim& claim : claims) {
      const Node& node = view.nodes().at(claim.node);
      const bool held = claim.window.Contains(time) || time == now;
      if (held && may_be_free(node)) free[node.cluster] -= CountGpus(claim.gpus);
    }
  }
  for (const auto& [id, allocation] : view.allocations()) {
    if (allocation->state != AllocationState::kPlanned || !allocation->window->Contains(time)) {
      continue;
    }
    int& own = set_aside_for[{allocation->project, allocation->cluster}];
    const int gpus = allocation->request.shape.gpus();
    const int on_own = std::min(own, gpus);
    own -= on_own;
    free[allocation->cluster] -= gpus - on_own;
  }
  std::vector<int> counted;
  for (const auto& [id, gpus] : free) counted.push_back(gpus);
  return counted;
}

/// Times that meet those of the timeline, and times beside them, before and behind it, too.
class RandomPool {
 public:
  RandomPool(SeededRandom& random, Seconds step) : random_(random), step_(step) {}

  PoolView Make() {
    changes_.complete = true;
    changes_.revision = 1;
    const int64_t clusters = random_.Between(1, 3);
    for (int64_t i = 0; i < clusters; ++i) AddCluster("c" + std::to_string(i));
    const int64_t reservations = random_.Between(0, 6);
    for (int64_t i = 0; i < reservations; ++i) Reserve(i);
    const int64_t allocations = random_.Between(0, 30);
    for (int64_t i = 0; i < allocations; ++i) Allocate(i);
    PoolView view;
    view.Apply(changes_);
    return view;
  }

 private:
  Instant AnyTime() {
    const Instant on_a_point = kStart + Seconds{random_.Between(-5, 30) * step_.count};
    return random_.Below(2) == 0 ? on_a_point : on_a_point + Seconds{random_.Between(-90, 90)};
  }
  TimeWindow AnyWindow() {
    const Instant start = AnyTime();
    return *TimeWindow::Make(start, start + Seconds{random_.Between(1, 12 * step_.count)});
  }
  template <class T>
  const T& Any(const std::vector<T>& of) {
    return of[random_.Below(of.size())];
  }
  ProjectId AnyProject() { return ProjectId("snu/p" + std::to_string(random_.Below(3))); }

  void AddCluster(const std::string& id) {
    Cluster cluster;
    cluster.id = ClusterId(id);
    if (random_.Below(4) == 0) cluster.join_time = AnyTime();
    if (random_.Below(4) == 0) cluster.leave_time = AnyTime();
    cluster.draining = random_.Below(8) == 0;
    changes_.clusters.push_back(cluster);
    const int64_t nodes = random_.Between(1, 6);
    for (int64_t i = 0; i < nodes; ++i) {
      Node node;
      node.id = NodeId(id + "/n" + std::to_string(i));
      node.cluster = cluster.id;
      node.health = static_cast<NodeHealth>(random_.Below(8) == 0 ? random_.Below(4) : 0);
      node.draining = random_.Below(8) == 0;
      changes_.nodes.push_back(node);
    }
  }

  void Reserve(int64_t i) {
    Reservation reservation;
    reservation.id = ReservationId("c0/r" + std::to_string(i));
    reservation.cluster = Any(changes_.clusters).id;
    if (random_.Below(3) > 0) reservation.project = AnyProject();
    reservation.window = AnyWindow();
    if (random_.Below(3) == 0) {
      reservation.repeat_every = reservation.window.length() + Seconds{random_.Between(1, 7'000)};
      reservation.occurrences = static_cast<int>(random_.Between(2, 6));
    }
    for (const Node& node : changes_.nodes) {
      if (node.cluster == reservation.cluster && random_.Below(2) == 0) {
        reservation.nodes.push_back(node.id);
      }
    }
    // One that left the inventory since.
    if (reservation.nodes.empty()) reservation.nodes.emplace_back("c0/gone");
    changes_.reservations.push_back(reservation);
  }

  void Allocate(int64_t i) {
    Allocation allocation;
    allocation.project = AnyProject();
    allocation.id = AllocationId(allocation.project.str() + "/a" + std::to_string(i));
    allocation.request.shape = {static_cast<int>(random_.Between(1, 3)), 8, 0};
    allocation.state = random_.Below(2) == 0 ? AllocationState::kPlanned : AllocationState::kActive;
    allocation.window = AnyWindow();
    allocation.cluster = Any(changes_.clusters).id;
    if (allocation.state == AllocationState::kActive) {
      for (const Node& node : changes_.nodes) {
        if (node.cluster != allocation.cluster || random_.Below(2) == 0) continue;
        changes_.claims.push_back({.allocation = allocation.id,
                                   .attempt = 0,
                                   .node = node.id,
                                   .gpus = static_cast<GpuMask>(random_.Between(1, 255)),
                                   .window = *allocation.window,
                                   .released_at = std::nullopt});
      }
    }
    changes_.allocations.push_back(allocation);
  }

  SeededRandom& random_;
  const Seconds step_;
  store::Changes changes_;
};

/// More of them when asked: ALLOT_TEST_SEEDS=20000.
uint64_t Seeds() {
  const char* const asked = std::getenv("ALLOT_TEST_SEEDS");
  return asked == nullptr ? 500 : std::strtoull(asked, nullptr, 10);
}

TEST(FreeGpusProperty, TheTimelineIsWhatIsCountedAtEachMoment) {
  for (uint64_t seed = 1; seed <= Seeds(); ++seed) {
    SeededRandom random(seed);
    const Seconds step{random.Between(60, 3'600)};
    const int points = static_cast<int>(random.Between(1, 25));
    const PoolView view = RandomPool(random, step).Make();
    const auto drawn = FreeGpus(view, kStart, step, points).Draw();
    ASSERT_EQ(drawn.size(), static_cast<std::size_t>(points));
    for (int i = 0; i < points; ++i) {
      const auto& point = drawn[static_cast<std::size_t>(i)];
      ASSERT_EQ(point.time, kStart + Seconds{i * step.count});
      ASSERT_EQ(point.gpus_free, FreeAt(view, kStart, point.time))
          << "seed " << seed << ", point " << i;
    }
  }
}

class CapacityTest : public World {
 protected:
  Result<Capacity> Ask(Seconds horizon) {
    return GetCapacity(*context, Operator(), *planner, horizon, Hours(1));
  }
};

TEST_F(CapacityTest, ATimelineIsOfWhatIsHeldAndPlanned) {
  SubmitAs("snu", "a", 3, Hours(2));
  Settle();
  SubmitAs("kist", "b", 4, Hours(1));
  Settle();
  const auto capacity = Must(Ask(Hours(4)));
  std::vector<int> free;
  for (const CapacityPoint& point : capacity.timeline) free.push_back(point.gpus_free.at(0));
  EXPECT_EQ(free, (std::vector{8, 8, 32, 0, 32})) << "b starts when the provider has cleared a's";
}

TEST_F(CapacityTest, ATimelineTakesATurnAsOtherQuestionsDo) {
  const auto first = planner->TakeTurn();
  Must(Ask(Hours(4)));
  const auto second = planner->TakeTurn();
  EXPECT_EQ(ReasonOf(Ask(Hours(4))), Reason::kOverloaded);
  EXPECT_EQ(Must(Ask(Seconds{0})).clusters.size(), 1U) << "what is now costs little";
}

}  // namespace
}  // namespace allot::control
