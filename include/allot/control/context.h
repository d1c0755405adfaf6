#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "allot/base/clock.h"
#include "allot/base/random.h"
#include "allot/base/result.h"
#include "allot/base/time.h"
#include "allot/control/audit_signer.h"
#include "allot/control/policy_book.h"
#include "allot/model/principal.h"
#include "allot/store/store.h"

namespace allot::control {

/// The methods that nobody calls alone in this installation ("CreatePolicy"; all of them are
/// kMethodsForTwo's), and how long such a call may take until it went through.
using CallsForTwo = std::map<std::string, Seconds>;

/// What every use case stands on. Outlives all calls; its parts are thread safe.
struct Context {
  store::Store& store;
  const Clock& clock;
  IdSource& ids;
  PolicyBook& policies;
  CallsForTwo for_two = {};
  /// Null where nobody signs: then the audit has no checkpoints, and is kept for good.
  const AuditSigner* audit_signer = nullptr;
};

/// What a second person is shown, and what tells that a call is the same again.
struct CalledMethod {
  /// "CreatePolicy".
  std::string name;
  /// Of the body without its request_id, hexadecimal. Valid, as `text`, as long as the message that
  /// came.
  std::function<std::string()> digest;
  /// The body as JSON; request_malformed for what JSON cannot show, which nobody could approve.
  std::function<Result<std::string>()> text;
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
  /// Of methods that may take two persons.
  std::optional<CalledMethod> method = std::nullopt;
};

/// role_insufficient naming the permission, unless the principal's role holds it.
Status Require(const Principal& principal, Permission permission);

}  // namespace allot::control
