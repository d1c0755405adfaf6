#pragma once

#include <string>
#include <vector>

#include "allot/model/policy.h"
#include "allot/scheduler/plan.h"
#include "allot/scheduler/snapshot.h"

namespace allot::scheduler {

/// The part of CheckPlan that is about what was promised and who is stopped; adds what is violated.
/// Requires: placements and nodes that exist.
void CheckPromises(const Snapshot& snapshot, const Policy& policy, const Plan& plan,
                   std::vector<std::string>& violations);

/// What violations call a pending allocation, also one that does not exist.
std::string NameOf(const Snapshot& snapshot, int pending);

/// A held claim's end in the plan: what is stopped ends sooner, what is overdue still holds its
/// GPUs at `now`.
Instant HeldUntil(const Plan& plan, const Snapshot& snapshot, const SnapshotClaim& claim);

}  // namespace allot::scheduler
