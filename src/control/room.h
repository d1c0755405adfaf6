#pragma once

#include <map>
#include <set>
#include <span>
#include <vector>

#include "allot/control/planner.h"
#include "allot/store/store.h"
#include "control/decisions.h"

namespace allot::control {

/// What bookings take from, as it is under the locks that keep it so until the transaction ends:
/// the GPUs of clusters, what is set aside of them, and what is left of quotas. A pass was worked
/// out without these locks, so each of its bookings is held against this before it is written.
class Room {
 public:
  /// All that the decisions book from. Locks in the order of the ids, as everybody else: clusters,
  /// then projects. Where nothing starts, GPUs and quotas are not read: nothing is taken of them
  /// yet.
  static Result<Room> Lock(store::Tx& tx, const Pass& pass, std::span<const Decision> decisions);

  /// The cluster serves its programme, does not leave before the end, and has not set the nodes
  /// aside for others.
  bool Serves(const Allocation& allocation, const scheduler::Placement& placement) const;

  /// And the GPUs are free, on nodes that may be started on, and its project may have them.
  bool HasFor(const Allocation& allocation, const scheduler::Placement& placement) const;

  /// From now on it has less. For a start that it has room for.
  void Take(const Allocation& allocation, const scheduler::Placement& placement);

 private:
  /// One reservation's.
  struct SetAside {
    ProjectId project;
    std::vector<NodeId> nodes;
    std::vector<TimeWindow> windows;
  };

  struct Pool {
    Cluster cluster;
    std::vector<SetAside> set_aside;
  };

  struct QuotaLeft {
    GpusByModel gpus{};
    /// Of what it may borrow.
    GpusByModel borrowed{};
    GpuSeconds gpu_time;

    GpusByModel& Of(const Request& request) { return request.borrow ? borrowed : gpus; }
    const GpusByModel& Of(const Request& request) const { return request.borrow ? borrowed : gpus; }
  };

  explicit Room(const Pass& pass) : pass_(&pass) {}

  Status LockCluster(store::Tx& tx, const ClusterId& id, bool starts);
  Status LockProject(store::Tx& tx, const ProjectId& id, bool starts);

  bool IsSetAsideForOthers(const Pool& pool, const Allocation& allocation,
                           const scheduler::Placement& placement) const;

  const Pass* pass_;
  std::map<ClusterId, Pool> pools_;
  std::set<NodeId> usable_;
  std::map<NodeId, GpuMask> taken_;
  std::map<ProjectId, ProgrammeId> programmes_;
  std::map<ProjectId, QuotaLeft> quota_left_;
};

}  // namespace allot::control
