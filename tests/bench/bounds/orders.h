#pragma once

#include <cstdint>
#include <vector>

#include "allot/model/policy.h"
#include "allot/scheduler/plan.h"
#include "allot/scheduler/snapshot.h"

namespace allot::bounds {

/// The planner's own placement in another order than the fair one: everyone in turn gets the
/// earliest start that is left. Whoever has none is left out.
std::vector<scheduler::Placement> PlaceInOrder(const scheduler::Snapshot& snapshot,
                                               const Policy& policy, const std::vector<int>& order);

/// Of those in the order who find room at once, the starts; the others are passed over.
std::vector<scheduler::Placement> StartInOrder(const scheduler::Snapshot& snapshot,
                                               const Policy& policy, const std::vector<int>& order);

/// By merit over GPU time, the greatest first (Smith's rule, with GPUs for the one machine), then
/// by position.
std::vector<int> SmithOrder(const scheduler::Snapshot& snapshot);

/// The planner's fair order when everybody is placed and nothing was promised.
std::vector<int> FairOrder(const scheduler::Snapshot& snapshot, const Policy& policy);
/// The same told plainly, by (charge + what the next one costs) / weight, lowest first; within a
/// project by create_time, or with `cheapest_first` by GPU time.
std::vector<int> FairFinishOrder(const scheduler::Snapshot& snapshot, const Policy& policy,
                                 bool cheapest_first);

/// Tries to take one out of the order and put it in elsewhere, and keeps what makes ∑ merit · start
/// no worse: `tries` times. With `nobody_later` only when nobody starts later than in the order
/// that was given.
std::vector<scheduler::Placement> ImproveOrder(const scheduler::Snapshot& snapshot,
                                               const Policy& policy, std::vector<int> order,
                                               int tries, bool nobody_later, uint64_t seed);

}  // namespace allot::bounds
