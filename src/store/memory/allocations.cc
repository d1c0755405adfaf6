#include <cstdlib>

#include "store/memory/memory_tx.h"

namespace allot::store {
namespace {

/// Moves of less are none: a quarter of an hour is the finest slot of the plan's grid.
constexpr Seconds kMoveTold = Minutes(15);

bool IsShape(const Shape& shape) {
  return shape.nodes >= 1 && shape.nodes <= kNodesMax && shape.gpus_per_node >= 1 &&
         shape.gpus_per_node <= kGpusPerNode && shape.remainder_gpus >= 0 &&
         shape.remainder_gpus < shape.gpus_per_node && shape.gpus() <= kGpusMax;
}

bool IsRequest(const Request& request) {
  const auto& models = request.models;
  return IsShape(request.shape) && (!request.exchanged || IsShape(request.exchanged->shape)) &&
         !models.empty() && models.size() <= 2 && (models.size() == 1 || models[0] != models[1]) &&
         request.duration >= kDurationMin && request.duration <= kDurationMax &&
         (!request.earliest_start || !request.deadline ||
          *request.earliest_start + request.duration <= *request.deadline) &&
         (!request.borrow || request.preemptible) && request.same_leaf_wait >= Seconds{0} &&
         (!request.gpus_max ||
          (*request.gpus_max <= kGpusMax && *request.gpus_max > request.shape.gpus()));
}

bool IsOfItsProject(const Allocation& allocation, const std::optional<AllocationId>& other) {
  return !other ||
         (*other != allocation.id && other->str().starts_with(allocation.project.str() + "/"));
}

std::optional<Instant> PlannedStart(const Allocation& allocation) {
  if (allocation.state != AllocationState::kPlanned || !allocation.window) return std::nullopt;
  return allocation.window->start();
}

}  // namespace

bool MemoryTx::MayBeStored(const Allocation& a) const {
  using enum AllocationState;
  const bool has_place = a.window.has_value() && !a.cluster.empty();
  const bool being_stopped = a.state == kActive || a.state == kReleasing || a.state == kPreempted;
  return a.id.str().starts_with(a.project.str() + "/") && IsRequest(a.request) && a.attempt >= 0 &&
         a.failures >= 0 && a.preemptions >= 0 &&
         (has_place || !(a.state == kPlanned || HoldsGpus(a.state))) &&
         (!a.promised || a.state == kPlanned) && (!a.preempt_requested || being_stopped) &&
         (a.request.preemptible || a.preemptions == 0) &&
         (!a.remaining || (*a.remaining > Seconds{0} && *a.remaining < a.request.duration)) &&
         (!a.ready_time || a.after) && (a.overdue_under.empty() || a.told_start) &&
         a.urgent == !a.urgent_reason.empty() && a.consolidate == !a.consolidate_reason.empty() &&
         !(a.consolidate && a.request.preemptible) && IsOfItsProject(a, a.after) &&
         IsOfItsProject(a, a.grows) &&
         (!a.grows || (!a.request.gpus_max && !a.after && !a.promised));
}

Result<std::optional<Allocation>> MemoryTx::FindAllocation(const AllocationId& id) {
  return FindOne(state_.allocations, id);
}

Result<std::vector<Allocation>> MemoryTx::GrowthsOf(const AllocationId& base) {
  return Verb([&] {
    std::vector<Allocation> growths;
    const std::string prefix = ProjectOf(base).str() + "/";
    const auto& rows = state_.allocations.rows();
    for (auto row = rows.lower_bound(AllocationId(prefix));
         row != rows.end() && row->first.str().starts_with(prefix); ++row) {
      if (row->second->grows == base) growths.push_back(*row->second);
    }
    return growths;
  });
}

Result<std::vector<Allocation>> MemoryTx::FindAllocations(std::span<const AllocationId> ids) {
  return Verb([&] {
    std::vector<Allocation> found;
    for (const AllocationId& id : std::set<AllocationId>(ids.begin(), ids.end())) {
      if (const Allocation* const row = state_.allocations.Find(id)) found.push_back(*row);
    }
    return found;
  });
}

Result<std::vector<Allocation>> MemoryTx::LockAllocations(std::span<const AllocationId> ids) {
  for (const AllocationId& id : ids) Hold(Lock::kAllocation, id);
  return FindAllocations(ids);
}

Result<Page<Allocation>> MemoryTx::ListAllocations(const AllocationFilter& filter,
                                                   const PageRequest& page) {
  return FindPage(state_.allocations, page, [&](const Allocation& row) {
    return (!filter.institute || InstituteOf(row.project) == *filter.institute) &&
           (!filter.project || row.project == *filter.project) &&
           (!filter.cluster || row.cluster == *filter.cluster) &&
           (filter.states.empty() ||
            std::ranges::find(filter.states, row.state) != filter.states.end());
  });
}

Result<std::vector<StartEstimate>> MemoryTx::EstimatesOf(const AllocationId& id, int limit) {
  return Verb([&] {
    std::vector<StartEstimate> told;
    const auto& rows = state_.estimates.rows();
    auto row = rows.upper_bound({id, state_.counters.estimates});
    while (row != rows.begin() && static_cast<int>(told.size()) < limit) {
      --row;
      if (row->first.first != id) break;
      told.push_back(*row->second);
    }
    return told;
  });
}

Status MemoryTx::InsertAllocations(std::span<const Allocation> allocations) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  for (const Allocation& one : allocations) ALLOT_RETURN_IF_ERROR(InsertOne(one));
  return Ok{};
}

Status MemoryTx::InsertOne(const Allocation& allocation) {
  ALLOT_RETURN_IF_ERROR(CheckText(allocation.display_name));
  if (allocation.state != AllocationState::kPending) return Fail(IllegalTransition());
  if (!MayBeStored(allocation)) return Refuse();
  const auto missing = [&](const std::optional<AllocationId>& other) {
    return other && state_.allocations.Find(*other) == nullptr;
  };
  if (state_.projects.Find(allocation.project) == nullptr || missing(allocation.after) ||
      missing(allocation.grows)) {
    return Fail(RefersToNothing());
  }
  // Else two admissions spend the same quota.
  ALLOT_RETURN_IF_ERROR(RequireHeld(Lock::kProject, allocation.project));
  Hold(Lock::kAllocation, allocation.id);
  Changed(ResourceKind::kAllocation, allocation.id);
  return Insert(state_.allocations, allocation.id, allocation);
}

Status MemoryTx::CheckTransition(const Allocation& before, const Allocation& after) {
  const bool legal = before.state == after.state ||
                     std::ranges::any_of(Transitions(), [&](const Transition& step) {
                       return step.from == before.state && step.to == after.state;
                     });
  if (!legal) return Fail(IllegalTransition());
  if (after.state != AllocationState::kProvisioning) return Ok{};
  if (before.after) {
    const Allocation* const predecessor = state_.allocations.Find(*before.after);
    if (predecessor == nullptr || !IsFinal(predecessor->state)) return Fail(IllegalTransition());
  }
  if (before.grows && before.state != after.state) {
    const Allocation* const base = state_.allocations.Find(*before.grows);
    const bool runs_there = base != nullptr && base->window &&
                            (base->state == AllocationState::kProvisioning ||
                             base->state == AllocationState::kActive) &&
                            base->cluster == after.cluster &&
                            base->window->end() >= after.window->end();
    if (!runs_there) return Fail(IllegalTransition());
  }
  return Ok{};
}

void MemoryTx::KeepEstimate(const Allocation& before, const Allocation& after) {
  const auto start = PlannedStart(after);
  if (!IsWaiting(after.state) || start == PlannedStart(before)) return;
  const auto told = EstimatesOf(after.id, 1);
  if (told.ok() && !told->empty()) {
    const auto& last = told->front().planned_start;
    const bool moved =
        start.has_value() != last.has_value() ||
        (start && std::abs(start->micros - last->micros) >= kMoveTold.count * 1'000'000);
    if (!moved) return;
  }
  state_.estimates.Put(undo_, {after.id, ++state_.counters.estimates},
                       StartEstimate{.told_time = after.update_time, .planned_start = start});
}

Status MemoryTx::UpdateAllocations(std::span<Allocation> allocations) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  for (Allocation& allocation : allocations) {
    const Allocation* const found = state_.allocations.Find(allocation.id);
    if (found == nullptr || found->version != allocation.version) return Conflict();
    ALLOT_RETURN_IF_ERROR(CheckText(allocation.display_name));
    ALLOT_RETURN_IF_ERROR(CheckText(allocation.message));
    const Allocation before = *found;
    Allocation after = allocation;
    // The request stays as it was admitted.
    after.project = before.project;
    after.request = before.request;
    after.after = before.after;
    after.grows = before.grows;
    after.create_time = before.create_time;
    if (!MayBeStored(after)) return Refuse();
    ALLOT_RETURN_IF_ERROR(CheckTransition(before, after));
    ALLOT_RETURN_IF_ERROR(Update(state_.allocations, after.id, after));
    KeepEstimate(before, after);
    Changed(ResourceKind::kAllocation, after.id);
  }
  for (Allocation& allocation : allocations) ++allocation.version;
  return Ok{};
}

}  // namespace allot::store
