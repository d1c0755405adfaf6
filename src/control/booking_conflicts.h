#pragma once

#include <set>
#include <string>
#include <vector>

#include "allot/control/reservations.h"

namespace allot::control {

/// All that is booked on a cluster's nodes, read once under its lock.
struct Bookings {
  std::vector<Node> nodes;
  std::vector<Claim> claims;
  std::vector<Claim> promises;
  std::vector<Reservation> reservations;
};
Result<Bookings> ReadBookings(store::Tx& tx, const ClusterId& cluster);

/// What is in the way of `wanted` on its nodes: each booking once, by start, then name. Promises
/// count as longer than they are by what a plan made at `now` cannot tell apart.
std::vector<BookingConflict> FindConflicts(const Bookings& bookings, const Reservation& wanted,
                                           const Policy& policy, Instant now);

/// Nodes in the inventory for a reservation of `count`: those that nothing stands in the way of
/// first, then those with promises only; of equal ones those that work, then by id. Fewer when the
/// cluster has fewer.
std::vector<NodeId> ChooseNodes(const Bookings& bookings, const Cluster& cluster,
                                const Reservation& wanted, int count, const Policy& policy,
                                Instant now);

/// "snu/p1/a holds 2 nodes until …; 3 more".
std::string Describe(const std::vector<BookingConflict>& conflicts);

}  // namespace allot::control
