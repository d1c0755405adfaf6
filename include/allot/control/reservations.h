#pragma once

#include <optional>
#include <string>
#include <vector>

#include "allot/control/context.h"
#include "allot/model/pool.h"
#include "allot/model/reservation.h"
#include "allot/store/tx.h"

namespace allot::control {

/// What stands in the way of setting nodes aside: one booking, on some of them.
struct BookingConflict {
  enum class Kind : uint8_t {
    kHeld,      ///< GPUs an allocation has
    kPromised,  ///< GPUs an allocation is promised
    kReserved,  ///< nodes of another reservation
  };
  Kind kind = Kind::kHeld;
  /// Of the first two.
  AllocationId allocation;
  /// Of the last.
  ReservationId reservation;
  /// How many of the nodes wanted.
  int nodes = 0;
  TimeWindow window = *TimeWindow::Make(Instant{0}, Instant{1});

  friend bool operator==(const BookingConflict&, const BookingConflict&) = default;
};

struct ReservationRequest {
  ProviderId provider;
  /// Minted when empty.
  std::string name;
  /// Without id. Its nodes, or …
  Reservation reservation;
  /// … how many of the cluster, whichever are least in the way; 0 when nodes are named.
  int node_count = 0;
  /// Promised starts give way: each is lost for "reserved", on record.
  bool override_promises = false;
  /// Why; kept in the audit.
  std::string reason;
};

struct ReservationDetail {
  ProviderId provider;
  /// Without its nodes for institutes: to them machines have no names.
  Reservation reservation;
  int node_count = 0;
  /// What was in the way of one that was only validated, or gave way.
  std::vector<BookingConflict> conflicts;
};

/// Sets nodes aside. booking_conflict, naming what is in the way, when others hold them, are
/// promised them or have reserved them in one of its windows; under validate_only that is listed
/// instead. What its own project holds or is promised within is not in the way.
Result<ReservationDetail> CreateReservation(const Context& context, const Call& call,
                                            const ReservationRequest& request);

struct ReservationEnd {
  ProviderId provider;
  ReservationId id;
  /// The version the caller saw; 0 to skip the check.
  int64_t version = 0;
  std::string reason;
};
/// Gives the nodes back, from now on; work that runs on them goes on. Again: no change.
Result<ReservationDetail> CancelReservation(const Context& context, const Call& call,
                                            const ReservationEnd& end);

/// Operators and auditors see all, providers those of their clusters, institutes those for their
/// own projects; all others do not exist for them.
Result<ReservationDetail> GetReservation(const Context& context, const Principal& principal,
                                         const ProviderId& provider, const ReservationId& id);
struct ReservationScope {
  std::optional<ProviderId> provider;
  std::optional<ClusterId> cluster;
};
Result<store::Page<ReservationDetail>> ListReservations(const Context& context,
                                                        const Principal& principal,
                                                        const ReservationScope& scope,
                                                        const store::PageRequest& page);

struct ClusterUpdate {
  ProviderId provider;
  ClusterId id;
  /// The version the caller saw; 0 to skip the check.
  int64_t version = 0;
  std::optional<std::string> display_name;
  /// Not empty.
  std::optional<std::vector<ProgrammeId>> programmes;
  /// Nothing inside: no such date.
  std::optional<std::optional<Instant>> join_time;
  std::optional<std::optional<Instant>> leave_time;
  std::string reason;
};
/// booking_conflict when something is held or promised outside the dates it would have.
Result<Cluster> UpdateCluster(const Context& context, const Call& call,
                              const ClusterUpdate& update);

}  // namespace allot::control
