#pragma once

#include <string>

#include "allot/scheduler/plan.h"

namespace allot::scheduler {

/// Everything a pass was decided from and what it decided, as text: one row a line, fields by name,
/// times in microseconds since 1970. Complete, so that a refused plan can be looked into and made
/// again from it; deterministic, so that two can be compared with diff.
std::string Dump(const Snapshot& snapshot, const Plan& plan);

}  // namespace allot::scheduler
