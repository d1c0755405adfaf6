#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "allot/control/context.h"
#include "allot/control/planner.h"
#include "allot/scheduler/explain.h"

namespace allot::control {

struct AllocationExplanation {
  /// Of one that does not wait: its reason and message, and its start.
  scheduler::Explanation why;
  /// What it was decided by.
  std::shared_ptr<const Pass> pass;
  /// Of any cluster, if nobody else waited.
  std::optional<Instant> earliest_start;
  /// From a start later than this on it would go before others; of a promise its start. Nothing
  /// before it is told one.
  std::optional<Instant> latest_start;
  /// What it was told about its start, the newest first, `kEstimatesShown` at the most.
  std::vector<StartEstimate> estimates;
};
inline constexpr int kEstimatesShown = 20;

/// Why an allocation waits, or what became of it. not_found for another tenant's.
Result<AllocationExplanation> ExplainAllocation(const Context& context, const Principal& principal,
                                                Planner& planner, const AllocationId& id);

}  // namespace allot::control
