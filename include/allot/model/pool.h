#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allot/base/id.h"
#include "allot/base/result.h"
#include "allot/base/time.h"
#include "allot/model/gpu.h"

namespace allot {

/// Who operates the machines.
struct Provider {
  ProviderId id;
  std::string display_name;
  int64_t version = 1;

  friend bool operator==(const Provider&, const Provider&) = default;
};

/// Which report of a cluster's agent, an inventory or a heartbeat, came after which: by session,
/// and by number within it.
struct ReportMark {
  int64_t session = 0;
  /// From 1; 0 of agents that do not number their reports.
  int64_t number = 0;

  friend auto operator<=>(const ReportMark&, const ReportMark&) = default;
};

/// One fabric of equal nodes: work on several nodes never leaves it.
struct Cluster {
  ClusterId id;
  ProviderId provider;
  std::string display_name;
  GpuModel model = GpuModel::kH200;
  /// Whose projects it serves; sorted, unique, not empty.
  std::vector<ProgrammeId> programmes;
  /// Counts agent registrations: messages of an older session are refused.
  int64_t agent_session = 0;
  /// Of the last full inventory accepted within the session; 0 before the first.
  int64_t inventory_generation = 0;
  /// Of the last message of the agent; nothing before the first.
  std::optional<Instant> last_heartbeat;
  /// The newest that was accepted: one that does not come after it is late, and changes nothing.
  ReportMark newest_report;
  /// Set by an operator for all its nodes, those that join later too.
  bool draining = false;
  std::string drain_reason;
  /// Nothing runs on it before; it is planned from then on, whether its nodes report yet or not.
  std::optional<Instant> join_time;
  /// All of it is handed back by then.
  std::optional<Instant> leave_time;
  int64_t version = 1;

  friend bool operator==(const Cluster&, const Cluster&) = default;
};

/// Whether its dates can be: neither past, unless they were so `before`, nor too far ahead, and it
/// joins before it leaves. Fields are "cluster.join_time" and "cluster.leave_time".
Status CheckDates(const Cluster& cluster, const Cluster& before, Instant now);

/// Whether a node's provider reports it as working.
enum class NodeHealth : uint8_t {
  kReady,
  /// Reports stopped a short while ago: nothing new is placed, running work is left alone.
  kUnknown,
  /// Reported broken, or silent for too long: its work is moved or failed by policy.
  kDown,
  /// No longer in the provider's inventory.
  kRemoved,
};
std::string_view Name(NodeHealth health);
std::optional<NodeHealth> ParseNodeHealth(std::string_view name);

struct Node {
  NodeId id;
  ClusterId cluster;
  NodeHealth health = NodeHealth::kReady;
  /// Set by an operator: nothing new is placed, running work goes on to its end.
  bool draining = false;
  std::string drain_reason;
  /// Why it is not ready, as its provider says; shown to operators and owners.
  std::string reason;
  /// The leaf of its cluster's network that it hangs from, as its provider names it; empty when not
  /// known.
  std::string leaf;
  int64_t version = 1;

  friend bool operator==(const Node&, const Node&) = default;
};

/// Whether it is drained by itself or with its cluster.
inline bool IsDraining(const Cluster& cluster, const Node& node) {
  return cluster.draining || node.draining;
}
/// Between its dates: it has joined, and has not left.
inline bool IsInService(const Cluster& cluster, Instant now) {
  return (!cluster.join_time || *cluster.join_time <= now) &&
         (!cluster.leave_time || *cluster.leave_time > now);
}
/// Whether new work may start on it now.
inline bool MayStart(const Cluster& cluster, const Node& node, Instant now) {
  return IsInService(cluster, now) && node.health == NodeHealth::kReady &&
         !IsDraining(cluster, node);
}
/// Whether new work may be placed on it, now or when its cluster joins: until then it need not
/// report.
inline bool Schedulable(const Cluster& cluster, const Node& node, Instant now) {
  if (cluster.join_time && *cluster.join_time > now) {
    return node.health != NodeHealth::kRemoved && !IsDraining(cluster, node);
  }
  return MayStart(cluster, node, now);
}

}  // namespace allot
