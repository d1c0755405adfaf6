#pragma once

#include <string>
#include <vector>

#include "allot/scheduler/plan.h"

namespace allot::scheduler {

/// Independent of the planner: shares no code with it beyond the types, and is always on.
/// Checks that every pending allocation is placed or deferred exactly once; shape, model,
/// programme, one cluster, schedulable nodes; earliest start, deadline and duration; no GPU twice
/// in overlapping windows, claims included (overdue ones block starts at `now`); concurrent quotas
/// at every instant. Returns what is violated, in plain English; empty when the plan is valid. O(b
/// log b) in the bookings.
std::vector<std::string> CheckPlan(const Snapshot& snapshot, const Policy& policy,
                                   const Plan& plan);

}  // namespace allot::scheduler
