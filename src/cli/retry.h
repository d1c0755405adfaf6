#pragma once

#include <grpcpp/support/status.h>

#include <chrono>
#include <cstdint>

#include "allot/base/random.h"
#include "cli/failure.h"

namespace allot::cli {

/// How patient a call is. The pauses are those of deploy/grpc-service-config.json, which other
/// clients are given.
struct CallPolicy {
  /// For all attempts of a call together.
  int64_t timeout_ms = 10'000;
  /// Doubles with every attempt, up to the bound.
  int64_t backoff_first_ms = 200;
  int64_t backoff_max_ms = 5'000;
};

/// Whether the same call may succeed later: the server is away, or has too much to do, or somebody
/// else was faster. Not what a repeat cannot mend: an etag that is stale, a certificate that is
/// not believed.
bool MayPass(const grpc::Status& status, const Failure& failure);

/// How long to wait after so many failures in a row (1 or more), the last of which is given: never
/// less than the server says, and a part more by chance, so that many do not come back at once.
std::chrono::milliseconds PauseAfter(int failures, const Failure& last, const CallPolicy& policy,
                                     SeededRandom& random);

}  // namespace allot::cli
