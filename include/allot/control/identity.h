#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "allot/control/context.h"
#include "allot/model/audit.h"
#include "allot/model/principal.h"

namespace allot::control {

/// "allot_" + key id (12) + "_" + 40 characters of secret.
inline constexpr int kKeyIdLength = 12;
inline constexpr int kKeySecretLength = 40;

/// SHA-256, 64 lower-case hexadecimal digits.
std::string Sha256Hex(std::string_view text);

/// What somebody proves who it is with: one of the two, or nothing.
struct Proof {
  /// Sha256Hex of an API key.
  std::string key_sha256;
  /// From a token that was verified.
  std::optional<Person> person;

  /// Sha256Hex of what tells the key or the person from all others.
  std::string fingerprint() const;
};

/// Who presents a key. credential_missing for an empty one, credential_invalid for any other that
/// is unknown or revoked or expired: the answer tells nothing more.
Result<Principal> Authenticate(const Context& context, const std::string& key);
/// The same for several, side by side with their proofs, with one look at the store for all.
/// member_unknown for a person who is no member, or none any more.
std::vector<Result<Principal>> AuthenticateAll(const Context& context,
                                               std::span<const Proof> proofs);

/// How far ahead a key may expire, and for how long one that was rotated may go on.
inline constexpr Seconds kKeyLifetimeMax = Days(1098);
inline constexpr Seconds kKeyOverlapMax = Days(30);

struct NewKey {
  Role role = Role::kMember;
  /// Required for those who belong to an institute.
  InstituteId institute;
  /// Required for providers.
  ProviderId provider;
  std::string display_name;
  /// None: it ends only when it is revoked. In the future, within kKeyLifetimeMax.
  std::optional<Instant> expire_time;
};
struct CreatedKey {
  ApiKey key;
  /// Shown once; empty when the call was a repeat, because it is not kept.
  std::string secret;
};
/// Keys of ministry admins, operators and auditors are made, exchanged and revoked by ministry
/// admins: role_insufficient for others, but for operators of an installation that never had one.
Result<CreatedKey> CreateApiKey(const Context& context, const Call& call, const NewKey& key);
/// Another key for the same holder, good for as long as the old one was made for; the old one goes
/// on for `overlap`, if it does not expire sooner. Requires: 0 to kKeyOverlapMax. field_not_allowed
/// for a key that does not work any more.
Result<CreatedKey> RotateApiKey(const Context& context, const Call& call, const KeyId& id,
                                Seconds overlap);
/// The first key of a new installation, without a caller: a ministry admin's. Made by whoever runs
/// the server.
Result<CreatedKey> CreateFirstKey(const Context& context);
Result<store::Page<ApiKey>> ListApiKeys(const Context& context, const Principal& principal,
                                        const store::PageRequest& page);
Result<ApiKey> RevokeApiKey(const Context& context, const Call& call, const KeyId& id,
                            const std::string& reason);

/// The newest first: those with a number below `before` (0: from the newest), at most `size`.
Result<store::Page<AuditEntry>> ListAudit(const Context& context, const Principal& principal,
                                          const AuditedResource& resource, int64_t before,
                                          int size);

/// The whole audit in its order, with what links the entries: at most `limit` of those after
/// `number`. Errors: role_insufficient.
Result<AuditChain> ReadAuditChain(const Context& context, const Principal& principal,
                                  int64_t number, int limit);

}  // namespace allot::control
