#include <algorithm>
#include <map>
#include <utility>

#include "allot/control/enact.h"
#include "allot/control/once.h"
#include "allot/model/timeline.h"
#include "control/record.h"
#include "control/session.h"

namespace allot::control {

Status MayEnact(const Principal& principal, const ProviderId& provider, const std::string& field,
                const std::string& name) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kEnact));
  if (!MaySee(principal, provider)) return NotFound(field, name);
  return Ok{};
}

Status SpeaksFor(const Principal& principal, const std::optional<Cluster>& cluster,
                 const ClusterId& id, std::optional<int64_t> session) {
  if (!cluster || !MaySee(principal, cluster->provider)) return NotFound("cluster", id.str());
  if (session && IsOfEarlierTimeline(*session, cluster->agent_session)) {
    // Nobody has taken its place: agents of every release register anew when they are told this.
    return FieldError(Reason::kInventoryStale, "session", std::to_string(*session),
                      "one that was opened after the database was restored: register again");
  }
  if (session && *session != cluster->agent_session) {
    return FieldError(Reason::kAgentSuperseded, "session", std::to_string(*session),
                      "the session of the newest agent of this cluster");
  }
  return Ok{};
}

Result<Cluster> LockForAgent(store::Tx& tx, const Principal& principal, const ClusterId& id,
                             std::optional<int64_t> session) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kEnact));
  ALLOT_ASSIGN_OR_RETURN(auto cluster, tx.LockCluster(id));
  ALLOT_RETURN_IF_ERROR(SpeaksFor(principal, cluster, id, session));
  return *std::move(cluster);
}

namespace {

enum class News : uint8_t { kNone, kOtherWords, kOtherHealth };

struct ChangedNode {
  Node node;
  News news = News::kNone;
  bool moved = false;
};

/// What brings the rows to what the agent reports.
struct NodeDifference {
  std::vector<Node> inserted;
  std::vector<ChangedNode> changed;
};

News Judge(Node& node, bool healthy, const std::string& reason) {
  const NodeHealth health = healthy ? NodeHealth::kReady : NodeHealth::kDown;
  const NodeHealth before = std::exchange(node.health, health);
  const std::string why = healthy ? std::string() : reason;
  const std::string words = std::exchange(node.reason, why);
  if (before != health) return News::kOtherHealth;
  return words != why ? News::kOtherWords : News::kNone;
}

/// "n3 is down (fan failure), n4 is new", and how many more. A reason with a number in it is
/// another with every report: the node has the newest, the record the one that it began with.
std::string Describe(const NodeDifference& difference) {
  constexpr std::size_t kNamed = 8;
  std::string text;
  std::size_t count = 0;
  const auto add = [&](const Node& node, const std::string& what) {
    if (++count > kNamed) return;
    text += (text.empty() ? "" : ", ") + node.id.str() + " is " + what;
    if (!node.reason.empty()) text += " (" + node.reason + ")";
  };
  for (const Node& node : difference.inserted) {
    add(node, "new and " + std::string(Name(node.health)));
  }
  for (const auto& [node, news, moved] : difference.changed) {
    if (news == News::kOtherHealth) {
      add(node, std::string(Name(node.health)));
    } else if (moved) {
      add(node, "now at " + (node.leaf.empty() ? std::string("no leaf") : node.leaf));
    }
  }
  if (count > kNamed) text += " and " + std::to_string(count - kNamed) + " more";
  return text;
}

Status Write(store::Tx& tx, const Principal& principal, const ClusterId& cluster, Instant now,
             const NodeDifference& difference) {
  if (difference.inserted.empty() && difference.changed.empty()) return Ok{};
  const std::string what = Describe(difference);
  if (!what.empty()) {
    ALLOT_RETURN_IF_ERROR(
        tx.Audit(Record({.principal = principal}, now, "cluster.nodes", cluster.str(), {}, what)));
  }
  if (!difference.inserted.empty()) ALLOT_RETURN_IF_ERROR(tx.InsertNodes(difference.inserted));
  std::vector<Node> updated;
  for (const ChangedNode& changed : difference.changed) updated.push_back(changed.node);
  if (!updated.empty()) ALLOT_RETURN_IF_ERROR(tx.UpdateNodes(updated));
  return Ok{};
}

/// No session lives to see it.
constexpr int64_t kReportMax = 1'000'000'000'000;

/// Which report this is, or inventory_stale for a number that none has.
Result<ReportMark> MarkOf(int64_t session, int64_t number) {
  if (number < 0 || number > kReportMax) {
    return FieldError(
        Reason::kInventoryStale, "report", std::to_string(number),
        "1 to " + std::to_string(kReportMax) + ", or 0 when reports are not numbered");
  }
  return ReportMark{.session = session, .number = number};
}

Result<NodeDifference> FromInventory(store::Tx& tx, const Inventory& inventory) {
  NodeDifference difference;
  std::map<NodeId, const ReportedNode*> reported;
  for (const ReportedNode& node : inventory.nodes) {
    const NodeId id(inventory.cluster.str() + "/" + node.name);
    if (!reported.emplace(id, &node).second) {
      return FieldError(Reason::kValueRepeated, "nodes", node.name, "each node once");
    }
  }
  ALLOT_ASSIGN_OR_RETURN(auto rows, tx.NodesOfCluster(inventory.cluster));
  for (Node& row : rows) {
    const auto found = reported.find(row.id);
    if (found != reported.end()) {
      const ReportedNode& node = *found->second;
      const bool moved = std::exchange(row.leaf, node.leaf) != node.leaf;
      const News news = Judge(row, node.healthy, node.reason);
      if (news != News::kNone || moved) difference.changed.push_back({row, news, moved});
      reported.erase(found);
    } else if (row.health != NodeHealth::kRemoved) {
      row.health = NodeHealth::kRemoved;
      row.reason = "no longer in the provider's inventory";
      difference.changed.push_back({row, News::kOtherHealth});
    }
  }
  for (const auto& [id, node] : reported) {
    difference.inserted.push_back({.id = id,
                                   .cluster = inventory.cluster,
                                   .health = node->healthy ? NodeHealth::kReady : NodeHealth::kDown,
                                   .reason = node->healthy ? "" : node->reason,
                                   .leaf = node->leaf});
  }
  return difference;
}

Result<NodeDifference> FromHeartbeat(store::Tx& tx, const HeartbeatMessage& message) {
  NodeDifference difference;
  std::map<NodeId, const ReportedNode*> unhealthy;
  for (const ReportedNode& node : message.unhealthy) {
    unhealthy.emplace(NodeId(message.cluster.str() + "/" + node.name), &node);
  }
  ALLOT_ASSIGN_OR_RETURN(auto rows, tx.NodesOfCluster(message.cluster));
  for (Node& row : rows) {
    if (row.health == NodeHealth::kRemoved) continue;
    const auto found = unhealthy.find(row.id);
    const bool healthy = found == unhealthy.end();
    const News news = Judge(row, healthy, healthy ? "" : found->second->reason);
    if (news != News::kNone) difference.changed.push_back({row, news});
  }
  return difference;
}

}  // namespace

Result<Cluster> RegisterAgent(const Context& context, const Call& call, const ClusterId& id,
                              GpuModel model) {
  const Instant now = context.clock.Now();
  return Once<Cluster>(
      context, call, now,
      [&](store::Tx& tx) -> Result<Cluster> {
        ALLOT_ASSIGN_OR_RETURN(auto cluster, LockForAgent(tx, call.principal, id, std::nullopt));
        if (model != cluster.model) {
          return FieldError(Reason::kGpuModelMismatch, "gpu_model", Name(model),
                            std::string(Name(cluster.model)) + ", as " + id.str() + " was entered");
        }
        ++cluster.agent_session;
        cluster.inventory_generation = 0;
        ALLOT_RETURN_IF_ERROR(tx.UpdateCluster(cluster));
        ALLOT_RETURN_IF_ERROR(tx.Audit(Record(call, now, "agent.register", id.str(), {},
                                              "session " + std::to_string(cluster.agent_session))));
        return cluster;
      },
      [](const Cluster& c) { return std::to_string(c.agent_session); },
      // The session it was given, or agent_superseded: never that of a newer agent.
      [&](store::Tx& tx, const std::string& session) {
        return LockForAgent(tx, call.principal, id, std::stoll(session));
      });
}

Result<Cluster> SyncInventory(const Context& context, const Principal& principal,
                              const Inventory& inventory) {
  if (inventory.generation < 1) {
    return FieldError(Reason::kInventoryStale, "generation", std::to_string(inventory.generation),
                      "1 or more");
  }
  ALLOT_ASSIGN_OR_RETURN(const ReportMark mark, MarkOf(inventory.session, inventory.report));
  const Instant now = context.clock.Now();
  return context.store.Transact<Cluster>(
      store::Access::kWrite, store::Scope::For(principal), [&](store::Tx& tx) -> Result<Cluster> {
        ALLOT_ASSIGN_OR_RETURN(auto cluster,
                               LockForAgent(tx, principal, inventory.cluster, inventory.session));
        if (inventory.generation < cluster.inventory_generation) {
          return FieldError(Reason::kInventoryStale, "generation",
                            std::to_string(inventory.generation),
                            std::to_string(cluster.inventory_generation) + " or later");
        }
        if (mark.number != 0) {
          // Sent again because its answer was lost: it was taken.
          if (mark == cluster.newest_report) return cluster;
          if (mark < cluster.newest_report) {
            return FieldError(Reason::kInventoryStale, "report", std::to_string(inventory.report),
                              std::to_string(cluster.newest_report.number + 1) + " or more");
          }
          cluster.newest_report = mark;
        }
        ALLOT_ASSIGN_OR_RETURN(const auto difference, FromInventory(tx, inventory));
        ALLOT_RETURN_IF_ERROR(Write(tx, principal, cluster.id, now, difference));
        cluster.inventory_generation = inventory.generation;
        cluster.last_heartbeat = now;
        ALLOT_RETURN_IF_ERROR(tx.UpdateCluster(cluster));
        return cluster;
      });
}

Result<HeartbeatAnswer> Heartbeat(const Context& context, const Principal& principal,
                                  const HeartbeatMessage& message) {
  ALLOT_ASSIGN_OR_RETURN(const ReportMark mark, MarkOf(message.session, message.report));
  const Instant now = context.clock.Now();
  return context.store.Transact<HeartbeatAnswer>(
      store::Access::kWrite, store::Scope::For(principal),
      [&](store::Tx& tx) -> Result<HeartbeatAnswer> {
        ALLOT_ASSIGN_OR_RETURN(auto cluster,
                               LockForAgent(tx, principal, message.cluster, message.session));
        HeartbeatAnswer answer;
        answer.expiry = context.policies.At(now)->heartbeat_expiry;
        answer.inventory_wanted = message.generation != cluster.inventory_generation;
        if (mark.number != 0 && mark <= cluster.newest_report) return answer;
        // Without the inventory it belongs to, "every other node works" would be a guess.
        if (!answer.inventory_wanted) {
          ALLOT_ASSIGN_OR_RETURN(const auto difference, FromHeartbeat(tx, message));
          ALLOT_RETURN_IF_ERROR(Write(tx, principal, cluster.id, now, difference));
        }
        ALLOT_RETURN_IF_ERROR(
            tx.TouchCluster(message.cluster, now, std::max(mark, cluster.newest_report)));
        return answer;
      });
}

}  // namespace allot::control
