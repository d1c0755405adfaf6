#include "agent/grpc_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>

#include "agent/fake_service.h"
#include "agent/order_message.h"

namespace allot::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Kind = Failure::Kind;

class GrpcConnectionTest : public ::testing::Test {
 protected:
  GrpcConnection::Options Options() const {
    return {.server = {service_.address(), false, ""},
            .credentials = grpc::InsecureChannelCredentials(),
            .api_key = "allot_key",
            .provider = ProviderId("naver"),
            .cluster = ClusterId("naver-a"),
            .gpu_model = GpuModel::kB200,
            .call_deadline_ms = 2'000};
  }

  template <class T>
  static T Value(const Answer<T>& answer) {
    const auto* failure = std::get_if<Failure>(&answer);
    EXPECT_EQ(failure, nullptr) << failure->message;
    return failure == nullptr ? std::get<T>(answer) : T{};
  }
  template <class T>
  static Failure FailureIn(const Answer<T>& answer) {
    const auto* failure = std::get_if<Failure>(&answer);
    EXPECT_NE(failure, nullptr);
    return failure == nullptr ? Failure{} : *failure;
  }

  FakeService service_;
  GrpcConnection connection_{Options()};
};

TEST_F(GrpcConnectionTest, SaysWhoItIsAndWhatItHas) {
  EXPECT_EQ(Value(connection_.Register("r1")).session, 1);
  service_.Look([](const FakeService& s) {
    EXPECT_EQ(s.authorization, "Bearer allot_key");
    EXPECT_EQ(s.cluster, "providers/naver/clusters/naver-a");
    EXPECT_EQ(s.gpu_model, v1::GPU_MODEL_B200);
  });

  const std::vector<NodeReport> nodes = {{"n1", true, "", ""}, {"n2", false, "dead\nfan", "su-1"}};
  EXPECT_EQ(Value(connection_.SyncInventory({1, 5, 7}, nodes)), 5);
  service_.Look([](const FakeService& s) {
    ASSERT_EQ(s.inventory.nodes_size(), 2);
    EXPECT_EQ(s.inventory.nodes(0).node_id(), "n1");
    EXPECT_FALSE(s.inventory.nodes(0).unhealthy());
    EXPECT_TRUE(s.inventory.nodes(1).unhealthy());
    EXPECT_EQ(s.inventory.nodes(1).reason(), "dead fan");
    EXPECT_EQ(s.inventory.nodes(1).leaf(), "su-1");
    EXPECT_EQ(s.inventory.report(), 7);
  });

  const HeartbeatAnswer answer = Value(connection_.Heartbeat({1, 6, 8}, {nodes[1]}));
  EXPECT_TRUE(answer.inventory_wanted);
  EXPECT_EQ(answer.expiry, Seconds{30});
  service_.Look([](const FakeService& s) {
    EXPECT_EQ(s.heartbeat.unhealthy_nodes_size(), 1);
    EXPECT_EQ(s.heartbeat.report(), 8);
  });
}

TEST_F(GrpcConnectionTest, ARegistrationThatIsRepeatedOpensOneSession) {
  service_.Change([](FakeService& service) { service.hanging = "RegisterAgent"; });
  GrpcConnection::Options options = Options();
  options.call_deadline_ms = 200;
  GrpcConnection hasty(options);
  FailureIn(hasty.Register("r1"));
  service_.Change([](FakeService& service) { service.hanging.clear(); });
  EXPECT_EQ(Value(connection_.Register("r1")).session, 1);
  // The call that was given up is carried out all the same.
  ASSERT_TRUE(service_.Await([](const FakeService& s) { return s.request_ids.size() == 2; }));
  service_.Look([](const FakeService& s) {
    EXPECT_THAT(s.request_ids, ElementsAre("r1", "r1"));
    EXPECT_EQ(s.session, 1);
  });
  EXPECT_EQ(Value(connection_.Register("r2")).session, 2);
}

TEST_F(GrpcConnectionTest, PullsAnOrderAndAcknowledgesIt) {
  Value(connection_.Register("r1"));
  service_.Change([](FakeService& service) {
    service.open = {MakeOrderMessage("o1", v1::Order::KIND_PROVISION)};
  });
  const PulledOrders pulled = Value(connection_.PullOrders(1, Seconds{20}));
  ASSERT_EQ(pulled.orders.size(), 1U);
  const Order& order = pulled.orders[0];
  EXPECT_EQ(order.id, OrderId("o1"));
  EXPECT_EQ(order.allocation, AllocationId("snu/llm/train"));
  EXPECT_EQ(order.kind, OrderKind::kProvision);
  EXPECT_EQ(order.epoch, 3);
  EXPECT_THAT(order.nodes, ElementsAre(OrderedNode{NodeId("naver-a/n1"), 0xff}));
  EXPECT_EQ(order.window.length(), Seconds{3'600});

  Value(connection_.Acknowledge(1, order.id, {false, "no\x01 such " + std::string(900, 'x')}));
  service_.Look([](const FakeService& s) {
    ASSERT_EQ(s.acknowledged.size(), 1U);
    EXPECT_EQ(s.acknowledged[0].name(), "providers/naver/clusters/naver-a/orders/o1");
    EXPECT_EQ(s.acknowledged[0].outcome(), v1::AcknowledgeOrderRequest::OUTCOME_FAILED);
    EXPECT_EQ(s.acknowledged[0].message().size(), 500U);
    EXPECT_THAT(s.acknowledged[0].message(), HasSubstr("no  such xxx"));
  });
}

TEST_F(GrpcConnectionTest, WaitsForAnOrderThatComesLater) {
  Value(connection_.Register("r1"));
  auto pulled =
      std::async(std::launch::async, [this] { return connection_.PullOrders(1, Seconds{20}); });
  ASSERT_TRUE(service_.Await([](const FakeService& s) { return s.calls.contains("PullOrders"); }));
  service_.Change([](FakeService& service) {
    service.open = {MakeOrderMessage("o1", v1::Order::KIND_RELEASE)};
  });
  EXPECT_EQ(Value(pulled.get()).orders.size(), 1U);
}

TEST_F(GrpcConnectionTest, KeepsAnOrderItCannotReadApart) {
  Value(connection_.Register("r1"));
  service_.Change([](FakeService& service) {
    service.open = {MakeOrderMessage("o1", static_cast<v1::Order::Kind>(3)),
                    MakeOrderMessage("o2", v1::Order::KIND_PROVISION)};
  });
  const PulledOrders pulled = Value(connection_.PullOrders(1, Seconds{0}));
  ASSERT_EQ(pulled.orders.size(), 1U);
  ASSERT_EQ(pulled.unreadable.size(), 1U);
  EXPECT_EQ(pulled.unreadable[0].id, OrderId("o1"));
  EXPECT_THAT(pulled.unreadable[0].why, HasSubstr("older than the server"));
}

TEST_F(GrpcConnectionTest, InterruptEndsAPullThatWaitsAndNoAcknowledgement) {
  Value(connection_.Register("r1"));
  auto pulled =
      std::async(std::launch::async, [this] { return connection_.PullOrders(1, Seconds{20}); });
  ASSERT_TRUE(service_.Await([](const FakeService& s) { return s.calls.contains("PullOrders"); }));
  connection_.Interrupt();
  EXPECT_EQ(FailureIn(pulled.get()).kind, Kind::kTryLater);
  EXPECT_EQ(FailureIn(connection_.Heartbeat({1, 1, 1}, {})).kind, Kind::kTryLater);
  Value(connection_.Acknowledge(1, OrderId("o1"), {}));
}

TEST_F(GrpcConnectionTest, GivesACallUpThatTheServerDoesNotAnswer) {
  service_.Change([](FakeService& service) { service.hanging = "RegisterAgent"; });
  GrpcConnection::Options options = Options();
  options.call_deadline_ms = 200;
  GrpcConnection hasty(options);
  const Failure failure = FailureIn(hasty.Register("r1"));
  EXPECT_EQ(failure.kind, Kind::kTryLater);
  EXPECT_THAT(failure.message, HasSubstr("did not answer in time"));
}

TEST_F(GrpcConnectionTest, FindsAServerThatComesBack) {
  const int port = service_.port();
  service_.Shutdown();
  const Failure failure = FailureIn(connection_.Register("r1"));
  EXPECT_EQ(failure.kind, Kind::kTryLater);
  EXPECT_THAT(failure.message, HasSubstr("cannot be reached"));
  FakeService again(port);
  ASSERT_EQ(again.port(), port);
  bool back = false;
  for (int i = 0; i < 200 && !back; ++i) {
    back = std::holds_alternative<Registration>(connection_.Register("r1"));
    if (!back) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_TRUE(back);
}

struct FailureCase {
  std::string name;
  grpc::Status status;
  Kind kind;
  std::string message;
};

class FailureKinds : public GrpcConnectionTest,
                     public ::testing::WithParamInterface<FailureCase> {};

TEST_P(FailureKinds, FollowFromTheReasonOrElseTheCode) {
  service_.Change([](FakeService& s) { s.refusals["Heartbeat"] = GetParam().status; });
  const Failure failure = FailureIn(connection_.Heartbeat({1, 1, 1}, {}));
  EXPECT_EQ(failure.kind, GetParam().kind);
  EXPECT_THAT(failure.message, HasSubstr(GetParam().message));
}

std::vector<FailureCase> FailureCases() {
  using grpc::StatusCode;
  return {
      {"Superseded", FakeService::Superseded(), Kind::kSuperseded, "agent_superseded: session 1"},
      {"Stale", Refusal(StatusCode::ABORTED, "INVENTORY_STALE", "x"), Kind::kInventoryStale,
       "inventory_stale"},
      {"NotCurrent", Refusal(StatusCode::ABORTED, "ORDER_NOT_CURRENT", "x"), Kind::kOrderNotCurrent,
       "order_not_current"},
      {"Key", Refusal(StatusCode::UNAUTHENTICATED, "CREDENTIAL_INVALID", "x"), Kind::kRefused,
       "credential_invalid"},
      {"Role", Refusal(StatusCode::PERMISSION_DENIED, "ROLE_INSUFFICIENT", "x"), Kind::kRefused,
       "role_insufficient"},
      {"Cluster", Refusal(StatusCode::NOT_FOUND, "NOT_FOUND", "x"), Kind::kRefused, "not_found"},
      {"Database", Refusal(StatusCode::UNAVAILABLE, "STORE_UNAVAILABLE", "x"), Kind::kTryLater,
       "store_unavailable"},
      {"Conflict", Refusal(StatusCode::ABORTED, "STORE_CONFLICT", "x"), Kind::kTryLater,
       "store_conflict"},
      {"Overload", Refusal(StatusCode::RESOURCE_EXHAUSTED, "OVERLOADED", "x"), Kind::kTryLater,
       "overloaded"},
      {"Leaving", Refusal(StatusCode::UNAVAILABLE, "SHUTTING_DOWN", "x"), Kind::kTryLater,
       "shutting_down"},
      {"Bug", Refusal(StatusCode::INTERNAL, "INTERNAL", "x"), Kind::kTryLater, "internal"},
      {"ReasonOfTomorrow", Refusal(StatusCode::ABORTED, "MOON_IN_THE_WAY", "x"), Kind::kTryLater,
       "code 10"},
      {"ProxyOnTheWay", {StatusCode::PERMISSION_DENIED, "403"}, Kind::kTryLater, "code 7: 403"},
      {"NobodyBehindTheProxy", {StatusCode::UNIMPLEMENTED, "404"}, Kind::kTryLater, "code 12: 404"},
      {"OfAnotherRelease", Refusal(StatusCode::UNIMPLEMENTED, "METHOD_UNKNOWN", "x"),
       Kind::kRefused, "method_unknown"},
      {"BrokenDetails", {StatusCode::ABORTED, "x", "\xff\xff"}, Kind::kTryLater, "code 10"},
  };
}

INSTANTIATE_TEST_SUITE_P(Cases, FailureKinds, ::testing::ValuesIn(FailureCases()),
                         [](const auto& tested) { return tested.param.name; });

TEST_F(GrpcConnectionTest, ForgetsAnOrderThatTheServerDoesNotHave) {
  service_.Change([](FakeService& s) {
    s.refusals["AcknowledgeOrder"] = Refusal(grpc::StatusCode::NOT_FOUND, "NOT_FOUND", "x");
  });
  EXPECT_EQ(FailureIn(connection_.Acknowledge(1, OrderId("o1"), {})).kind, Kind::kOrderNotCurrent);
}

struct OrderCase {
  std::string name;
  void (*breaks)(v1::Order&);
  std::string message;
};

class BrokenOrder : public ::testing::TestWithParam<OrderCase> {};

TEST_P(BrokenOrder, IsRefusedNamingTheField) {
  v1::Order message = MakeOrderMessage("o1", v1::Order::KIND_PROVISION);
  const ProviderId provider("naver");
  const ClusterId cluster("naver-a");
  ASSERT_TRUE(ParseOrder(message, provider, cluster).ok());
  GetParam().breaks(message);
  const auto order = ParseOrder(message, provider, cluster);
  ASSERT_FALSE(order.ok());
  EXPECT_THAT(order.error().message, HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Cases, BrokenOrder,
    ::testing::Values(
        OrderCase{"NoName", [](v1::Order& o) { o.clear_name(); }, "order.name"},
        OrderCase{"OtherCluster",
                  [](v1::Order& o) { o.set_name("providers/naver/clusters/naver-b/orders/o1"); },
                  "order.name"},
        OrderCase{
            "AllocationIsAPath",
            [](v1::Order& o) { o.set_allocation("institutes/../projects/../allocations/passwd"); },
            "order.allocation"},
        OrderCase{"AllocationShort", [](v1::Order& o) { o.set_allocation("institutes/snu"); },
                  "order.allocation"},
        OrderCase{"AttemptZero", [](v1::Order& o) { o.set_attempt(0); }, "order.attempt"},
        OrderCase{"KindUnset", [](v1::Order& o) { o.clear_kind(); }, "order.kind"},
        OrderCase{"NoNodes", [](v1::Order& o) { o.clear_nodes(); }, "order.nodes"},
        OrderCase{"ForeignNode",
                  [](v1::Order& o) {
                    o.mutable_nodes(0)->set_node("providers/nhn/clusters/nhn-a/nodes/n1");
                  },
                  "order.nodes"},
        OrderCase{"NoGpus", [](v1::Order& o) { o.mutable_nodes(0)->clear_gpu_indices(); },
                  "order.nodes"},
        OrderCase{"GpuEight", [](v1::Order& o) { o.mutable_nodes(0)->set_gpu_indices(0, 8); },
                  "order.nodes"},
        OrderCase{"GpuTwice", [](v1::Order& o) { o.mutable_nodes(0)->set_gpu_indices(0, 1); },
                  "order.nodes"},
        OrderCase{"NodeTwice", [](v1::Order& o) { *o.add_nodes() = v1::NodeGpus(o.nodes(0)); },
                  "order.nodes"},
        OrderCase{"TimeBeyondCounting",
                  [](v1::Order& o) { o.mutable_start_time()->set_seconds(INT64_MAX); },
                  "order.start_time"},
        OrderCase{"CreatedBeforeTime", [](v1::Order& o) { o.mutable_create_time()->set_nanos(-1); },
                  "order.create_time"},
        OrderCase{"WindowEmpty", [](v1::Order& o) { o.mutable_end_time()->set_seconds(1'000); },
                  "order.end_time"},
        OrderCase{"EpochNegative", [](v1::Order& o) { o.set_epoch(-1); }, "order.epoch"}),
    [](const auto& tested) { return tested.param.name; });

}  // namespace
}  // namespace allot::agent
