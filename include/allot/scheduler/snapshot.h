#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "allot/base/gpu_seconds.h"
#include "allot/base/id.h"
#include "allot/base/time.h"
#include "allot/base/time_window.h"
#include "allot/model/allocation.h"
#include "allot/model/decayed_usage.h"
#include "allot/model/gpu.h"
#include "allot/model/policy.h"
#include "allot/model/pool.h"
#include "allot/model/quota.h"
#include "allot/model/request.h"

namespace allot::scheduler {

// All that a pass decides from, at one revision. Vectors are sorted by id (claims by node, then
// allocation), so that positions in them are a compact, machine-independent way to refer to rows.

struct SnapshotCluster {
  ClusterId id;
  GpuModel model = GpuModel::kH200;
  /// Sorted, unique.
  std::vector<ProgrammeId> programmes;
  /// Nothing runs on it before, if given.
  std::optional<Instant> join_time;
  /// All of it is handed back by then, if given.
  std::optional<Instant> leave_time;
};

struct SnapshotNode {
  NodeId id;
  /// Position in Snapshot::clusters.
  int cluster = 0;
  /// New work may be placed on it, now or later: it is ready, or expected to be when its cluster
  /// joins, and not draining.
  bool schedulable = true;
  /// For explanations: why it is not schedulable.
  NodeHealth health = NodeHealth::kReady;
  bool draining = false;
  /// Of its cluster: nodes with equal names hang from the same; empty when not known.
  std::string leaf;
};

struct SnapshotProject {
  ProjectId id;
  ProgrammeId programme;
  int merit = 0;
  bool open = true;
  GpusByModel concurrent_gpus{};
  /// What a plan may still give it: its budget less what was used and less the full cost of every
  /// allocation that holds GPUs; of one that is being stopped, until then. Below zero when a
  /// release that came late used more than was left.
  GpuSeconds gpu_time_left = GpuSeconds::FromCount(std::numeric_limits<int64_t>::max());
  /// Of claims that were released; what is still held is in `claims`, and charged from there.
  DecayedUsage usage;
  /// How many of its allocations are being stopped for others, or were within the last
  /// kPreemptionBudgetTime.
  int stopped_lately = 0;
};
/// What a policy's preemptions_per_project is counted over.
inline constexpr Seconds kPreemptionBudgetTime = Hours(1);

/// GPUs held: busy until `until`, and beyond it until the provider confirms the release.
struct SnapshotClaim {
  AllocationId allocation;
  /// Position in Snapshot::projects.
  int project = 0;
  /// Position in Snapshot::nodes.
  int node = 0;
  GpuMask gpus = 0;
  Instant start;
  /// The end of its window; the release is overdue when the policy's release_time has passed since.
  Instant until;
  /// False for GPUs lost with their node: they are busy until the provider confirms, but the
  /// project is neither held back by them nor charged for them.
  bool counts_against_quota = true;
  /// Held beyond the project's quota (Request::borrow), and counted against the policy's
  /// borrowed_gpus_max instead.
  bool borrowed = false;
};

/// Whole nodes of one cluster that operators set aside for windows of time.
struct SnapshotReservation {
  ReservationId id;
  /// Position in Snapshot::projects: whose allocations alone may run on them. Nobody's, for
  /// maintenance.
  std::optional<int> project;
  /// Positions in Snapshot::nodes; sorted, not empty.
  std::vector<int> nodes;
  /// Those that are not over; sorted, apart, not empty.
  std::vector<TimeWindow> windows;
};

/// Running work that may be stopped for others; what it holds is in `claims`. What is being stopped
/// already is not here: what is left of it is in `pending`, from its end on.
struct SnapshotPreemptible {
  AllocationId id;
  /// Position in Snapshot::projects.
  int project = 0;
  /// As it would wait again; the duration is what it was given when it started.
  Request request;
  Instant create_time;
  /// Since when it runs, and the end of its window.
  Instant start;
  Instant until;
  /// How often it was stopped before.
  int preemptions = 0;
  /// It was added to one of its project; when it is stopped, it waits until it can be added again.
  std::optional<AllocationId> grows;
  /// What was added to it, and is stopped with it. Sorted.
  std::vector<AllocationId> growths;
};

struct PlacedNode {
  /// Position in Snapshot::nodes.
  int node = 0;
  GpuMask gpus = 0;
  friend bool operator==(const PlacedNode&, const PlacedNode&) = default;
};

/// A start that was promised, with the GPUs that are booked for it.
struct SnapshotPromise {
  TimeWindow window;
  /// In one cluster; sorted by node, not empty.
  std::vector<PlacedNode> nodes;
};

struct SnapshotPending {
  AllocationId id;
  /// Position in Snapshot::projects.
  int project = 0;
  Request request;
  Instant create_time;
  /// It had GPUs and lost them through no doing of its own, or to go on elsewhere.
  bool requeued = false;
  /// The first start it was told in this wait, if any.
  std::optional<Instant> told_start;
  /// It would start later than that by more than the policy in force allows, at an earlier pass.
  bool overdue = false;
  /// An operator put it before others.
  bool urgent = false;
  /// An operator has room made for it by moving work that may be stopped.
  bool consolidate = false;
  /// Of its project, and not ended yet: it starts when that one has ended. It waits or holds
  /// claims; or it has lost its GPUs a moment ago and will wait again.
  std::optional<AllocationId> after;
  /// Of its project: it adds to that one while it runs, from now on or not yet.
  std::optional<AllocationId> grows;
  /// Where that one runs, as a position in Snapshot::clusters; request.duration is then what is
  /// left of its window. Nothing: it does not run. Canonicalise sees to both.
  std::optional<int> beside;
  /// The start it was last told, if any; for estimates and stability, never for its rank.
  std::optional<Instant> planned_start;
  /// Kept by every later pass unless what it needs is lost; see Schedule.
  std::optional<SnapshotPromise> promise;
};

struct Snapshot {
  /// Logical time of the pass; whole seconds.
  Instant now;
  int64_t revision = 0;
  std::vector<SnapshotCluster> clusters;
  std::vector<SnapshotNode> nodes;
  std::vector<SnapshotProject> projects;
  std::vector<SnapshotClaim> claims;
  std::vector<SnapshotReservation> reservations;
  std::vector<SnapshotPreemptible> preemptible;
  std::vector<SnapshotPending> pending;
};

/// When it may start at the earliest: not sooner than it asked, nor before the policy's gathering
/// time has passed since its submission. A whole second, rounded up.
Instant EarliestStart(const SnapshotPending& pending, const Policy& policy);

/// Brings rows given in any order into the order above and rewrites the positions, and looks up
/// what those that add to others are added to. Equal content gives an equal snapshot, whatever the
/// order it came in.
void Canonicalise(Snapshot& snapshot);

/// Its position in Snapshot::pending, if it waits.
std::optional<int> FindPending(const Snapshot& snapshot, const AllocationId& id);

/// FNV-1a over every field in canonical order; equal snapshots have equal digests on any machine.
uint64_t Digest(const Snapshot& snapshot);

}  // namespace allot::scheduler
