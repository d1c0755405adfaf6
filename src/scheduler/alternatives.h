#pragma once

#include <vector>

#include "allot/scheduler/explain.h"

namespace allot::scheduler {

/// What the pending allocation at `pending` could ask for instead, to start sooner than `planned`
/// (nothing: it has no start). Exact: its rank does not depend on its size, and those ahead keep
/// their places.
std::vector<Alternative> FindAlternatives(const Snapshot& snapshot, const Policy& policy,
                                          const Plan& plan, int pending,
                                          std::optional<Instant> planned);

}  // namespace allot::scheduler
