#pragma once

#include <cstdint>
#include <memory>

#include "allot/base/clock.h"
#include "allot/store/store.h"

namespace allot::store {

/// Whether a transaction must have locked what it writes and no version guards. Writers come one by
/// one here, so that a lock that was left out shows in nothing else; in PostgreSQL the later of two
/// would overwrite what it never saw.
enum class Locking : uint8_t {
  kNotLookedAt,
  /// A write whose lock is missing is refused.
  kRequired,
};

/// A store that keeps all it holds in memory and forgets it with the process: for simulation and
/// tests, under the same conformance suite as PostgreSQL. What the schema's constraints and
/// triggers refuse it refuses too. Writers run one at a time, each while it holds the store; a
/// reader sees the moment it began at. `clock` dates the events of what has no time of its own, and
/// outlives the store.
std::unique_ptr<Store> OpenMemory(const Clock& clock, Locking locking = Locking::kNotLookedAt);

}  // namespace allot::store
