#include "replay/check_snapshot.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "scheduler/at.h"

namespace allot::replay {
namespace {

using scheduler::At;
using scheduler::Snapshot;
using scheduler::SnapshotClaim;
using scheduler::SnapshotPending;

std::string PathOf(std::string_view list, std::size_t position) {
  return std::string(list) + "[" + std::to_string(position) + "]";
}

std::string PendingPath(int position, std::string_view field) {
  return PathOf("snapshot.pending", static_cast<std::size_t>(position)) + "." + std::string(field);
}

Error Refuse(std::string path, std::string_view value, std::string expected) {
  return FieldError(Reason::kConfigInvalid, std::move(path), value, std::move(expected));
}

/// Positions are those of the sorted rows, or they mean other rows after they are sorted.
template <class Row, class Key>
Status CheckSorted(const std::string& list, const std::vector<Row>& rows, const Key& key) {
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (key(rows[i - 1]) < key(rows[i])) continue;
    const std::string is = key(rows[i]).str();
    if (key(rows[i - 1]) == key(rows[i])) {
      return Refuse(PathOf(list, i), is, "each once; the one before is the same");
    }
    return Refuse(PathOf(list, i), is,
                  "an order by name; the one before is " + key(rows[i - 1]).str());
  }
  return Ok{};
}

template <class Row>
Status CheckRows(const std::string& list, const std::vector<Row>& rows) {
  return CheckSorted(
      list, rows, [](const Row& row) -> const auto& { return row.id; });
}

template <class Id>
Status CheckNames(const std::string& list, const std::vector<Id>& names) {
  return CheckSorted(list, names, [](const Id& name) -> const Id& { return name; });
}

Status CheckOrder(const Snapshot& snapshot) {
  ALLOT_RETURN_IF_ERROR(CheckRows("snapshot.clusters", snapshot.clusters));
  for (std::size_t i = 0; i < snapshot.clusters.size(); ++i) {
    ALLOT_RETURN_IF_ERROR(CheckNames(PathOf("snapshot.clusters", i) + ".programmes",
                                     snapshot.clusters[i].programmes));
  }
  ALLOT_RETURN_IF_ERROR(CheckRows("snapshot.nodes", snapshot.nodes));
  ALLOT_RETURN_IF_ERROR(CheckRows("snapshot.projects", snapshot.projects));
  ALLOT_RETURN_IF_ERROR(CheckRows("snapshot.reservations", snapshot.reservations));
  ALLOT_RETURN_IF_ERROR(CheckRows("snapshot.preemptible", snapshot.preemptible));
  for (std::size_t i = 0; i < snapshot.preemptible.size(); ++i) {
    ALLOT_RETURN_IF_ERROR(CheckNames(PathOf("snapshot.preemptible", i) + ".growths",
                                     snapshot.preemptible[i].growths));
  }
  return CheckRows("snapshot.pending", snapshot.pending);
}

/// Nodes sorted, each once, of one cluster: the planner looks them up in that cluster's calendar.
template <class Node, class Position>
Status CheckOneCluster(const std::string& list, const Snapshot& snapshot,
                       const std::vector<Node>& nodes, const Position& position) {
  for (std::size_t i = 1; i < nodes.size(); ++i) {
    const int before = position(nodes[i - 1]);
    const int node = position(nodes[i]);
    if (before < node && At(snapshot.nodes, before).cluster == At(snapshot.nodes, node).cluster) {
      continue;
    }
    return Refuse(
        PathOf(list, i), std::to_string(node),
        "nodes of one cluster, sorted, each once; the one before is " + std::to_string(before));
  }
  return Ok{};
}

Status CheckReservations(const Snapshot& snapshot) {
  for (std::size_t i = 0; i < snapshot.reservations.size(); ++i) {
    const scheduler::SnapshotReservation& row = snapshot.reservations[i];
    const std::string path = PathOf("snapshot.reservations", i);
    ALLOT_RETURN_IF_ERROR(CheckOneCluster(path + ".nodes", snapshot, row.nodes, std::identity()));
    for (std::size_t w = 1; w < row.windows.size(); ++w) {
      if (row.windows[w - 1].end() <= row.windows[w].start()) continue;
      return Refuse(PathOf(path + ".windows", w), std::to_string(row.windows[w].start().micros),
                    "windows that do not meet, sorted; the one before ends at " +
                        std::to_string(row.windows[w - 1].end().micros));
    }
  }
  return Ok{};
}

Status CheckPromises(const Snapshot& snapshot) {
  for (std::size_t i = 0; i < snapshot.pending.size(); ++i) {
    const SnapshotPending& row = snapshot.pending[i];
    if (!row.promise) continue;
    const std::string path = PathOf("snapshot.pending", i);
    if (row.after) return Refuse(path + ".after", row.after->str(), "nothing beside a promise");
    ALLOT_RETURN_IF_ERROR(
        CheckOneCluster(path + ".promise.nodes", snapshot, row.promise->nodes,
                        [](const scheduler::PlacedNode& placed) { return placed.node; }));
  }
  return Ok{};
}

auto OrderOf(const SnapshotClaim& claim) {
  return std::tie(claim.node, claim.allocation, claim.start, claim.until, claim.gpus, claim.project,
                  claim.counts_against_quota);
}

/// By node and then by start, so that each can only meet what was last on its GPUs.
std::vector<int> ByTime(const std::vector<SnapshotClaim>& claims) {
  std::vector<int> order(claims.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::stable_sort(
      order, {}, [&](int i) { return std::pair(At(claims, i).node, At(claims, i).start); });
  return order;
}

Status CheckClaims(const std::vector<SnapshotClaim>& claims) {
  for (std::size_t i = 1; i < claims.size(); ++i) {
    if (OrderOf(claims[i]) < OrderOf(claims[i - 1])) {
      return Refuse(PathOf("snapshot.claims", i), claims[i].allocation.str(),
                    "an order by node, then by allocation");
    }
  }
  std::array<int, kGpusPerNode> last{};
  int node = -1;
  for (const int i : ByTime(claims)) {
    const SnapshotClaim& claim = At(claims, i);
    if (claim.node != node) last.fill(-1);
    node = claim.node;
    for (std::size_t gpu = 0; gpu < last.size(); ++gpu) {
      if ((claim.gpus >> gpu & 1U) == 0) continue;
      const int before = std::exchange(last.at(gpu), i);
      if (before < 0 || At(claims, before).until <= claim.start) continue;
      return Refuse(PathOf("snapshot.claims", static_cast<std::size_t>(i)) + ".gpus",
                    std::to_string(claim.gpus),
                    "GPUs of the node that " +
                        PathOf("snapshot.claims", static_cast<std::size_t>(before)) +
                        " does not hold at the same time");
    }
  }
  return Ok{};
}

/// What another allocation of the project refers to may have ended, and is then nowhere.
std::map<AllocationId, int> ProjectsOfAllocations(const Snapshot& snapshot) {
  std::map<AllocationId, int> projects;
  for (const SnapshotPending& row : snapshot.pending) projects.emplace(row.id, row.project);
  for (const SnapshotClaim& claim : snapshot.claims) {
    projects.emplace(claim.allocation, claim.project);
  }
  return projects;
}

Status CheckReferences(const Snapshot& snapshot) {
  const auto refers = [](const SnapshotPending& row) { return row.after || row.grows; };
  if (std::ranges::none_of(snapshot.pending, refers)) return Ok{};
  const auto projects = ProjectsOfAllocations(snapshot);
  for (int i = 0; i < static_cast<int>(snapshot.pending.size()); ++i) {
    const SnapshotPending& row = At(snapshot.pending, i);
    for (const auto& [name, id] : {std::pair("after", row.after), std::pair("grows", row.grows)}) {
      if (!id) continue;
      if (*id == row.id) return Refuse(PendingPath(i, name), id->str(), "another allocation");
      const auto found = projects.find(*id);
      if (found == projects.end() || found->second == row.project) continue;
      return Refuse(
          PendingPath(i, name), id->str(),
          "an allocation of the same project, " + At(snapshot.projects, row.project).id.str());
    }
  }
  return Ok{};
}

Status CheckChains(const Snapshot& snapshot) {
  // The walk that came by, if any.
  std::vector<int> walk(snapshot.pending.size(), -1);
  for (int i = 0; i < static_cast<int>(walk.size()); ++i) {
    std::optional<int> at = i;
    while (at && At(walk, *at) < 0) {
      walk[static_cast<std::size_t>(*at)] = i;
      const auto& after = At(snapshot.pending, *at).after;
      const auto next = after ? FindPending(snapshot, *after) : std::nullopt;
      if (next && At(walk, *next) == i) {
        return Refuse(PendingPath(*at, "after"), after->str(),
                      "an allocation that does not wait for this one in turn");
      }
      at = next;
    }
  }
  return Ok{};
}

/// What adds to one that runs follows from that one's claims.
Status CheckGrowths(const Snapshot& snapshot) {
  if (std::ranges::none_of(snapshot.pending,
                           [](const auto& row) { return row.grows || row.beside; })) {
    return Ok{};
  }
  Snapshot fitted = snapshot;
  Canonicalise(fitted);
  for (int i = 0; i < static_cast<int>(snapshot.pending.size()); ++i) {
    const SnapshotPending& row = At(snapshot.pending, i);
    const SnapshotPending& fits = At(fitted.pending, i);
    if (row.beside != fits.beside) {
      return Refuse(PendingPath(i, "beside"), row.beside ? std::to_string(*row.beside) : "",
                    fits.beside ? std::to_string(*fits.beside) + ", where what it grows runs"
                                : "nothing: what it grows does not run");
    }
    if (row.request.duration == fits.request.duration) continue;
    return Refuse(PendingPath(i, "request.duration_s"), std::to_string(row.request.duration.count),
                  std::to_string(fits.request.duration.count) + ", as long as what it grows runs");
  }
  return Ok{};
}

}  // namespace

Status CheckSnapshot(const Snapshot& snapshot) {
  ALLOT_RETURN_IF_ERROR(CheckOrder(snapshot));
  ALLOT_RETURN_IF_ERROR(CheckReservations(snapshot));
  ALLOT_RETURN_IF_ERROR(CheckPromises(snapshot));
  ALLOT_RETURN_IF_ERROR(CheckClaims(snapshot.claims));
  ALLOT_RETURN_IF_ERROR(CheckReferences(snapshot));
  ALLOT_RETURN_IF_ERROR(CheckChains(snapshot));
  return CheckGrowths(snapshot);
}

}  // namespace allot::replay
