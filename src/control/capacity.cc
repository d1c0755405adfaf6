#include <algorithm>
#include <map>
#include <set>

#include "allot/control/pool.h"
#include "control/record.h"

namespace allot::control {
namespace {

constexpr int kTimelinePointsMax = 1000;
constexpr std::size_t kNextStartsMax = 10;

class CapacityCount {
 public:
  CapacityCount(const PoolView& view, Instant now) : view_(view) {
    capacity_.time = now;
    capacity_.revision = view.revision();
    for (const auto& [id, cluster] : view.clusters()) {
      positions_.emplace(id, capacity_.clusters.size());
      capacity_.clusters.push_back(
          {.provider = cluster.provider, .cluster = id, .model = cluster.model});
    }
  }

  Capacity Count(bool names_starts) {
    CountNodes();
    CountClaims();
    CountAllocations();
    if (names_starts) ListNextStarts();
    return std::move(capacity_);
  }

  /// Requires: before Count.
  void DrawTimeline(Seconds horizon, Seconds step) {
    for (int64_t at = 0; at <= horizon.count; at += step.count) {
      const Instant time = capacity_.time + Seconds{at};
      capacity_.timeline.push_back({.time = time, .gpus_free = FreeAt(time)});
    }
  }

 private:
  bool MayTakeWork(const Node& node, Instant time) const {
    const Cluster& cluster = view_.clusters().at(node.cluster);
    return IsInService(cluster, time) && Schedulable(cluster, node, capacity_.time);
  }

  /// Nodes set aside are nobody's to take, whoever runs on them.
  std::vector<int> FreeAt(Instant time) const {
    std::vector<int> free(capacity_.clusters.size(), 0);
    std::set<NodeId> set_aside;
    std::map<std::pair<ProjectId, ClusterId>, int> set_aside_for;
    for (const auto& [id, reservation] : view_.reservations()) {
      const auto windows = WindowsFrom(reservation, time);
      if (windows.empty() || !windows.front().Contains(time)) continue;
      set_aside.insert(reservation.nodes.begin(), reservation.nodes.end());
      set_aside_for[{reservation.project, reservation.cluster}] +=
          static_cast<int>(reservation.nodes.size()) * kGpusPerNode;
    }
    const auto may_be_free = [&](const Node& node) {
      return MayTakeWork(node, time) && !set_aside.contains(node.id);
    };
    for (const auto& [id, node] : view_.nodes()) {
      if (may_be_free(node)) free[positions_.at(node.cluster)] += kGpusPerNode;
    }
    for (const auto& [id, claims] : view_.claims()) {
      for (const Claim& claim : claims) {
        const Node& node = view_.nodes().at(claim.node);
        // Overdue ones are held now, whatever their window says.
        const bool held = claim.window.Contains(time) || time == capacity_.time;
        if (held && may_be_free(node)) free[positions_.at(node.cluster)] -= CountGpus(claim.gpus);
      }
    }
    for (const auto& [id, allocation] : view_.allocations()) {
      if (allocation->state != AllocationState::kPlanned || !allocation->window->Contains(time)) {
        continue;
      }
      // A plan does not say on which nodes: what is set aside for its project comes first.
      int& own = set_aside_for[{allocation->project, allocation->cluster}];
      const int gpus = allocation->request.shape.gpus();
      const int on_own = std::min(own, gpus);
      own -= on_own;
      free[positions_.at(allocation->cluster)] -= gpus - on_own;
    }
    return free;
  }

  void CountNodes() {
    for (const auto& [id, node] : view_.nodes()) {
      ClusterCapacity& cluster = capacity_.clusters[positions_.at(node.cluster)];
      if (node.health == NodeHealth::kRemoved) continue;
      ++cluster.nodes;
      cluster.gpus += kGpusPerNode;
      if (IsDraining(view_.clusters().at(node.cluster), node)) ++cluster.nodes_draining;
      if (node.health == NodeHealth::kReady) {
        ++cluster.nodes_ready;
        cluster.gpus_online += kGpusPerNode;
      } else if (node.health == NodeHealth::kUnknown) {
        ++cluster.nodes_unknown;
      } else {
        ++cluster.nodes_down;
      }
    }
  }

  void CountClaims() {
    for (const auto& [id, claims] : view_.claims()) {
      const Allocation& allocation = *view_.allocations().at(id);
      for (const Claim& claim : claims) {
        const Node& node = view_.nodes().at(claim.node);
        ClusterCapacity& cluster = capacity_.clusters[positions_.at(node.cluster)];
        const int gpus = CountGpus(claim.gpus);
        cluster.gpus_held += gpus;
        // What a silent or dead node does is not known: it is held, and not counted as used.
        if (node.health == NodeHealth::kReady && allocation.state == AllocationState::kActive &&
            claim.attempt == allocation.attempt) {
          cluster.gpus_in_use += gpus;
        }
      }
    }
    int64_t online = 0;
    int64_t in_use = 0;
    for (const ClusterCapacity& cluster : capacity_.clusters) {
      online += cluster.gpus_online;
      in_use += cluster.gpus_in_use;
    }
    if (online > 0) capacity_.utilisation_permille = static_cast<int>(in_use * 1000 / online);
  }

  void CountAllocations() {
    std::set<ProjectId> served;
    std::set<ProjectId> waiting;
    for (const auto& [id, allocation] : view_.allocations()) {
      if (allocation->state == AllocationState::kActive) {
        ++capacity_.allocations_active;
        served.insert(allocation->project);
      } else if (IsWaiting(allocation->state) && !allocation->grows) {
        ++capacity_.allocations_waiting;
        waiting.insert(allocation->project);
      }
    }
    capacity_.projects_served = static_cast<int>(served.size());
    capacity_.projects_waiting = static_cast<int>(
        std::count_if(waiting.begin(), waiting.end(),
                      [&](const ProjectId& project) { return !served.contains(project); }));
  }

  void ListNextStarts() {
    auto& next = capacity_.next_starts;
    for (const auto& [id, allocation] : view_.allocations()) {
      if (allocation->state != AllocationState::kPlanned) continue;
      next.push_back({.allocation = id,
                      .cluster = allocation->cluster,
                      .gpus = allocation->request.shape.gpus(),
                      .start = allocation->window->start()});
    }
    std::sort(next.begin(), next.end(), [](const PlannedStart& a, const PlannedStart& b) {
      return std::tie(a.start, a.allocation) < std::tie(b.start, b.allocation);
    });
    if (next.size() > kNextStartsMax) next.resize(kNextStartsMax);
  }

  const PoolView& view_;
  std::map<ClusterId, std::size_t> positions_;
  Capacity capacity_;
};

}  // namespace

Result<Capacity> GetCapacity(const Context& context, const Principal& principal, Planner& planner,
                             Seconds horizon, Seconds step) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadPool));
  if (horizon.count < 0 || horizon > kAheadMax) {
    return FieldError(Reason::kTimeOutOfRange, "horizon", std::to_string(horizon.count) + " s",
                      "0 to " + FormatDuration(kAheadMax));
  }
  const bool wants_timeline = horizon.count > 0;
  if (wants_timeline && (step < Minutes(1) || horizon.count / step.count >= kTimelinePointsMax)) {
    return FieldError(Reason::kTimeOutOfRange, "step", std::to_string(step.count) + " s",
                      "at least 1m and at most " + std::to_string(kTimelinePointsMax) +
                          " points within the horizon");
  }
  const Instant now = Instant::FromSeconds(context.clock.Now().seconds());
  const bool sees_all = principal.institute.empty() && principal.provider.empty();
  if (!wants_timeline) {
    Capacity capacity;
    ALLOT_RETURN_IF_ERROR(planner.Read(
        [&](const PoolView& view) { capacity = CapacityCount(view, now).Count(sees_all); }));
    return capacity;
  }
  // Copied, so that a long timeline is drawn without holding up the next pass.
  PoolView seen;
  ALLOT_RETURN_IF_ERROR(planner.Read([&](const PoolView& view) { seen = view; }));
  CapacityCount count(seen, now);
  count.DrawTimeline(horizon, step);
  return count.Count(sees_all);
}

}  // namespace allot::control
