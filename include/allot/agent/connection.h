#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "allot/agent/adapter.h"
#include "allot/base/id.h"
#include "allot/base/result.h"
#include "allot/base/time.h"
#include "allot/model/order.h"

namespace allot::agent {

/// Why a call to the server brought no answer, by what the agent can do about it.
struct Failure {
  enum class Kind : uint8_t {
    /// Nobody answered, or nobody could just now: the same call later.
    kTryLater,
    /// A newer agent has registered for this cluster.
    kSuperseded,
    /// The server has a higher generation in this session.
    kInventoryStale,
    /// The order was superseded or acknowledged otherwise.
    kOrderNotCurrent,
    /// The server will answer the same until somebody changes something: key, role, cluster.
    kRefused,
  };
  Kind kind = Kind::kTryLater;
  /// For the log: the server's reason and words, or the transport's.
  std::string message;

  friend bool operator==(const Failure&, const Failure&) = default;
};

template <class T>
using Answer = std::variant<T, Failure>;

struct Registration {
  int64_t session = 0;
  int64_t inventory_generation = 0;
};

struct HeartbeatAnswer {
  /// The server does not have the generation named: send the full inventory.
  bool inventory_wanted = false;
  /// Silent for so long, the agent's nodes become unknown.
  Seconds expiry{30};
};

/// An order that this release cannot read: of a newer kind, or broken.
struct UnreadableOrder {
  OrderId id;
  std::string why;
};

struct PulledOrders {
  /// The oldest first.
  std::vector<Order> orders;
  std::vector<UnreadableOrder> unreadable;
};

/// What became of an order.
struct Outcome {
  bool done = true;
  /// Why it failed.
  std::string message;

  friend bool operator==(const Outcome&, const Outcome&) = default;
};

/// What a report belongs to, and which one of its session it is.
struct ReportHead {
  int64_t session = 0;
  int64_t generation = 0;
  /// Counts the reports of a session, whether or not they were answered, from 1.
  int64_t number = 0;
};

/// The server as the agent of one cluster sees it. Every call ends within a bound of its own.
/// Thread safe.
class Connection {
 public:
  virtual ~Connection() = default;

  /// Opens a session. Repeated with the same id it is answered with the same session, so that a
  /// call that nobody waits for any more and that goes through late opens no second one.
  virtual Answer<Registration> Register(const std::string& request_id) = 0;
  /// Returns the generation that the server has now.
  virtual Answer<int64_t> SyncInventory(const ReportHead& head,
                                        const std::vector<NodeReport>& nodes) = 0;
  virtual Answer<HeartbeatAnswer> Heartbeat(const ReportHead& head,
                                            const std::vector<NodeReport>& unhealthy) = 0;
  /// Waits up to `wait` for an order when none is open.
  virtual Answer<PulledOrders> PullOrders(int64_t session, Seconds wait) = 0;
  virtual Answer<Ok> Acknowledge(int64_t session, const OrderId& order, const Outcome& outcome) = 0;

  /// Ends calls under way and answers later ones with kTryLater, acknowledgements excepted: what
  /// was enacted should still be told.
  virtual void Interrupt() = 0;
};

}  // namespace allot::agent
