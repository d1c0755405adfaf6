#include <prometheus/text_serializer.h>

#include <future>

#include "rpc/api_fixture.h"

namespace allot::rpc {
namespace {

class ProvidersTest : public Api {
 protected:
  void SetUp() override {
    Api::SetUp();
    Serve();
    AddPool();
    AddTenant("snu");
  }

  grpc::Status Pull(const std::string& rest, v1::PullOrdersResponse* response) {
    return Call<v1::ProviderService>(agent_key_, &Agents::PullOrders, InSession(rest), response);
  }
  grpc::Status Acknowledge(const v1::Order& order, const std::string& outcome,
                           v1::Order* response = nullptr) {
    return Call<v1::ProviderService>(agent_key_, &Agents::AcknowledgeOrder,
                                     "name: '" + order.name() + "' session: " +
                                         std::to_string(session_) + " outcome: " + outcome,
                                     response);
  }
  /// Calls that wait or are being served. Requires a registry in the options.
  int InFlight() const {
    const std::string name = "\nallot_rpc_calls_in_flight ";
    const std::string metrics =
        prometheus::TextSerializer().Serialize(options_.registry->Collect());
    const std::size_t at = metrics.find(name);
    return at == std::string::npos ? 0 : std::stoi(metrics.substr(at + name.size()));
  }
  /// Until a call waits for orders: it is the only one in flight, and calls that came after it were
  /// answered.
  void AwaitOneThatWaits() {
    do {
      for (int i = 0; i < 3; ++i) {
        ASSERT_EQ(ReasonOf(Call<v1::PoolService>(operator_key_, &Pool::ListProviders, "")), "OK");
      }
    } while (InFlight() != 1);
    ASSERT_EQ(ReasonOf(Call<v1::PoolService>(operator_key_, &Pool::ListProviders, "")), "OK");
  }
  void Submit(const std::string& id, const std::string& size = "gpus: 12") {
    ASSERT_EQ(ReasonOf(Call<v1::AllocationService>(operator_key_, &Allocations::CreateAllocation,
                                                   CreateText("snu", id, size))),
              "OK");
  }
  v1::Allocation Get(const std::string& id) {
    v1::Allocation found;
    Call<v1::AllocationService>(operator_key_, &Allocations::GetAllocation,
                                "name: 'institutes/snu/projects/p/allocations/" + id + "'", &found);
    return found;
  }
};

TEST_F(ProvidersTest, AnAllocationLivesFromOrderToRelease) {
  Submit("a1");
  Schedule();
  v1::PullOrdersResponse orders;
  ASSERT_EQ(ReasonOf(Pull("", &orders)), "OK");
  ASSERT_EQ(orders.orders_size(), 1);
  const v1::Order order = orders.orders(0);
  EXPECT_TRUE(order.name().starts_with("providers/prov/clusters/c/orders/"));
  EXPECT_EQ(order.kind(), v1::Order::KIND_PROVISION);
  EXPECT_EQ(order.allocation(), "institutes/snu/projects/p/allocations/a1");
  EXPECT_GT(order.epoch(), 0);
  ASSERT_EQ(order.nodes_size(), 2);
  EXPECT_EQ(order.nodes(0).gpu_indices_size() + order.nodes(1).gpu_indices_size(), 12);

  ASSERT_EQ(ReasonOf(Acknowledge(order, "OUTCOME_DONE")), "OK");
  ASSERT_EQ(ReasonOf(Acknowledge(order, "OUTCOME_DONE")), "OK") << "a repeat";
  EXPECT_EQ(ReasonOf(Acknowledge(order, "OUTCOME_FAILED")), "ORDER_NOT_CURRENT");
  EXPECT_EQ(Get("a1").state(), v1::Allocation::STATE_ACTIVE);
  EXPECT_EQ(Get("a1").cluster(), "providers/prov/clusters/c");
  EXPECT_EQ(Get("a1").nodes_size(), 2);

  ASSERT_EQ(ReasonOf(Call<v1::AllocationService>(
                operator_key_, &Allocations::ReleaseAllocation,
                "name: 'institutes/snu/projects/p/allocations/a1' request_id: 'r1' reason: 'x'")),
            "OK");
  ASSERT_EQ(ReasonOf(Pull("", &orders)), "OK");
  ASSERT_EQ(orders.orders_size(), 1);
  EXPECT_EQ(orders.orders(0).kind(), v1::Order::KIND_RELEASE);
  ASSERT_EQ(ReasonOf(Acknowledge(orders.orders(0), "OUTCOME_DONE")), "OK");
  EXPECT_EQ(Get("a1").state(), v1::Allocation::STATE_COMPLETED);

  v1::ListOrdersResponse all;
  ASSERT_EQ(ReasonOf(Call<v1::ProviderService>(operator_key_, &Agents::ListOrders,
                                               "parent: 'providers/prov/clusters/c' state: "
                                               "STATE_DONE",
                                               &all)),
            "OK");
  EXPECT_EQ(all.orders_size(), 2);
}

TEST_F(ProvidersTest, AnAgentSaysWhichGpusItHas) {
  const auto register_with = [&](const std::string& model) {
    return Call<v1::ProviderService>(agent_key_, &Agents::RegisterAgent,
                                     "cluster: 'providers/prov/clusters/c' " + model);
  };
  EXPECT_EQ(ReasonOf(register_with("")), "GPU_MODEL_UNKNOWN");
  EXPECT_EQ(ReasonOf(register_with("gpu_model: 7")), "GPU_MODEL_UNKNOWN");
  const auto other = register_with("gpu_model: GPU_MODEL_B200");
  EXPECT_EQ(ReasonOf(other), "GPU_MODEL_MISMATCH");
  EXPECT_EQ(InfoOf(other).metadata().at("field"), "gpu_model");
  v1::PullOrdersResponse orders;
  EXPECT_EQ(ReasonOf(Pull("", &orders)), "OK") << "the session before it goes on";
}

TEST_F(ProvidersTest, AnAwaitedOrderComesAsSoonAsItIsWritten) {
  auto pulled = std::async(std::launch::async, [this] {
    v1::PullOrdersResponse orders;
    EXPECT_EQ(ReasonOf(Pull("wait { seconds: 25 }", &orders)), "OK");
    return orders;
  });
  Submit("a1");
  Schedule();
  EXPECT_EQ(pulled.get().orders_size(), 1);
}

TEST_F(ProvidersTest, AKeyThatIsRevokedWhileItsCallWaitsGetsNoOrder) {
  options_.registry = std::make_shared<prometheus::Registry>();
  Serve();
  auto pulled = std::async(std::launch::async, [this] {
    v1::PullOrdersResponse orders;
    const grpc::Status status = Pull("wait { seconds: 25 }", &orders);
    EXPECT_EQ(orders.orders_size(), 0);
    return ReasonOf(status);
  });
  AwaitOneThatWaits();
  v1::ListApiKeysResponse keys;
  ASSERT_EQ(ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::ListApiKeys, "", &keys)),
            "OK");
  for (const v1::ApiKey& key : keys.api_keys()) {
    if (key.role() != v1::ROLE_PROVIDER) continue;
    ASSERT_EQ(ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::RevokeApiKey,
                                                 "name: '" + key.name() + "' reason: 'lost'")),
              "OK");
  }
  Submit("a1");
  Schedule();
  EXPECT_EQ(pulled.get(), "CREDENTIAL_INVALID");
}

TEST_F(ProvidersTest, OneCallOfASessionWaits) {
  options_.registry = std::make_shared<prometheus::Registry>();
  Serve();
  const auto pull = [this] {
    return std::async(std::launch::async, [this] {
      v1::PullOrdersResponse orders;
      EXPECT_EQ(ReasonOf(Pull("wait { seconds: 25 }", &orders)), "OK");
      return orders.orders_size();
    });
  };
  auto older = pull();
  AwaitOneThatWaits();
  auto newer = pull();
  EXPECT_EQ(older.get(), 0);
  Submit("a1");
  Schedule();
  EXPECT_EQ(newer.get(), 1);
}

TEST_F(ProvidersTest, AWaitEndsWithNoneAndHoldsNoWorker) {
  options_.workers = 1;
  Serve();
  auto pulled = std::async(std::launch::async, [this] {
    v1::PullOrdersResponse orders;
    EXPECT_EQ(ReasonOf(Pull("wait { seconds: 1 }", &orders)), "OK");
    return orders.orders_size();
  });
  EXPECT_EQ(ReasonOf(Call<v1::PoolService>(operator_key_, &Pool::ListProviders, "")), "OK");
  EXPECT_EQ(pulled.get(), 0);
}

TEST_F(ProvidersTest, ADrainAnswersWhoAwaitsOrders) {
  options_.registry = std::make_shared<prometheus::Registry>();
  Serve();
  auto pulled = std::async(std::launch::async, [this] {
    v1::PullOrdersResponse orders;
    return Pull("wait { seconds: 25 }", &orders);
  });
  AwaitOneThatWaits();
  server_->Drain(10'000);
  const auto status = pulled.get();
  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(ProvidersTest, TheOlderAgentIsSupersededByTheNewer) {
  v1::RegisterAgentResponse newer;
  ASSERT_EQ(ReasonOf(Call<v1::ProviderService>(
                agent_key_, &Agents::RegisterAgent,
                "cluster: 'providers/prov/clusters/c' gpu_model: GPU_MODEL_H200", &newer)),
            "OK");
  EXPECT_GT(newer.session(), session_);
  v1::PullOrdersResponse orders;
  EXPECT_EQ(ReasonOf(Pull("", &orders)), "AGENT_SUPERSEDED");
  EXPECT_EQ(ReasonOf(Call<v1::ProviderService>(agent_key_, &Agents::Heartbeat,
                                               InSession("generation: 1"))),
            "AGENT_SUPERSEDED");
}

TEST_F(ProvidersTest, AHeartbeatNamesWhatDoesNotWork) {
  v1::HeartbeatResponse answer;
  ASSERT_EQ(
      ReasonOf(Call<v1::ProviderService>(
          agent_key_, &Agents::Heartbeat,
          InSession("generation: 1 unhealthy_nodes { node_id: 'n2' reason: 'XID 79' }"), &answer)),
      "OK");
  EXPECT_FALSE(answer.inventory_wanted());
  EXPECT_EQ(answer.heartbeat_expiry().seconds(), 30);
  v1::ListNodesResponse down;
  ASSERT_EQ(ReasonOf(Call<v1::PoolService>(
                agent_key_, &Pool::ListNodes,
                "parent: 'providers/prov/clusters/c' health: HEALTH_DOWN", &down)),
            "OK");
  ASSERT_EQ(down.nodes_size(), 1);
  EXPECT_EQ(down.nodes(0).name(), "providers/prov/clusters/c/nodes/n2");
  EXPECT_EQ(down.nodes(0).reason(), "XID 79");
  ASSERT_EQ(ReasonOf(Call<v1::ProviderService>(agent_key_, &Agents::Heartbeat,
                                               InSession("generation: 2"), &answer)),
            "OK");
  EXPECT_TRUE(answer.inventory_wanted());
}

TEST_F(ProvidersTest, BadReportsAreRefusedByField) {
  const auto sync = [this](const std::string& rest) {
    return ReasonOf(Call<v1::ProviderService>(agent_key_, &Agents::SyncInventory, InSession(rest)));
  };
  EXPECT_EQ(sync("generation: 2 nodes { node_id: 'N 1' }"), "NAME_INVALID");
  EXPECT_EQ(sync("generation: 2 nodes { node_id: 'n1' } nodes { node_id: 'n1' }"),
            "VALUE_REPEATED");
  EXPECT_EQ(sync("generation: 2 nodes { node_id: 'n1' leaf: 'Leaf 1' }"), "NAME_INVALID");
  EXPECT_EQ(sync("generation: 0 nodes { node_id: 'n1' }"), "INVENTORY_STALE");
  v1::PullOrdersResponse orders;
  EXPECT_EQ(ReasonOf(Pull("wait { seconds: 31 }", &orders)), "DURATION_OUT_OF_RANGE");
  EXPECT_EQ(ReasonOf(Pull("max_orders: 1001", &orders)), "PAGE_SIZE_OUT_OF_RANGE");
}

TEST_F(ProvidersTest, CapacityCountsWhatIsHeldAndFree) {
  Submit("a1");
  Schedule();
  v1::PullOrdersResponse orders;
  Pull("", &orders);
  Acknowledge(orders.orders(0), "OUTCOME_DONE");
  v1::GetCapacityResponse now;
  ASSERT_EQ(ReasonOf(Call<v1::PoolService>(operator_key_, &Pool::GetCapacity, "", &now)), "OK");
  ASSERT_EQ(now.clusters_size(), 1);
  EXPECT_EQ(now.clusters(0).gpus(), 32);
  EXPECT_EQ(now.clusters(0).gpus_in_use(), 12);
  EXPECT_EQ(now.clusters(0).gpus_free(), 20);
  EXPECT_EQ(now.projects_served(), 1);
  EXPECT_EQ(now.utilisation_permille(), 375);
  EXPECT_EQ(now.timeline_size(), 0);
  v1::GetCapacityResponse later;
  ASSERT_EQ(
      ReasonOf(Call<v1::PoolService>(operator_key_, &Pool::GetCapacity,
                                     "horizon { seconds: 7200 } step { seconds: 1800 }", &later)),
      "OK");
  ASSERT_GE(later.timeline_size(), 4);
  EXPECT_EQ(later.timeline(0).gpus_free(0), 20);
  EXPECT_EQ(later.timeline(later.timeline_size() - 1).gpus_free(0), 32);
  EXPECT_EQ(ReasonOf(Call<v1::PoolService>(operator_key_, &Pool::GetCapacity,
                                           "horizon { seconds: 63244800 }")),
            "OK")
      << "the longest horizon with the step left out";
}

}  // namespace
}  // namespace allot::rpc
