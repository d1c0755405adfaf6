#pragma once

#include <cstdint>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "allot/store/tx.h"
#include "store/memory/table.h"

namespace allot::store {

/// A claim, held or promised.
struct Booking {
  Claim claim;
  bool promised = false;
};
/// In the order in which an allocation's are read …
using BookingKey = std::tuple<AllocationId, int, NodeId>;
/// … and in that in which a node's are.
using NodeBookingKey = std::tuple<NodeId, AllocationId, int>;

/// What is one row each.
struct Counters {
  Leadership leadership{.epoch = 0, .holder = {}, .lease_until = Instant{0}};
  Revision revision = 0;
  Revision removed_through = 0;
  int64_t audit_number = 0;
  /// As bytes.
  std::string audit_hash = std::string(32, '\0');
  /// The newest entry that was removed.
  AuditMark audit_base;
  int64_t estimates = 0;
};

/// All that a store holds. A copy is a moment of it.
struct State {
  Table<ProviderId, Provider> providers;
  Table<ClusterId, Cluster> clusters;
  Table<NodeId, Node> nodes;
  Table<std::pair<ClusterId, NodeId>, NodeId> nodes_of_cluster;
  Table<ReservationId, Reservation> reservations;
  Table<PolicyId, PublishedPolicy> policies;
  Table<ProposalId, Proposal> proposals;
  Table<InstituteId, Institute> institutes;
  Table<ProjectId, Project> projects;
  Table<ProjectId, Quota> quotas;
  Table<ProjectId, ProjectUsage> usages;
  Table<AllocationId, Allocation> allocations;
  Table<std::pair<AllocationId, int64_t>, StartEstimate> estimates;
  Table<BookingKey, Booking> bookings;
  Table<NodeBookingKey, Booking> bookings_on_nodes;
  Table<OrderId, Order> orders;
  Table<std::tuple<ClusterId, std::optional<Instant>, Instant, OrderId>, OrderId> open_orders;
  Table<std::tuple<AllocationId, int, OrderKind>, OrderId> orders_of_attempts;
  Table<KeyId, ApiKey> keys;
  Table<std::string, KeyId> keys_by_hash;
  Table<MemberId, Member> members;
  /// Those who were not removed.
  Table<Person, MemberId> members_by_person;
  Table<std::pair<KeyId, std::string>, RequestRecord> requests;
  Table<int64_t, ChainedAuditEntry> audit;
  Table<std::pair<int64_t, AuditCheckpoint::Kind>, AuditCheckpoint> audit_checkpoints;
  Table<Revision, std::vector<Event>> events;
  Counters counters;
};

}  // namespace allot::store
