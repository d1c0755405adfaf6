#pragma once

#include <optional>
#include <string>
#include <vector>

#include "allot/control/context.h"
#include "allot/control/planner.h"
#include "allot/model/pool.h"
#include "allot/store/tx.h"

namespace allot::control {

Result<Provider> CreateProvider(const Context& context, const Call& call, const Provider& provider);
Result<Provider> GetProvider(const Context& context, const Principal& principal,
                             const ProviderId& id);
Result<store::Page<Provider>> ListProviders(const Context& context, const Principal& principal,
                                            const store::PageRequest& page);

Result<Cluster> CreateCluster(const Context& context, const Call& call, const Cluster& cluster);
/// With its provider's id checked: not_found when the cluster belongs to another provider.
Result<Cluster> GetCluster(const Context& context, const Principal& principal,
                           const ProviderId& provider, const ClusterId& id);
/// No provider: all.
Result<store::Page<Cluster>> ListClusters(const Context& context, const Principal& principal,
                                          const std::optional<ProviderId>& provider,
                                          const store::PageRequest& page);

/// Nodes by name are for operators, auditors and their own provider.
Result<Node> GetNode(const Context& context, const Principal& principal, const ProviderId& provider,
                     const NodeId& id);
Result<store::Page<Node>> ListNodes(const Context& context, const Principal& principal,
                                    const ProviderId& provider, const ClusterId& cluster,
                                    const std::optional<NodeHealth>& health,
                                    const store::PageRequest& page);

/// Of one cluster, in GPUs unless named otherwise.
struct ClusterCapacity {
  ProviderId provider;
  ClusterId cluster;
  GpuModel model = GpuModel::kH200;
  int nodes = 0;  ///< in the inventory; removed ones do not count
  int nodes_ready = 0;
  int nodes_draining = 0;
  int nodes_unknown = 0;
  int nodes_down = 0;
  /// Of those, the ones that are meant to work: not draining, in a cluster between its dates.
  int nodes_unknown_in_service = 0;
  int nodes_down_in_service = 0;
  int gpus = 0;
  int gpus_online = 0;  ///< on ready nodes
  int gpus_held = 0;    ///< claimed, until the release is confirmed
  int gpus_in_use = 0;  ///< held by active allocations
};
/// GPUs free on schedulable nodes from `time` until the next point, by claims and planned starts.
struct CapacityPoint {
  Instant time;
  /// In the order of Capacity::clusters.
  std::vector<int> gpus_free;
};
struct PlannedStart {
  AllocationId allocation;
  ClusterId cluster;
  int gpus = 0;
  Instant start;
};
struct Capacity {
  Instant time;
  Revision revision = 0;
  std::vector<ClusterCapacity> clusters;
  std::vector<CapacityPoint> timeline;
  /// Projects with an allocation that is active, and without one but with one waiting.
  int projects_served = 0;
  int projects_waiting = 0;
  int allocations_active = 0;
  int allocations_waiting = 0;
  /// GPUs in use of GPUs online, in 1/1000.
  int utilisation_permille = 0;
  /// The next few, by start; names only for those who see all tenants.
  std::vector<PlannedStart> next_starts;
};
/// From the planner's view, so it may lag a commit by one refresh. `horizon` zero: no timeline;
/// `step` at least a minute, at most 1,000 points; overloaded while kQuestionsMax timelines and
/// questions of what would be are worked out.
Result<Capacity> GetCapacity(const Context& context, const Principal& principal, Planner& planner,
                             Seconds horizon, Seconds step);

/// Where to drain: a whole cluster, or one node of it.
struct DrainRequest {
  ProviderId provider;
  ClusterId cluster;
  std::optional<NodeId> node;
  /// False to take nodes back into service.
  bool draining = true;
  /// Required when draining; shown to operators and in the audit.
  std::string reason;
};
/// Nothing new is placed on a draining node; running work goes on. A cluster's drain is a decision
/// of its own: it holds for nodes that join later, and ending it leaves the drains of single nodes.
/// Returns the nodes after the change, draining when they or their cluster are.
Result<std::vector<Node>> Drain(const Context& context, const Call& call,
                                const DrainRequest& request);

}  // namespace allot::control
