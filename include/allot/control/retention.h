#pragma once

#include <optional>

#include "allot/control/context.h"

namespace allot::control {

struct Removed {
  /// Of revisions, the oldest first.
  int events = 0;
  int requests = 0;
  /// Through which entry the audit was removed; 0: none.
  int64_t audit_through = 0;
  /// There may be more to remove.
  bool more = false;
};

/// Removes a bounded number of events, request ids and audit entries that the policy no longer
/// keeps, with the epoch asserted; audit entries only with a signature that says so. Small enough
/// to come between two passes without delaying them.
Result<Removed> RemoveExpired(const Context& context, int64_t epoch);

/// Signs the newest audit entry, unless it was signed before, with the epoch asserted. When it was
/// signed last; nothing where nobody signs or there is no entry.
Result<std::optional<Instant>> SignAudit(const Context& context, int64_t epoch);

}  // namespace allot::control
