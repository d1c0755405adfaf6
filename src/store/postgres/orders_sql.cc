#include "store/postgres/postgres_tx.h"
#include "store/postgres/rows.h"

namespace allot::store {
namespace {

const std::string kSelectOrder = std::string("SELECT ") + kOrderColumns + " FROM provider_orders";

// Arrays of arrays cannot be unnested one level, so each order's nodes and GPUs travel as text.
const Statement kInsertOrders{
    "insert_orders",
    "INSERT INTO provider_orders (id, cluster_id, allocation_id, attempt, kind, state, node_ids,"
    " gpu_masks, start_time, end_time, epoch, create_time, acknowledge_time, message)"
    " SELECT u.id, u.cluster_id, u.allocation_id, u.attempt, u.kind, u.state, u.node_ids::text[],"
    " u.gpu_masks::int[], instant(u.start_time), instant(u.end_time), u.epoch,"
    " instant(u.create_time), instant(u.acknowledge_time), u.message"
    " FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[], $6::text[],"
    " $7::text[], $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[],"
    " $13::bigint[], $14::text[])"
    " AS u(id, cluster_id, allocation_id, attempt, kind, state, node_ids, gpu_masks, start_time,"
    " end_time, epoch, create_time, acknowledge_time, message)"
    " ON CONFLICT DO NOTHING"};
const Statement kFindOrder{"find_order", kSelectOrder + " WHERE id = $1"};
const Statement kLockOrder{"lock_order", kSelectOrder + " WHERE id = $1 FOR NO KEY UPDATE"};
const Statement kUpdateOrder{
    "update_order",
    "UPDATE provider_orders SET state = $2, acknowledge_time = instant($3), message = $4,"
    " epoch = $5 WHERE id = $1"};
const Statement kSupersedeProvisionOrders{
    "supersede_provision_orders",
    "UPDATE provider_orders o SET state = 'superseded'"
    " FROM unnest($1::text[], $2::int[]) AS a(allocation_id, attempt)"
    " WHERE o.allocation_id = a.allocation_id AND o.attempt = a.attempt"
    " AND o.kind = 'provision' AND o.state = 'open'"};
const Statement kOpenOrders{"open_orders",
                            kSelectOrder +
                                " WHERE cluster_id = $1 AND state = 'open'"
                                " ORDER BY acknowledge_time NULLS FIRST, create_time, id"
                                " LIMIT $2"};

// The kinds' names are in the order of the kinds.
const Statement kOrderBacklogs{
    "order_backlogs",
    "SELECT cluster_id, kind, count(*), micros(min(create_time)) FROM provider_orders"
    " WHERE state = 'open' GROUP BY cluster_id, kind ORDER BY cluster_id, kind"};

OrderBacklog ReadBacklog(RowReader& row) {
  return {.cluster = row.AsId<ClusterId>(),
          .kind = row.Named(ParseOrderKind),
          .orders = row.Int64(),
          .oldest_create_time = row.Time()};
}

std::string NodesOf(const Order& order) { return SqlArray(order.nodes, &OrderedNode::node); }
std::string MasksOf(const Order& order) { return SqlArray(order.nodes, &OrderedNode::gpus); }
Instant StartOf(const Order& order) { return order.window.start(); }
Instant EndOf(const Order& order) { return order.window.end(); }

}  // namespace

Status PostgresTx::InsertOrders(std::span<const Order> orders) {
  if (orders.empty()) return Ok{};
  const auto column = [&](auto part) { return SqlArray(orders, part); };
  return Insert(kInsertOrders,
                Arguments(column(&Order::id), column(&Order::cluster), column(&Order::allocation),
                          column(&Order::attempt), column(&Order::kind), column(&Order::state),
                          column(NodesOf), column(MasksOf), column(StartOf), column(EndOf),
                          column(&Order::epoch), column(&Order::create_time),
                          column(&Order::acknowledge_time), column(&Order::message)),
                orders.size());
}

Result<std::optional<Order>> PostgresTx::FindOrder(const OrderId& id) {
  return FindOne(ReadOrder, kFindOrder, Arguments(id));
}

Result<std::optional<Order>> PostgresTx::LockOrder(const OrderId& id) {
  return FindOne(ReadOrder, kLockOrder, Arguments(id));
}

Status PostgresTx::UpdateOrder(const Order& order) {
  return Update(kUpdateOrder, Arguments(order.id, order.state, order.acknowledge_time,
                                        order.message, order.epoch));
}

Status PostgresTx::SupersedeProvisionOrders(std::span<const Attempt> attempts) {
  if (attempts.empty()) return Ok{};
  return Verb([&]() -> Status {
    Execute(kSupersedeProvisionOrders, Arguments(SqlArray(attempts, &Attempt::allocation),
                                                 SqlArray(attempts, &Attempt::number)));
    return Ok{};
  });
}

Result<std::vector<Order>> PostgresTx::OpenOrders(const ClusterId& cluster, int limit) {
  return FindAll(ReadOrder, kOpenOrders, Arguments(cluster, limit));
}

Result<std::vector<OrderBacklog>> PostgresTx::OrderBacklogs() {
  return FindAll(ReadBacklog, kOrderBacklogs, Arguments());
}

Result<Page<Order>> PostgresTx::ListOrders(const std::optional<ClusterId>& cluster,
                                           const std::optional<OrderState>& state,
                                           const PageRequest& page) {
  ListQuery query(kSelectOrder, "id", page);
  query.Where("cluster_id = ", cluster).Where("state = ", state);
  if (state == OrderState::kOpen) query.Within("state = 'open'");
  return FindPage(ReadOrder, query);
}

}  // namespace allot::store
