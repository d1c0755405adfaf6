#include "store/memory/memory_tx.h"

namespace allot::store {
namespace {

bool IsStorable(const Cluster& cluster) {
  const auto& programmes = cluster.programmes;
  const bool sorted = std::ranges::adjacent_find(programmes, [](const auto& a, const auto& b) {
                        return b <= a;
                      }) == programmes.end();
  return !programmes.empty() && sorted &&
         (!cluster.join_time || !cluster.leave_time || *cluster.join_time < *cluster.leave_time);
}

}  // namespace

Result<std::optional<Provider>> MemoryTx::FindProvider(const ProviderId& id) {
  return FindOne(state_.providers, id);
}

Result<Page<Provider>> MemoryTx::ListProviders(const PageRequest& page) {
  return FindPage(state_.providers, page, [](const Provider&) { return true; });
}

Status MemoryTx::InsertProvider(const Provider& provider) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  ALLOT_RETURN_IF_ERROR(CheckText(provider.display_name));
  Changed(ResourceKind::kProvider, provider.id);
  return Insert(state_.providers, provider.id, provider);
}

Result<std::optional<Cluster>> MemoryTx::FindCluster(const ClusterId& id) {
  return FindOne(state_.clusters, id);
}

Result<std::optional<Cluster>> MemoryTx::LockCluster(const ClusterId& id) {
  Hold(Lock::kCluster, id);
  return FindCluster(id);
}

Result<Page<Cluster>> MemoryTx::ListClusters(const std::optional<ProviderId>& provider,
                                             const PageRequest& page) {
  return FindPage(state_.clusters, page,
                  [&](const Cluster& row) { return !provider || row.provider == *provider; });
}

Status MemoryTx::InsertCluster(const Cluster& cluster) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  ALLOT_RETURN_IF_ERROR(CheckText(cluster.display_name));
  if (!IsStorable(cluster)) return Refuse();
  if (state_.providers.Find(cluster.provider) == nullptr) return Fail(RefersToNothing());
  Changed(ResourceKind::kCluster, cluster.id);
  return Insert(state_.clusters, cluster.id, cluster);
}

Status MemoryTx::UpdateCluster(Cluster& cluster) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  ALLOT_RETURN_IF_ERROR(CheckText(cluster.display_name));
  if (!IsStorable(cluster)) return Refuse();
  ALLOT_RETURN_IF_ERROR(Update(state_.clusters, cluster.id, cluster));
  Changed(ResourceKind::kCluster, cluster.id);
  return Ok{};
}

Status MemoryTx::TouchCluster(const ClusterId& id, Instant heartbeat,
                              const ReportMark& newest_report) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  const Cluster* const found = state_.clusters.Find(id);
  if (found == nullptr) return StateError(Reason::kNotFound, "There is no such cluster.");
  ALLOT_RETURN_IF_ERROR(RequireHeld(Lock::kCluster, id));
  Cluster cluster = *found;
  cluster.last_heartbeat = heartbeat;
  cluster.newest_report = newest_report;
  state_.clusters.Put(undo_, id, cluster);
  return Ok{};
}

Result<std::optional<Node>> MemoryTx::FindNode(const NodeId& id) {
  return FindOne(state_.nodes, id);
}

Result<Page<Node>> MemoryTx::ListNodes(const std::optional<ClusterId>& cluster,
                                       const std::optional<NodeHealth>& health,
                                       const PageRequest& page) {
  return FindPage(state_.nodes, page, [&](const Node& row) {
    return (!cluster || row.cluster == *cluster) && (!health || row.health == *health);
  });
}

Result<std::vector<Node>> MemoryTx::NodesOfCluster(const ClusterId& id) {
  return Verb([&] {
    std::vector<Node> found;
    const auto& rows = state_.nodes_of_cluster.rows();
    for (auto row = rows.lower_bound({id, NodeId()}); row != rows.end() && row->first.first == id;
         ++row) {
      found.push_back(*state_.nodes.Find(*row->second));
    }
    return found;
  });
}

Result<LargestClusterByModel> MemoryTx::LargestClusters(const ProgrammeId& programme, Instant at) {
  return Verb([&] {
    LargestClusterByModel largest{};
    for (const auto& [id, cluster] : state_.clusters.rows()) {
      if (std::ranges::find(cluster->programmes, programme) == cluster->programmes.end()) continue;
      if (cluster->leave_time && *cluster->leave_time <= at) continue;
      int size = 0;
      const auto& rows = state_.nodes_of_cluster.rows();
      for (auto row = rows.lower_bound({id, NodeId()}); row != rows.end() && row->first.first == id;
           ++row) {
        if (state_.nodes.Find(*row->second)->health != NodeHealth::kRemoved) ++size;
      }
      int& most = largest[static_cast<std::size_t>(cluster->model)];
      most = std::max(most, size);
    }
    return largest;
  });
}

Status MemoryTx::InsertNodes(std::span<const Node> nodes) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  for (const Node& node : nodes) {
    if (!node.id.str().starts_with(node.cluster.str() + "/")) return Refuse();
    if (state_.clusters.Find(node.cluster) == nullptr) return Fail(RefersToNothing());
    Changed(ResourceKind::kNode, node.id);
    ALLOT_RETURN_IF_ERROR(Insert(state_.nodes, node.id, node));
    state_.nodes_of_cluster.Put(undo_, {node.cluster, node.id}, node.id);
  }
  return Ok{};
}

Status MemoryTx::UpdateNodes(std::span<Node> nodes) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  for (Node& node : nodes) {
    ALLOT_RETURN_IF_ERROR(Update(state_.nodes, node.id, node));
    Changed(ResourceKind::kNode, node.id);
  }
  return Ok{};
}

}  // namespace allot::store
