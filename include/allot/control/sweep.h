#pragma once

#include "allot/control/context.h"
#include "allot/control/pool_view.h"

namespace allot::control {

struct Swept {
  int releasing = 0;      ///< windows that ran out
  int nodes_unknown = 0;  ///< fell silent
  int nodes_down = 0;     ///< silent for too long
  int taken_off = 0;      ///< allocations moved or failed with their nodes
  int requeued = 0;
};

/// What time alone does, decided from the view and verified in the transaction, with the epoch asserted:
/// active allocations past their window are released; nodes of silent agents become unknown, then down;
/// work on nodes that are down is moved or failed by policy; preempted allocations whose GPUs are free
/// go back to pending. Writes nothing when nothing is due.
Result<Swept> Sweep(const Context& context, const PoolView& view, int64_t epoch);

/// When the next of these is due by the clock; kEndOfTime when nothing is.
Instant NextDue(const PoolView& view, const Policy& policy);

}  // namespace allot::control
