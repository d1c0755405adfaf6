#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allot/base/id.h"
#include "allot/base/time.h"

namespace allot {

/// Who did what. Never changed; removed from the oldest on, once the policy no longer keeps it.
struct AuditEntry {
  /// Given by the store: grows with every entry.
  int64_t number = 0;
  Instant time;
  KeyId key;
  /// "operator", … or "system".
  std::string actor;
  /// Verb and resource: "allocation.cancel", "project.set_merit" …
  std::string action;
  std::string resource;
  InstituteId institute;
  /// The reason given, or what was decided and by which numbers.
  std::string detail;
  std::string request_id;

  friend bool operator==(const AuditEntry&, const AuditEntry&) = default;
};

/// As the store keeps it: linked to the one before.
struct ChainedAuditEntry {
  AuditEntry entry;
  /// SHA-256 of the hash before (32 bytes, zeros before the first) and of the entry: its number,
  /// its time in microseconds since 1970, key, actor, action, resource, institute, detail and
  /// request_id, each as "LENGTH:TEXT,"; in lower-case hex.
  std::string hash;

  friend bool operator==(const ChainedAuditEntry&, const ChainedAuditEntry&) = default;
};

/// A place in the audit and the hash there; before the first entry 0, and zeros.
struct AuditMark {
  int64_t number = 0;
  /// 64 lower-case hexadecimal digits.
  std::string hash = std::string(64, '0');

  friend bool operator==(const AuditMark&, const AuditMark&) = default;
};

/// What the installation says of the audit, signed: an entry with this number and this hash stood
/// there at a time, or the entries up to it were removed then as the policy has it.
struct AuditCheckpoint {
  enum class Kind : uint8_t { kReached, kRemoved };
  Kind kind = Kind::kReached;
  AuditMark mark;
  Instant sign_time;
  /// Of the key it was signed with: the first 16 hexadecimal digits of the SHA-256 of the public
  /// half (SubjectPublicKeyInfo).
  std::string signer;
  /// Ed25519, of SignedText: 128 lower-case hexadecimal digits.
  std::string signature;

  friend bool operator==(const AuditCheckpoint&, const AuditCheckpoint&) = default;
};
/// "reached", "removed".
std::string_view Name(AuditCheckpoint::Kind kind);
std::optional<AuditCheckpoint::Kind> ParseAuditCheckpointKind(std::string_view name);
/// What is signed, four lines: "allot audit reached", the number, the hash, and the time in
/// microseconds since 1970.
std::string SignedText(const AuditCheckpoint& checkpoint);

/// A part of the audit in its order.
struct AuditChain {
  /// Those after a number, without a gap; those that were removed are not there.
  std::vector<ChainedAuditEntry> entries;
  /// Of these entries, and of the place before the first of the audit: by number, then kind.
  std::vector<AuditCheckpoint> checkpoints;
  /// The newest entry there is.
  AuditMark head;
  /// The newest that was removed; the audit begins behind it.
  AuditMark base;
};

/// Whose history is asked for.
struct AuditedResource {
  std::string id;
  /// "project", "quota"; not empty.
  std::vector<std::string> kinds;
};

}  // namespace allot
