#include "allot/control/reservations.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "allot/control/once.h"
#include "allot/model/name.h"
#include "control/booking_conflicts.h"
#include "control/record.h"
#include "control/staff.h"

namespace allot::control {
namespace {

constexpr int kMintedNameLength = 16;

ClusterId ClusterOf(const ReservationId& id) {
  return ClusterId(id.str().substr(0, id.str().rfind('/')));
}

std::string IdOf(const ReservationDetail& detail) { return detail.reservation.id.str(); }

Error Refuse(const std::string& field, const std::vector<BookingConflict>& conflicts) {
  Error error = FieldError(Reason::kBookingConflict, field,
                           std::to_string(conflicts.size()) + " bookings in the way",
                           "nodes that nobody else has in that time");
  error.message = "In the way: " + Describe(conflicts) + ".";
  return error;
}

bool MaySee(const Principal& principal, const ReservationDetail& detail) {
  const ProjectId& project = detail.reservation.project;
  return allot::MaySee(principal, detail.provider) ||
         (!project.empty() && allot::MaySee(principal, InstituteOf(project)));
}

ReservationDetail Detail(const Principal& principal, const ProviderId& provider,
                         Reservation reservation) {
  const int node_count = static_cast<int>(reservation.nodes.size());
  if (!principal.institute.empty()) reservation.nodes.clear();
  return {provider, std::move(reservation), node_count, {}};
}

Result<ReservationDetail> Read(store::Tx& tx, const Principal& principal,
                               const std::optional<ProviderId>& provider, const ReservationId& id) {
  // Both, whether there is one or not: an answer takes no more steps when there is.
  ALLOT_ASSIGN_OR_RETURN(auto found, tx.FindReservation(id));
  ALLOT_ASSIGN_OR_RETURN(const auto cluster, tx.FindCluster(ClusterOf(id)));
  if (!found) return NotFound("name", id.str());
  ReservationDetail detail =
      Detail(principal, cluster ? cluster->provider : ProviderId(), *std::move(found));
  if ((provider && detail.provider != *provider) || !MaySee(principal, detail)) {
    return NotFound("name", id.str());
  }
  return detail;
}

/// One attempt at setting nodes aside, in one transaction.
class Creation {
 public:
  Creation(const Context& context, const Call& call, const ReservationRequest& request,
           Reservation reservation, Instant now)
      : context_(context),
        call_(call),
        request_(request),
        reservation_(std::move(reservation)),
        now_(now) {}

  Result<ReservationDetail> Run(store::Tx& tx) {
    ALLOT_ASSIGN_OR_RETURN(auto found, tx.FindCluster(reservation_.cluster));
    if (!found || found->provider != request_.provider) {
      return NotFound("parent", reservation_.cluster.str());
    }
    const Cluster cluster = *std::move(found);
    ALLOT_ASSIGN_OR_RETURN(const auto existing, tx.FindReservation(reservation_.id));
    if (existing) {
      return FieldError(Reason::kAlreadyExists, "reservation_id", reservation_.id.str(),
                        "a name that is not in use in this cluster");
    }
    ALLOT_RETURN_IF_ERROR(CheckProject(tx, cluster));
    // Allocations are locked before pools, here as everywhere.
    ALLOT_ASSIGN_OR_RETURN(auto promised, LockPromised(tx));
    ALLOT_RETURN_IF_ERROR(tx.LockPool(cluster.id));
    ALLOT_ASSIGN_OR_RETURN(const Bookings bookings, ReadBookings(tx, cluster.id));
    ALLOT_RETURN_IF_ERROR(TakeNodes(bookings, cluster));

    ReservationDetail detail = Detail(call_.principal, cluster.provider, reservation_);
    detail.conflicts = FindConflicts(bookings, reservation_, *context_.policies.At(now_), now_);
    if (call_.validate_only) return detail;
    ALLOT_RETURN_IF_ERROR(MakeWay(tx, detail.conflicts, std::move(promised)));
    ALLOT_RETURN_IF_ERROR(tx.InsertReservation(reservation_));
    ALLOT_RETURN_IF_ERROR(
        tx.Audit(Record(call_, now_, "reservation.create", reservation_.id.str(), {}, Words())));
    return detail;
  }

 private:
  Status CheckProject(store::Tx& tx, const Cluster& cluster) const {
    if (reservation_.project.empty()) return Ok{};
    ALLOT_ASSIGN_OR_RETURN(const auto project, tx.FindProject(reservation_.project));
    if (!project) return NotFound("reservation.project", reservation_.project.str());
    if (!project->open) {
      return FieldError(Reason::kProjectClosed, "reservation.project", project->id.str(),
                        "an open project");
    }
    const auto& served = cluster.programmes;
    if (std::binary_search(served.begin(), served.end(), project->programme)) return Ok{};
    return FieldError(Reason::kBookingConflict, "reservation.project", project->id.str(),
                      "a project of a programme that " + cluster.id.str() + " serves, not of " +
                          project->programme.str());
  }

  /// Whoever is promised something on the cluster, when promises are to give way.
  Result<std::vector<Allocation>> LockPromised(store::Tx& tx) const {
    if (!request_.override_promises || call_.validate_only) return std::vector<Allocation>();
    ALLOT_ASSIGN_OR_RETURN(const Bookings bookings, ReadBookings(tx, reservation_.cluster));
    std::set<AllocationId> promised;
    for (const Claim& claim : bookings.promises) promised.insert(claim.allocation);
    return tx.LockAllocations(std::vector<AllocationId>(promised.begin(), promised.end()));
  }

  /// Those named, or as many as are asked for.
  Status TakeNodes(const Bookings& bookings, const Cluster& cluster) {
    std::set<NodeId> inventory;
    for (const Node& node : bookings.nodes) {
      if (node.health != NodeHealth::kRemoved) inventory.insert(node.id);
    }
    if (request_.node_count == 0) {
      for (const NodeId& node : reservation_.nodes) {
        if (!inventory.contains(node)) return NotFound("reservation.nodes", node.str());
      }
      return Ok{};
    }
    if (request_.node_count > static_cast<int>(inventory.size())) {
      return FieldError(
          Reason::kNodesOutOfRange, "node_count", std::to_string(request_.node_count),
          "1 to " + std::to_string(inventory.size()) + ", the nodes of " + cluster.id.str());
    }
    reservation_.nodes = ChooseNodes(bookings, cluster, reservation_, request_.node_count,
                                     *context_.policies.At(now_), now_);
    return Ok{};
  }

  /// Promises give way if they are told to; nothing else does.
  Status MakeWay(store::Tx& tx, const std::vector<BookingConflict>& conflicts,
                 std::vector<Allocation> promised) const {
    const std::string field = request_.node_count > 0 ? "node_count" : "reservation.nodes";
    std::map<AllocationId, Allocation*> locked;
    for (Allocation& allocation : promised) locked.emplace(allocation.id, &allocation);
    std::vector<Allocation> victims;
    std::vector<AllocationId> ids;
    for (const BookingConflict& conflict : conflicts) {
      if (conflict.kind != BookingConflict::Kind::kPromised || !request_.override_promises) {
        return Refuse(field, conflicts);
      }
      const auto found = locked.find(conflict.allocation);
      if (found == locked.end() || !found->second->promised) {
        return StateError(Reason::kStoreConflict, "A promise was made a moment ago.");
      }
      Allocation& victim = *found->second;
      victim.promised = false;
      victim.reason = "planned";
      victim.update_time = now_;
      const std::string message = "its start promised for " +
                                  FormatRfc3339(conflict.window.start()) +
                                  " is lost to reserved: " + request_.reason;
      victim.message = message;
      victim.setback = FormatRfc3339(Instant::FromSeconds(now_.seconds())) + ": " + message;
      ALLOT_RETURN_IF_ERROR(tx.Audit(Record(call_, now_, "allocation.promise_lost", victim.id.str(),
                                            InstituteOf(victim.id), message)));
      victims.push_back(victim);
      ids.push_back(victim.id);
    }
    if (victims.empty()) return Ok{};
    ALLOT_RETURN_IF_ERROR(tx.UpdateAllocations(victims));
    return tx.RemovePromises(ids);
  }

  std::string Words() const {
    std::string words = std::to_string(reservation_.nodes.size()) + " nodes, " +
                        FormatRfc3339(reservation_.window.start()) + " to " +
                        FormatRfc3339(reservation_.window.end());
    if (reservation_.occurrences > 1) {
      words += ", " + std::to_string(reservation_.occurrences) + " times, every " +
               FormatDuration(reservation_.repeat_every);
    }
    words += reservation_.project.empty() ? ", for nobody" : ", for " + reservation_.project.str();
    return words + ": " + request_.reason;
  }

  const Context& context_;
  const Call& call_;
  const ReservationRequest& request_;
  Reservation reservation_;
  const Instant now_;
};

}  // namespace

Result<ReservationDetail> CreateReservation(const Context& context, const Call& call,
                                            const ReservationRequest& request) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kManagePool));
  const Instant now = context.clock.Now();
  // Minted once, before the transaction: every rerun writes the same row.
  const std::string name =
      request.name.empty() ? "r" + context.ids.Mint(kMintedNameLength) : request.name;
  Reservation reservation = request.reservation;
  reservation.id = MakeReservationId(reservation.cluster, name);
  reservation.create_time = now;
  return Once<ReservationDetail>(
      context, call, now,
      [&](store::Tx& tx) -> Result<ReservationDetail> {
        // Not before: a repeat is answered as the first was, though its start has gone by.
        ALLOT_RETURN_IF_ERROR(CheckTimes(request.reservation, now));
        return Creation(context, call, request, reservation, now).Run(tx);
      },
      IdOf,
      [&](store::Tx& tx, const std::string& id) {
        return Read(tx, call.principal, std::nullopt, ReservationId(id));
      });
}

Result<ReservationDetail> CancelReservation(const Context& context, const Call& call,
                                            const ReservationEnd& end) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kManagePool));
  ALLOT_RETURN_IF_ERROR(RequireReason(end.reason, "why the reservation ends"));
  const Instant now = context.clock.Now();
  return Once<ReservationDetail>(
      context, call, now,
      [&](store::Tx& tx) -> Result<ReservationDetail> {
        ALLOT_ASSIGN_OR_RETURN(auto detail, Read(tx, call.principal, end.provider, end.id));
        Reservation& reservation = detail.reservation;
        if (end.version != 0 && end.version != reservation.version) {
          return FieldError(Reason::kEtagStale, "etag", std::to_string(end.version),
                            std::to_string(reservation.version));
        }
        if (reservation.cancel_time) return detail;
        reservation.cancel_time = now;
        ALLOT_RETURN_IF_ERROR(tx.UpdateReservation(reservation));
        ALLOT_RETURN_IF_ERROR(
            tx.Audit(Record(call, now, "reservation.cancel", end.id.str(), {}, end.reason)));
        return detail;
      },
      IdOf,
      [&](store::Tx& tx, const std::string& id) {
        return Read(tx, call.principal, std::nullopt, ReservationId(id));
      });
}

Result<ReservationDetail> GetReservation(const Context& context, const Principal& principal,
                                         const ProviderId& provider, const ReservationId& id) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadPool));
  return context.store.Transact<ReservationDetail>(
      store::Access::kRead, store::Scope::For(principal),
      [&](store::Tx& tx) { return Read(tx, principal, provider, id); });
}

Result<store::Page<ReservationDetail>> ListReservations(const Context& context,
                                                        const Principal& principal,
                                                        const ReservationScope& scope,
                                                        const store::PageRequest& page) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadPool));
  store::ReservationFilter filter{.cluster = scope.cluster, .provider = scope.provider};
  if (!principal.institute.empty()) filter.institute = principal.institute;
  if (!principal.provider.empty()) {
    if (scope.provider && *scope.provider != principal.provider) {
      return store::Page<ReservationDetail>{};
    }
    filter.provider = principal.provider;
  }
  return context.store.Transact<store::Page<ReservationDetail>>(
      store::Access::kRead, store::Scope::For(principal),
      [&](store::Tx& tx) -> Result<store::Page<ReservationDetail>> {
        ALLOT_ASSIGN_OR_RETURN(auto rows, tx.ListReservations(filter, page));
        store::Page<ReservationDetail> details{.more = rows.more};
        std::map<ClusterId, ProviderId> providers;
        for (Reservation& row : rows.items) {
          auto [found, is_new] = providers.try_emplace(row.cluster);
          if (is_new) {
            ALLOT_ASSIGN_OR_RETURN(const auto cluster, tx.FindCluster(row.cluster));
            if (cluster) found->second = cluster->provider;
          }
          details.items.push_back(Detail(principal, found->second, std::move(row)));
        }
        return details;
      });
}

}  // namespace allot::control
