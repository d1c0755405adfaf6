#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allot/base/id.h"
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
  /// Set by an operator for all its nodes, those that join later too.
  bool draining = false;
  std::string drain_reason;
  int64_t version = 1;

  friend bool operator==(const Cluster&, const Cluster&) = default;
};

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
  int64_t version = 1;

  friend bool operator==(const Node&, const Node&) = default;
};

/// Whether it is drained by itself or with its cluster.
inline bool IsDraining(const Cluster& cluster, const Node& node) {
  return cluster.draining || node.draining;
}
/// Whether new work may start on it.
inline bool Schedulable(const Cluster& cluster, const Node& node) {
  return node.health == NodeHealth::kReady && !IsDraining(cluster, node);
}

}  // namespace allot
