#include <algorithm>

#include "allot/control/once.h"
#include "allot/control/reservations.h"
#include "control/booking_conflicts.h"
#include "control/record.h"
#include "control/staff.h"

namespace allot::control {
namespace {

/// What is held or promised outside dates that become narrower: before it joins, or beyond its
/// leaving.
std::vector<BookingConflict> OutsideDates(const Bookings& bookings, const Cluster& before,
                                          const Cluster& cluster, const Policy& policy,
                                          Instant now) {
  Reservation everything{.cluster = cluster.id};
  for (const Node& node : bookings.nodes) everything.nodes.push_back(node.id);
  // Reservations may reach beyond: they only keep others away.
  Bookings work = bookings;
  work.reservations.clear();
  std::vector<BookingConflict> outside;
  const auto add = [&](std::optional<TimeWindow> window) {
    if (!window) return;
    everything.window = *window;
    for (auto& conflict : FindConflicts(work, everything, policy, now)) {
      if (std::find(outside.begin(), outside.end(), conflict) == outside.end()) {
        outside.push_back(std::move(conflict));
      }
    }
  };
  const bool joins_later =
      cluster.join_time && (!before.join_time || *before.join_time < *cluster.join_time);
  const bool leaves_earlier =
      cluster.leave_time && (!before.leave_time || *before.leave_time > *cluster.leave_time);
  if (joins_later) add(TimeWindow::Make(now, *cluster.join_time));
  if (leaves_earlier) {
    add(TimeWindow::Make(std::max(now, *cluster.leave_time),
                         std::max(now, *cluster.leave_time) + kAheadMax + kAheadMax));
  }
  return outside;
}

std::string DateOf(const std::optional<Instant>& time) {
  return time ? FormatRfc3339(*time) : "no date";
}

/// Makes the change to the row, and says what it was.
std::string Change(const ClusterUpdate& update, Cluster& cluster) {
  std::string words;
  if (update.display_name) cluster.display_name = *update.display_name;
  if (update.programmes) {
    cluster.programmes = *update.programmes;
    words += "; programmes";
    for (const ProgrammeId& programme : cluster.programmes) words += " " + programme.str();
  }
  if (update.join_time) {
    cluster.join_time = *update.join_time;
    words += "; joins " + DateOf(cluster.join_time);
  }
  if (update.leave_time) {
    cluster.leave_time = *update.leave_time;
    words += "; leaves " + DateOf(cluster.leave_time);
  }
  return update.reason + words;
}

}  // namespace

Result<Cluster> UpdateCluster(const Context& context, const Call& call,
                              const ClusterUpdate& update) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kManagePool));
  const Instant now = context.clock.Now();
  // Promises of those it serves no more are lost.
  if (update.programmes || update.join_time || update.leave_time) {
    ALLOT_RETURN_IF_ERROR(RequireReason(update.reason, "why its programmes or dates change"));
  }
  const auto read = [&](store::Tx& tx, const std::string&) -> Result<Cluster> {
    ALLOT_ASSIGN_OR_RETURN(auto cluster, tx.FindCluster(update.id));
    if (!cluster || cluster->provider != update.provider) return NotFound("name", update.id.str());
    return *std::move(cluster);
  };
  return Once<Cluster>(
      context, call, now,
      [&](store::Tx& tx) -> Result<Cluster> {
        // Not before: of a repeat they may have been right when it came first.
        for (std::size_t i = 0; update.programmes && i < update.programmes->size(); ++i) {
          ALLOT_RETURN_IF_ERROR(context.policies.CheckProgramme(
              (*update.programmes)[i], now, "cluster.programmes[" + std::to_string(i) + ']'));
        }
        ALLOT_ASSIGN_OR_RETURN(auto locked, tx.LockCluster(update.id));
        if (!locked || locked->provider != update.provider) {
          return NotFound("name", update.id.str());
        }
        const Cluster before = *std::move(locked);
        Cluster cluster = before;
        if (update.version != 0 && update.version != cluster.version) {
          return FieldError(Reason::kEtagStale, "etag", std::to_string(update.version),
                            std::to_string(cluster.version));
        }
        const std::string words = Change(update, cluster);
        ALLOT_RETURN_IF_ERROR(CheckDates(cluster, before, now));
        ALLOT_RETURN_IF_ERROR(tx.LockPool(cluster.id));
        ALLOT_ASSIGN_OR_RETURN(const Bookings bookings, ReadBookings(tx, cluster.id));
        const auto outside =
            OutsideDates(bookings, before, cluster, *context.policies.At(now), now);
        if (!outside.empty()) {
          Error error = FieldError(Reason::kBookingConflict,
                                   update.leave_time ? "cluster.leave_time" : "cluster.join_time",
                                   std::to_string(outside.size()) + " bookings outside its dates",
                                   "dates that all that is held or promised lies within");
          error.message = "In the way: " + Describe(outside) + ".";
          return error;
        }
        ALLOT_RETURN_IF_ERROR(tx.UpdateCluster(cluster));
        ALLOT_RETURN_IF_ERROR(
            tx.Audit(Record(call, now, "cluster.update", cluster.id.str(), {}, words)));
        return cluster;
      },
      [](const Cluster& cluster) { return cluster.id.str(); }, read);
}

}  // namespace allot::control
