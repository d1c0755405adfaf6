// What operators set: quotas, merits, drains and reservations are as somebody asked for, and as
// was acknowledged.
#include <algorithm>

#include "allot/control/pool.h"
#include "allot/control/tenants.h"
#include "chaos/auditor.h"

namespace allot::chaos {
namespace {

constexpr int kPage = 1'000;

}  // namespace

std::string QuotaOf(GpuModel model, const ProjectId& project) {
  return "quota of " + std::string(Name(model)) + " of " + project.str();
}
std::string GpuTimeOf(const ProjectId& project) { return "GPU time of " + project.str(); }
std::string MeritOf(const ProjectId& project) { return "merit of " + project.str(); }

void Auditor::ReadSettings() {
  const auto quotas = control::ListQuotas(context_, reader_, std::nullopt, {.size = kPage});
  if (!Has(quotas, "the quotas")) return;
  for (const Quota& quota : quotas->items) {
    for (const GpuModel model : kGpuModels) {
      settings_.Seen(QuotaOf(model, quota.project), At(quota.concurrent_gpus, model));
    }
    settings_.Seen(GpuTimeOf(quota.project), quota.gpu_time.count());
  }
  const auto projects = control::ListProjects(context_, reader_, std::nullopt, {.size = kPage});
  if (!Has(projects, "the projects")) return;
  for (const Project& project : projects->items) {
    settings_.Seen(MeritOf(project.id), project.merit);
  }
  for (const auto& [id, cluster] : clusters_) {
    settings_.Seen(DrainingOf(id), cluster.draining ? 1 : 0);
    // As they were set: who lists them is shown those of a drained cluster as drained.
    const auto nodes = context_.store.Transact<std::vector<Node>>(
        store::Access::kRead, store::Scope::Everything(),
        [&cluster](store::Tx& tx) { return tx.NodesOfCluster(cluster.id); });
    if (!Has(nodes, "the nodes")) return;
    for (const Node& node : *nodes) {
      settings_.Seen(DrainingOf(node.id), node.draining ? 1 : 0);
      nodes_.insert_or_assign(node.id, node);
    }
  }
  ReadReservations();
}

void Auditor::AsksToReserve(const control::ReservationRequest& wanted) {
  asked_reservations_.emplace(wanted.reservation.display_name, wanted);
}

void Auditor::ReadReservations() {
  const auto page = control::ListReservations(context_, reader_, {}, {.size = kPage});
  if (!Has(page, "the reservations")) return;
  for (const control::ReservationDetail& detail : page->items) {
    const Reservation& reservation = detail.reservation;
    const auto [known, is_new] = reservations_.emplace(reservation.id, reservation);
    if (is_new) CheckReserved(reservation);
    Expect(known->second == reservation, "set_by_somebody",
           reservation.id.str() + " changed, which nobody asked for");
  }
  Expect(page->items.size() == reservations_.size(), "acknowledged_is_there",
         "a reservation is not there any more");
}

void Auditor::CheckReserved(const Reservation& made) {
  const auto asked = asked_reservations_.find(made.display_name);
  Expect(asked != asked_reservations_.end(), "set_by_somebody",
         made.id.str() + " was asked for by nobody");
  if (asked == asked_reservations_.end()) return;
  const control::ReservationRequest& wanted = asked->second;
  const bool in_cluster = std::ranges::all_of(made.nodes, [&](const NodeId& node) {
    return node.str().starts_with(wanted.reservation.cluster.str() + "/");
  });
  Expect(made.cluster == wanted.reservation.cluster && in_cluster &&
             made.project == wanted.reservation.project &&
             made.window == wanted.reservation.window && made.occurrences == 1 &&
             static_cast<int>(made.nodes.size()) == wanted.node_count && !made.cancel_time,
         "as_it_was_asked", made.id.str() + " is another reservation than was asked for");
  const auto same = std::ranges::count(
      reservations_, made.display_name,
      [](const auto& row) -> const std::string& { return row.second.display_name; });
  Expect(same == 1, "request_once", made.id.str() + " was reserved twice");
}

void Auditor::CheckOffReserved(const Allocation& allocation, const Order& order) {
  for (const auto& [id, reservation] : reservations_) {
    if (reservation.project == allocation.project) continue;
    if (!reservation.window.Overlaps(order.window)) continue;
    const bool meets = std::ranges::any_of(order.nodes, [&](const OrderedNode& node) {
      return std::ranges::find(reservation.nodes, node.node) != reservation.nodes.end();
    });
    Expect(!meets, "reserved_is_kept",
           allocation.id.str() + " started on what is set aside: " + id.str());
  }
}

void Auditor::Reserved(const std::string& display_name) {
  const bool there = std::ranges::any_of(
      reservations_, [&](const auto& row) { return row.second.display_name == display_name; });
  Expect(there, "acknowledged_is_done", "a reservation was acknowledged and is not there");
}

}  // namespace allot::chaos
