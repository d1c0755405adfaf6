#pragma once

#include "allot/scheduler/plan.h"

namespace allot::scheduler {

/// Whether a start that was planned for it just now is promised (the rule: plan.h, Schedule).
bool DeservesPromise(const Snapshot& snapshot, const Policy& policy, const Placement& placement);

}  // namespace allot::scheduler
