#pragma once

#include <vector>

#include "allot/control/context.h"
#include "allot/control/pool_view.h"

namespace allot::control {

/// What time alone makes necessary.
struct Due {
  /// Active past the end of their window: to be released.
  std::vector<AllocationId> window_over;
  /// On nodes that are down or removed: to be moved or failed by policy.
  std::vector<AllocationId> on_lost_nodes;
  /// Added to others that do not run any more: to be handed back, to wait again or to be withdrawn.
  std::vector<AllocationId> without_base;
  /// Whose agents are silent: their nodes become unknown, then down.
  std::vector<ClusterId> silent;
  /// Silence counts from here: nobody could be heard before.
  Instant listening_since;

  bool empty() const {
    return window_over.empty() && on_lost_nodes.empty() && without_base.empty() && silent.empty();
  }
};

/// Pure. `clusters` come fresh from the store, because heartbeats make no event and so are not
/// known to the view. Silence before `listening_since` is ours, not the agents': after an outage
/// of the server no agent may lose its work for having had nobody to talk to.
Due WhatIsDue(const PoolView& view, const std::vector<Cluster>& clusters, const Policy& policy,
              Instant now, Instant listening_since);

struct Swept {
  int releasing = 0;      ///< windows that ran out
  int nodes_unknown = 0;  ///< fell silent
  int nodes_down = 0;     ///< silent for too long
  int taken_off = 0;      ///< allocations moved or failed with their nodes
  int without_base = 0;   ///< what was added to others that ended
};

/// Does what is due, each item verified again under its lock, with the epoch asserted.
Result<Swept> Sweep(const Context& context, const Due& due, int64_t epoch);

/// When the next window begins or ends, or the next gathering time after `last_pass` is over, in
/// whole seconds as passes have them; kEndOfTime when there is none.
Instant NextDue(const PoolView& view, const Policy& policy, Instant last_pass);

}  // namespace allot::control
