// What providers are to do: given once, pulled until it is done, and answered.
#include "store/conformance.h"

namespace allot::store {
namespace {

TEST_P(StoreConformance, OrdersAreWrittenPulledAndAnsweredOnce) {
  const Allocation allocation = Submit("snu/llm/a");
  const Claim claim = SampleClaim(allocation, "naver-a/n1", 0x3c);
  std::vector<Order> orders = {SampleOrder("o2", claim, OrderKind::kRelease),
                               SampleOrder("o1", claim, OrderKind::kProvision)};
  orders[0].create_time = kNow + Seconds{1};
  orders[1].nodes.push_back({NodeId("naver-a/n2"), 0xff});
  EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.InsertOrders(orders); }));
  Read(store(), [&](Tx& tx) -> Status {
    // The oldest first.
    EXPECT_EQ(tx.OpenOrders(ClusterId("naver-a"), 10).value(),
              (std::vector<Order>{orders[1], orders[0]}));
    EXPECT_EQ(tx.OpenOrders(ClusterId("naver-a"), 1).value().size(), 1u);
    EXPECT_TRUE(tx.OpenOrders(ClusterId("naver-b"), 10).value().empty());
    EXPECT_EQ(tx.ListOrders({}, OrderState::kOpen, {}).value().items.size(), 2u);
    return Ok{};
  }).value();

  // A second order of a kind for the same attempt.
  const Order again = SampleOrder("o3", claim, OrderKind::kProvision);
  EXPECT_FALSE(Write(store(), [&](Tx& tx) { return tx.InsertOrders(std::span(&again, 1)); }).ok());

  EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
    Order order = tx.LockOrder(OrderId("o2")).value().value();
    order.state = OrderState::kFailed;
    order.acknowledge_time = kNow + Seconds{2};
    order.message = "node does not answer";
    ALLOT_RETURN_IF_ERROR(tx.UpdateOrder(order));
    EXPECT_EQ(tx.LockOrder(OrderId("o2")).value(), order);
    EXPECT_EQ(tx.FindOrder(OrderId("o2")).value(), order);
    const auto supersede = [&](int number) {
      const Attempt attempt{.allocation = allocation.id, .number = number};
      return tx.SupersedeProvisionOrders(std::span(&attempt, 1));
    };
    ALLOT_RETURN_IF_ERROR(supersede(1));
    EXPECT_EQ(tx.LockOrder(OrderId("o1")).value()->state, OrderState::kOpen);
    ALLOT_RETURN_IF_ERROR(supersede(0));
    EXPECT_EQ(tx.LockOrder(OrderId("o1")).value()->state, OrderState::kSuperseded);
    EXPECT_EQ(tx.LockOrder(OrderId("none")).value(), std::nullopt);
    return Ok{};
  }));
  Read(store(), [](Tx& tx) -> Status {
    EXPECT_TRUE(tx.OpenOrders(ClusterId("naver-a"), 10).value().empty());
    EXPECT_EQ(tx.ListOrders(ClusterId("naver-a"), OrderState::kFailed, {}).value().items.size(),
              1u);
    return Ok{};
  }).value();
}

TEST_P(StoreConformance, OpenOrdersAreCountedByClusterAndKindSinceTheOldest) {
  const Allocation one = Submit("snu/llm/a");
  const Allocation other = Submit("snu/llm/b");
  const auto order = [](const std::string& id, const Allocation& allocation,
                        const std::string& node, OrderKind kind, Seconds after) {
    Order made = SampleOrder(id, SampleClaim(allocation, node, 0x3c), kind);
    made.create_time = kNow + after;
    return made;
  };
  const std::vector<Order> orders = {
      order("o1", one, "naver-b/n1", OrderKind::kProvision, Seconds{1}),
      order("o2", one, "naver-a/n1", OrderKind::kRelease, Seconds{5}),
      order("o3", other, "naver-a/n2", OrderKind::kRelease, Seconds{3}),
      order("o4", other, "naver-a/n1", OrderKind::kProvision, Seconds{4}),
  };
  const auto backlogs = [&] {
    std::vector<OrderBacklog> found;
    Read(store(), [&](Tx& tx) -> Status {
      found = tx.OrderBacklogs().value();
      return Ok{};
    }).value();
    return found;
  };
  EXPECT_TRUE(backlogs().empty());
  EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.InsertOrders(orders); }));
  const ClusterId a("naver-a");
  const ClusterId b("naver-b");
  EXPECT_EQ(backlogs(), (std::vector<OrderBacklog>{
                            {a, OrderKind::kProvision, 1, kNow + Seconds{4}},
                            {a, OrderKind::kRelease, 2, kNow + Seconds{3}},
                            {b, OrderKind::kProvision, 1, kNow + Seconds{1}},
                        }));

  // What was answered does not wait.
  EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
    for (const char* id : {"o1", "o3"}) {
      Order answered = tx.LockOrder(OrderId(id)).value().value();
      answered.state = OrderState::kDone;
      answered.acknowledge_time = kNow + Seconds{9};
      ALLOT_RETURN_IF_ERROR(tx.UpdateOrder(answered));
    }
    return Ok{};
  }));
  EXPECT_EQ(backlogs(), (std::vector<OrderBacklog>{
                            {a, OrderKind::kProvision, 1, kNow + Seconds{4}},
                            {a, OrderKind::kRelease, 1, kNow + Seconds{5}},
                        }));
}

TEST_P(StoreConformance, OrdersThatFailedDoNotHideThoseThatWereNotTried) {
  const auto enter = [&](const std::string& id, Seconds after) {
    Allocation allocation = Submit("snu/llm/" + id);
    Order order = SampleOrder(id, SampleClaim(allocation, "naver-a/n1"), OrderKind::kRelease);
    order.create_time = kNow + after;
    EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.InsertOrders(std::span(&order, 1)); }));
  };
  const auto fail = [&](const std::string& id, Seconds after) {
    EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
      Order order = tx.LockOrder(OrderId(id)).value().value();
      order.acknowledge_time = kNow + after;
      order.message = "no power";
      return tx.UpdateOrder(order);
    }));
  };
  const auto pulled = [&](int limit) {
    std::string ids;
    Read(store(), [&](Tx& tx) -> Status {
      const auto open = tx.OpenOrders(ClusterId("naver-a"), limit).value();
      for (const Order& order : open) ids += " " + order.id.str();
      return Ok{};
    }).value();
    return ids;
  };
  for (const char* id : {"o1", "o2", "o3"}) enter(id, Seconds{1});
  fail("o2", Seconds{2});
  fail("o1", Seconds{3});
  enter("o4", Minutes(1));
  EXPECT_EQ(pulled(10), " o3 o4 o2 o1");
  fail("o2", Minutes(2));
  EXPECT_EQ(pulled(2), " o3 o4");
  EXPECT_EQ(pulled(3), " o3 o4 o1");
}

}  // namespace
}  // namespace allot::store
