#pragma once

#include "allot/base/result.h"
#include "allot/scheduler/snapshot.h"

namespace allot::replay {

/// Refuses, by the row, what no server records and the planner does not expect: rows that are out
/// of order or twice there, GPUs claimed twice at one time, allocations that wait for each other.
/// Requires: every position is one of a row.
Status CheckSnapshot(const scheduler::Snapshot& snapshot);

}  // namespace allot::replay
