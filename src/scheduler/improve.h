#pragma once

#include "allot/scheduler/plan.h"

namespace allot::scheduler {

/// `plan` after policy.improver_rounds attempts at a better one: in each, a few neighbours in one
/// cluster are taken out, one of them is put first, and what comes of it is kept if that one starts
/// sooner, weighted by merit more is gained than lost, and no gang hangs from more leaves
/// (large-neighbourhood search, Shaw 1998). Nobody ever starts later than by `plan` and
/// policy.improver_delay_max; promises that were kept and what starts now stay where they are.
/// Bounded by rounds and drawn from the time of the pass, so that it replays. Does nothing to a
/// plan that stops work.
Plan Improve(const Snapshot& snapshot, const Policy& policy, Plan plan);

}  // namespace allot::scheduler
