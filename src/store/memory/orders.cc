#include <map>

#include "store/memory/memory_tx.h"

namespace allot::store {
namespace {

bool IsStorable(const Order& order) {
  const bool in_order = std::ranges::adjacent_find(order.nodes, [](const auto& a, const auto& b) {
                          return b.node <= a.node;
                        }) == order.nodes.end();
  return !order.nodes.empty() && in_order && order.epoch >= 0;
}

/// What failed comes behind what was not tried.
std::tuple<ClusterId, std::optional<Instant>, Instant, OrderId> TurnOf(const Order& order) {
  return {order.cluster, order.acknowledge_time, order.create_time, order.id};
}

}  // namespace

void MemoryTx::PutOrder(const Order& order) {
  if (const Order* const before = state_.orders.Find(order.id)) {
    state_.open_orders.Erase(undo_, TurnOf(*before));
  }
  state_.orders.Put(undo_, order.id, order);
  if (order.state == OrderState::kOpen) state_.open_orders.Put(undo_, TurnOf(order), order.id);
}

Status MemoryTx::InsertOrders(std::span<const Order> orders) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  for (const Order& order : orders) {
    if (!IsStorable(order)) return Refuse();
    if (state_.clusters.Find(order.cluster) == nullptr ||
        state_.allocations.Find(order.allocation) == nullptr) {
      return Fail(RefersToNothing());
    }
    ALLOT_RETURN_IF_ERROR(RequireHeld(Lock::kAllocation, order.allocation));
    const std::tuple of_attempt(order.allocation, order.attempt, order.kind);
    if (state_.orders.Find(order.id) != nullptr ||
        state_.orders_of_attempts.Find(of_attempt) != nullptr) {
      return Fail(AlreadyThere(run_));
    }
    state_.orders_of_attempts.Put(undo_, of_attempt, order.id);
    PutOrder(order);
  }
  return Ok{};
}

Result<std::optional<Order>> MemoryTx::FindOrder(const OrderId& id) {
  return FindOne(state_.orders, id);
}

Result<std::optional<Order>> MemoryTx::LockOrder(const OrderId& id) {
  Hold(Lock::kOrder, id);
  return FindOrder(id);
}

Status MemoryTx::UpdateOrder(const Order& order) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  ALLOT_RETURN_IF_ERROR(CheckText(order.message));
  const Order* const found = state_.orders.Find(order.id);
  if (found == nullptr) return Conflict();
  ALLOT_RETURN_IF_ERROR(RequireHeld(Lock::kOrder, order.id));
  Order next = *found;
  next.state = order.state;
  next.acknowledge_time = order.acknowledge_time;
  next.message = order.message;
  next.epoch = order.epoch;
  PutOrder(next);
  return Ok{};
}

Status MemoryTx::SupersedeProvisionOrders(std::span<const Attempt> attempts) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  for (const Attempt& attempt : attempts) {
    const OrderId* const id =
        state_.orders_of_attempts.Find({attempt.allocation, attempt.number, OrderKind::kProvision});
    if (id == nullptr) continue;
    Order order = *state_.orders.Find(*id);
    if (order.state != OrderState::kOpen) continue;
    ALLOT_RETURN_IF_ERROR(RequireHeld(Lock::kAllocation, attempt.allocation));
    order.state = OrderState::kSuperseded;
    PutOrder(order);
  }
  return Ok{};
}

Result<std::vector<Order>> MemoryTx::OpenOrders(const ClusterId& cluster, int limit) {
  return Verb([&] {
    std::vector<Order> open;
    const auto& rows = state_.open_orders.rows();
    for (auto row = rows.lower_bound({cluster, std::nullopt, Instant{INT64_MIN}, OrderId()});
         row != rows.end() && std::get<0>(row->first) == cluster &&
         static_cast<int>(open.size()) < limit;
         ++row) {
      open.push_back(*state_.orders.Find(*row->second));
    }
    return open;
  });
}

Result<std::vector<OrderBacklog>> MemoryTx::OrderBacklogs() {
  return Verb([&] {
    std::map<std::pair<ClusterId, OrderKind>, OrderBacklog> backlogs;
    for (const auto& [key, id] : state_.open_orders.rows()) {
      const Order& order = *state_.orders.Find(*id);
      OrderBacklog& backlog =
          backlogs
              .try_emplace({order.cluster, order.kind},
                           OrderBacklog{.cluster = order.cluster,
                                        .kind = order.kind,
                                        .oldest_create_time = order.create_time})
              .first->second;
      ++backlog.orders;
      backlog.oldest_create_time = std::min(backlog.oldest_create_time, order.create_time);
    }
    std::vector<OrderBacklog> found;
    found.reserve(backlogs.size());
    for (auto& [key, backlog] : backlogs) found.push_back(std::move(backlog));
    return found;
  });
}

Result<Page<Order>> MemoryTx::ListOrders(const std::optional<ClusterId>& cluster,
                                         const std::optional<OrderState>& state,
                                         const PageRequest& page) {
  return FindPage(state_.orders, page, [&](const Order& row) {
    return (!cluster || row.cluster == *cluster) && (!state || row.state == *state);
  });
}

}  // namespace allot::store
