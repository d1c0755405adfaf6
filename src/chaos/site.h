#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "allot/agent/agent.h"
#include "chaos/server.h"
#include "chaos/world.h"

namespace allot::chaos {

/// The machines of a cluster, and what is done on them. They outlive their agent.
class Machines {
 public:
  Machines(World& world, Auditor& auditor, std::vector<std::string> names);

  std::vector<agent::NodeReport> Inventory() const;
  agent::Progress Provision(const Order& order, int64_t session);
  agent::Progress Release(const Order& order, int64_t session);

  std::size_t size() const { return nodes_.size(); }
  void Break(std::size_t node) { nodes_[node].healthy = false; }
  void Mend(std::size_t node) { nodes_[node].healthy = true; }
  void TakeAway(std::size_t node) { nodes_[node].listed = false; }
  void BringBack(std::size_t node) { nodes_[node].listed = true; }

 private:
  struct Machine {
    std::string name;
    bool healthy = true;
    bool listed = true;
  };
  /// Whether an order goes on for some time still; decided once for each.
  bool TakesTime(const Order& order);
  /// What is in the older of two sessions is not done any more.
  bool IsOfNewestSession(int64_t session);
  bool AllWork(const Order& order) const;

  World& world_;
  Auditor& auditor_;
  std::vector<Machine> nodes_;
  std::map<OrderId, Instant> ready_at_;
  std::set<std::pair<AllocationId, int>> handed_;
  int64_t newest_session_ = 0;
};

/// What an agent does on the machines, as long as it lives. Between its decision and the deed it
/// may be stopped for a while, and others go on.
class Hands final : public agent::Adapter {
 public:
  Hands(World& world, Machines& machines) : world_(world), machines_(machines) {}

  Result<std::vector<agent::NodeReport>> Inventory() override { return machines_.Inventory(); }
  agent::Progress Provision(const Order& order, int64_t session) override;
  agent::Progress Release(const Order& order, int64_t session) override;
  Status Reload() override { return Ok{}; }

  bool cut = false;

 private:
  void MayPause();

  World& world_;
  Machines& machines_;
};

/// What an agent remembers. It outlives the agent.
class Memory final : public agent::State {
 public:
  explicit Memory(World& world) : world_(world) {}

  Result<int64_t> GenerationOf(const std::vector<std::string>& nodes) override;
  Status RaiseGenerationAbove(int64_t generation) override;
  std::string PendingRegistration() const override { return registration_; }
  Status KeepPendingRegistration(const std::string& request_id) override;
  Result<std::optional<agent::Enactment>> Find(const AllocationId& allocation,
                                               int attempt) const override;
  Result<agent::Records> List() const override;
  Status Write(const agent::Enactment& enactment) override;
  Result<int> RemoveEndedBefore(Instant t) override;
  /// Its disk is replaced.
  void Forget();

  bool full = false;
  bool cut = false;

 private:
  Status MayWrite();

  World& world_;
  int64_t generation_ = 0;
  std::vector<std::string> nodes_;
  std::string registration_;
  std::map<std::pair<AllocationId, int>, agent::Enactment> records_;
};

/// An agent's way to the servers: whichever lives, through a network that loses, delays, repeats
/// and reorders.
class Line final : public agent::Connection {
 public:
  Line(Installation& installation, Servers& servers, Cluster cluster, std::string secret);

  agent::Answer<agent::Registration> Register(const std::string& request_id) override;
  agent::Answer<int64_t> SyncInventory(const agent::ReportHead& head,
                                       const std::vector<agent::NodeReport>& nodes) override;
  agent::Answer<agent::HeartbeatAnswer> Heartbeat(
      const agent::ReportHead& head, const std::vector<agent::NodeReport>& unhealthy) override;
  agent::Answer<agent::PulledOrders> PullOrders(int64_t session, Seconds wait) override;
  agent::Answer<Ok> Acknowledge(int64_t session, const OrderId& order,
                                const agent::Outcome& outcome) override;
  void Interrupt() override {}

  bool cut = false;
  bool partitioned = false;
  /// Under which the agent that lives registered.
  std::set<std::string> registrations;
  /// How many orders the last pull brought.
  std::size_t pulled = 0;

 private:
  template <class T>
  using Handler = std::function<Result<T>(const control::Context&, const Principal&)>;
  template <class T>
  agent::Answer<T> Call(const char* method, int64_t session, Handler<T> handler, bool repeats);
  /// What an agent reports, and what the service made of it.
  template <class T>
  void Tell(const MachineBooks::Report& report, const Result<T>& answer);
  template <class T>
  std::optional<Result<T>> Deliver(const char* method, int64_t session, const Handler<T>& handler);

  Installation& in_;
  Servers& servers_;
  const Cluster cluster_;
  const std::string secret_;
};

/// Where an agent runs: its memory, its clock and its way to the servers, which outlive it.
class Seat {
 public:
  Seat(Installation& installation, Servers& servers, const Cluster& cluster, Machines& machines,
       std::string name, std::string secret, Actor reports, Actor orders);

  void Start();
  /// Until somebody starts it.
  void Die();
  /// Nobody is to start it any more, whatever it dies of.
  void Leave();
  bool alive() const { return agent_ != nullptr && !line_.cut; }
  Memory& memory() { return memory_; }
  Line& line() { return line_; }
  LocalClock& clock() { return clock_; }

 private:
  void ReportLater(int64_t micros);
  void OrderLater(int64_t micros);
  /// What it dies of is seen where it is next at rest.
  bool Bury();

  Installation& in_;
  const ClusterId cluster_;
  /// "the agent of ca".
  const std::string name_;
  Hands hands_;
  Memory memory_;
  Line line_;
  LocalClock clock_;
  const Actor reports_;
  const Actor orders_;
  bool wanted_ = false;
  int64_t lives_ = 0;
  std::unique_ptr<agent::Agent> agent_;
};

/// One cluster: its machines, and the agent that comes and goes. For a while another one may live
/// elsewhere, when somebody takes the first for dead.
class Site {
 public:
  /// Of an agent's reports and of its orders.
  struct Actors {
    Actor reports;
    Actor orders;
  };
  Site(Installation& installation, Servers& servers, Cluster cluster,
       std::vector<std::string> nodes, const std::string& secret, Actors first, Actors second);

  Machines& machines() { return machines_; }
  Seat& agent() { return agent_; }
  Seat& second() { return second_; }
  const Cluster& cluster() const { return cluster_; }

 private:
  const Cluster cluster_;
  Machines machines_;
  Seat agent_;
  Seat second_;
};

}  // namespace allot::chaos
