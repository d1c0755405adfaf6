#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "allot/model/order.h"
#include "allot/model/pool.h"
#include "chaos/world.h"

namespace allot::chaos {

/// What the machines themselves say: which GPUs they have handed to whom, and which of them work.
/// The service is held to that, not to what it made of it.
class MachineBooks {
 public:
  using AttemptKey = std::pair<AllocationId, int>;

  /// An agent's inventory or heartbeat.
  struct Report {
    ClusterId cluster;
    /// What does not come after the newest one that was taken is late, and says nothing.
    ReportMark mark;
    /// The whole list; else those that do not work, of nodes that are listed.
    bool is_inventory = false;
    /// By name within the cluster, and whether it works.
    std::map<std::string, bool> nodes;
    /// A heartbeat that belongs to an inventory which the service has not does not.
    bool is_of_nodes = true;
  };

  explicit MachineBooks(World& world) : world_(world) {}

  // Of the agents.
  /// The service took it.
  void Taken(const Report& report);
  /// The service may have taken it.
  void MayBeTaken(const Report& report);

  // Of the machines. Some of the GPUs may be with an attempt already, all are, or none is any more.
  void HandsOver(const Order& order);
  void HandedOver(const Order& order);
  void TakenBack(const Order& order);

  // Of the service.
  void Provisions(const Order& order);
  void Active(const AllocationId& allocation, int attempt);
  void Freed(const Order& order);
  /// Grows with every report that says that something does not work.
  int64_t moment() const { return moment_; }
  /// A leader's pass that began at `moment`; `runs` says whether an attempt has its GPUs for work
  /// still.
  void PassMade(int64_t moment, const std::function<bool(const AttemptKey&)>& runs);

  void CheckTakenBack();

 private:
  struct Machine {
    /// Nothing: not known.
    std::optional<bool> listed;
    std::optional<bool> works;
    /// Since when it is known not to be there, or not to work.
    std::optional<int64_t> broken_since;
  };
  struct Heard {
    ReportMark taken;
    /// The newest that may have been.
    ReportMark perhaps;
  };
  void Note(const Report& report, bool certain);
  void Learn(Machine& machine);
  template <class What>
  static void ForEachGpu(const Order& order, What what);

  World& world_;
  int64_t moment_ = 0;
  std::map<ClusterId, Heard> heard_;
  std::map<NodeId, Machine> machines_;
  /// By node and GPU.
  std::map<std::pair<NodeId, int>, AttemptKey> handed_;
  std::set<AttemptKey> whole_;
  /// Of attempts that were provisioned: where.
  std::map<NodeId, std::set<AttemptKey>> provisioned_;
};

}  // namespace allot::chaos
