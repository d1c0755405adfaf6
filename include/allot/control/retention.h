#pragma once

#include "allot/control/context.h"

namespace allot::control {

struct Removed {
  /// Of revisions, the oldest first.
  int events = 0;
  int requests = 0;
  /// There may be more to remove.
  bool more = false;
};

/// Removes a bounded number of events and request ids that the policy no longer keeps, with the
/// epoch asserted. Small enough to come between two passes without delaying them.
Result<Removed> RemoveExpired(const Context& context, int64_t epoch);

}  // namespace allot::control
