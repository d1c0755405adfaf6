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

}  // namespace allot
