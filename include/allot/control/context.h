#pragma once

#include <string>

#include "allot/base/clock.h"
#include "allot/base/random.h"
#include "allot/control/policy_book.h"
#include "allot/model/principal.h"
#include "allot/store/store.h"

namespace allot::control {

/// What every use case stands on. Outlives all calls; its parts are thread safe.
struct Context {
  store::Store& store;
  const Clock& clock;
  IdSource& ids;
  PolicyBook& policies;
};

/// Who calls, and the key that makes a repeat harmless.
struct Call {
  Principal principal;
  /// Chosen by the caller; empty when a repeat may happen twice (reads, and callers who do not
  /// mind).
  std::string request_id;
  /// SHA-256 of method and body, hexadecimal; the same request_id with another body is an error.
  std::string body_sha256;
  /// Everything is checked as if it were done, and nothing is changed.
  bool validate_only = false;
};

/// role_insufficient naming the permission, unless the principal's role holds it.
Status Require(const Principal& principal, Permission permission);

}  // namespace allot::control
