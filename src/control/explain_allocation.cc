#include "allot/control/explain_allocation.h"

#include <algorithm>

#include "control/record.h"

namespace allot::control {
namespace {

struct Known {
  Allocation allocation;
  std::vector<StartEstimate> estimates;
};

Result<Known> ReadKnown(const Context& context, const Principal& principal,
                        const AllocationId& id) {
  return context.store.Transact<Known>(
      store::Access::kRead, store::Scope::For(principal), [&](store::Tx& tx) -> Result<Known> {
        ALLOT_ASSIGN_OR_RETURN(auto found, tx.FindAllocation(id));
        if (!found) return NotFound("name", id.str());
        ALLOT_ASSIGN_OR_RETURN(auto estimates, tx.EstimatesOf(id, kEstimatesShown));
        return Known{*std::move(found), std::move(estimates)};
      });
}

std::optional<Instant> Earliest(const scheduler::Explanation& why) {
  std::optional<Instant> earliest;
  for (const scheduler::ClusterOutlook& cluster : why.clusters) {
    const auto& start = cluster.earliest_by_claims;
    if (start) earliest = std::min(earliest.value_or(*start), *start);
  }
  return earliest;
}

std::optional<Instant> Latest(const Pass& pass, const Allocation& allocation) {
  if (!allocation.window || !IsWaiting(allocation.state)) return std::nullopt;
  if (allocation.promised) return allocation.window->start();
  if (!allocation.told_start || allocation.request.borrow) return std::nullopt;
  return *allocation.told_start + pass.policy->planned_slip_max;
}

/// By its row alone.
scheduler::Explanation OfEnded(const Allocation& allocation) {
  scheduler::Explanation why;
  if (allocation.window) why.planned_start = allocation.window->start();
  why.reason = allocation.reason.empty() ? std::string(Name(allocation.state)) : allocation.reason;
  why.message = allocation.message;
  return why;
}

}  // namespace

Result<AllocationExplanation> ExplainAllocation(const Context& context, const Principal& principal,
                                                Planner& planner, const AllocationId& id) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadTenant));
  if (!MaySee(principal, InstituteOf(id))) return NotFound("name", id.str());
  AllocationExplanation explanation;
  ALLOT_ASSIGN_OR_RETURN(explanation.pass, planner.Latest());
  const Pass& pass = *explanation.pass;
  ALLOT_ASSIGN_OR_RETURN(Known known, ReadKnown(context, principal, id));
  const auto pending = scheduler::FindPending(pass.snapshot, id);
  // What is being stopped is planned for, too; until it waits, its row says what happens to it.
  if (pending && IsWaiting(known.allocation.state)) {
    explanation.why = scheduler::Explain(pass.snapshot, *pass.policy, pass.plan, *pending);
  } else {
    explanation.why = OfEnded(known.allocation);
  }
  explanation.earliest_start = Earliest(explanation.why);
  explanation.latest_start = Latest(pass, known.allocation);
  explanation.estimates = std::move(known.estimates);
  return explanation;
}

}  // namespace allot::control
