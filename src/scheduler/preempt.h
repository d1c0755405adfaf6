#pragma once

#include <span>

#include "allot/scheduler/plan.h"

namespace allot::scheduler {

/// A plan that stops nobody. `first`: positions of those who rank before all others that are
/// promised nothing.
Plan PlanAround(const Snapshot& snapshot, const Policy& policy, std::span<const int> first = {});

/// `plan` with the preemptions that make it better. Each is for one allocation that may not be
/// stopped itself: whole gangs are stopped, those with the fewest GPUs, on nodes where it then
/// fits; and all is planned anew, the stopped among those who wait. That plan is taken if the one
/// they are stopped for starts sooner by policy.preemption_gain or more, nobody else who may not be
/// stopped starts later, no promise slips that did not before, what is stopped has a start again,
/// and the GPU time by which it starts sooner is more than policy.preemption_gain of every GPU
/// taken back that was not borrowed. For an urgent one it is enough that it starts sooner by three
/// quarters of an hour; for one
/// that room is to be made for (SnapshotPending::consolidate) as well, and all that is stopped for
/// it and not borrowed has to go on at once.
///
/// What is borrowed may also be stopped for preemptible work that does not borrow. So what is
/// stopped is always of a lower kind than what it is stopped for, and no two can stop each other in
/// turn; what does not borrow is stopped preemptions_max times at the most.
Plan WithPreemptions(const Snapshot& snapshot, const Policy& policy, Plan plan);

/// Whether it may be stopped in a pass at `now`: it ran for preemption_min_run, was stopped less
/// than preemptions_max times or borrows, and would go on past the grace.
bool MayBeStopped(const SnapshotPreemptible& running, Instant now, const Policy& policy);

/// What is stopped then and goes on by this was moved: as soon as others have cleared its GPUs, by
/// the plan's grid.
Instant MovedBy(Instant stop, Instant now, const Policy& policy);

}  // namespace allot::scheduler
