#include <tuple>

#include "store/memory/memory_tx.h"

namespace allot::store {
namespace {

bool Meet(const std::vector<TimeWindow>& a, const std::vector<TimeWindow>& b) {
  return std::ranges::any_of(a, [&](const TimeWindow& one) {
    return std::ranges::any_of(b, [&](const TimeWindow& other) { return one.Overlaps(other); });
  });
}

bool ShareANode(const Reservation& a, const Reservation& b) {
  return std::ranges::any_of(
      a.nodes, [&](const NodeId& node) { return std::ranges::binary_search(b.nodes, node); });
}

}  // namespace

Result<std::optional<Reservation>> MemoryTx::FindReservation(const ReservationId& id) {
  return FindOne(state_.reservations, id);
}

Result<Page<Reservation>> MemoryTx::ListReservations(const ReservationFilter& filter,
                                                     const PageRequest& page) {
  return FindPage(state_.reservations, page, [&](const Reservation& row) {
    const Cluster* const cluster = state_.clusters.Find(row.cluster);
    const Project* const project = state_.projects.Find(row.project);
    return (!filter.cluster || row.cluster == *filter.cluster) &&
           (!filter.provider || (cluster != nullptr && cluster->provider == *filter.provider)) &&
           (!filter.institute || (project != nullptr && project->institute == *filter.institute));
  });
}

Result<std::vector<Reservation>> MemoryTx::LiveReservations(const ClusterId& cluster) {
  return Verb([&] {
    std::vector<Reservation> live;
    for (const auto& [id, row] : state_.reservations.rows()) {
      if (row->cluster == cluster && !row->cancel_time) live.push_back(*row);
    }
    return live;
  });
}

Status MemoryTx::InsertReservation(const Reservation& reservation) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  ALLOT_RETURN_IF_ERROR(CheckText(reservation.display_name));
  if (state_.reservations.Find(reservation.id) != nullptr) return Fail(AlreadyThere(run_));
  if (!reservation.project.empty() && state_.projects.Find(reservation.project) == nullptr) {
    return Fail(RefersToNothing());
  }
  ALLOT_RETURN_IF_ERROR(RequireHeld(Lock::kPool, reservation.cluster));
  const std::vector<TimeWindow> windows = WindowsOf(reservation);
  for (const auto& [id, other] : state_.reservations.rows()) {
    if (other->cancel_time || !ShareANode(reservation, *other)) continue;
    if (Meet(windows, WindowsOf(*other))) return Conflict();
  }
  for (const NodeId& node : reservation.nodes) {
    if (state_.nodes.Find(node) == nullptr) return Fail(RefersToNothing());
    const auto& rows = state_.bookings_on_nodes.rows();
    for (auto row = rows.lower_bound({node, AllocationId(), 0});
         row != rows.end() && std::get<0>(row->first) == node; ++row) {
      const Claim& claim = row->second->claim;
      if (claim.released_at || ProjectOf(claim.allocation) == reservation.project) continue;
      if (Meet(windows, {claim.window})) return Conflict();
    }
  }
  Changed(ResourceKind::kReservation, reservation.id);
  return Insert(state_.reservations, reservation.id, reservation);
}

Status MemoryTx::UpdateReservation(Reservation& reservation) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  ALLOT_RETURN_IF_ERROR(Update(state_.reservations, reservation.id, reservation));
  Changed(ResourceKind::kReservation, reservation.id);
  return Ok{};
}

bool MemoryTx::IsSetAsideForOthers(const Booking& booking) const {
  const Claim& claim = booking.claim;
  return std::ranges::any_of(state_.reservations.rows(), [&](const auto& entry) {
    const Reservation& other = *entry.second;
    return !other.cancel_time && other.project != ProjectOf(claim.allocation) &&
           std::ranges::binary_search(other.nodes, claim.node) &&
           Meet(WindowsOf(other), {claim.window});
  });
}

}  // namespace allot::store
