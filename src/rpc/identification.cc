#include "rpc/identification.h"

#include <utility>
#include <variant>

#include "rpc/status.h"

namespace allot::rpc {
namespace {

control::Proof ProofOf(const oidc::VerifiedToken& token) {
  return {.key_sha256 = {}, .person = Person{.issuer = token.issuer, .subject = token.subject}};
}

/// All that is wrong with tokens is told in the same words. Requires: it is not good.
Denial DenialOf(const oidc::Verdict& verdict) {
  const auto* fault = std::get_if<oidc::TokenFault>(&verdict);
  if (fault == nullptr) {
    return {.error = StateError(Reason::kIssuerUnavailable,
                                "the issuer of the token does not publish its keys now")};
  }
  return {.error = StateError(Reason::kTokenInvalid, "the token is not good"),
          .token_fault = oidc::Name(*fault)};
}

/// Keys that are fetched anew may tell.
bool MayTurn(const oidc::Verdict& verdict) {
  return std::holds_alternative<oidc::IssuerSilent>(verdict) ||
         verdict == oidc::Verdict(oidc::TokenFault::kKeyUnknown);
}

}  // namespace

void Identification::Find(const Credential& credential, Serve serve, Refuse refuse) {
  if (credential.token.empty()) {
    const control::Proof proof{.key_sha256 = credential.key_sha256, .person = std::nullopt};
    return Ask(credential, proof, std::move(serve), std::move(refuse));
  }
  if (tokens_ == nullptr) return refuse(DenialOf(oidc::Verdict(oidc::TokenFault::kIssuer)));
  if (const auto known = tokens_->Known(credential.token)) {
    return Ask(credential, ProofOf(*known), std::move(serve), std::move(refuse));
  }
  Judge(credential, std::move(serve), std::move(refuse), /*may_wait=*/true);
}

void Identification::Judge(const Credential& credential, Serve serve, Refuse refuse,
                           bool may_wait) {
  const auto taken =
      pool_.TryRun(kStrangers, [this, credential, serve = std::move(serve), refuse, may_wait] {
        const oidc::Verdict verdict = tokens_->Verify(credential.token);
        if (const auto* good = std::get_if<oidc::VerifiedToken>(&verdict)) {
          return Ask(credential, ProofOf(*good), serve, refuse);
        }
        const bool waits =
            may_wait && MayTurn(verdict) && tokens_->AwaitKeys(credential.token, [=, this] {
              Judge(credential, serve, refuse, /*may_wait=*/false);
            });
        if (!waits) refuse(DenialOf(verdict));
      });
  if (taken != QueueVerdict::kTaken) refuse({.error = RefusalOf(taken)});
}

void Identification::Ask(const Credential& credential, const control::Proof& proof, Serve serve,
                         Refuse refuse) {
  const auto asked = authenticator_.TryAsk(proof, [this, credential, serve = std::move(serve),
                                                   refuse](const Result<Principal>& principal) {
    if (!principal.ok()) return refuse({.error = principal.error()});
    const Status certified = CheckCertificate(*principal, credential);
    if (!certified.ok()) return refuse({.error = certified.error()});
    if (principal->role == Role::kProvider) {
      seen_.Note("providers/" + principal->provider.str(), credential.certificate);
    }
    serve(*principal);
  });
  if (asked != QueueVerdict::kTaken) refuse({.error = RefusalOf(asked)});
}

Status Identification::StillAllowed(const Credential& credential,
                                    const Principal& principal) const {
  ALLOT_ASSIGN_OR_RETURN(const auto proof, ProofIn(credential));
  ALLOT_ASSIGN_OR_RETURN(const auto present, authenticator_.Ask(proof));
  // A person who was removed and added again may do something else now.
  if (present != principal) {
    return StateError(Reason::kMemberUnknown, "who called is no longer the member that called");
  }
  return CheckCertificate(present, credential);
}

Result<control::Proof> Identification::ProofIn(const Credential& credential) const {
  if (credential.token.empty()) {
    return control::Proof{.key_sha256 = credential.key_sha256, .person = std::nullopt};
  }
  if (const auto known = tokens_->Known(credential.token)) return ProofOf(*known);
  const oidc::Verdict verdict = tokens_->Verify(credential.token);
  if (const auto* good = std::get_if<oidc::VerifiedToken>(&verdict)) return ProofOf(*good);
  return DenialOf(verdict).error;
}

/// A provider's key is good only on a connection of that provider: neither a stolen key nor a
/// stolen certificate is enough.
Status Identification::CheckCertificate(const Principal& principal,
                                        const Credential& credential) const {
  if (tls_ == nullptr || principal.role != Role::kProvider) return Ok{};
  const auto needed = tls_->ProviderName(principal.provider.str());
  if (!needed || credential.certificate_name == *needed) return Ok{};
  return StateError(Reason::kCertificateRequired,
                    "the connection is not made with the certificate of " + *needed);
}

}  // namespace allot::rpc
