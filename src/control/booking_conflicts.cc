#include "control/booking_conflicts.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "allot/base/text.h"
#include "allot/scheduler/plan.h"

namespace allot::control {
namespace {

using Kind = BookingConflict::Kind;

constexpr std::size_t kNamedMax = 5;

std::string NameOf(const BookingConflict& conflict) {
  return conflict.kind == Kind::kReserved ? conflict.reservation.str() : conflict.allocation.str();
}

std::string Verb(Kind kind) {
  switch (kind) {
    case Kind::kHeld:
      return " holds ";
    case Kind::kPromised:
      return " is promised ";
    case Kind::kReserved:
      return " has reserved ";
  }
  return " has ";
}

bool Meets(const std::vector<TimeWindow>& windows, Instant start, Instant end) {
  return std::any_of(windows.begin(), windows.end(), [&](const TimeWindow& window) {
    return window.start() < end && start < window.end();
  });
}

/// One row for all nodes of a booking that are wanted.
class Conflicts {
 public:
  void Add(const BookingConflict& conflict) {
    const auto key =
        std::tuple(conflict.window.start(), NameOf(conflict), conflict.kind, conflict.window.end());
    ++rows_.try_emplace(key, conflict).first->second.nodes;
  }
  std::vector<BookingConflict> Sorted() const {
    std::vector<BookingConflict> sorted;
    for (const auto& [key, row] : rows_) sorted.push_back(row);
    return sorted;
  }

 private:
  std::map<std::tuple<Instant, std::string, Kind, Instant>, BookingConflict> rows_;
};

/// Promises that lie within it, on its nodes alone, are not in the way of their own project's.
std::set<AllocationId> PromisedWithin(const Bookings& bookings, const Reservation& wanted,
                                      const std::vector<TimeWindow>& windows) {
  std::set<AllocationId> within;
  std::set<AllocationId> beyond;
  for (const Claim& claim : bookings.promises) {
    const bool on_its_nodes =
        std::binary_search(wanted.nodes.begin(), wanted.nodes.end(), claim.node);
    const bool in_a_window =
        std::any_of(windows.begin(), windows.end(),
                    [&](const TimeWindow& window) { return window.Encloses(claim.window); });
    (on_its_nodes && in_a_window ? within : beyond).insert(claim.allocation);
  }
  for (const AllocationId& id : beyond) within.erase(id);
  return within;
}

}  // namespace

Result<Bookings> ReadBookings(store::Tx& tx, const ClusterId& cluster) {
  Bookings bookings;
  ALLOT_ASSIGN_OR_RETURN(bookings.nodes, tx.NodesOfCluster(cluster));
  std::vector<NodeId> ids;
  ids.reserve(bookings.nodes.size());
  for (const Node& node : bookings.nodes) ids.push_back(node.id);
  ALLOT_ASSIGN_OR_RETURN(bookings.claims, tx.OpenClaimsOnNodes(ids));
  ALLOT_ASSIGN_OR_RETURN(bookings.promises, tx.PromisesOnNodes(ids));
  ALLOT_ASSIGN_OR_RETURN(bookings.reservations, tx.LiveReservations(cluster));
  return bookings;
}

std::vector<BookingConflict> FindConflicts(const Bookings& bookings, const Reservation& wanted,
                                           const Policy& policy, Instant now) {
  const std::vector<TimeWindow> windows = WindowsOf(wanted);
  const auto is_wanted = [&](const NodeId& node) {
    return std::binary_search(wanted.nodes.begin(), wanted.nodes.end(), node);
  };
  Conflicts conflicts;
  for (const Claim& claim : bookings.claims) {
    if (!is_wanted(claim.node) || ProjectOf(claim.allocation) == wanted.project) continue;
    // Held until its provider has cleared it; one that is overdue for as long again from now.
    const Instant until = std::max(claim.window.end(), now) + policy.release_time;
    if (!Meets(windows, claim.window.start(), until)) continue;
    conflicts.Add({.kind = Kind::kHeld, .allocation = claim.allocation, .window = claim.window});
  }
  const std::set<AllocationId> within = PromisedWithin(bookings, wanted, windows);
  for (const Claim& claim : bookings.promises) {
    const bool is_own = ProjectOf(claim.allocation) == wanted.project;
    if (!is_wanted(claim.node) || (is_own && within.contains(claim.allocation))) continue;
    const Instant start = claim.window.start() -
                          scheduler::CoarsenessAt(now, claim.window.start()) - policy.release_time;
    const Instant end =
        claim.window.end() + scheduler::CoarsenessAt(now, claim.window.end()) + policy.release_time;
    if (!Meets(windows, start, end)) continue;
    conflicts.Add(
        {.kind = Kind::kPromised, .allocation = claim.allocation, .window = claim.window});
  }
  for (const Reservation& other : bookings.reservations) {
    for (const NodeId& node : other.nodes) {
      if (!is_wanted(node)) continue;
      for (const TimeWindow& window : WindowsFrom(other, now)) {
        // Work of a project is cleared away behind its window, on either side.
        const Seconds behind = other.project.empty() ? Seconds{0} : policy.release_time;
        const Seconds before = wanted.project.empty() ? Seconds{0} : policy.release_time;
        if (!Meets(windows, window.start() - before, window.end() + behind)) continue;
        conflicts.Add({.kind = Kind::kReserved, .reservation = other.id, .window = window});
        break;
      }
    }
  }
  return conflicts.Sorted();
}

std::vector<NodeId> ChooseNodes(const Bookings& bookings, const Cluster& cluster,
                                const Reservation& wanted, int count, const Policy& policy,
                                Instant now) {
  std::map<NodeId, Bookings> by_node;
  for (const Claim& claim : bookings.claims) by_node[claim.node].claims.push_back(claim);
  // Whoever is promised more nodes than one is in the way of each, also of its own project.
  std::map<AllocationId, std::vector<Claim>> promised;
  for (const Claim& claim : bookings.promises) promised[claim.allocation].push_back(claim);
  for (const Claim& claim : bookings.promises) {
    auto& promises = by_node[claim.node].promises;
    const auto& all = promised[claim.allocation];
    promises.insert(promises.end(), all.begin(), all.end());
  }
  for (const Reservation& other : bookings.reservations) {
    for (const NodeId& node : other.nodes) by_node[node].reservations.push_back(other);
  }
  // What is in the way of each: nothing, promises, more.
  std::vector<std::tuple<int, bool, NodeId>> candidates;
  for (const Node& node : bookings.nodes) {
    if (node.health == NodeHealth::kRemoved) continue;
    Reservation alone = wanted;
    alone.nodes = {node.id};
    int in_the_way = 0;
    for (const BookingConflict& conflict : FindConflicts(by_node[node.id], alone, policy, now)) {
      in_the_way = std::max(in_the_way, conflict.kind == Kind::kPromised ? 1 : 2);
    }
    candidates.emplace_back(in_the_way, !Schedulable(cluster, node, now), node.id);
  }
  std::sort(candidates.begin(), candidates.end());
  std::vector<NodeId> chosen;
  for (const auto& [in_the_way, is_idle, id] : candidates) {
    if (static_cast<int>(chosen.size()) == count) break;
    chosen.push_back(id);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

std::string Describe(const std::vector<BookingConflict>& conflicts) {
  std::string text;
  for (std::size_t i = 0; i < std::min(conflicts.size(), kNamedMax); ++i) {
    const BookingConflict& conflict = conflicts[i];
    text += (i == 0 ? "" : "; ") + NameOf(conflict);
    text += Verb(conflict.kind);
    text += FormatCount(conflict.nodes) + (conflict.nodes == 1 ? " node" : " nodes") + " from " +
            FormatRfc3339(conflict.window.start()) + " to " + FormatRfc3339(conflict.window.end());
  }
  if (conflicts.size() > kNamedMax) {
    text += "; " + std::to_string(conflicts.size() - kNamedMax) + " more";
  }
  return text;
}

}  // namespace allot::control
