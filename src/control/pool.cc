#include "allot/control/pool.h"

#include "allot/control/once.h"
#include "control/record.h"
#include "control/staff.h"

namespace allot::control {
namespace {

Result<Provider> ReadProvider(store::Tx& tx, const std::string& id) {
  ALLOT_ASSIGN_OR_RETURN(auto found, tx.FindProvider(ProviderId(id)));
  if (!found) return NotFound("name", id);
  return *std::move(found);
}

Result<Cluster> ReadCluster(store::Tx& tx, const std::string& id) {
  ALLOT_ASSIGN_OR_RETURN(auto found, tx.FindCluster(ClusterId(id)));
  if (!found) return NotFound("name", id);
  return *std::move(found);
}

Result<Cluster> ReadClusterOf(store::Tx& tx, const ProviderId& provider, const ClusterId& id) {
  ALLOT_ASSIGN_OR_RETURN(auto cluster, ReadCluster(tx, id.str()));
  if (cluster.provider != provider) return NotFound("name", id.str());
  return cluster;
}

/// The node as it counts: drained with its cluster, too.
Node AsItCounts(const Cluster& cluster, Node node) {
  if (node.drain_reason.empty()) node.drain_reason = cluster.drain_reason;
  node.draining = IsDraining(cluster, node);
  return node;
}

Result<Node> ReadNodeOf(store::Tx& tx, const ClusterId& cluster, const NodeId& id) {
  ALLOT_ASSIGN_OR_RETURN(auto node, tx.FindNode(id));
  if (!node || node->cluster != cluster) return NotFound("name", id.str());
  return *std::move(node);
}

Result<std::vector<Node>> NodesAskedFor(store::Tx& tx, const DrainRequest& request) {
  ALLOT_ASSIGN_OR_RETURN(const auto cluster, ReadClusterOf(tx, request.provider, request.cluster));
  std::vector<Node> nodes;
  if (request.node) {
    ALLOT_ASSIGN_OR_RETURN(auto node, ReadNodeOf(tx, request.cluster, *request.node));
    nodes.push_back(std::move(node));
  } else {
    ALLOT_ASSIGN_OR_RETURN(nodes, tx.NodesOfCluster(request.cluster));
  }
  for (Node& node : nodes) node = AsItCounts(cluster, std::move(node));
  return nodes;
}

Status DrainNode(store::Tx& tx, const DrainRequest& request) {
  ALLOT_RETURN_IF_ERROR(ReadClusterOf(tx, request.provider, request.cluster));
  ALLOT_ASSIGN_OR_RETURN(auto node, ReadNodeOf(tx, request.cluster, *request.node));
  node.draining = request.draining;
  node.drain_reason = request.draining ? request.reason : "";
  return tx.UpdateNodes(std::span(&node, 1));
}

/// Leaves what was decided of single nodes.
Status DrainCluster(store::Tx& tx, const DrainRequest& request) {
  ALLOT_ASSIGN_OR_RETURN(auto cluster, tx.LockCluster(request.cluster));
  if (!cluster || cluster->provider != request.provider) {
    return NotFound("name", request.cluster.str());
  }
  cluster->draining = request.draining;
  cluster->drain_reason = request.draining ? request.reason : "";
  return tx.UpdateCluster(*cluster);
}

/// Institutes may ask what capacity there is, not which machine does what.
Status MayNameNodes(const Principal& principal, const ProviderId& provider) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadNodes));
  if (!MaySee(principal, provider)) return NotFound("name", provider.str());
  return Ok{};
}

}  // namespace

Result<Provider> CreateProvider(const Context& context, const Call& call,
                                const Provider& provider) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kManagePool));
  const Instant now = context.clock.Now();
  return Once<Provider>(
      context, call, now,
      [&](store::Tx& tx) -> Result<Provider> {
        ALLOT_ASSIGN_OR_RETURN(auto existing, tx.FindProvider(provider.id));
        if (existing) {
          return FieldError(Reason::kAlreadyExists, "provider_id", provider.id.str(),
                            "a name that is not in use");
        }
        ALLOT_RETURN_IF_ERROR(tx.InsertProvider(provider));
        ALLOT_RETURN_IF_ERROR(tx.Audit(
            Record(call, now, "provider.create", provider.id.str(), {}, provider.display_name)));
        return provider;
      },
      [](const Provider& p) { return p.id.str(); }, ReadProvider);
}

Result<Provider> GetProvider(const Context& context, const Principal& principal,
                             const ProviderId& id) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadPool));
  return context.store.Transact<Provider>(
      store::Access::kRead, store::Scope::For(principal),
      [&](store::Tx& tx) { return ReadProvider(tx, id.str()); });
}

Result<store::Page<Provider>> ListProviders(const Context& context, const Principal& principal,
                                            const store::PageRequest& page) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadPool));
  return context.store.Transact<store::Page<Provider>>(
      store::Access::kRead, store::Scope::For(principal),
      [&](store::Tx& tx) { return tx.ListProviders(page); });
}

Result<Cluster> CreateCluster(const Context& context, const Call& call, const Cluster& cluster) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kManagePool));
  if (cluster.programmes.empty()) {
    return FieldError(Reason::kFieldRequired, "cluster.programmes", "", "at least one programme");
  }
  const Instant now = context.clock.Now();
  return Once<Cluster>(
      context, call, now,
      [&](store::Tx& tx) -> Result<Cluster> {
        // Not before: of a repeat they may have been right when it came first.
        for (std::size_t i = 0; i < cluster.programmes.size(); ++i) {
          ALLOT_RETURN_IF_ERROR(context.policies.CheckProgramme(
              cluster.programmes[i], now, "cluster.programmes[" + std::to_string(i) + ']'));
        }
        ALLOT_RETURN_IF_ERROR(CheckDates(cluster, /*before=*/{}, now));
        ALLOT_ASSIGN_OR_RETURN(auto provider, tx.FindProvider(cluster.provider));
        if (!provider) return NotFound("parent", cluster.provider.str());
        ALLOT_ASSIGN_OR_RETURN(auto existing, tx.FindCluster(cluster.id));
        if (existing) {
          return FieldError(Reason::kAlreadyExists, "cluster_id", cluster.id.str(),
                            "a name that is not in use at any provider");
        }
        ALLOT_RETURN_IF_ERROR(tx.InsertCluster(cluster));
        ALLOT_RETURN_IF_ERROR(tx.Audit(Record(call, now, "cluster.create", cluster.id.str(), {},
                                              std::string(Name(cluster.model)))));
        return cluster;
      },
      [](const Cluster& c) { return c.id.str(); }, ReadCluster);
}

Result<Cluster> GetCluster(const Context& context, const Principal& principal,
                           const ProviderId& provider, const ClusterId& id) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadPool));
  return context.store.Transact<Cluster>(
      store::Access::kRead, store::Scope::For(principal),
      [&](store::Tx& tx) { return ReadClusterOf(tx, provider, id); });
}

Result<store::Page<Cluster>> ListClusters(const Context& context, const Principal& principal,
                                          const std::optional<ProviderId>& provider,
                                          const store::PageRequest& page) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadPool));
  return context.store.Transact<store::Page<Cluster>>(
      store::Access::kRead, store::Scope::For(principal),
      [&](store::Tx& tx) { return tx.ListClusters(provider, page); });
}

Result<Node> GetNode(const Context& context, const Principal& principal, const ProviderId& provider,
                     const NodeId& id) {
  ALLOT_RETURN_IF_ERROR(MayNameNodes(principal, provider));
  return context.store.Transact<Node>(
      store::Access::kRead, store::Scope::For(principal), [&](store::Tx& tx) -> Result<Node> {
        ALLOT_ASSIGN_OR_RETURN(const auto cluster, tx.FindCluster(ClusterOf(id)));
        ALLOT_ASSIGN_OR_RETURN(auto node, tx.FindNode(id));
        if (!cluster || cluster->provider != provider || !node) return NotFound("name", id.str());
        return AsItCounts(*cluster, *std::move(node));
      });
}

Result<store::Page<Node>> ListNodes(const Context& context, const Principal& principal,
                                    const ProviderId& provider, const ClusterId& cluster,
                                    const std::optional<NodeHealth>& health,
                                    const store::PageRequest& page) {
  ALLOT_RETURN_IF_ERROR(MayNameNodes(principal, provider));
  return context.store.Transact<store::Page<Node>>(
      store::Access::kRead, store::Scope::For(principal),
      [&](store::Tx& tx) -> Result<store::Page<Node>> {
        ALLOT_ASSIGN_OR_RETURN(const auto row, ReadClusterOf(tx, provider, cluster));
        ALLOT_ASSIGN_OR_RETURN(auto nodes, tx.ListNodes(cluster, health, page));
        for (Node& node : nodes.items) node = AsItCounts(row, std::move(node));
        return nodes;
      });
}

Result<std::vector<Node>> Drain(const Context& context, const Call& call,
                                const DrainRequest& request) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kManagePool));
  if (request.draining) {
    ALLOT_RETURN_IF_ERROR(RequireReason(request.reason, "why the nodes are drained"));
  }
  const Instant now = context.clock.Now();
  const auto read = [&](store::Tx& tx, const std::string&) { return NodesAskedFor(tx, request); };
  return Once<std::vector<Node>>(
      context, call, now,
      [&](store::Tx& tx) -> Result<std::vector<Node>> {
        ALLOT_RETURN_IF_ERROR(request.node ? DrainNode(tx, request) : DrainCluster(tx, request));
        const std::string what = request.node ? request.node->str() : request.cluster.str();
        const std::string kind = request.node ? "node" : "cluster";
        ALLOT_RETURN_IF_ERROR(
            tx.Audit(Record(call, now, kind + (request.draining ? ".drain" : ".undrain"), what, {},
                            request.reason)));
        return NodesAskedFor(tx, request);
      },
      [&](const std::vector<Node>&) { return request.cluster.str(); }, read);
}

}  // namespace allot::control
