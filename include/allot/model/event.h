#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "allot/base/id.h"
#include "allot/base/time.h"
#include "allot/model/allocation.h"

namespace allot {

/// What a change was about. One outbox row for each resource a transaction changed.
enum class ResourceKind : uint8_t {
  kProvider,
  kCluster,
  kNode,
  kInstitute,
  kProject,
  kQuota,
  kAllocation,
  kReservation,
  kPolicy,
};
std::string_view Name(ResourceKind kind);
std::optional<ResourceKind> ParseResourceKind(std::string_view name);

/// Revisions number committed transactions that changed something, in commit order and without
/// gaps.
using Revision = int64_t;

struct Event {
  /// Given by the store at commit.
  Revision revision = 0;
  ResourceKind kind = ResourceKind::kAllocation;
  /// The id's text; of a quota, its project.
  std::string resource;
  /// Whose tenant it is; empty for the pool.
  InstituteId institute;
  /// Of allocations: the state after the change.
  std::optional<AllocationState> state;
  Instant time;
  /// Of allocations: why, as the allocation said it at this change; both may be empty.
  std::string reason;
  std::string message;

  friend bool operator==(const Event&, const Event&) = default;
};

/// Who did what, for good. Never changed, never removed.
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

/// A part of the audit in its order.
struct AuditChain {
  /// Those after a number, without a gap.
  std::vector<ChainedAuditEntry> entries;
  /// Of the newest entry there is: 0, and 64 zeros, before the first.
  int64_t head_number = 0;
  std::string head_hash;
};

/// Whose history is asked for.
struct AuditedResource {
  std::string id;
  /// "project", "quota"; not empty.
  std::vector<std::string> kinds;
};

}  // namespace allot
