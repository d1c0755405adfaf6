#pragma once

#include <memory>

#include "allot/base/clock.h"
#include "allot/store/store.h"

namespace allot::store {

/// A store that keeps all it holds in memory and forgets it with the process: for simulation and
/// tests, under the same conformance suite as PostgreSQL. What the schema's constraints and
/// triggers refuse it refuses too. Writers run one at a time, each while it holds the store; a
/// reader sees the moment it began at. `clock` dates the events of what has no time of its own, and
/// outlives the store.
std::unique_ptr<Store> OpenMemory(const Clock& clock);

}  // namespace allot::store
