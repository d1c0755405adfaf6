#pragma once

#include <optional>

#include "allot/control/context.h"

namespace allot::control {

struct Removed {
  /// Of revisions, the oldest first.
  int events = 0;
  int requests = 0;
  /// There may be more to remove.
  bool more = false;
};

/// Removes a bounded number of events, request ids and audit entries that the policy no longer
/// keeps, with the epoch asserted; audit entries only with a signature that says so. Small enough
/// to come between two passes without delaying them.
Result<Removed> RemoveExpired(const Context& context, int64_t epoch);

struct AuditSigned {
  /// When all of the audit was found or made signed.
  Instant time;
  /// The newest entry that was signed.
  AuditMark mark;
};

/// Signs the newest audit entry, unless it was signed before, with the epoch asserted; nothing
/// where nobody signs or there is no entry. `before`: what this server found signed the last time;
/// none at first. Fails with internal, and signs nothing, when an entry that was signed is not
/// there any more as it was, and was not removed for its age: the audit was changed, and a new
/// signature would cover it up.
Result<std::optional<AuditSigned>> SignAudit(const Context& context, int64_t epoch,
                                             const AuditMark& before);

}  // namespace allot::control
