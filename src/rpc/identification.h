#pragma once

#include <functional>
#include <string_view>

#include "allot/oidc/token_verifier.h"
#include "allot/rpc/server_tls.h"
#include "rpc/authenticator.h"
#include "rpc/credential.h"
#include "rpc/seen_certificates.h"
#include "rpc/worker_pool.h"

namespace allot::rpc {

/// Why a call does not come in: what its caller is told, and what is for the log and the metrics
/// alone.
struct Denial {
  Error error;
  /// Of a bad token; else empty.
  std::string_view token_fault = {};
};

/// Finds out who calls, from key, token and certificate. A token that was found good before is
/// known at once; any other is judged on a worker, in the line of those whom nobody knows, so that
/// a flood of bad ones has its share of the workers and no more. Thread safe.
class Identification {
 public:
  using Serve = std::function<void(const Principal&)>;
  using Refuse = std::function<void(const Denial&)>;

  /// `tls` is null on a server without, `tokens` on one that takes none.
  Identification(const ServerTls* tls, SeenCertificates& seen, oidc::TokenVerifier* tokens,
                 Authenticator& authenticator, WorkerPool& pool)
      : tls_(tls), seen_(seen), tokens_(tokens), authenticator_(authenticator), pool_(pool) {}

  /// Runs `serve` on the authenticator's thread, or `refuse`, at once or later: one of the two,
  /// once. Neither may block.
  void Find(const Credential& credential, Serve serve, Refuse refuse);
  /// Whether a call that came in before as `principal` would still, and as the same. At once, on
  /// the caller's thread.
  Status StillAllowed(const Credential& credential, const Principal& principal) const;

 private:
  void Judge(const Credential& credential, Serve serve, Refuse refuse, bool may_wait);
  void Ask(const Credential& credential, const control::Proof& proof, Serve serve, Refuse refuse);
  Result<control::Proof> ProofIn(const Credential& credential) const;
  Status CheckCertificate(const Principal& principal, const Credential& credential) const;

  const ServerTls* const tls_;
  SeenCertificates& seen_;
  oidc::TokenVerifier* const tokens_;
  Authenticator& authenticator_;
  WorkerPool& pool_;
};

}  // namespace allot::rpc
