#pragma once

#include <memory>
#include <vector>

#include "allot/control/context.h"
#include "allot/control/go_on.h"
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
  int left = 0;  ///< differs, and was not written in time: found again by the next pass
  /// Of the reserved that were told a start: how much later than the first one they start.
  std::vector<Seconds> start_errors;
};

/// Makes a checked plan true, each transaction asserting the leader's epoch. In the first is what
/// binds: what is promised, what loses its promise or gives it up, what is stopped (its window ends
/// sooner), and what starts, which becomes claims and provision orders under each cluster's lock,
/// in the order of clusters and nodes. More starts than fit, and then what is only foretold,
/// planned starts and reasons, follow in parts of a thousand, each after `goes_on`. Promises made
/// and lost and what is stopped are audited. Writes only what differs. What no longer holds
/// (another state, version, node or date than in the snapshot) is skipped and stays as it is.
Result<Applied> ApplyPlan(const Context& context, const Pass& pass, int64_t epoch,
                          const GoOn& goes_on = ToTheEnd);

}  // namespace allot::control
