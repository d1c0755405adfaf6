#include "store/postgres/postgres_tx.h"
#include "store/postgres/rows.h"

namespace allot::store {
namespace {

const std::string kSelectProvider = std::string("SELECT ") + kProviderColumns + " FROM providers";
const std::string kSelectCluster = std::string("SELECT ") + kClusterColumns + " FROM clusters";
const std::string kSelectNode = std::string("SELECT ") + kNodeColumns + " FROM nodes";

const Statement kFindProvider{"find_provider", kSelectProvider + " WHERE id = $1"};
const Statement kInsertProvider{"insert_provider",
                                "INSERT INTO providers (id, display_name, version)"
                                " VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"};

const Statement kFindCluster{"find_cluster", kSelectCluster + " WHERE id = $1"};
// Not FOR UPDATE: that would also hold up those who insert a node or a claim that refers to it.
const Statement kLockCluster{"lock_cluster", kSelectCluster + " WHERE id = $1 FOR NO KEY UPDATE"};
const Statement kInsertCluster{
    "insert_cluster",
    "INSERT INTO clusters (id, provider_id, display_name, gpu_model, programmes, agent_session,"
    " inventory_generation, last_heartbeat, draining, drain_reason, version, join_time, leave_time,"
    " report_session, report_number)"
    " VALUES ($1, $2, $3, $4, $5::text[], $6, $7, instant($8), $9, $10, $11, instant($12),"
    " instant($13), $14, $15)"
    " ON CONFLICT DO NOTHING"};
const Statement kUpdateCluster{
    "update_cluster",
    "UPDATE clusters SET provider_id = $2, display_name = $3, gpu_model = $4,"
    " programmes = $5::text[], agent_session = $6, inventory_generation = $7,"
    " last_heartbeat = instant($8), draining = $9, drain_reason = $10, version = version + 1,"
    " join_time = instant($12), leave_time = instant($13), report_session = $14,"
    " report_number = $15"
    " WHERE id = $1 AND version = $11"};
const Statement kTouchCluster{
    "touch_cluster",
    "UPDATE clusters SET last_heartbeat = instant($2), report_session = $3,"
    " report_number = $4 WHERE id = $1"};

const Statement kFindNode{"find_node", kSelectNode + " WHERE id = $1"};
const Statement kNodesOfCluster{"nodes_of_cluster",
                                kSelectNode + " WHERE cluster_id = $1 ORDER BY id"};
const Statement kLargestClusters{
    "largest_clusters",
    "SELECT gpu_model, max(size) FROM"
    " (SELECT c.id, c.gpu_model, count(*) AS size FROM clusters c JOIN nodes n ON n.cluster_id = "
    "c.id"
    "  WHERE $1 = ANY (c.programmes) AND COALESCE(c.leave_time > instant($2), true)"
    "  AND n.health <> 'removed' GROUP BY c.id) AS sizes"
    " GROUP BY gpu_model"};
const Statement kInsertNodes{
    "insert_nodes",
    "INSERT INTO nodes (id, cluster_id, health, draining, drain_reason, reason, version, leaf)"
    " SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::text[],"
    " $6::text[], $7::bigint[], $8::text[]) ON CONFLICT DO NOTHING"};
const Statement kUpdateNodes{
    "update_nodes",
    "UPDATE nodes SET health = u.health, draining = u.draining, drain_reason = u.drain_reason,"
    " reason = u.reason, leaf = u.leaf, version = nodes.version + 1"
    " FROM unnest($1::text[], $2::text[], $3::boolean[], $4::text[], $5::text[], $6::bigint[],"
    " $7::text[]) AS u(id, health, draining, drain_reason, reason, version, leaf)"
    " WHERE nodes.id = u.id AND nodes.version = u.version"};

Arguments ArgumentsOf(const Cluster& cluster) {
  return Arguments(cluster.id, cluster.provider, cluster.display_name, cluster.model,
                   SqlArray(cluster.programmes), cluster.agent_session,
                   cluster.inventory_generation, cluster.last_heartbeat, cluster.draining,
                   cluster.drain_reason, cluster.version, cluster.join_time, cluster.leave_time,
                   cluster.newest_report.session, cluster.newest_report.number);
}

}  // namespace

Result<std::optional<Provider>> PostgresTx::FindProvider(const ProviderId& id) {
  return FindOne(ReadProvider, kFindProvider, Arguments(id));
}

Result<Page<Provider>> PostgresTx::ListProviders(const PageRequest& page) {
  return FindPage(ReadProvider, ListQuery(kSelectProvider, "id", page));
}

Status PostgresTx::InsertProvider(const Provider& provider) {
  Changed(ResourceKind::kProvider, provider.id);
  return Insert(kInsertProvider, Arguments(provider.id, provider.display_name, provider.version));
}

Result<std::optional<Cluster>> PostgresTx::FindCluster(const ClusterId& id) {
  return FindOne(ReadCluster, kFindCluster, Arguments(id));
}

Result<std::optional<Cluster>> PostgresTx::LockCluster(const ClusterId& id) {
  return FindOne(ReadCluster, kLockCluster, Arguments(id));
}

Result<Page<Cluster>> PostgresTx::ListClusters(const std::optional<ProviderId>& provider,
                                               const PageRequest& page) {
  return FindPage(ReadCluster,
                  ListQuery(kSelectCluster, "id", page).Where("provider_id = ", provider));
}

Status PostgresTx::InsertCluster(const Cluster& cluster) {
  Changed(ResourceKind::kCluster, cluster.id);
  return Insert(kInsertCluster, ArgumentsOf(cluster));
}

Status PostgresTx::UpdateCluster(Cluster& cluster) {
  ALLOT_RETURN_IF_ERROR(Update(kUpdateCluster, ArgumentsOf(cluster)));
  Changed(ResourceKind::kCluster, cluster.id);
  ++cluster.version;
  return Ok{};
}

Status PostgresTx::TouchCluster(const ClusterId& id, Instant heartbeat,
                                const ReportMark& newest_report) {
  return Verb([&]() -> Status {
    const Arguments arguments(id, heartbeat, newest_report.session, newest_report.number);
    if (Execute(kTouchCluster, arguments).affected_rows() == 1) return Ok{};
    return StateError(Reason::kNotFound, "There is no such cluster.");
  });
}

Result<std::optional<Node>> PostgresTx::FindNode(const NodeId& id) {
  return FindOne(ReadNode, kFindNode, Arguments(id));
}

Result<Page<Node>> PostgresTx::ListNodes(const std::optional<ClusterId>& cluster,
                                         const std::optional<NodeHealth>& health,
                                         const PageRequest& page) {
  return FindPage(ReadNode, ListQuery(kSelectNode, "id", page)
                                .Where("cluster_id = ", cluster)
                                .Where("health = ", health));
}

Result<std::vector<Node>> PostgresTx::NodesOfCluster(const ClusterId& id) {
  return FindAll(ReadNode, kNodesOfCluster, Arguments(id));
}

Result<LargestClusterByModel> PostgresTx::LargestClusters(const ProgrammeId& programme,
                                                          Instant at) {
  return Verb([&]() -> Result<LargestClusterByModel> {
    LargestClusterByModel largest{};
    for (const pqxx::row& row : Execute(kLargestClusters, Arguments(programme, at))) {
      RowReader reader(row);
      const GpuModel model = reader.Named(ParseGpuModel);
      largest[static_cast<std::size_t>(model)] = reader.Int();
    }
    return largest;
  });
}

Status PostgresTx::InsertNodes(std::span<const Node> nodes) {
  if (nodes.empty()) return Ok{};
  for (const Node& node : nodes) Changed(ResourceKind::kNode, node.id);
  return Insert(kInsertNodes,
                Arguments(SqlArray(nodes, &Node::id), SqlArray(nodes, &Node::cluster),
                          SqlArray(nodes, &Node::health), SqlArray(nodes, &Node::draining),
                          SqlArray(nodes, &Node::drain_reason), SqlArray(nodes, &Node::reason),
                          SqlArray(nodes, &Node::version), SqlArray(nodes, &Node::leaf)),
                nodes.size());
}

Status PostgresTx::UpdateNodes(std::span<Node> nodes) {
  if (nodes.empty()) return Ok{};
  ALLOT_RETURN_IF_ERROR(
      Update(kUpdateNodes,
             Arguments(SqlArray(nodes, &Node::id), SqlArray(nodes, &Node::health),
                       SqlArray(nodes, &Node::draining), SqlArray(nodes, &Node::drain_reason),
                       SqlArray(nodes, &Node::reason), SqlArray(nodes, &Node::version),
                       SqlArray(nodes, &Node::leaf)),
             nodes.size()));
  for (Node& node : nodes) {
    Changed(ResourceKind::kNode, node.id);
    ++node.version;
  }
  return Ok{};
}

}  // namespace allot::store
