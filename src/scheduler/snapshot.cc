#include "allot/scheduler/snapshot.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

#include "allot/base/check.h"
#include "scheduler/fnv.h"

namespace allot::scheduler {
namespace {

// Sorts rows by id and returns where each old position went.
template <class Row>
std::vector<int> SortById(std::vector<Row>& rows) {
  std::vector<int> from(rows.size());
  std::iota(from.begin(), from.end(), 0);
  const auto at = [&](int i) -> const Row& { return rows[static_cast<std::size_t>(i)]; };
  std::sort(from.begin(), from.end(), [&](int a, int b) { return at(a).id < at(b).id; });

  std::vector<Row> sorted;
  sorted.reserve(rows.size());
  std::vector<int> to(rows.size());
  for (const int position : from) {
    to[static_cast<std::size_t>(position)] = static_cast<int>(sorted.size());
    sorted.push_back(std::move(rows[static_cast<std::size_t>(position)]));
  }
  rows = std::move(sorted);
  return to;
}

void Follow(const std::vector<int>& moved, int& position) {
  ALLOT_CHECK(position >= 0 && static_cast<std::size_t>(position) < moved.size());
  position = moved[static_cast<std::size_t>(position)];
}

void AddTime(Fnv& fnv, const std::optional<Instant>& time) {
  fnv.Add(time.has_value() ? 1 : 0);
  if (time) fnv.Add(time->micros);
}

void AddRequest(Fnv& fnv, const Request& request) {
  fnv.Add(request.shape.nodes);
  fnv.Add(request.shape.gpus_per_node);
  fnv.Add(request.shape.remainder_gpus);
  if (request.exchanged) {
    fnv.Add(Name(request.exchanged->model));
    fnv.Add(request.exchanged->shape.nodes);
    fnv.Add(request.exchanged->shape.gpus_per_node);
    fnv.Add(request.exchanged->shape.remainder_gpus);
  }
  fnv.Add(static_cast<int64_t>(request.models.size()));
  for (const GpuModel model : request.models) fnv.Add(Name(model));
  fnv.Add(request.duration.count);
  AddTime(fnv, request.earliest_start);
  AddTime(fnv, request.deadline);
  fnv.Add(request.preemptible ? 1 : 0);
  fnv.Add(request.borrow ? 1 : 0);
  fnv.Add(request.same_leaf_wait.count);
}

/// What adds to one that runs goes as far as that one's claims do, if it has as much left.
void FitGrowths(Snapshot& snapshot) {
  std::map<AllocationId, const SnapshotClaim*> running;
  for (SnapshotPending& pending : snapshot.pending) {
    pending.beside.reset();
    if (pending.grows) running.emplace(*pending.grows, nullptr);
  }
  if (running.empty()) return;
  for (const SnapshotClaim& claim : snapshot.claims) {
    const auto found = running.find(claim.allocation);
    const bool is_running =
        claim.counts_against_quota && claim.start <= snapshot.now && claim.until > snapshot.now;
    if (found != running.end() && is_running) found->second = &claim;
  }
  for (SnapshotPending& pending : snapshot.pending) {
    if (!pending.grows) continue;
    const SnapshotClaim* claim = running.at(*pending.grows);
    if (claim == nullptr) continue;
    pending.beside = snapshot.nodes[static_cast<std::size_t>(claim->node)].cluster;
    pending.request.duration =
        std::min(pending.request.duration, Between(snapshot.now, claim->until));
  }
}

}  // namespace

void Canonicalise(Snapshot& snapshot) {
  const std::vector<int> clusters = SortById(snapshot.clusters);
  for (SnapshotCluster& cluster : snapshot.clusters) {
    std::sort(cluster.programmes.begin(), cluster.programmes.end());
    cluster.programmes.erase(std::unique(cluster.programmes.begin(), cluster.programmes.end()),
                             cluster.programmes.end());
  }
  const std::vector<int> nodes = SortById(snapshot.nodes);
  for (SnapshotNode& node : snapshot.nodes) Follow(clusters, node.cluster);
  const std::vector<int> projects = SortById(snapshot.projects);
  SortById(snapshot.pending);
  for (SnapshotPending& pending : snapshot.pending) {
    Follow(projects, pending.project);
    if (!pending.promise) continue;
    for (PlacedNode& placed : pending.promise->nodes) Follow(nodes, placed.node);
    std::sort(pending.promise->nodes.begin(), pending.promise->nodes.end(),
              [](const PlacedNode& a, const PlacedNode& b) { return a.node < b.node; });
  }
  SortById(snapshot.preemptible);
  for (SnapshotPreemptible& running : snapshot.preemptible) Follow(projects, running.project);
  SortById(snapshot.reservations);
  for (SnapshotReservation& reservation : snapshot.reservations) {
    if (reservation.project) Follow(projects, *reservation.project);
    for (int& node : reservation.nodes) Follow(nodes, node);
    std::sort(reservation.nodes.begin(), reservation.nodes.end());
    std::sort(reservation.windows.begin(), reservation.windows.end());
  }

  for (SnapshotClaim& claim : snapshot.claims) {
    Follow(nodes, claim.node);
    Follow(projects, claim.project);
  }
  std::sort(snapshot.claims.begin(), snapshot.claims.end(),
            [](const SnapshotClaim& a, const SnapshotClaim& b) {
              return std::tie(a.node, a.allocation, a.start, a.until, a.gpus, a.project,
                              a.counts_against_quota) < std::tie(b.node, b.allocation, b.start,
                                                                 b.until, b.gpus, b.project,
                                                                 b.counts_against_quota);
            });
  for (SnapshotPreemptible& running : snapshot.preemptible) {
    std::sort(running.growths.begin(), running.growths.end());
  }
  FitGrowths(snapshot);
}

Instant EarliestStart(const SnapshotPending& pending, const Policy& policy) {
  const Instant gathered = pending.create_time + policy.gathering_time;
  return WholeSecondFrom(std::max(gathered, pending.request.earliest_start.value_or(gathered)));
}

std::optional<int> FindPending(const Snapshot& snapshot, const AllocationId& id) {
  const auto row = std::ranges::lower_bound(snapshot.pending, id, {}, &SnapshotPending::id);
  if (row == snapshot.pending.end() || row->id != id) return std::nullopt;
  return static_cast<int>(row - snapshot.pending.begin());
}

uint64_t Digest(const Snapshot& snapshot) {
  Fnv fnv;
  fnv.Add(snapshot.now.micros);
  fnv.Add(snapshot.revision);
  fnv.Add(static_cast<int64_t>(snapshot.clusters.size()));
  for (const SnapshotCluster& cluster : snapshot.clusters) {
    fnv.Add(cluster.id.str());
    fnv.Add(Name(cluster.model));
    fnv.Add(static_cast<int64_t>(cluster.programmes.size()));
    for (const ProgrammeId& programme : cluster.programmes) fnv.Add(programme.str());
    AddTime(fnv, cluster.join_time);
    AddTime(fnv, cluster.leave_time);
  }
  fnv.Add(static_cast<int64_t>(snapshot.nodes.size()));
  for (const SnapshotNode& node : snapshot.nodes) {
    fnv.Add(node.id.str());
    fnv.Add(node.cluster);
    fnv.Add(node.schedulable ? 1 : 0);
    fnv.Add(Name(node.health));
    fnv.Add(node.draining ? 1 : 0);
    fnv.Add(node.leaf);
  }
  fnv.Add(static_cast<int64_t>(snapshot.projects.size()));
  for (const SnapshotProject& project : snapshot.projects) {
    fnv.Add(project.id.str());
    fnv.Add(project.programme.str());
    fnv.Add(project.merit);
    fnv.Add(project.open ? 1 : 0);
    for (const int gpus : project.concurrent_gpus) fnv.Add(gpus);
    fnv.Add(project.gpu_time_left.count());
    fnv.Add(project.usage.value);
    fnv.Add(project.usage.as_of.micros);
    fnv.Add(project.stopped_lately);
  }
  fnv.Add(static_cast<int64_t>(snapshot.claims.size()));
  for (const SnapshotClaim& claim : snapshot.claims) {
    fnv.Add(claim.allocation.str());
    fnv.Add(claim.project);
    fnv.Add(claim.node);
    fnv.Add(claim.gpus);
    fnv.Add(claim.start.micros);
    fnv.Add(claim.until.micros);
    fnv.Add(claim.counts_against_quota ? 1 : 0);
    fnv.Add(claim.borrowed ? 1 : 0);
  }
  fnv.Add(static_cast<int64_t>(snapshot.reservations.size()));
  for (const SnapshotReservation& reservation : snapshot.reservations) {
    fnv.Add(reservation.id.str());
    fnv.Add(reservation.project.value_or(-1));
    fnv.Add(static_cast<int64_t>(reservation.nodes.size()));
    for (const int node : reservation.nodes) fnv.Add(node);
    fnv.Add(static_cast<int64_t>(reservation.windows.size()));
    for (const TimeWindow& window : reservation.windows) {
      fnv.Add(window.start().micros);
      fnv.Add(window.end().micros);
    }
  }
  fnv.Add(static_cast<int64_t>(snapshot.preemptible.size()));
  for (const SnapshotPreemptible& running : snapshot.preemptible) {
    fnv.Add(running.id.str());
    fnv.Add(running.project);
    AddRequest(fnv, running.request);
    fnv.Add(running.create_time.micros);
    fnv.Add(running.start.micros);
    fnv.Add(running.until.micros);
    fnv.Add(running.preemptions);
    if (running.grows) fnv.Add(running.grows->str());
    for (const AllocationId& growth : running.growths) fnv.Add(growth.str());
  }
  fnv.Add(static_cast<int64_t>(snapshot.pending.size()));
  for (const SnapshotPending& pending : snapshot.pending) {
    fnv.Add(pending.id.str());
    fnv.Add(pending.project);
    AddRequest(fnv, pending.request);
    fnv.Add(pending.create_time.micros);
    fnv.Add(pending.requeued ? 1 : 0);
    AddTime(fnv, pending.told_start);
    fnv.Add(pending.overdue ? 1 : 0);
    fnv.Add(pending.urgent ? 1 : 0);
    fnv.Add(pending.consolidate ? 1 : 0);
    fnv.Add(pending.after ? pending.after->str() : "");
    if (pending.grows) fnv.Add(pending.grows->str());
    if (pending.beside) fnv.Add(*pending.beside);
    AddTime(fnv, pending.planned_start);
    fnv.Add(pending.promise.has_value() ? 1 : 0);
    if (!pending.promise) continue;
    fnv.Add(pending.promise->window.start().micros);
    fnv.Add(pending.promise->window.end().micros);
    for (const PlacedNode& placed : pending.promise->nodes) {
      fnv.Add(placed.node);
      fnv.Add(placed.gpus);
    }
  }
  return fnv.value();
}

}  // namespace allot::scheduler
