#pragma once

#include <optional>

#include "allot/control/context.h"
#include "allot/model/pool.h"
#include "allot/store/tx.h"

namespace allot::control {

/// Whether a message about `cluster` is its newest agent's, of the principal's provider: not_found
/// or agent_superseded otherwise.
Status SpeaksFor(const Principal& principal, const std::optional<Cluster>& cluster,
                 const ClusterId& id, std::optional<int64_t> session);

/// The cluster of an agent's message, locked, when the agent speaks for it.
Result<Cluster> LockForAgent(store::Tx& tx, const Principal& principal, const ClusterId& id,
                             std::optional<int64_t> session);

}  // namespace allot::control
