#pragma once

#include <string>
#include <vector>

#include "allot/control/context.h"
#include "allot/model/order.h"
#include "allot/model/pool.h"
#include "allot/store/tx.h"

namespace allot::control {

// What a provider's agent says. Every message names the session it registered; a newer agent of the
// cluster gets a higher one, and messages of the older are agent_superseded from then on.

/// Whether the principal acts for this provider: role_insufficient, or for another's `name` the
/// same not_found as for what is nowhere. Needs no look at the store.
Status MayEnact(const Principal& principal, const ProviderId& provider, const std::string& field,
                const std::string& name);

/// Opens a session for a cluster of the principal's provider. gpu_model_mismatch when the agent's
/// nodes have another model than the cluster was entered with.
Result<Cluster> RegisterAgent(const Context& context, const Call& call, const ClusterId& cluster,
                              GpuModel model);

struct ReportedNode {
  /// Its name within the cluster.
  std::string name;
  bool healthy = true;
  std::string reason;
  /// In an inventory: the leaf it hangs from; empty when not known.
  std::string leaf;
};

struct Inventory {
  ClusterId cluster;
  int64_t session = 0;
  /// Grows with every change of the agent's list; within a session an older one is inventory_stale.
  int64_t generation = 0;
  /// Counts the session's inventories and heartbeats together, from 1; 0: not numbered. What comes
  /// behind a later one is inventory_stale.
  int64_t report = 0;
  /// All nodes; what is missing is removed (its work is then taken off as from a dead node).
  std::vector<ReportedNode> nodes;
};
/// Repeating the current generation changes nothing but health. Returns the cluster.
Result<Cluster> SyncInventory(const Context& context, const Principal& principal,
                              const Inventory& inventory);

struct HeartbeatMessage {
  ClusterId cluster;
  int64_t session = 0;
  int64_t generation = 0;
  /// As of an inventory; one that comes behind a later report changes nothing.
  int64_t report = 0;
  /// All nodes that do not work now; every other node of the inventory works.
  std::vector<ReportedNode> unhealthy;
};
struct HeartbeatAnswer {
  /// The server does not have this generation: send the full inventory.
  bool inventory_wanted = false;
  /// The agent should send the next heartbeat within a third of this.
  Seconds expiry;
};
Result<HeartbeatAnswer> Heartbeat(const Context& context, const Principal& principal,
                                  const HeartbeatMessage& message);

/// Open orders of the cluster, the oldest first, at most `limit` (1 to 1000). Pulling again returns
/// them again until they are acknowledged.
Result<std::vector<Order>> PullOrders(const Context& context, const Principal& principal,
                                      const ClusterId& cluster, int64_t session, int limit);

struct Acknowledgement {
  ClusterId cluster;
  OrderId order;
  int64_t session = 0;
  /// False when the provider could not do it.
  bool done = true;
  std::string message;
};
/// Acknowledging again with the same outcome changes nothing and succeeds. order_not_current for an
/// order that was superseded or acknowledged otherwise.
/// A done provision makes the allocation active (its window was fixed when it was reserved); a
/// failed one puts it back. A done release frees the claims and charges the project; a failed one
/// stays open and held.
Result<Order> Acknowledge(const Context& context, const Principal& principal,
                          const Acknowledgement& acknowledgement);

Result<store::Page<Order>> ListOrders(const Context& context, const Principal& principal,
                                      const ProviderId& provider, const ClusterId& cluster,
                                      const std::optional<OrderState>& state,
                                      const store::PageRequest& page);

}  // namespace allot::control
