#include "scheduler/improve.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "allot/base/random.h"
#include "scheduler/at.h"
#include "scheduler/pass.h"
#include "scheduler/promise.h"

namespace allot::scheduler {
namespace {

// Besides the one that is to start sooner.
constexpr int kNeighboursMax = 6;

class Improver {
 public:
  Improver(const Snapshot& snapshot, const Policy& policy, Plan plan)
      : snapshot_(snapshot),
        policy_(policy),
        plan_(std::move(plan)),
        random_(static_cast<uint64_t>(snapshot.now.micros)),
        pass_(snapshot, policy) {
    for (const Placement& placement : plan_.placements) {
      pass_.Adopt(placement);
      latest_.push_back(LatestStart(placement));
    }
    for (const SnapshotPending& row : snapshot.pending) {
      if (row.after) followed_.insert(*row.after);
    }
    by_cluster_.resize(snapshot.clusters.size());
    for (int i = 0; i < static_cast<int>(plan_.placements.size()); ++i) {
      const Placement& placement = At(plan_.placements, i);
      if (!MayMove(placement)) continue;
      movable_.push_back(i);
      At(by_cluster_, placement.cluster).push_back(i);
    }
    // Near starts matter more: far ones are planned anew many times before they come.
    std::sort(movable_.begin(), movable_.end(),
              [&](int a, int b) { return std::pair(StartOf(a), a) < std::pair(StartOf(b), b); });
  }

  Plan Run() {
    for (int round = 0; round < policy_.improver_rounds && movable_.size() > 1; ++round) {
      const auto all = static_cast<uint64_t>(movable_.size());
      Try(movable_[std::min(random_.Below(all), random_.Below(all))]);
    }
    return std::move(plan_);
  }

 private:
  /// Whatever is gained by that: within its deadline and the planning horizon, and not past what it
  /// was told may move.
  Instant LatestStart(const Placement& placement) const {
    const SnapshotPending& row = RowOf(placement);
    const Instant start = placement.window.start();
    Instant latest = start + policy_.improver_delay_max;
    if (row.request.deadline)
      latest = std::min(latest, *row.request.deadline - row.request.duration);
    latest = std::min(latest, snapshot_.now + policy_.planning_horizon - Seconds{1});
    if (row.told_start) latest = std::min(latest, *row.told_start + policy_.planned_slip_max);
    return std::max(latest, start);
  }
  const SnapshotPending& RowOf(const Placement& placement) const {
    return At(snapshot_.pending, placement.pending);
  }
  Instant StartOf(int i) const { return At(plan_.placements, i).window.start(); }

  /// What was promised before this pass, or lost that, stays as it is; so does what is set aside
  /// for its project, what starts now, and what starts after another or is followed by one.
  bool MayMove(const Placement& placement) const {
    const SnapshotPending& row = RowOf(placement);
    return placement.window.start() > snapshot_.now && !row.promise && !placement.reservation &&
           row.request.same_leaf_wait.count == 0 && !row.after && !row.grows &&
           !followed_.contains(row.id);
  }

  /// Those that end last before it starts, and some that run meanwhile: they may be in its way.
  std::vector<int> NeighboursOf(int target) {
    const Placement& wanted = At(plan_.placements, target);
    std::vector<int> before;
    for (const int i : At(by_cluster_, wanted.cluster)) {
      const TimeWindow& window = At(plan_.placements, i).window;
      if (i != target && window.start() < wanted.window.start() &&
          window.end() + wanted.window.length() > wanted.window.start()) {
        before.push_back(i);
      }
    }
    const auto ends_later = [&](int a, int b) {
      const Instant end_of_a = At(plan_.placements, a).window.end();
      const Instant end_of_b = At(plan_.placements, b).window.end();
      return std::pair(end_of_b, a) < std::pair(end_of_a, b);
    };
    std::sort(before.begin(), before.end(), ends_later);
    std::vector<int> neighbours;
    const int most = std::min<int>(kNeighboursMax, static_cast<int>(before.size()));
    for (int n = 0; n < most; ++n) {
      const std::size_t at = n < kNeighboursMax / 2 ? 0 : random_.Below(before.size());
      neighbours.push_back(before[at]);
      before.erase(before.begin() + static_cast<std::ptrdiff_t>(at));
    }
    // Whoever was decided first is put back first.
    std::sort(neighbours.begin(), neighbours.end());
    return neighbours;
  }

  void Try(int target) {
    std::vector<int> turn = {target};
    for (const int neighbour : NeighboursOf(target)) turn.push_back(neighbour);
    for (const int i : turn) pass_.Withdraw(At(plan_.placements, i));
    std::vector<Placement> placed;
    int64_t gain = 0;
    for (const int i : turn) {
      auto placement = PlaceAgain(i, i == target);
      if (!placement) break;
      const SnapshotProject& project = At(snapshot_.projects, RowOf(*placement).project);
      gain += std::max(1, project.merit) * Between(placement->window.start(), StartOf(i)).count;
      placed.push_back(*std::move(placement));
    }
    if (placed.size() < turn.size() || gain <= 0) {
      for (const Placement& placement : placed) pass_.Withdraw(placement);
      for (const int i : turn) pass_.Adopt(At(plan_.placements, i));
      return;
    }
    for (std::size_t i = 0; i < turn.size(); ++i) {
      Placement& old = At(plan_.placements, turn[i]);
      placed[i].promised = old.promised || DeservesPromise(snapshot_, policy_, placed[i]);
      Move(turn[i], old.cluster, placed[i].cluster);
      old = std::move(placed[i]);
    }
  }

  std::optional<Placement> PlaceAgain(int i, bool sooner) {
    const Placement& old = At(plan_.placements, i);
    auto placement =
        pass_.PlaceBy(old.pending, sooner ? old.window.start() - Seconds{1} : At(latest_, i));
    if (!placement || LeavesOf(*placement) <= LeavesOf(old)) return placement;
    pass_.Withdraw(*placement);
    return std::nullopt;
  }

  void Move(int i, int from, int to) {
    if (from == to) return;
    std::erase(At(by_cluster_, from), i);
    At(by_cluster_, to).push_back(i);
  }

  /// How many leaves it hangs from.
  std::size_t LeavesOf(const Placement& placement) const {
    std::set<std::string_view> leaves;
    for (const PlacedNode& placed : placement.nodes) {
      leaves.insert(At(snapshot_.nodes, placed.node).leaf);
    }
    return leaves.size();
  }

  const Snapshot& snapshot_;
  const Policy& policy_;
  Plan plan_;
  SeededRandom random_;
  Pass pass_;
  // Those that others start after.
  std::set<AllocationId> followed_;
  // By position in the plan's placements: how late it may end up, whatever is gained by that.
  std::vector<Instant> latest_;
  // Positions in the plan's placements; by start, and by cluster.
  std::vector<int> movable_;
  std::vector<std::vector<int>> by_cluster_;
};

}  // namespace

Plan Improve(const Snapshot& snapshot, const Policy& policy, Plan plan) {
  if (policy.improver_rounds == 0 || !plan.preemptions.empty()) return plan;
  return Improver(snapshot, policy, std::move(plan)).Run();
}

}  // namespace allot::scheduler
