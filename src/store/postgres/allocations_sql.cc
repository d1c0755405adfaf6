#include <algorithm>

#include "store/postgres/postgres_tx.h"
#include "store/postgres/rows.h"

namespace allot::store {
namespace {

const std::string kSelectAllocation =
    std::string("SELECT ") + kAllocationColumns + " FROM allocations";

const Statement kFindAllocation{"find_allocation", kSelectAllocation + " WHERE id = $1"};
const Statement kGrowthsOf{"growths_of", kSelectAllocation + " WHERE grows_id = $1 ORDER BY id"};
const Statement kFindAllocations{"find_allocations",
                                 kSelectAllocation + " WHERE id = ANY ($1::text[]) ORDER BY id"};
const Statement kEstimatesOf{"estimates_of",
                             std::string("SELECT ") + kEstimateColumns +
                                 " FROM allocation_estimates WHERE allocation_id = $1"
                                 " ORDER BY number DESC LIMIT $2"};
// Rows are locked in the order they are returned, so that no two who lock many meet crosswise.
const Statement kLockAllocations{
    "lock_allocations",
    kSelectAllocation + " WHERE id = ANY ($1::text[]) ORDER BY id FOR NO KEY UPDATE"};
// Nothing has happened to it yet.
const Statement kInsertAllocations{
    "insert_allocations",
    "INSERT INTO allocations (id, project_id, institute_id, display_name, nodes, gpus_per_node,"
    " remainder_gpus, gpu_models, duration_s, earliest_start, deadline, preemptible, create_time,"
    " update_time, reason, message, same_leaf_wait_s, after_id, borrow, exchanged_model,"
    " exchanged_nodes, exchanged_gpus_per_node, exchanged_remainder_gpus, gpus_max, grows_id, "
    "state,"
    " attempt, failures, promised, cancel_requested, version)"
    " SELECT id, project_id, institute_id, display_name, nodes, gpus_per_node, remainder_gpus,"
    " string_to_array(gpu_models, E'\\n'), duration_s, instant(earliest_start), instant(deadline),"
    " preemptible, instant(create_time), instant(update_time), reason, message, same_leaf_wait_s,"
    " after_id, borrow, exchanged_model, exchanged_nodes, exchanged_gpus_per_node,"
    " exchanged_remainder_gpus, gpus_max, grows_id, state, 0, 0, false, false, 1"
    " FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::int[], $7::int[],"
    " $8::text[], $9::bigint[], $10::bigint[], $11::bigint[], $12::boolean[], $13::bigint[],"
    " $14::bigint[], $15::text[], $16::text[], $17::bigint[], $18::text[], $19::boolean[],"
    " $20::text[], $21::int[], $22::int[], $23::int[], $24::int[], $25::text[],"
    " $26::text[]) AS r(id, project_id, institute_id, display_name, nodes, gpus_per_node, "
    "remainder_gpus,"
    " gpu_models, duration_s, earliest_start, deadline, preemptible, create_time, update_time,"
    " reason, message, same_leaf_wait_s, after_id, borrow, exchanged_model, exchanged_nodes,"
    " exchanged_gpus_per_node, exchanged_remainder_gpus, gpus_max, grows_id, state)"
    " ON CONFLICT DO NOTHING"};
// The request stays as it was admitted.
const Statement kUpdateAllocations{
    "update_allocations",
    "UPDATE allocations a SET display_name = u.display_name, state = u.state, attempt = u.attempt,"
    " failures = u.failures, update_time = instant(u.update_time),"
    " window_start = instant(u.window_start), window_end = instant(u.window_end),"
    " cluster_id = u.cluster_id, promised = u.promised, active_time = instant(u.active_time),"
    " end_time = instant(u.end_time), reason = u.reason, message = u.message,"
    " setback = u.setback, cancel_requested = u.cancel_requested, version = a.version + 1,"
    " preempt_requested = u.preempt_requested, preemptions = u.preemptions,"
    " remaining_s = u.remaining_s, preempt_time = instant(u.preempt_time),"
    " ready_time = instant(u.ready_time), told_start = instant(u.told_start),"
    " overdue_under = u.overdue_under, urgent = u.urgent, urgent_reason = u.urgent_reason,"
    " consolidate = u.consolidate, consolidate_reason = u.consolidate_reason,"
    " moved = u.moved"
    " FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[], $6::bigint[],"
    " $7::bigint[], $8::bigint[], $9::text[], $10::bigint[], $11::bigint[], $12::text[],"
    " $13::text[], $14::text[], $15::boolean[], $16::bigint[], $17::boolean[],"
    " $18::boolean[], $19::int[], $20::bigint[], $21::bigint[], $22::bigint[],"
    " $23::bigint[], $24::text[], $25::boolean[], $26::text[], $27::boolean[], $28::text[],"
    " $29::boolean[])"
    " AS u(id, display_name, state, attempt, failures, update_time, window_start, window_end,"
    " cluster_id, active_time, end_time, reason, message, setback, cancel_requested, version,"
    " promised, preempt_requested, preemptions, remaining_s, preempt_time, ready_time,"
    " told_start, overdue_under, urgent, urgent_reason, consolidate, consolidate_reason, moved)"
    " WHERE a.id = u.id AND a.version = u.version"};

std::optional<Instant> StartOf(const Allocation& allocation) {
  if (!allocation.window) return std::nullopt;
  return allocation.window->start();
}

/// An id begins with those of its institute and project, and '0' follows upon '/'.
void BelowParent(ListQuery& query, const std::string& parent) {
  query.Where("id > ", std::optional(parent + "/")).Where("id < ", std::optional(parent + "0"));
}

/// An array within an array would have to be as long as its neighbours.
std::string ModelList(const Request& request) {
  std::string list;
  for (const GpuModel model : request.models) {
    if (!list.empty()) list += kListSeparator;
    list += Name(model);
  }
  return list;
}

std::string_view ExchangedModel(const Request& request) {
  return request.exchanged ? Name(request.exchanged->model) : std::string_view();
}

std::optional<Instant> EndOf(const Allocation& allocation) {
  if (!allocation.window) return std::nullopt;
  return allocation.window->end();
}

}  // namespace

Result<std::optional<Allocation>> PostgresTx::FindAllocation(const AllocationId& id) {
  return FindOne(ReadAllocation, kFindAllocation, Arguments(id));
}

Result<std::vector<Allocation>> PostgresTx::GrowthsOf(const AllocationId& base) {
  return FindAll(ReadAllocation, kGrowthsOf, Arguments(base));
}

Result<std::vector<Allocation>> PostgresTx::FindAllocations(std::span<const AllocationId> ids) {
  return FindAll(ReadAllocation, kFindAllocations, Arguments(SqlArray(ids)));
}

Result<std::vector<Allocation>> PostgresTx::LockAllocations(std::span<const AllocationId> ids) {
  return FindAll(ReadAllocation, kLockAllocations, Arguments(SqlArray(ids)));
}

Result<Page<Allocation>> PostgresTx::ListAllocations(const AllocationFilter& filter,
                                                     const PageRequest& page) {
  ListQuery query(kSelectAllocation, "id", page);
  if (filter.institute) BelowParent(query, filter.institute->str());
  if (filter.project) BelowParent(query, filter.project->str());
  query.Where("cluster_id = ", filter.cluster);
  if (!filter.states.empty()) query.WhereAny("state", SqlArray(filter.states));
  if (!filter.states.empty() && std::ranges::none_of(filter.states, IsFinal)) {
    query.Within(kUnfinished);
  }
  return FindPage(ReadAllocation, query);
}

Result<std::vector<StartEstimate>> PostgresTx::EstimatesOf(const AllocationId& id, int limit) {
  return FindAll(ReadEstimate, kEstimatesOf, Arguments(id, limit));
}

Status PostgresTx::InsertAllocations(std::span<const Allocation> allocations) {
  if (allocations.empty()) return Ok{};
  for (const Allocation& one : allocations) Changed(ResourceKind::kAllocation, one.id);
  const auto column = [&](auto part) { return SqlArray(allocations, part); };
  const auto asked = [&](auto part) {
    return column([part](const Allocation& a) { return std::invoke(part, a.request); });
  };
  const auto shape = [&](int Shape::*part) {
    return asked([part](const Request& r) { return r.shape.*part; });
  };
  const auto exchanged = [&](int Shape::*part) {
    return asked([part](const Request& r) { return r.exchanged ? r.exchanged->shape.*part : 0; });
  };
  return Insert(
      kInsertAllocations,
      Arguments(column(&Allocation::id), column(&Allocation::project),
                column([](const Allocation& a) { return InstituteOf(a.project); }),
                column(&Allocation::display_name), shape(&Shape::nodes),
                shape(&Shape::gpus_per_node), shape(&Shape::remainder_gpus), asked(ModelList),
                asked(&Request::duration), asked(&Request::earliest_start),
                asked(&Request::deadline), asked(&Request::preemptible),
                column(&Allocation::create_time), column(&Allocation::update_time),
                column(&Allocation::reason), column(&Allocation::message),
                asked(&Request::same_leaf_wait), column(&Allocation::after),
                asked(&Request::borrow), asked(ExchangedModel), exchanged(&Shape::nodes),
                exchanged(&Shape::gpus_per_node), exchanged(&Shape::remainder_gpus),
                asked([](const Request& r) { return r.gpus_max.value_or(0); }),
                column(&Allocation::grows), column(&Allocation::state)),
      allocations.size());
}

Status PostgresTx::UpdateAllocations(std::span<Allocation> allocations) {
  if (allocations.empty()) return Ok{};
  const auto column = [&](auto part) { return SqlArray(allocations, part); };
  ALLOT_RETURN_IF_ERROR(
      Update(kUpdateAllocations,
             Arguments(column(&Allocation::id), column(&Allocation::display_name),
                       column(&Allocation::state), column(&Allocation::attempt),
                       column(&Allocation::failures), column(&Allocation::update_time),
                       column(StartOf), column(EndOf), column(&Allocation::cluster),
                       column(&Allocation::active_time), column(&Allocation::end_time),
                       column(&Allocation::reason), column(&Allocation::message),
                       column(&Allocation::setback), column(&Allocation::cancel_requested),
                       column(&Allocation::version), column(&Allocation::promised),
                       column(&Allocation::preempt_requested), column(&Allocation::preemptions),
                       column(&Allocation::remaining), column(&Allocation::preempt_time),
                       column(&Allocation::ready_time), column(&Allocation::told_start),
                       column(&Allocation::overdue_under), column(&Allocation::urgent),
                       column(&Allocation::urgent_reason), column(&Allocation::consolidate),
                       column(&Allocation::consolidate_reason), column(&Allocation::moved)),
             allocations.size()));
  for (Allocation& allocation : allocations) {
    Changed(ResourceKind::kAllocation, allocation.id);
    ++allocation.version;
  }
  return Ok{};
}

}  // namespace allot::store
