#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "allot/model/policy.h"
#include "allot/scheduler/plan.h"
#include "allot/scheduler/snapshot.h"
#include "bench/bounds/start_problem.h"

namespace allot::bounds {

/// What windows are counted in. Durations and the ends of running work are multiples of it, and the
/// planner's grid has all its multiples: starts at other times help nobody, for whoever starts as
/// early as the others allow starts when one of them ends.
inline constexpr Seconds kSlot = Hours(2);

/// A horizon within which the planner's grid is fine enough for kSlot; and nothing is promised.
Policy WindowPolicy();

/// `requests` that wait on a small sub-pool of H200 and B200 nodes, most of them busy still. Half
/// of the requests take part of a node, a third a node, the rest gangs; 2 to 12 hours; projects of
/// merit 300 to 1000 with equal quotas that never bind. Canonical; equal seeds give equal windows.
scheduler::Snapshot RandomWindow(uint64_t seed, int requests);
/// The same requests, each of a project of its own that has used nothing: the fair order is the
/// order of merit then.
scheduler::Snapshot EachOnItsOwn(const scheduler::Snapshot& window);

/// Pools are clusters, jobs are pending allocations; weights are merits. Requires: whole slots.
StartProblem ProblemOf(const scheduler::Snapshot& window, int reach);
/// In slots from now, by pending. Requires: everybody is placed, at whole slots.
std::vector<int> StartsOf(const scheduler::Snapshot& window,
                          const std::vector<scheduler::Placement>& placements);

/// ∑ merit · start and ∑ merit · run, in slots.
int64_t MeritStart(const StartProblem& problem, const std::vector<int>& starts);
int64_t MeritRun(const StartProblem& problem);

/// The plan with these starts on physical GPUs; nothing when none was found.
std::optional<scheduler::Plan> PlanAt(const scheduler::Snapshot& window,
                                      const std::vector<JobStart>& starts);

}  // namespace allot::bounds
