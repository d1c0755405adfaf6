#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "allot/base/result.h"
#include "allot/model/order.h"

namespace allot::agent {

/// A node as its provider sees it.
struct NodeReport {
  /// Its name within the cluster.
  std::string name;
  bool healthy = true;
  /// Why it does not work; shown to operators and to owners of work on it.
  std::string reason;
  /// The leaf of the cluster's network that it hangs from; empty when not known.
  std::string leaf;

  friend bool operator==(const NodeReport&, const NodeReport&) = default;
};

/// How far the adapter is with an order.
struct Progress {
  enum class State : uint8_t {
    kDone,
    /// Begun; ask again after `retry_ms`.
    kUnderWay,
    /// Cannot be done; nothing of it is left behind.
    kFailed,
    /// Neither done nor given up: it is tried again later. Nothing is told to the server, so the
    /// GPUs stay held.
    kNotYet,
  };
  State state = State::kDone;
  /// Why it failed, or waits.
  std::string message;
  int64_t retry_ms = 0;

  static Progress Done() { return {}; }
  static Progress UnderWay(int64_t retry_ms) { return {State::kUnderWay, {}, retry_ms}; }
  static Progress Failed(std::string message) { return {State::kFailed, std::move(message), 0}; }
  static Progress NotYet(std::string message) { return {State::kNotYet, std::move(message), 0}; }

  friend bool operator==(const Progress&, const Progress&) = default;
};

/// The seam to what really runs a cluster: a list of nodes, Slurm, Kubernetes.
///
/// The agent records an order before and after it calls the adapter, and calls again whatever it
/// finds begun but not ended: after a crash, and while an order is under way. So Provision and
/// Release must be idempotent, with the pair (allocation, attempt) as the key. Neither may block
/// for longer than a second or so; what takes longer is under way.
///
/// `session` is a fencing token. The server refuses the messages of an agent that was superseded,
/// but one that was paused (a stopped process, a machine that slept) may wake up with an order in
/// hand that its successor has released since. So an adapter whose cluster another agent can reach
/// keeps the highest session that it was called with where that agent's adapter finds it, and in
/// one step with what it does: a call of a lower session does nothing and is answered with NotYet.
/// Sessions of one cluster only grow.
///
/// Inventory is called from one thread, Provision and Release from another, Reload from a third.
class Adapter {
 public:
  virtual ~Adapter() = default;

  /// All nodes of the cluster, sorted by name, each once. An error leaves the last list in force.
  virtual Result<std::vector<NodeReport>> Inventory() = 0;

  /// Hands the order's GPUs over to its allocation.
  virtual Progress Provision(const Order& order, int64_t session) = 0;

  /// Takes the GPUs back from an attempt, wherever its provisioning stands; work still running
  /// there is ended. Done for an attempt that holds nothing.
  virtual Progress Release(const Order& order, int64_t session) = 0;

  /// Reads the adapter's configuration again; on an error the old one stays in force.
  virtual Status Reload() = 0;
};

}  // namespace allot::agent
