#pragma once

#include <cstdint>

#include "allot/model/policy.h"
#include "allot/scheduler/snapshot.h"

namespace allot::testing {

/// A policy under which small pools have promises, releases that take their time, and a horizon
/// that is reached. Equal seeds give equal policies.
Policy RandomPolicy(uint64_t seed);

/// A few small clusters under pressure: two programmes, tight quotas, closed projects, nodes that
/// take nothing, overdue releases, every kind of shape, starts in the future and deadlines. Nothing
/// is promised. Canonical; equal seeds give equal snapshots.
scheduler::Snapshot RandomSnapshot(uint64_t seed);

/// What a random snapshot becomes by the time of its next pass: promises that the policy's plan
/// made and some that it did not have to, started work, new requests. With `faults`, also what
/// breaks promises: lost nodes, drains, quotas and budgets lowered, closed projects, late passes.
/// Canonical.
scheduler::Snapshot NextSnapshot(const scheduler::Snapshot& before, const Policy& policy,
                                 uint64_t seed, bool faults);

/// The same rows in another order, positions following.
scheduler::Snapshot Shuffled(const scheduler::Snapshot& original, uint64_t seed);

}  // namespace allot::testing
