#pragma once

#include <map>
#include <vector>

#include "allot/model/policy.h"
#include "allot/scheduler/snapshot.h"
#include "allot/store/tx.h"

namespace allot::control {

/// The part of the store that planning needs, kept current from the event stream: a view that applied
/// all changes up to a revision equals one loaded fresh at it. Not thread safe.
class PoolView {
 public:
  /// Rows replace what was known of them; allocations that ended and hold nothing are dropped.
  void Apply(const store::Changes& changes);

  Revision revision() const { return revision_; }
  const std::map<ClusterId, Cluster>& clusters() const { return clusters_; }
  const std::map<NodeId, Node>& nodes() const { return nodes_; }
  const std::map<ProjectId, Project>& projects() const { return projects_; }
  const std::map<AllocationId, Allocation>& allocations() const { return allocations_; }
  /// Not released, by allocation.
  const std::map<AllocationId, std::vector<Claim>>& claims() const { return claims_; }

  /// Canonical. Nodes removed from the inventory are left out unless claims still hold them.
  scheduler::Snapshot At(Instant now) const;

  friend bool operator==(const PoolView&, const PoolView&) = default;

 private:
  Revision revision_ = 0;
  std::map<ClusterId, Cluster> clusters_;
  std::map<NodeId, Node> nodes_;
  std::map<ProjectId, Project> projects_;
  std::map<ProjectId, Quota> quotas_;
  std::map<ProjectId, store::ProjectUsage> usages_;
  std::map<AllocationId, Allocation> allocations_;
  std::map<AllocationId, std::vector<Claim>> claims_;
};

}  // namespace allot::control
