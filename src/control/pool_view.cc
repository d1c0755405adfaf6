#include "allot/control/pool_view.h"

#include <algorithm>
#include <limits>
#include <set>

namespace allot::control {
namespace {

constexpr GpuSeconds kAllThereIs = GpuSeconds::FromCount(std::numeric_limits<int64_t>::max());

template <class Key, class Row>
void Replace(std::map<Key, Row>& rows, const Row& row, const Key& key) {
  rows.insert_or_assign(key, row);
}

template <class Key>
int PositionOf(const std::map<Key, int>& positions, const Key& key) {
  const auto found = positions.find(key);
  ALLOT_CHECK(found != positions.end());
  return found->second;
}

/// It still has GPUs, and will wait again when they are back.
bool IsBeingStopped(const Allocation& allocation) {
  return allocation.preempt_requested && (allocation.state == AllocationState::kActive ||
                                          allocation.state == AllocationState::kReleasing);
}

/// After that its GPUs may never come back, and those it is to go on with are not kept for it.
constexpr Seconds kPlaceKept = Minutes(30);

/// The rest of it is planned for.
bool HasAPlace(const Allocation& allocation, Instant now) {
  // What was added to another goes on when it can be added again, and nobody knows when.
  return IsBeingStopped(allocation) && !allocation.grows &&
         now < allocation.window->end() + kPlaceKept;
}

/// What is left of it, from the end of its window on.
Request RestOf(const Allocation& allocation) {
  Request request = ToServe(allocation);
  const Instant end = allocation.window->end();
  request.earliest_start = std::max(request.earliest_start.value_or(end), end);
  request.duration = request.duration - allocation.window->length();
  return request;
}

/// GPU time its project cannot give to others, and is not planned for elsewhere. `model`: of the
/// GPUs it holds.
GpuSeconds Reserved(const Allocation& allocation, GpuModel model, Instant now) {
  const auto cost =
      HasAPlace(allocation, now) || allocation.grows
          ? GpuSeconds::Of(allocation.request.ShapeOn(model).gpus(), allocation.window->length())
          : CostOn(ToServe(allocation), model);
  return cost.value_or(kAllThereIs);
}

/// GPUs of the allocation's present attempt, not of one that was lost with its node.
bool CountsAgainstQuota(const Allocation& allocation, const Claim& claim) {
  return HoldsGpus(allocation.state) && claim.attempt == allocation.attempt;
}

/// What was stopped for others waits since then, and what starts after another since that has
/// ended, however old they are: before, they did not wait for GPUs. `ready`: the latter, if it has.
Request WaitingRequest(const Allocation& allocation, std::optional<Instant> ready) {
  Request request = ToServe(allocation);
  for (const auto& since : {allocation.preempt_time, ready}) {
    if (since) request.earliest_start = std::max(request.earliest_start.value_or(*since), *since);
  }
  return request;
}

}  // namespace

scheduler::SnapshotPending WaitingRow(const Allocation& allocation, int project, bool follows,
                                      Instant now) {
  const auto ready = allocation.after && !follows
                         ? std::optional(allocation.ready_time.value_or(now))
                         : std::nullopt;
  return {
      .id = allocation.id,
      .project = project,
      .request = WaitingRequest(allocation, ready),
      .create_time = allocation.create_time,
      .requeued = allocation.attempt > 0 && !allocation.grows &&
                  (!allocation.preempt_time || allocation.moved),
      .told_start = allocation.told_start,
      .overdue = !allocation.overdue_under.empty(),
      .urgent = allocation.urgent,
      .consolidate = allocation.consolidate,
      .after = follows ? allocation.after : std::nullopt,
      .grows = allocation.grows,
      .beside = std::nullopt,
      .planned_start = allocation.window ? std::optional(allocation.window->start()) : std::nullopt,
      .promise = std::nullopt};
}

void PoolView::Apply(const store::Changes& changes) {
  if (changes.complete) {
    const int loads = loads_ + 1;
    *this = PoolView();
    loads_ = loads;
  }
  for (const Cluster& cluster : changes.clusters) Replace(clusters_, cluster, cluster.id);
  for (const Node& node : changes.nodes) Replace(nodes_, node, node.id);
  for (const Project& project : changes.projects) Replace(projects_, project, project.id);
  for (const Quota& quota : changes.quotas) Replace(quotas_, quota, quota.project);
  for (const auto& usage : changes.usages) Replace(usages_, usage, usage.project);

  for (const Reservation& reservation : changes.reservations) {
    if (reservation.cancel_time) {
      reservations_.erase(reservation.id);
    } else {
      Replace(reservations_, reservation, reservation.id);
    }
  }
  for (const auto& policy : changes.policies) Replace(policies_, policy, policy.id);
  for (const Allocation& allocation : changes.allocations) {
    claims_.erase(allocation.id);
    promises_.erase(allocation.id);
  }
  for (const Claim& claim : changes.claims) claims_[claim.allocation].push_back(claim);
  for (const Claim& claim : changes.promises) promises_[claim.allocation].push_back(claim);
  for (const Allocation& allocation : changes.allocations) {
    if (IsFinal(allocation.state) && !claims_.contains(allocation.id)) {
      allocations_.erase(allocation.id);
    } else {
      allocations_.insert_or_assign(allocation.id, std::make_shared<const Allocation>(allocation));
    }
  }
  // Promises are of one attempt each, and come by node.
  for (auto& [id, claims] : claims_) {
    std::sort(claims.begin(), claims.end(), [](const Claim& a, const Claim& b) {
      return std::tie(a.attempt, a.node) < std::tie(b.attempt, b.node);
    });
  }
  revision_ = changes.revision;
  history_ = changes.history;
}

std::vector<PublishedPolicy> PoolView::policies() const {
  std::vector<PublishedPolicy> policies;
  for (const auto& [id, policy] : policies_) policies.push_back(policy);
  return policies;
}

std::vector<std::shared_ptr<const Allocation>> PoolView::Waiting(Instant now) const {
  std::vector<std::shared_ptr<const Allocation>> waiting;
  for (const auto& [id, allocation] : allocations_) {
    if (IsWaiting(allocation->state) || HasAPlace(*allocation, now)) waiting.push_back(allocation);
  }
  return waiting;
}

std::vector<std::shared_ptr<const Allocation>> PoolView::Preemptible() const {
  // What is being added to it could not be stopped with it.
  std::set<AllocationId> growing;
  for (const auto& [id, allocation] : allocations_) {
    if (allocation->grows && allocation->state == AllocationState::kProvisioning) {
      growing.insert(*allocation->grows);
    }
  }
  std::vector<std::shared_ptr<const Allocation>> preemptible;
  for (const auto& [id, allocation] : allocations_) {
    if (growing.contains(id)) continue;
    if (allocation->state == AllocationState::kActive && allocation->request.preemptible &&
        !allocation->preempt_requested) {
      preemptible.push_back(allocation);
    }
  }
  return preemptible;
}

bool PoolView::Follows(const Allocation& allocation) const {
  if (!allocation.after) return false;
  // What ended and holds nothing any more is not here.
  const auto predecessor = allocations_.find(*allocation.after);
  return predecessor != allocations_.end() && !IsFinal(predecessor->second->state);
}

scheduler::Snapshot PoolView::At(Instant now) const {
  scheduler::Snapshot snapshot;
  snapshot.now = now;
  snapshot.revision = revision_;

  std::map<ClusterId, int> cluster_positions;
  for (const auto& [id, cluster] : clusters_) {
    cluster_positions.emplace(id, static_cast<int>(snapshot.clusters.size()));
    snapshot.clusters.push_back({.id = id,
                                 .model = cluster.model,
                                 .programmes = cluster.programmes,
                                 .join_time = cluster.join_time,
                                 .leave_time = cluster.leave_time});
  }

  std::map<NodeId, int> node_positions;
  std::map<NodeId, bool> claimed;
  for (const auto* claims_by_id : {&claims_, &promises_}) {
    for (const auto& [id, claims] : *claims_by_id) {
      for (const Claim& claim : claims) claimed[claim.node] = true;
    }
  }
  for (const auto& [id, node] : nodes_) {
    if (node.health == NodeHealth::kRemoved && !claimed.contains(id)) continue;
    node_positions.emplace(id, static_cast<int>(snapshot.nodes.size()));
    snapshot.nodes.push_back({.id = id,
                              .cluster = PositionOf(cluster_positions, node.cluster),
                              .schedulable = Schedulable(clusters_.at(node.cluster), node, now),
                              .health = node.health,
                              .draining = IsDraining(clusters_.at(node.cluster), node),
                              .leaf = node.leaf});
  }

  std::map<ProjectId, GpuSeconds> reserved;
  for (const auto& [id, allocation] : allocations_) {
    if (!HoldsGpus(allocation->state)) continue;
    GpuSeconds& sum = reserved[allocation->project];
    sum = sum.Plus(Reserved(*allocation, clusters_.at(allocation->cluster).model, now))
              .value_or(kAllThereIs);
  }
  std::map<ProjectId, int> stopped_lately;
  for (const auto& [id, allocation] : allocations_) {
    const auto& stopped = allocation->preempt_time;
    if (IsBeingStopped(*allocation) ||
        (stopped && now < *stopped + scheduler::kPreemptionBudgetTime)) {
      ++stopped_lately[allocation->project];
    }
  }
  std::map<ProjectId, int> project_positions;
  for (const auto& [id, project] : projects_) {
    project_positions.emplace(id, static_cast<int>(snapshot.projects.size()));
    const auto quota = quotas_.find(id);
    const auto usage = usages_.find(id);
    snapshot.projects.push_back(
        {.id = id,
         .programme = project.programme,
         .merit = project.merit,
         .open = project.open,
         .concurrent_gpus = quota == quotas_.end() ? GpusByModel{} : quota->second.concurrent_gpus,
         .gpu_time_left =
             GpuTimeLeft(quota == quotas_.end() ? GpuSeconds() : quota->second.gpu_time,
                         usage == usages_.end() ? GpuSeconds() : usage->second.used, reserved[id]),
         .usage = usage == usages_.end() ? DecayedUsage{} : usage->second.decayed,
         .stopped_lately = stopped_lately[id]});
  }

  for (const auto& [id, claims] : claims_) {
    const Allocation& allocation = *allocations_.at(id);
    for (const Claim& claim : claims) {
      snapshot.claims.push_back({.allocation = id,
                                 .project = PositionOf(project_positions, allocation.project),
                                 .node = PositionOf(node_positions, claim.node),
                                 .gpus = claim.gpus,
                                 // Handed over by a clock that was ahead, it is held all the same.
                                 .start = std::min(claim.window.start(), now),
                                 .until = claim.window.end(),
                                 .counts_against_quota = CountsAgainstQuota(allocation, claim),
                                 .borrowed = allocation.request.borrow});
    }
  }
  for (const auto& [id, reservation] : reservations_) {
    scheduler::SnapshotReservation row{.id = id};
    row.windows = WindowsFrom(reservation, now);
    if (!reservation.project.empty()) {
      row.project = PositionOf(project_positions, reservation.project);
    }
    for (const NodeId& node : reservation.nodes) {
      // Those that left the inventory since, and hold nothing, are not there.
      const auto found = node_positions.find(node);
      if (found != node_positions.end()) row.nodes.push_back(found->second);
    }
    if (!row.windows.empty() && !row.nodes.empty()) snapshot.reservations.push_back(std::move(row));
  }
  const auto promise_to = [&](const AllocationId& id) -> std::optional<scheduler::SnapshotPromise> {
    const auto found = promises_.find(id);
    if (found == promises_.end()) return std::nullopt;
    scheduler::SnapshotPromise promise{found->second.front().window, {}};
    for (const Claim& claim : found->second) {
      promise.nodes.push_back({PositionOf(node_positions, claim.node), claim.gpus});
    }
    return promise;
  };
  std::map<AllocationId, std::vector<AllocationId>> growths;
  for (const auto& [id, allocation] : allocations_) {
    // What is being handed back is its owner's decision, and stays that.
    if (allocation->grows && allocation->state == AllocationState::kActive &&
        !allocation->preempt_requested) {
      growths[*allocation->grows].push_back(id);
    }
  }
  for (const auto& allocation : Preemptible()) {
    snapshot.preemptible.push_back({.id = allocation->id,
                                    .project = PositionOf(project_positions, allocation->project),
                                    .request = ToServe(*allocation),
                                    .create_time = allocation->create_time,
                                    .start = *allocation->active_time,
                                    .until = allocation->window->end(),
                                    .preemptions = allocation->preemptions,
                                    .grows = allocation->grows,
                                    .growths = growths[allocation->id]});
  }
  for (const auto& allocation : Waiting(now)) {
    if (IsBeingStopped(*allocation)) {
      scheduler::SnapshotPending rest;
      rest.id = allocation->id;
      rest.project = PositionOf(project_positions, allocation->project);
      rest.request = RestOf(*allocation);
      rest.create_time = allocation->create_time;
      rest.requeued = allocation->moved;
      snapshot.pending.push_back(std::move(rest));
      continue;
    }
    snapshot.pending.push_back(WaitingRow(*allocation,
                                          PositionOf(project_positions, allocation->project),
                                          Follows(*allocation), now));
    snapshot.pending.back().promise = promise_to(allocation->id);
  }
  scheduler::Canonicalise(snapshot);
  return snapshot;
}

bool operator==(const PoolView& a, const PoolView& b) {
  const auto equal_rows = [](const auto& x, const auto& y) {
    return x.first == y.first && *x.second == *y.second;
  };
  return a.revision_ == b.revision_ && a.clusters_ == b.clusters_ && a.nodes_ == b.nodes_ &&
         a.projects_ == b.projects_ && a.quotas_ == b.quotas_ && a.usages_ == b.usages_ &&
         a.reservations_ == b.reservations_ && a.claims_ == b.claims_ &&
         a.promises_ == b.promises_ &&
         std::equal(a.allocations_.begin(), a.allocations_.end(), b.allocations_.begin(),
                    b.allocations_.end(), equal_rows);
}

}  // namespace allot::control
