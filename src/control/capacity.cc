#include <algorithm>
#include <map>
#include <set>

#include "allot/control/pool.h"
#include "control/free_gpus.h"
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
  FreeGpus ReadFree(Seconds horizon, Seconds step) const {
    const int points = static_cast<int>(horizon.count / step.count) + 1;
    return {view_, capacity_.time, step, points};
  }

 private:
  void CountNodes() {
    for (const auto& [id, node] : view_.nodes()) {
      ClusterCapacity& cluster = capacity_.clusters[positions_.at(node.cluster)];
      if (node.health == NodeHealth::kRemoved) continue;
      ++cluster.nodes;
      cluster.gpus += kGpusPerNode;
      const Cluster& of = view_.clusters().at(node.cluster);
      const bool draining = IsDraining(of, node);
      const bool in_service = !draining && IsInService(of, capacity_.time);
      if (draining) ++cluster.nodes_draining;
      if (node.health == NodeHealth::kReady) {
        ++cluster.nodes_ready;
        cluster.gpus_online += kGpusPerNode;
      } else if (node.health == NodeHealth::kUnknown) {
        ++cluster.nodes_unknown;
        if (in_service) ++cluster.nodes_unknown_in_service;
      } else {
        ++cluster.nodes_down;
        if (in_service) ++cluster.nodes_down_in_service;
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
  const auto turn = planner.TakeTurn();
  if (!turn) return Planner::NoTurn();
  Capacity capacity;
  std::optional<FreeGpus> free;
  ALLOT_RETURN_IF_ERROR(planner.Read([&](const PoolView& view) {
    CapacityCount count(view, now);
    free.emplace(count.ReadFree(horizon, step));
    capacity = count.Count(sees_all);
  }));
  // A long timeline does not hold up the next pass.
  capacity.timeline = std::move(*free).Draw();
  return capacity;
}

}  // namespace allot::control
