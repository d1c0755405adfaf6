#include "rpc/enums.h"
#include "rpc/fields.h"
#include "rpc/render.h"
#include "rpc/resource_name.h"

namespace allot::rpc {
namespace {

void RenderGpus(const NodeId& node, GpuMask gpus, const ClusterNamer& name_of,
                v1::NodeGpus& rendered) {
  rendered.set_node(NodeNameOf(name_of(ClusterOf(node)), node));
  for (int i = 0; i < kGpusPerNode; ++i) {
    if ((gpus >> i & 1) != 0) rendered.add_gpu_indices(i);
  }
}

// A remainder comes from "GPUs in all" only; whole nodes mean the same either way.
template <class Message>
void RenderSize(const Shape& shape, Message& rendered) {
  if (shape.remainder_gpus > 0) {
    rendered.set_gpus(shape.gpus());
  } else {
    rendered.mutable_node_shape()->set_nodes(shape.nodes);
    rendered.mutable_node_shape()->set_gpus_per_node(shape.gpus_per_node);
  }
}

}  // namespace

v1::AllocationRequest Render(const Request& request) {
  v1::AllocationRequest rendered;
  RenderSize(request.shape, rendered);
  // As its size is shown.
  if (request.gpus_max && rendered.has_node_shape() &&
      *request.gpus_max % request.shape.gpus_per_node == 0) {
    rendered.set_nodes_max(*request.gpus_max / request.shape.gpus_per_node);
  } else if (request.gpus_max) {
    rendered.set_gpus_max(*request.gpus_max);
  }
  rendered.set_exchange(request.exchanged.has_value());
  if (request.exchanged) {
    rendered.mutable_exchanged_size()->set_model(Render(request.exchanged->model));
    RenderSize(request.exchanged->shape, *rendered.mutable_exchanged_size());
  }
  for (const GpuModel model : request.models) rendered.add_models(Render(model));
  *rendered.mutable_duration() = Render(request.duration);
  if (request.earliest_start) {
    *rendered.mutable_earliest_start() = Render(*request.earliest_start);
  }
  if (request.deadline) *rendered.mutable_deadline() = Render(*request.deadline);
  rendered.set_preemptible(request.preemptible);
  rendered.set_borrow(request.borrow);
  if (request.same_leaf_wait.count > 0) {
    *rendered.mutable_same_leaf_wait() = Render(request.same_leaf_wait);
  }
  return rendered;
}

v1::Allocation Render(const Allocation& allocation, const ClusterNamer& name_of) {
  v1::Allocation rendered;
  rendered.set_name(NameOf(allocation.id));
  rendered.set_display_name(allocation.display_name);
  *rendered.mutable_request() = Render(allocation.request);
  if (allocation.after) rendered.mutable_request()->set_after(NameOf(*allocation.after));
  if (allocation.grows) rendered.set_grows(NameOf(*allocation.grows));
  rendered.set_state(Render(allocation.state));
  rendered.set_attempt(allocation.attempt);
  rendered.set_failures(allocation.failures);
  *rendered.mutable_create_time() = Render(allocation.create_time);
  *rendered.mutable_update_time() = Render(allocation.update_time);
  if (allocation.window) {
    *rendered.mutable_start_time() = Render(allocation.window->start());
    *rendered.mutable_end_time() = Render(allocation.window->end());
  }
  rendered.set_promised(allocation.promised);
  if (!allocation.cluster.empty()) rendered.set_cluster(name_of(allocation.cluster));
  if (allocation.active_time) *rendered.mutable_active_time() = Render(*allocation.active_time);
  if (allocation.end_time) *rendered.mutable_finish_time() = Render(*allocation.end_time);
  rendered.set_reason(allocation.reason);
  rendered.set_message(allocation.message);
  rendered.set_setback(allocation.setback);
  rendered.set_preemptions(allocation.preemptions);
  if (allocation.remaining) {
    *rendered.mutable_remaining_duration() = Render(*allocation.remaining);
  }
  if (allocation.told_start) {
    *rendered.mutable_told_start_time() = Render(*allocation.told_start);
  }
  rendered.set_overdue(!allocation.overdue_under.empty());
  rendered.set_urgent(allocation.urgent);
  rendered.set_urgent_reason(allocation.urgent_reason);
  rendered.set_consolidate(allocation.consolidate);
  rendered.set_consolidate_reason(allocation.consolidate_reason);
  rendered.set_cancel_requested(allocation.cancel_requested);
  rendered.set_etag(EtagOf(allocation.version));
  return rendered;
}

v1::Allocation Render(const control::AllocationDetail& detail, const ClusterNamer& name_of) {
  v1::Allocation rendered = Render(detail.allocation, name_of);
  for (const Allocation& growth : detail.growths) {
    v1::Growth& added = *rendered.add_growths();
    added.set_allocation(NameOf(growth.id));
    added.set_state(Render(growth.state));
    added.set_gpus(growth.request.shape.gpus());
  }
  for (const Claim& claim : detail.claims) {
    RenderGpus(claim.node, claim.gpus, name_of, *rendered.add_nodes());
  }
  return rendered;
}

v1::AllocationChange Render(const control::AllocationChange& change, const ClusterNamer& name_of) {
  v1::AllocationChange rendered;
  rendered.set_revision(change.revision);
  *rendered.mutable_time() = Render(change.time);
  rendered.set_state(Render(change.state));
  rendered.set_reason(change.reason);
  rendered.set_message(change.message);
  *rendered.mutable_allocation() = Render(change.allocation, name_of);
  return rendered;
}

v1::Order Render(const Order& order, const ClusterNamer& name_of) {
  v1::Order rendered;
  rendered.set_name(OrderNameOf(name_of(order.cluster), order.id));
  rendered.set_allocation(NameOf(order.allocation));
  rendered.set_attempt(order.attempt);
  rendered.set_kind(Render(order.kind));
  rendered.set_state(Render(order.state));
  for (const OrderedNode& node : order.nodes) {
    RenderGpus(node.node, node.gpus, name_of, *rendered.add_nodes());
  }
  *rendered.mutable_start_time() = Render(order.window.start());
  *rendered.mutable_end_time() = Render(order.window.end());
  rendered.set_epoch(order.epoch);
  *rendered.mutable_create_time() = Render(order.create_time);
  if (order.acknowledge_time) {
    *rendered.mutable_acknowledge_time() = Render(*order.acknowledge_time);
  }
  rendered.set_message(order.message);
  return rendered;
}

}  // namespace allot::rpc
