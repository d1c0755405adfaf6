#pragma once

#include <functional>
#include <string>

#include "allot/control/context.h"
#include "allot/store/tx.h"

namespace allot::control {

/// Runs a mutation at most once for a request_id, in one transaction with the record of it.
/// `work` returns the id of the resource it changed; a repeat with the same body returns that id
/// without running it, one with another body is request_id_reused. With validate_only the work runs
/// and is rolled back. Two at the same time: one waits or reruns and finds the other's record.
Result<std::string> Once(const Context& context, const Call& call, Instant now,
                         const std::function<Result<std::string>(store::Tx&)>& work);

}  // namespace allot::control
