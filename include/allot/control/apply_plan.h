#pragma once

#include <memory>
#include <vector>

#include "allot/control/context.h"
#include "allot/control/planner.h"

namespace allot::control {

struct Applied {
  int reserved = 0;   ///< got claims and an order
  int planned = 0;    ///< planned start or reason written anew
  int promised = 0;   ///< of the planned: promised, or promised something earlier
  int slipped = 0;    ///< lost what they were promised
  int preempted = 0;  ///< their windows end sooner, for others
  int expired = 0;    ///< deadline can no longer be met
  int skipped = 0;    ///< changed since the snapshot: stays as it is until the next pass
  int overdue =
      0;  ///< of the planned: would start later than the policy lets what they were told move
  /// Of the reserved that were told a start: how much later than the first one they start.
  std::vector<Seconds> start_errors;
};

/// Makes a checked plan true, in one transaction that asserts the leader's epoch: placements that
/// start now become claims and provision orders, under each cluster's lock and in the order of
/// clusters and nodes; later ones a planned start, with the GPUs booked where it is promised;
/// deferrals a reason; windows of what is stopped end sooner. Promises made and lost and what is
/// stopped are audited. Writes only what differs. What no longer
/// holds (another state, version or node than in the snapshot) is skipped and stays pending.
Result<Applied> ApplyPlan(const Context& context, const Pass& pass, int64_t epoch);

}  // namespace allot::control
