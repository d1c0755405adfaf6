#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "allot/agent/connection.h"

namespace allot::agent {

/// The server's side of an agent's conversation, in memory: sessions, one inventory, open orders.
/// Tests look at what it was told, and make it fail.
class FakeServer final : public Connection {
 public:
  Answer<Registration> Register(const std::string& request_id) override {
    const std::lock_guard lock(mutex_);
    ++calls["RegisterAgent"];
    if (auto failure = NextFailure()) return *failure;
    const auto [known, is_new] = registrations.emplace(request_id, session + 1);
    if (is_new) {
      ++session;
      inventory_generation = first_generation;
    }
    if (std::exchange(lose_registration, false)) {
      return Failure{Failure::Kind::kTryLater, "the server did not answer in time"};
    }
    if (known->second != session) return Superseded();
    return Registration{session, inventory_generation};
  }

  Answer<int64_t> SyncInventory(const ReportHead& head,
                                const std::vector<NodeReport>& nodes) override {
    const std::lock_guard lock(mutex_);
    ++calls["SyncInventory"];
    reports.push_back(head.number);
    if (auto failure = NextFailure()) return *failure;
    if (head.session != session) return Superseded();
    if (head.generation < inventory_generation) {
      return Failure{Failure::Kind::kInventoryStale, "inventory_stale"};
    }
    inventory_generation = head.generation;
    inventory = nodes;
    return head.generation;
  }

  Answer<HeartbeatAnswer> Heartbeat(const ReportHead& head,
                                    const std::vector<NodeReport>& reported) override {
    const std::lock_guard lock(mutex_);
    ++calls["Heartbeat"];
    reports.push_back(head.number);
    if (auto failure = NextFailure()) return *failure;
    if (head.session != session) return Superseded();
    unhealthy = reported;
    return HeartbeatAnswer{head.generation != inventory_generation, expiry};
  }

  Answer<PulledOrders> PullOrders(int64_t from, Seconds wait) override {
    if (while_pulling) std::exchange(while_pulling, nullptr)();
    const std::lock_guard lock(mutex_);
    ++calls["PullOrders"];
    last_wait = wait;
    if (auto failure = NextFailure()) return *failure;
    if (from != session) return Superseded();
    return PulledOrders{open, unreadable};
  }

  Answer<Ok> Acknowledge(int64_t from, const OrderId& order, const Outcome& outcome) override {
    const std::lock_guard lock(mutex_);
    ++calls["AcknowledgeOrder"];
    if (lose_acknowledgements > 0) {
      --lose_acknowledgements;
      return Failure{Failure::Kind::kTryLater, "the server did not answer in time"};
    }
    if (auto failure = NextFailure()) return *failure;
    if (from != session) return Superseded();
    acknowledged.emplace_back(order, outcome);
    const auto found = std::ranges::find(open, order, &Order::id);
    if (found == open.end()) {
      std::erase_if(unreadable, [&](const UnreadableOrder& other) { return other.id == order; });
      return Failure{Failure::Kind::kOrderNotCurrent, "order_not_current"};
    }
    if (outcome.done || found->kind == OrderKind::kProvision) open.erase(found);
    return Ok{};
  }

  void Interrupt() override { interrupted = true; }

  static Failure Superseded() { return {Failure::Kind::kSuperseded, "agent_superseded"}; }

  std::map<std::string, int> calls;
  /// The numbers of inventories and heartbeats, as they came.
  std::vector<int64_t> reports;
  /// Answers to the next calls; nothing lets one through.
  std::vector<std::optional<Failure>> failures;
  int lose_acknowledgements = 0;
  /// The next one is carried out and not answered.
  bool lose_registration = false;
  /// Sessions by the ids of the requests that opened them.
  std::map<std::string, int64_t> registrations;
  /// Happens once, while a pull waits.
  std::function<void()> while_pulling;
  int64_t first_generation = 0;
  Seconds expiry{30};

  int64_t session = 0;
  int64_t inventory_generation = 0;
  std::vector<NodeReport> inventory;
  std::vector<NodeReport> unhealthy;
  std::vector<Order> open;
  std::vector<UnreadableOrder> unreadable;
  std::vector<std::pair<OrderId, Outcome>> acknowledged;
  Seconds last_wait;
  bool interrupted = false;

 private:
  std::optional<Failure> NextFailure() {
    if (failures.empty()) return std::nullopt;
    auto failure = failures.front();
    failures.erase(failures.begin());
    return failure;
  }

  std::mutex mutex_;
};

/// Counts what it is asked to do, and does as it is told. Agents of different machines may share
/// it: it does nothing for an older session.
class FakeAdapter final : public Adapter {
 public:
  Result<std::vector<NodeReport>> Inventory() override {
    if (broken) return StateError(Reason::kStoreUnavailable, "the list is gone");
    return nodes;
  }
  Progress Provision(const Order& order, int64_t session) override {
    if (before_a_call) std::exchange(before_a_call, nullptr)();
    if (IsFenced(session)) return Progress::NotYet("a newer session was here");
    provisioned.push_back(order.id.str());
    if (provision_results.empty()) return Progress::Done();
    const Progress result = provision_results.front();
    provision_results.erase(provision_results.begin());
    return result;
  }
  Progress Release(const Order& order, int64_t session) override {
    if (before_a_call) std::exchange(before_a_call, nullptr)();
    if (IsFenced(session)) return Progress::NotYet("a newer session was here");
    released.push_back(order.id.str());
    return release_result;
  }
  Status Reload() override { return Ok{}; }

  std::vector<NodeReport> nodes = {{"n1", true, ""}, {"n2", true, ""}};
  bool broken = false;
  /// Of the next calls; done after them.
  std::vector<Progress> provision_results;
  Progress release_result = Progress::Done();
  std::vector<std::string> provisioned;
  std::vector<std::string> released;
  /// Happens once, before the next order is begun.
  std::function<void()> before_a_call;

 private:
  bool IsFenced(int64_t session) {
    newest_session_ = std::max(newest_session_, session);
    return session < newest_session_;
  }

  int64_t newest_session_ = 0;
};

inline Order MakeOrder(const std::string& id, OrderKind kind, int64_t epoch, int attempt = 1,
                       const std::string& allocation = "snu/llm/train") {
  Order order;
  order.id = OrderId(id);
  order.cluster = ClusterId("naver-a");
  order.allocation = AllocationId(allocation);
  order.attempt = attempt;
  order.kind = kind;
  order.nodes = {{NodeId("naver-a/n1"), 0xff}};
  order.window = *TimeWindow::Make(Instant::FromSeconds(1'000), Instant::FromSeconds(4'600));
  order.epoch = epoch;
  return order;
}

}  // namespace allot::agent
