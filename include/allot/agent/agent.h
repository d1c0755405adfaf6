#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "allot/agent/adapter.h"
#include "allot/agent/connection.h"
#include "allot/agent/log.h"
#include "allot/agent/state.h"
#include "allot/base/clock.h"
#include "allot/base/random.h"

namespace allot::agent {

class LostEnactments;

/// Waits between tries: doubling up to a bound, each between half and all of it, so that agents
/// that lost the same server do not come back in step.
class Backoff {
 public:
  Backoff(int64_t first_ms, int64_t max_ms, uint64_t seed)
      : first_ms_(first_ms), max_ms_(max_ms), ceiling_ms_(first_ms), random_(seed) {}

  int64_t NextMs();
  void Reset() { ceiling_ms_ = first_ms_; }

 private:
  int64_t first_ms_;
  int64_t max_ms_;
  int64_t ceiling_ms_;
  SeededRandom random_;
};

/// Why an agent must end by itself.
struct Ending {
  enum class Cause : uint8_t {
    kSuperseded,  ///< a newer agent has taken over the cluster
    kRefused,     ///< the server refuses the key, the role, the cluster or its model
  };
  Cause cause = Cause::kSuperseded;
  std::string message;
};

/// What an agent does, without threads, sleeps or a network of its own: two kinds of turns, each
/// of which says how long to wait before the next. AgentThreads drives them on two threads, so that
/// heartbeats go on while an order is waited for; a simulation may call them in any order.
class Agent {
 public:
  struct Options {
    /// Longest wait for an order in one call.
    Seconds order_wait{20};
    /// How often the adapter is asked about its nodes.
    int64_t inventory_poll_ms = 500;
    /// For how long the record of an attempt that ended is kept, for people to look at.
    Seconds record_retention = Days(30);
    int64_t retry_first_ms = 100;
    /// Well below the server's heartbeat expiry, so that a server that is back is found in time.
    int64_t retry_max_ms = 5'000;
    /// Orders that were pulled so long ago are not begun: whether they still stand is asked anew.
    int64_t order_age_max_ms = 5'000;
    /// For the jitter.
    uint64_t seed = 1;
  };

  /// What comes in from the machine. All outlive the agent.
  struct Surroundings {
    const Clock& clock;
    /// A steady clock, in milliseconds.
    std::function<int64_t()> steady_ms;
    IdSource& ids;
    Log log;
  };

  /// All outlive the agent.
  Agent(Adapter& adapter, State& state, Connection& connection, Surroundings surroundings,
        Options options);
  ~Agent();

  /// Registers, sends the inventory when it changed, and the heartbeat when it is due or a node's
  /// health changed. Returns how long to wait, in milliseconds.
  int64_t ReportTurn();

  /// Pulls orders, enacts and acknowledges them, the oldest first.
  int64_t OrderTurn();

  /// From any thread: no further order is begun, and no call but an acknowledgement.
  void Stop();
  bool stopping() const { return stopping_.load(); }
  /// Set once the agent must end by itself; turns do nothing from then on.
  std::optional<Ending> ending() const;

 private:
  enum class Settled : uint8_t { kYes, kUnderWay, kNotYet };

  std::optional<int64_t> Register();
  void BeginRegistration();
  void EndRegistration();
  /// Of this list, or of the last one sent while no other can be kept; nothing when none was sent.
  std::optional<int64_t> GenerationOf(const std::vector<NodeReport>& nodes);
  bool Sync(int64_t session, int64_t generation, const std::vector<NodeReport>& nodes);
  std::optional<HeartbeatAnswer> Beat(int64_t session, int64_t generation,
                                      const std::vector<NodeReport>& unhealthy);
  /// The adapter's nodes, or the last known when it cannot say.
  const std::vector<NodeReport>* ReadInventory();
  void RemoveOldRecords();
  Result<Progress> Enact(const Order& order);
  Result<Progress> Provision(const Order& order, std::optional<Enactment> record);
  Result<Progress> Release(const Order& order, std::optional<Enactment> record);
  Settled Settle(const Order& order);
  bool Acknowledge(const OrderId& order, const Outcome& outcome);
  /// Whether the orders pulled last may have been withdrawn since, this agent superseded.
  bool OrdersAreOld() const;
  /// When to ask again for orders of which none could be begun, in ms.
  int64_t AnswerWasLate();
  /// Logs it, and ends the agent when trying again cannot help. `session` is the one that the call
  /// was of, 0 for none.
  void Note(const char* call, int64_t session, const Failure& failure);

  Adapter& adapter_;
  State& state_;
  Connection& connection_;
  const Clock& clock_;
  const std::function<int64_t()> steady_ms_;
  IdSource& ids_;
  const Log log_;
  const Options options_;

  std::atomic<bool> stopping_{false};
  /// 0 before registration.
  std::atomic<int64_t> session_{0};
  /// Reports sent so far; by the reporting thread alone. It never begins anew: a session's numbers
  /// need to grow, not to be dense.
  int64_t reports_ = 0;
  mutable std::mutex ending_mutex_;
  std::optional<Ending> ending_;

  // Of report turns only.
  /// Of the registration that is wanted and has brought no session yet; empty when none is.
  std::string registration_id_;
  /// It was begun by an earlier life.
  bool registration_is_inherited_ = false;
  std::vector<NodeReport> nodes_;
  std::string inventory_error_;
  std::string generation_error_;
  int64_t synced_generation_ = 0;
  std::vector<NodeReport> reported_unhealthy_;
  int64_t next_heartbeat_ms_ = 0;
  Backoff report_backoff_;
  SeededRandom heartbeat_jitter_;

  // Of order turns only.
  std::unique_ptr<LostEnactments> lost_;
  Instant next_removal_;
  /// Under which the orders at hand were pulled, and when.
  int64_t orders_session_ = 0;
  int64_t pulled_ms_ = 0;
  /// The last answer came too late for any order to be begun.
  bool answer_was_late_ = false;
  /// Of a list that became old: what was tried before the rest was pulled anew.
  std::set<OrderId> tried_;
  bool under_way_ = false;
  int64_t under_way_retry_ms_ = 0;
  Backoff pull_backoff_;
  /// Of orders that stay open.
  Backoff stuck_backoff_;
};

}  // namespace allot::agent
