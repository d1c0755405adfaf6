#include "control/room.h"

#include <algorithm>
#include <limits>

namespace allot::control {
namespace {

using scheduler::PlacedNode;
using scheduler::Placement;

constexpr auto kMoreThanAnybodyHas = GpuSeconds::FromCount(std::numeric_limits<int64_t>::max());

/// What it takes for the window it is given.
GpuSeconds CostOf(const Allocation& allocation, const Placement& placement) {
  return GpuSeconds::Of(allocation.request.ShapeOn(placement.model).gpus(),
                        placement.window.length())
      .value_or(kMoreThanAnybodyHas);
}

}  // namespace

Result<Room> Room::Lock(store::Tx& tx, const Pass& pass, std::span<const Decision> decisions) {
  Room room(pass);
  // And whether something starts there, for which it takes more.
  std::map<ClusterId, bool> clusters;
  std::map<ProjectId, bool> projects;
  for (const Decision& decision : decisions) {
    if (!decision.BooksGpus()) continue;
    clusters[ClusterOf(pass, *decision.placement)] |= decision.starts;
    projects[decision.seen->project] |= decision.starts;
  }
  for (const auto& [cluster, starts] : clusters) {
    ALLOT_RETURN_IF_ERROR(room.LockCluster(tx, cluster, starts));
  }
  for (const auto& [project, starts] : projects) {
    ALLOT_RETURN_IF_ERROR(room.LockProject(tx, project, starts));
  }
  return room;
}

Status Room::LockCluster(store::Tx& tx, const ClusterId& id, bool starts) {
  ALLOT_RETURN_IF_ERROR(tx.LockPool(id));
  ALLOT_ASSIGN_OR_RETURN(const auto row, tx.FindCluster(id));
  if (!row) return Ok{};
  Pool& pool = pools_.emplace(id, Pool{.cluster = *row, .set_aside = {}}).first->second;
  ALLOT_ASSIGN_OR_RETURN(auto reservations, tx.LiveReservations(id));
  for (Reservation& reservation : reservations) {
    pool.set_aside.push_back({.project = reservation.project,
                              .nodes = std::move(reservation.nodes),
                              .windows = WindowsOf(reservation)});
  }
  if (!starts) return Ok{};
  ALLOT_ASSIGN_OR_RETURN(const auto nodes, tx.NodesOfCluster(id));
  std::vector<NodeId> ids;
  ids.reserve(nodes.size());
  for (const Node& node : nodes) {
    if (MayStart(*row, node, pass_->plan.now)) usable_.insert(node.id);
    ids.push_back(node.id);
  }
  ALLOT_ASSIGN_OR_RETURN(const auto claims, tx.OpenClaimsOnNodes(ids));
  for (const Claim& claim : claims) taken_[claim.node] |= claim.gpus;
  return Ok{};
}

Status Room::LockProject(store::Tx& tx, const ProjectId& id, bool starts) {
  ALLOT_ASSIGN_OR_RETURN(const auto project, tx.LockProject(id));
  if (!project || !project->open) return Ok{};
  programmes_.emplace(id, project->programme);
  if (!starts) return Ok{};
  ALLOT_ASSIGN_OR_RETURN(const auto quota, tx.FindQuota(id));
  ALLOT_ASSIGN_OR_RETURN(const auto usage, tx.UsageOf(id));
  if (!quota) return Ok{};
  QuotaLeft left;
  for (std::size_t i = 0; i < left.gpus.size(); ++i) {
    left.gpus[i] = quota->concurrent_gpus[i] - usage.held_gpus[i];
    left.borrowed[i] = pass_->policy->borrowed_gpus_max - usage.borrowed_gpus[i];
  }
  left.gpu_time = GpuTimeLeft(quota->gpu_time, usage.used, usage.reserved);
  quota_left_.emplace(id, left);
  return Ok{};
}

/// In the window, some of the nodes are another's by a reservation that the plan may not know.
bool Room::IsSetAsideForOthers(const Pool& pool, const Allocation& allocation,
                               const Placement& placement) const {
  const auto meets = [&](const TimeWindow& window) { return window.Overlaps(placement.window); };
  return std::ranges::any_of(pool.set_aside, [&](const SetAside& set_aside) {
    const auto is_of_it = [&](const PlacedNode& placed) {
      return std::ranges::find(set_aside.nodes, NodeOf(*pass_, placed)) != set_aside.nodes.end();
    };
    return set_aside.project != allocation.project &&
           std::ranges::any_of(set_aside.windows, meets) &&
           std::ranges::any_of(placement.nodes, is_of_it);
  });
}

bool Room::Serves(const Allocation& allocation, const Placement& placement) const {
  const auto pool = pools_.find(ClusterOf(*pass_, placement));
  const auto programme = programmes_.find(allocation.project);
  if (pool == pools_.end() || programme == programmes_.end()) return false;
  const auto& served = pool->second.cluster.programmes;
  const auto& leaves = pool->second.cluster.leave_time;
  return std::binary_search(served.begin(), served.end(), programme->second) &&
         (!leaves || placement.window.end() <= *leaves) &&
         !IsSetAsideForOthers(pool->second, allocation, placement);
}

bool Room::HasFor(const Allocation& allocation, const Placement& placement) const {
  const auto quota = quota_left_.find(allocation.project);
  if (quota == quota_left_.end()) return false;
  const Request& request = allocation.request;
  if (At(quota->second.Of(request), placement.model) < request.ShapeOn(placement.model).gpus())
    return false;
  if (CostOf(allocation, placement) > quota->second.gpu_time) return false;
  if (!Serves(allocation, placement)) return false;
  return std::ranges::all_of(placement.nodes, [&](const PlacedNode& placed) {
    const auto taken = taken_.find(NodeOf(*pass_, placed));
    return usable_.contains(NodeOf(*pass_, placed)) &&
           (taken == taken_.end() || (taken->second & placed.gpus) == 0);
  });
}

void Room::Take(const Allocation& allocation, const Placement& placement) {
  for (const PlacedNode& placed : placement.nodes) taken_[NodeOf(*pass_, placed)] |= placed.gpus;
  QuotaLeft& left = quota_left_.at(allocation.project);
  left.Of(allocation.request)[static_cast<std::size_t>(placement.model)] -=
      allocation.request.ShapeOn(placement.model).gpus();
  left.gpu_time = *left.gpu_time.Minus(CostOf(allocation, placement));
}

}  // namespace allot::control
