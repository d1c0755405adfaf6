#pragma once

#include <vector>

#include "allot/control/context.h"
#include "allot/control/go_on.h"
#include "allot/control/hearing.h"
#include "allot/control/pool_view.h"

namespace allot::control {

/// What time alone makes necessary.
struct Due {
  /// Past the end of their window: to be released, or planned anew if they never had their GPUs.
  std::vector<AllocationId> window_over;
  /// On nodes that are down or removed: to be moved or failed by policy.
  std::vector<AllocationId> on_lost_nodes;
  /// Added to others that do not run any more: to be handed back, to wait again or to be withdrawn.
  std::vector<AllocationId> without_base;
  /// Whose agents are silent: their nodes become unknown, then down.
  std::vector<Silent> silent;

  bool empty() const {
    return window_over.empty() && on_lost_nodes.empty() && without_base.empty() && silent.empty();
  }
};

/// Pure. `silent`: the leader's own judgement (Hearing), of whom those stay whose nodes it changes.
Due WhatIsDue(const PoolView& view, std::vector<Silent> silent, Instant now);

struct Swept {
  int releasing = 0;      ///< windows that ran out
  int nodes_unknown = 0;  ///< fell silent
  int nodes_down = 0;     ///< silent for too long
  int taken_off = 0;      ///< moved or failed with their nodes, or never handed over
  int without_base = 0;   ///< what was added to others that ended
};

/// Does what is due, each item verified again under its lock: in transactions of a bounded number,
/// each asserting the leader's epoch, and each but the first after `goes_on`.
Result<Swept> Sweep(const Context& context, const Due& due, int64_t epoch,
                    const GoOn& goes_on = ToTheEnd);

/// When the next window begins or ends, or the next gathering time after `last_pass` is over, in
/// whole seconds as passes have them; kEndOfTime when there is none.
Instant NextDue(const PoolView& view, const Policy& policy, Instant last_pass);

}  // namespace allot::control
