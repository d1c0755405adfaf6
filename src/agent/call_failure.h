#pragma once

#include <grpcpp/support/status.h>

#include "allot/agent/connection.h"

namespace allot::agent {

/// What a status that is not OK means to the agent: by the reason in its details, and without one
/// (no server of ours answered) by its code.
Failure FailureOf(const grpc::Status& status);

}  // namespace allot::agent
