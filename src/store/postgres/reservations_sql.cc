#include "store/postgres/postgres_tx.h"
#include "store/postgres/rows.h"

namespace allot::store {
namespace {

const std::string kSelectReservation =
    std::string("SELECT ") + kReservationColumns + " FROM reservations";

const Statement kFindReservation{"find_reservation", kSelectReservation + " WHERE id = $1"};
const Statement kLiveReservations{
    "live_reservations",
    kSelectReservation + " WHERE cluster_id = $1 AND cancel_time IS NULL ORDER BY id"};
const Statement kInsertReservation{
    "insert_reservation",
    "INSERT INTO reservations (id, cluster_id, project_id, display_name, node_ids, start_time,"
    " end_time, repeat_every_s, occurrences, create_time, cancel_time, version)"
    " VALUES ($1, $2, $3, $4, $5::text[], instant($6), instant($7), $8, $9, instant($10),"
    " instant($11), $12) ON CONFLICT DO NOTHING"};
const Statement kSetNodesAside{
    "set_nodes_aside",
    "INSERT INTO reserved_nodes (reservation_id, node_id, project_id, during)"
    " SELECT $1, node, $2, (SELECT range_agg(tstzrange(instant(w.s), instant(w.e)))"
    "                       FROM unnest($4::bigint[], $5::bigint[]) AS w(s, e))"
    " FROM unnest($3::text[]) AS node"};
const Statement kUpdateReservation{
    "update_reservation",
    "UPDATE reservations SET cancel_time = instant($2), version = version + 1"
    " WHERE id = $1 AND version = $3"};
const Statement kGiveNodesBack{"give_nodes_back",
                               "DELETE FROM reserved_nodes WHERE reservation_id = $1"};

Instant StartOf(const TimeWindow& window) { return window.start(); }
Instant EndOf(const TimeWindow& window) { return window.end(); }

}  // namespace

Result<std::optional<Reservation>> PostgresTx::FindReservation(const ReservationId& id) {
  return FindOne(ReadReservation, kFindReservation, Arguments(id));
}

Result<Page<Reservation>> PostgresTx::ListReservations(const ReservationFilter& filter,
                                                       const PageRequest& page) {
  return FindPage(
      ReadReservation,
      ListQuery(kSelectReservation, "id", page)
          .Where("cluster_id = ", filter.cluster)
          .Where("(SELECT provider_id FROM clusters WHERE clusters.id = cluster_id) = ",
                 filter.provider)
          .Where("(SELECT institute_id FROM projects WHERE projects.id = project_id) = ",
                 filter.institute));
}

Result<std::vector<Reservation>> PostgresTx::LiveReservations(const ClusterId& cluster) {
  return FindAll(ReadReservation, kLiveReservations, Arguments(cluster));
}

Status PostgresTx::InsertReservation(const Reservation& reservation) {
  const TimeWindow& window = reservation.window;
  ALLOT_RETURN_IF_ERROR(
      Insert(kInsertReservation,
             Arguments(reservation.id, reservation.cluster, reservation.project,
                       reservation.display_name, SqlArray(reservation.nodes), window.start(),
                       window.end(), reservation.repeat_every, reservation.occurrences,
                       reservation.create_time, reservation.cancel_time, reservation.version)));
  Changed(ResourceKind::kReservation, reservation.id);
  const std::vector<TimeWindow> windows = WindowsOf(reservation);
  return Verb([&]() -> Status {
    Execute(kSetNodesAside,
            Arguments(reservation.id, reservation.project, SqlArray(reservation.nodes),
                      SqlArray(windows, StartOf), SqlArray(windows, EndOf)));
    return Ok{};
  });
}

Status PostgresTx::UpdateReservation(Reservation& reservation) {
  ALLOT_RETURN_IF_ERROR(Update(
      kUpdateReservation, Arguments(reservation.id, reservation.cancel_time, reservation.version)));
  Changed(ResourceKind::kReservation, reservation.id);
  ++reservation.version;
  if (!reservation.cancel_time) return Ok{};
  return Verb([&]() -> Status {
    Execute(kGiveNodesBack, Arguments(reservation.id));
    return Ok{};
  });
}

}  // namespace allot::store
