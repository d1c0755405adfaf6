#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "allot/base/time_window.h"
#include "allot/model/policy.h"
#include "allot/scheduler/snapshot.h"

namespace allot::scheduler {

struct PlacedNode {
  /// Position in Snapshot::nodes.
  int node = 0;
  GpuMask gpus = 0;
  friend bool operator==(const PlacedNode&, const PlacedNode&) = default;
};

/// A whole gang with its physical GPUs for the whole window.
struct Placement {
  /// Position in Snapshot::pending.
  int pending = 0;
  GpuModel model = GpuModel::kH200;
  /// Position in Snapshot::clusters.
  int cluster = 0;
  /// Starts at `now` exactly when it is to be reserved in this pass, else later.
  TimeWindow window = *TimeWindow::Make(Instant{0}, Instant{1});
  /// Sorted by node.
  std::vector<PlacedNode> nodes;
  friend bool operator==(const Placement&, const Placement&) = default;
};

/// Why a pending allocation has no start; data, not an error. The names are stable.
enum class DeferralReason : uint8_t {
  kNoCapacity,           ///< not within the planning horizon
  kQuotaExhausted,       ///< the project's own concurrent quota, within the horizon
  kDeadlineUnreachable,  ///< the earliest end lies after the deadline
  kLargerThanPool,       ///< no cluster open to it has that many schedulable nodes
  kProjectClosed,
};
std::string_view Name(DeferralReason reason);

struct Deferral {
  /// Position in Snapshot::pending.
  int pending = 0;
  DeferralReason reason = DeferralReason::kNoCapacity;
  /// One sentence: what was asked, what blocks it.
  std::string message;
  friend bool operator==(const Deferral&, const Deferral&) = default;
};

/// Every pending allocation is in exactly one of the two.
struct Plan {
  Instant now;
  int64_t revision = 0;
  /// In the order they were decided: whoever comes first was not delayed by whoever comes later.
  std::vector<Placement> placements;
  /// Sorted by pending.
  std::vector<Deferral> deferrals;
  /// Position in Snapshot::pending, in rank order: the order in which they were considered.
  std::vector<int> order;
};

/// FNV-1a over placements and deferrals by id; equal plans have equal hashes on any machine.
uint64_t Hash(const Snapshot& snapshot, const Plan& plan);

/// A full plan: every pending allocation gets a start or a reason. Pure and deterministic: equal
/// (canonical) snapshots give equal plans. Nobody is delayed by somebody behind.
/// Requires: a canonical snapshot. About 20 µs a pending allocation on the national pool.
Plan Schedule(const Snapshot& snapshot, const Policy& policy);

}  // namespace allot::scheduler
