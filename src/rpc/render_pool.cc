#include "rpc/enums.h"
#include "rpc/fields.h"
#include "rpc/render.h"
#include "rpc/resource_name.h"

namespace allot::rpc {
namespace {

v1::BookingConflict::Kind Render(control::BookingConflict::Kind kind) {
  switch (kind) {
    case control::BookingConflict::Kind::kHeld:
      return v1::BookingConflict::KIND_HELD;
    case control::BookingConflict::Kind::kPromised:
      return v1::BookingConflict::KIND_PROMISED;
    case control::BookingConflict::Kind::kReserved:
      return v1::BookingConflict::KIND_RESERVED;
  }
  return v1::BookingConflict::KIND_UNSPECIFIED;
}

v1::ClusterCapacity Render(const control::ClusterCapacity& capacity) {
  v1::ClusterCapacity rendered;
  rendered.set_cluster(NameOf(capacity.provider, capacity.cluster));
  rendered.set_gpu_model(rpc::Render(capacity.model));
  rendered.set_nodes(capacity.nodes);
  rendered.set_nodes_ready(capacity.nodes_ready);
  rendered.set_nodes_draining(capacity.nodes_draining);
  rendered.set_nodes_unknown(capacity.nodes_unknown);
  rendered.set_nodes_down(capacity.nodes_down);
  rendered.set_gpus(capacity.gpus);
  rendered.set_gpus_online(capacity.gpus_online);
  rendered.set_gpus_held(capacity.gpus_held);
  rendered.set_gpus_in_use(capacity.gpus_in_use);
  return rendered;
}

std::string NameIn(const control::Capacity& capacity, const ClusterId& id) {
  for (const control::ClusterCapacity& cluster : capacity.clusters) {
    if (cluster.cluster == id) return NameOf(cluster.provider, id);
  }
  return "providers/-/clusters/" + id.str();
}

}  // namespace

v1::Provider Render(const Provider& provider) {
  v1::Provider rendered;
  rendered.set_name(NameOf(provider.id));
  rendered.set_display_name(provider.display_name);
  rendered.set_etag(EtagOf(provider.version));
  return rendered;
}

v1::Cluster Render(const Cluster& cluster) {
  v1::Cluster rendered;
  rendered.set_name(NameOf(cluster.provider, cluster.id));
  rendered.set_display_name(cluster.display_name);
  rendered.set_gpu_model(Render(cluster.model));
  for (const ProgrammeId& programme : cluster.programmes) {
    rendered.add_programmes(programme.str());
  }
  rendered.set_agent_session(cluster.agent_session);
  rendered.set_inventory_generation(cluster.inventory_generation);
  if (cluster.last_heartbeat) {
    *rendered.mutable_last_heartbeat_time() = Render(*cluster.last_heartbeat);
  }
  rendered.set_draining(cluster.draining);
  rendered.set_drain_reason(cluster.drain_reason);
  if (cluster.join_time) *rendered.mutable_join_time() = Render(*cluster.join_time);
  if (cluster.leave_time) *rendered.mutable_leave_time() = Render(*cluster.leave_time);
  rendered.set_etag(EtagOf(cluster.version));
  return rendered;
}

v1::Node Render(const Node& node, const std::string& cluster_name) {
  v1::Node rendered;
  rendered.set_name(NodeNameOf(cluster_name, node.id));
  rendered.set_health(Render(node.health));
  rendered.set_draining(node.draining);
  rendered.set_drain_reason(node.drain_reason);
  rendered.set_reason(node.reason);
  rendered.set_leaf(node.leaf);
  rendered.set_etag(EtagOf(node.version));
  return rendered;
}

v1::Reservation Render(const control::ReservationDetail& detail) {
  const Reservation& reservation = detail.reservation;
  const std::string cluster = NameOf(detail.provider, reservation.cluster);
  v1::Reservation rendered;
  rendered.set_name(ReservationNameOf(cluster, reservation.id));
  rendered.set_display_name(reservation.display_name);
  if (!reservation.project.empty()) rendered.set_project(NameOf(reservation.project));
  for (const NodeId& node : reservation.nodes) rendered.add_nodes(NodeNameOf(cluster, node));
  rendered.set_node_count(detail.node_count);
  *rendered.mutable_start_time() = Render(reservation.window.start());
  *rendered.mutable_end_time() = Render(reservation.window.end());
  if (reservation.repeat_every.count > 0) {
    *rendered.mutable_repeat_every() = Render(reservation.repeat_every);
  }
  rendered.set_occurrences(reservation.occurrences);
  *rendered.mutable_create_time() = Render(reservation.create_time);
  if (reservation.cancel_time) *rendered.mutable_cancel_time() = Render(*reservation.cancel_time);
  for (const control::BookingConflict& conflict : detail.conflicts) {
    auto& added = *rendered.add_conflicts();
    added.set_kind(Render(conflict.kind));
    added.set_booking(conflict.allocation.empty() ? ReservationNameOf(cluster, conflict.reservation)
                                                  : NameOf(conflict.allocation));
    added.set_nodes(conflict.nodes);
    *added.mutable_start_time() = Render(conflict.window.start());
    *added.mutable_end_time() = Render(conflict.window.end());
  }
  rendered.set_etag(EtagOf(reservation.version));
  return rendered;
}

v1::GetCapacityResponse Render(const control::Capacity& capacity) {
  v1::GetCapacityResponse rendered;
  *rendered.mutable_time() = Render(capacity.time);
  rendered.set_revision(capacity.revision);
  for (const auto& cluster : capacity.clusters) *rendered.add_clusters() = Render(cluster);
  if (!capacity.timeline.empty()) {
    for (int i = 0; i < rendered.clusters_size(); ++i) {
      rendered.mutable_clusters(i)->set_gpus_free(
          capacity.timeline[0].gpus_free[static_cast<std::size_t>(i)]);
    }
  }
  for (const control::CapacityPoint& point : capacity.timeline) {
    auto& added = *rendered.add_timeline();
    *added.mutable_time() = Render(point.time);
    added.mutable_gpus_free()->Add(point.gpus_free.begin(), point.gpus_free.end());
  }
  rendered.set_projects_served(capacity.projects_served);
  rendered.set_projects_waiting(capacity.projects_waiting);
  rendered.set_allocations_active(capacity.allocations_active);
  rendered.set_allocations_waiting(capacity.allocations_waiting);
  rendered.set_utilisation_permille(capacity.utilisation_permille);
  for (const control::PlannedStart& start : capacity.next_starts) {
    auto& added = *rendered.add_next_starts();
    if (!start.allocation.empty()) added.set_allocation(NameOf(start.allocation));
    added.set_cluster(NameIn(capacity, start.cluster));
    added.set_gpus(start.gpus);
    *added.mutable_start_time() = Render(start.start);
  }
  return rendered;
}

}  // namespace allot::rpc
