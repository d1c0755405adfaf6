#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "allot/model/policy.h"
#include "allot/scheduler/snapshot.h"
#include "allot/store/tx.h"

namespace allot::control {

/// The row of one that waits. `project`: its position in the snapshot; `follows`: what it starts
/// after has not ended yet.
scheduler::SnapshotPending WaitingRow(const Allocation& allocation, int project, bool follows,
                                      Instant now);

/// The part of the store that planning needs, kept current from the event stream: a view that
/// applied all changes up to a revision equals one loaded fresh at it. Not thread safe.
class PoolView {
 public:
  /// Rows replace what was known of them, a complete load all that was known; allocations that
  /// ended and hold nothing are dropped.
  void Apply(const store::Changes& changes);

  Revision revision() const { return revision_; }
  /// By which the revision has that number (store::Changes).
  const std::string& history() const { return history_; }
  /// How often it was loaded anew: a revision read before may have been another of that number.
  int loads() const { return loads_; }
  const std::map<ClusterId, Cluster>& clusters() const { return clusters_; }
  const std::map<NodeId, Node>& nodes() const { return nodes_; }
  const std::map<ProjectId, Project>& projects() const { return projects_; }
  /// Shared with the passes made from it; a row that changes is replaced, never written to.
  const std::map<AllocationId, std::shared_ptr<const Allocation>>& allocations() const {
    return allocations_;
  }
  /// Not released, by allocation.
  const std::map<AllocationId, std::vector<Claim>>& claims() const { return claims_; }
  /// Not cancelled; some may be over.
  const std::map<ReservationId, Reservation>& reservations() const { return reservations_; }

  /// All that were published, withdrawn ones too; by id.
  std::vector<PublishedPolicy> policies() const;

  /// Those that wait, and those that are being stopped for others, whose rest is planned for with
  /// them so that nobody behind them takes its place meanwhile: for a while, should their GPUs not
  /// come back. By id: the rows behind Snapshot::pending of At(now), position by position.
  std::vector<std::shared_ptr<const Allocation>> Waiting(Instant now) const;
  /// Running work that may be stopped for others, in the order of Snapshot::preemptible. Not what
  /// is being stopped already, or is just being added to.
  std::vector<std::shared_ptr<const Allocation>> Preemptible() const;

  /// It starts after another, which has not ended yet.
  bool Follows(const Allocation& allocation) const;

  /// Canonical. Nodes removed from the inventory are left out unless claims still hold them, or
  /// promises need them.
  scheduler::Snapshot At(Instant now) const;

  /// By content.
  friend bool operator==(const PoolView& a, const PoolView& b);

 private:
  Revision revision_ = 0;
  std::string history_;
  int loads_ = 0;
  std::map<ClusterId, Cluster> clusters_;
  std::map<NodeId, Node> nodes_;
  std::map<ProjectId, Project> projects_;
  std::map<ProjectId, Quota> quotas_;
  std::map<ProjectId, store::ProjectUsage> usages_;
  std::map<ReservationId, Reservation> reservations_;
  std::map<PolicyId, PublishedPolicy> policies_;
  std::map<AllocationId, std::shared_ptr<const Allocation>> allocations_;
  std::map<AllocationId, std::vector<Claim>> claims_;
  std::map<AllocationId, std::vector<Claim>> promises_;
};

}  // namespace allot::control
