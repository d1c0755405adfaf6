#include <algorithm>
#include <limits>
#include <set>

#include "allot/control/identity.h"
#include "allot/control/sweep.h"
#include "control/world.h"

namespace allot::control {
namespace {

class AgentTest : public World {
 protected:
  Result<HeartbeatAnswer> Beat(std::vector<ReportedNode> unhealthy = {}, int64_t generation = 1,
                               int64_t report = 0) {
    return Heartbeat(*context, Agent(),
                     {.cluster = ClusterId("c"),
                      .session = session,
                      .generation = generation,
                      .report = report,
                      .unhealthy = unhealthy});
  }
  std::vector<NodeHealth> Health() {
    std::vector<NodeHealth> health;
    const auto page =
        Must(ListNodes(*context, Operator(), ProviderId("prov"), ClusterId("c"), std::nullopt, {}));
    for (const Node& node : page.items) health.push_back(node.health);
    return health;
  }
};

TEST_F(AgentTest, AnOlderAgentsMessagesAreRefused) {
  const int64_t old_session = session;
  session =
      Must(RegisterAgent(*context, As(Agent()), ClusterId("c"), GpuModel::kH200)).agent_session;
  EXPECT_GT(session, old_session);
  Inventory stale = FourNodes(9);
  stale.session = old_session;
  stale.nodes.clear();
  EXPECT_EQ(ReasonOf(SyncInventory(*context, Agent(), stale)), Reason::kAgentSuperseded);
  EXPECT_EQ(Health(), std::vector(4, NodeHealth::kReady));
}

TEST_F(AgentTest, AReportThatComesBehindALaterOneChangesNothing) {
  const std::vector<ReportedNode> broken = {{.name = "n1", .healthy = false, .reason = "fan"}};
  const auto with_one_down = [&] {
    std::vector<NodeHealth> health(4, NodeHealth::kReady);
    health[0] = NodeHealth::kDown;
    return health;
  };
  EXPECT_TRUE(Beat({}, 1, 7).ok());
  EXPECT_TRUE(Beat(broken, 1, 9).ok());
  EXPECT_EQ(Health(), with_one_down());
  // Given up by the agent, and carried out all the same.
  const auto late = Beat({}, 1, 8);
  ASSERT_TRUE(late.ok());
  EXPECT_FALSE(late->inventory_wanted);
  EXPECT_EQ(Health(), with_one_down());
  Inventory inventory = FourNodes(2);
  inventory.report = 8;
  EXPECT_EQ(ReasonOf(SyncInventory(*context, Agent(), inventory)), Reason::kInventoryStale);
  EXPECT_EQ(Health(), with_one_down());
  // The newest one again is a repeat.
  inventory.report = 10;
  EXPECT_EQ(Must(SyncInventory(*context, Agent(), inventory)).inventory_generation, 2);
  EXPECT_TRUE(Beat(broken, 2, 11).ok());
  EXPECT_EQ(Health(), with_one_down());
  EXPECT_EQ(ReasonOf(SyncInventory(*context, Agent(), inventory)), Reason::kInventoryStale);
  inventory.report = 12;
  EXPECT_TRUE(SyncInventory(*context, Agent(), inventory).ok());
  EXPECT_TRUE(SyncInventory(*context, Agent(), inventory).ok());
  EXPECT_EQ(Health(), std::vector(4, NodeHealth::kReady));
  // A new session counts from 1, and who does not count is believed as it comes.
  session =
      Must(RegisterAgent(*context, As(Agent()), ClusterId("c"), GpuModel::kH200)).agent_session;
  inventory.session = session;
  inventory.report = 1;
  EXPECT_TRUE(SyncInventory(*context, Agent(), inventory).ok());
  EXPECT_TRUE(Beat(broken, 2, 0).ok());
  EXPECT_EQ(Health(), with_one_down());
  EXPECT_EQ(ReasonOf(Beat({}, 2, -1)), Reason::kInventoryStale);
  // It would leave no room for one that is later.
  EXPECT_EQ(ReasonOf(Beat({}, 2, std::numeric_limits<int64_t>::max())), Reason::kInventoryStale);
  EXPECT_TRUE(Beat({}, 2, 2).ok());
  EXPECT_EQ(Health(), std::vector(4, NodeHealth::kReady));
}

TEST_F(AgentTest, AnAgentOfOtherGpusIsRefusedAndTheOneBeforeItGoesOn) {
  const auto refused = RegisterAgent(*context, As(Agent()), ClusterId("c"), GpuModel::kB200);
  ASSERT_EQ(ReasonOf(refused), Reason::kGpuModelMismatch);
  EXPECT_EQ(refused.error().field, "gpu_model");
  EXPECT_EQ(refused.error().value, "B200");
  EXPECT_EQ(refused.error().limit, "H200, as c was entered");
  Must(SyncInventory(*context, Agent(), FourNodes(2)));
}

TEST_F(AgentTest, AnOlderInventoryIsRefused) {
  Must(SyncInventory(*context, Agent(), FourNodes(5)));
  EXPECT_EQ(ReasonOf(SyncInventory(*context, Agent(), FourNodes(4))), Reason::kInventoryStale);
}

TEST_F(AgentTest, SilenceMakesNodesUnknownThenDownAndAHeartbeatHealsThem) {
  Settle();
  PassTime(policy.heartbeat_expiry);
  EXPECT_EQ(Health(), std::vector(4, NodeHealth::kUnknown));
  PassTime(policy.node_down_after);
  EXPECT_EQ(Health(), std::vector(4, NodeHealth::kDown));
  EXPECT_FALSE(Must(Beat()).inventory_wanted);
  EXPECT_EQ(Health(), std::vector(4, NodeHealth::kReady));
}

TEST_F(AgentTest, AClockThatIsSetIsNotTheAgentsSilence) {
  SubmitAs("snu", "a", 1, Days(100));
  Settle();
  EnactAll();
  for (const Seconds by : {Minutes(6), Seconds{-600}, Days(2)}) {
    SetClock(by);
    Settle();
    EXPECT_EQ(Health(), std::vector(4, NodeHealth::kReady));
    EXPECT_EQ(Get("snu/p/a").state, AllocationState::kActive);
    Must(Beat());
    Settle();
  }
  PassTime(policy.heartbeat_expiry);
  EXPECT_EQ(Health(), std::vector(4, NodeHealth::kUnknown)) << "silence still counts";
}

TEST_F(AgentTest, WhatAServerWithAWrongClockHearsIsHeard) {
  for (const Seconds off : {Seconds{-3'600}, Days(1)}) {
    testing::ManualClock theirs(clock.Now() + off);
    const Context server{*store, theirs, ids, policies};
    for (int i = 0; i < 80; ++i) {
      clock.Advance(Seconds{5});
      theirs.Advance(Seconds{5});
      Must(Heartbeat(
          server, Agent(),
          {.cluster = ClusterId("c"), .session = session, .generation = 1, .unhealthy = {}}));
      Must(loop->Turn());
      ASSERT_EQ(Health(), std::vector(4, NodeHealth::kReady));
    }
    PassTime(policy.heartbeat_expiry);
    EXPECT_EQ(Health(), std::vector(4, NodeHealth::kUnknown)) << "silence still counts";
  }
}

TEST_F(AgentTest, ARepeatedRegistrationNeverGetsANewerAgentsSession) {
  const auto register_as = [&](const std::string& request_id) {
    Call call = As(Agent());
    call.request_id = request_id;
    call.body_sha256 = std::string(64, 'a');
    return RegisterAgent(*context, call, ClusterId("c"), GpuModel::kH200);
  };
  const int64_t first = Must(register_as("r1")).agent_session;
  EXPECT_EQ(Must(register_as("r1")).agent_session, first);
  EXPECT_EQ(Must(register_as("r2")).agent_session, first + 1);
  EXPECT_EQ(ReasonOf(register_as("r1")), Reason::kAgentSuperseded);
}

TEST_F(AgentTest, AnOutageOfTheServerIsNotTheAgentsSilence) {
  SubmitAs("snu", "a", 1, Hours(4));
  Settle();
  EnactAll();
  clock.Advance(policy.node_down_after + policy.heartbeat_expiry);
  loop = std::make_unique<SchedulerLoop>(*context, *planner, LoopOptions("server-1"));
  Settle();
  EXPECT_EQ(Get("snu/p/a").state, AllocationState::kActive);
  EXPECT_EQ(Health(), std::vector(4, NodeHealth::kReady));
  // From here on it could have been heard.
  PassTime(policy.heartbeat_expiry);
  EXPECT_EQ(Health(), std::vector(4, NodeHealth::kUnknown));
  PassTime(policy.node_down_after);
  EXPECT_EQ(Health(), std::vector(4, NodeHealth::kDown));
}

TEST_F(AgentTest, WhatIsNotHandedOverBeforeItsTimeIsOverIsPlannedAnew) {
  SubmitAs("snu", "a", 1, Hours(1));
  Settle();
  ASSERT_EQ(Get("snu/p/a").state, AllocationState::kProvisioning);
  for (int minute = 0; minute <= 60; ++minute) {
    clock.Advance(Minutes(1));
    Must(Beat());
    Must(loop->Turn());
  }
  const Allocation again = Get("snu/p/a");
  EXPECT_EQ(again.failures, 1);
  EXPECT_GT(again.window->start(), clock.Now() - Minutes(2)) << "another time, not what is left";
  EXPECT_EQ(Must(GetQuota(*context, Operator(), ProjectId("snu/p"))).usage.used, GpuSeconds())
      << "nobody had it";
}

TEST_F(AgentTest, UnknownNodesKeepTheirWorkAndTakeNothingNew) {
  SubmitAs("snu", "a", 1, Hours(4));
  Settle();
  EnactAll();
  PassTime(policy.heartbeat_expiry);
  SubmitAs("snu", "b", 1, Hours(4));
  Settle();
  EXPECT_EQ(Get("snu/p/a").state, AllocationState::kActive);
  EXPECT_TRUE(IsWaiting(Get("snu/p/b").state));
}

TEST_F(AgentTest, WorkOnADeadNodeIsMovedAndItsOwnerSeesWhy) {
  SetQuota("snu/p", 8, 1'000'000);
  SubmitAs("snu", "a", 1, Hours(4));
  Settle();
  const auto orders = Pull();
  Ack(orders.at(0));
  const NodeId dead = orders[0].nodes[0].node;
  const std::string name = dead.str().substr(dead.str().find('/') + 1);
  Must(Beat({{.name = name, .healthy = false, .reason = "fell off the bus"}}));
  Settle();
  const Allocation moved = Get("snu/p/a");
  // Its whole quota is still claimed on the dead node: what was lost does not hold it back.
  EXPECT_EQ(moved.state, AllocationState::kProvisioning);
  EXPECT_EQ(moved.attempt, 2);
  EXPECT_NE(moved.setback.find("fell off the bus"), std::string::npos)
      << "planning it anew must not hide why: " << moved.setback;
  for (const Claim& claim : Must(GetAllocation(*context, Operator(), moved.id)).claims) {
    EXPECT_NE(claim.node, dead);
  }
  const auto release = Pull();
  EXPECT_TRUE(std::any_of(release.begin(), release.end(), [](const Order& order) {
    return order.kind == OrderKind::kRelease && order.attempt == 1;
  }));
}

TEST_F(AgentTest, ADeadNodeIsChargedToItsDeathHoweverLongTheProviderTakes) {
  policy.node_loss = NodeLoss::kFail;
  SubmitAs("snu", "a", 1, Days(30));
  Settle();
  const auto orders = Pull();
  Ack(orders.at(0));
  clock.Advance(Hours(3));
  const std::string dead = orders[0].nodes[0].node.str();
  Must(Beat({{.name = dead.substr(2), .healthy = false, .reason = "fan"}}));
  Settle();
  clock.Advance(Days(5));
  EnactAll();
  EXPECT_EQ(Must(GetQuota(*context, Member("snu"), ProjectId("snu/p"))).usage.used,
            GpuSeconds::FromCount(8 * 3 * 3600));
}

TEST_F(AgentTest, WhatRunsAgainIsChargedForTheRunThatCounts) {
  SetQuota("snu/p", 16, 40);
  SubmitAs("snu", "a", 1, Hours(4));
  Settle();
  const auto orders = Pull();
  Ack(orders.at(0));
  clock.Advance(Hours(3));
  const std::string dead = orders[0].nodes[0].node.str();
  Must(Beat({{.name = dead.substr(2), .healthy = false, .reason = "fan"}}));
  Settle();
  EnactAll();
  // Three hours were lost with the node; the budget of 40 covers the four that it runs, not both.
  EXPECT_EQ(Get("snu/p/a").state, AllocationState::kActive);
  EXPECT_EQ(Must(GetQuota(*context, Member("snu"), ProjectId("snu/p"))).usage.used, GpuSeconds());
}

TEST_F(AgentTest, WorkOnADeadNodeFailsWhereThePolicySaysSo) {
  policy.node_loss = NodeLoss::kFail;
  SubmitAs("snu", "a", 1, Hours(4));
  Settle();
  const auto orders = Pull();
  Ack(orders.at(0));
  const std::string dead = orders[0].nodes[0].node.str();
  Must(Beat({{.name = dead.substr(2), .healthy = false, .reason = "fan"}}));
  Settle();
  const Allocation failed = Get("snu/p/a");
  EXPECT_EQ(failed.state, AllocationState::kFailed);
  EXPECT_EQ(failed.reason, "node_lost");
  EXPECT_NE(failed.message.find(dead), std::string::npos) << failed.message;
  EXPECT_NE(failed.message.find("fan"), std::string::npos) << failed.message;
  // Its GPUs are not free before the provider said so.
  const auto capacity = Must(GetCapacity(*context, Operator(), *planner, Seconds{0}, Seconds{0}));
  EXPECT_EQ(capacity.clusters[0].gpus_held, 8);
  EnactAll();
  EXPECT_EQ(Must(GetCapacity(*context, Operator(), *planner, Seconds{0}, Seconds{0}))
                .clusters[0]
                .gpus_held,
            0);
}

// Between the end of it and the provider's word, another of the project may start.
TEST_F(AgentTest, WorkThatFailedWithItsNodeIsChargedAtOnceAndOnce) {
  policy.node_loss = NodeLoss::kFail;
  SetQuota("snu/p", 16, 40);
  SubmitAs("snu", "a", 1, Hours(4));
  Settle();
  const auto orders = Pull();
  Ack(orders.at(0));
  clock.Advance(Hours(3));
  const std::string dead = orders[0].nodes[0].node.str();
  Must(Beat({{.name = dead.substr(2), .healthy = false, .reason = "fan"}}));
  Settle();
  ASSERT_EQ(Get("snu/p/a").state, AllocationState::kFailed);
  const auto charged = [&] {
    return Must(GetQuota(*context, Member("snu"), ProjectId("snu/p"))).usage;
  };
  EXPECT_EQ(charged().used, *GpuSeconds::Of(8, Hours(3)));
  EXPECT_EQ(charged().committed, GpuSeconds());
  EXPECT_EQ(ReasonOf(Submit(*context, As(Member("snu")), Ask("snu", "b", 1, Hours(3)))),
            Reason::kGpuHoursExhausted)
      << "16 of 40 GPU-hours are left";
  clock.Advance(Hours(1));
  EnactAll();
  EXPECT_EQ(charged().used, *GpuSeconds::Of(8, Hours(3)));
}

TEST_F(AgentTest, AcknowledgingTwiceIsOnce) {
  SubmitAs("snu", "a", 1, Hours(4));
  Settle();
  const Order order = Pull().at(0);
  Ack(order);
  const Allocation active = Get("snu/p/a");
  Ack(order);
  EXPECT_EQ(Get("snu/p/a"), active);
  EXPECT_TRUE(Pull().empty());
}

TEST_F(AgentTest, AReleaseThatFailedStaysOpenAndHeld) {
  SubmitAs("snu", "a", 4, Hours(4));
  Settle();
  EnactAll();
  Must(Release(*context, As(Member("snu")), {.id = AllocationId("snu/p/a"), .reason = ""}));
  Ack(Pull().at(0), false);
  EXPECT_EQ(Pull().size(), 1U);
  EXPECT_EQ(Get("snu/p/a").state, AllocationState::kReleasing);
  EnactAll();
  EXPECT_EQ(Get("snu/p/a").state, AllocationState::kCompleted);
}

TEST_F(AgentTest, DrainedNodesTakeNothingNewAndKeepTheirWork) {
  SubmitAs("snu", "a", 1, Hours(4));
  Settle();
  EnactAll();
  Must(Drain(*context, As(Operator()),
             {.provider = ProviderId("prov"),
              .cluster = ClusterId("c"),
              .node = std::nullopt,
              .draining = true,
              .reason = "cooling"}));
  SubmitAs("snu", "b", 1, Hours(4));
  Settle();
  EXPECT_EQ(Get("snu/p/a").state, AllocationState::kActive);
  EXPECT_TRUE(IsWaiting(Get("snu/p/b").state));
  Must(Drain(*context, As(Operator()),
             {.provider = ProviderId("prov"),
              .cluster = ClusterId("c"),
              .node = std::nullopt,
              .draining = false,
              .reason = ""}));
  Settle();
  EXPECT_EQ(Get("snu/p/b").state, AllocationState::kProvisioning);
}

TEST_F(AgentTest, ADrainOfAClusterIsNotThatOfItsNodes) {
  const DrainRequest cluster{.provider = ProviderId("prov"),
                             .cluster = ClusterId("c"),
                             .node = std::nullopt,
                             .draining = true,
                             .reason = "moves out"};
  DrainRequest broken = cluster;
  broken.node = NodeId("c/n1");
  broken.reason = "memory errors";
  Must(Drain(*context, As(Operator()), broken));
  Must(Drain(*context, As(Operator()), cluster));
  // Silent for a while, and heard again: that is no matter of the drains.
  Must(Beat({{.name = "n1", .healthy = false, .reason = "fan"}}));
  Must(Beat({}));
  // What joins a draining cluster takes no work.
  Inventory grown = FourNodes(2);
  grown.nodes.push_back({.name = "n5", .healthy = true, .reason = ""});
  Must(SyncInventory(*context, Agent(), grown));
  SubmitAs("snu", "a", 1, Hours(4));
  Settle();
  EXPECT_TRUE(IsWaiting(Get("snu/p/a").state));
  EXPECT_EQ(Must(GetCapacity(*context, Operator(), *planner, Seconds{0}, Seconds{0}))
                .clusters[0]
                .nodes_draining,
            5);

  DrainRequest back = cluster;
  back.draining = false;
  for (const Node& node : Must(Drain(*context, As(Operator()), back))) {
    EXPECT_EQ(node.draining, node.id == *broken.node) << node.id.str();
    EXPECT_EQ(node.drain_reason, node.draining ? "memory errors" : "") << node.id.str();
  }
}

TEST_F(AgentTest, ANodeThatNeedNotWorkIsNotMissed) {
  const auto count = [&] {
    return Must(GetCapacity(*context, Operator(), *planner, Seconds{0}, Seconds{0})).clusters[0];
  };
  Must(Beat({{.name = "n1", .healthy = false, .reason = "fan"},
             {.name = "n2", .healthy = false, .reason = "fan"}}));
  EXPECT_EQ(count().nodes_down_in_service, 2);
  Must(Drain(*context, As(Operator()),
             {.provider = ProviderId("prov"),
              .cluster = ClusterId("c"),
              .node = NodeId("c/n1"),
              .draining = true,
              .reason = "is repaired"}));
  EXPECT_EQ(count().nodes_down, 2);
  EXPECT_EQ(count().nodes_down_in_service, 1);
  // Silent: unknown, but for the one that is drained.
  PassTime(Seconds{60});
  EXPECT_EQ(count().nodes_unknown + count().nodes_down, 4);
  EXPECT_EQ(count().nodes_unknown_in_service + count().nodes_down_in_service, 3);
}

TEST_F(AgentTest, WhatADeadOrSilentNodeDoesIsNotCountedAsUse) {
  SubmitAs("snu", "a", 1, Hours(4));
  Settle();
  EnactAll();
  PassTime(Seconds{60});
  const auto capacity = Must(GetCapacity(*context, Operator(), *planner, Seconds{0}, Seconds{0}));
  EXPECT_EQ(capacity.clusters[0].gpus_online, 0);
  EXPECT_EQ(capacity.clusters[0].gpus_held, 8);
  EXPECT_EQ(capacity.clusters[0].gpus_in_use, 0);
}

TEST_F(AgentTest, GangsGoUnderOneLeafAsTheInventoryNamesThem) {
  Inventory wired = FourNodes(2);
  for (std::size_t i = 0; i < 4; ++i) wired.nodes[i].leaf = i % 2 == 0 ? "left" : "right";
  wired.nodes[3].healthy = false;
  Must(SyncInventory(*context, Agent(), wired));
  SubmitAs("snu", "a", 2, Hours(4));
  Settle();
  const auto nodes_of = [&](const std::string& id) {
    std::set<std::string> nodes;
    for (const Claim& claim :
         Must(GetAllocation(*context, Member("snu"), AllocationId(id))).claims) {
      nodes.insert(claim.node.str());
    }
    return nodes;
  };
  EXPECT_EQ(nodes_of("snu/p/a"), (std::set<std::string>{"c/n1", "c/n3"}));
  // A heartbeat says nothing of leaves; an inventory may move a node.
  Must(Beat({}, 2));
  EXPECT_EQ(Must(GetNode(*context, Operator(), ProviderId("prov"), NodeId("c/n4"))).leaf, "right");
  wired.generation = 3;
  wired.nodes[3] = {.name = "n4", .healthy = true, .reason = "", .leaf = "third"};
  Must(SyncInventory(*context, Agent(), wired));
  EXPECT_EQ(Must(GetNode(*context, Operator(), ProviderId("prov"), NodeId("c/n4"))).leaf, "third");
}

TEST_F(AgentTest, ADownNodesReasonInOtherWordsIsNoEntryOfTheAudit) {
  const auto entries = [&] {
    const auto page = Must(ListAudit(*context, Operator(), {"c", {"cluster"}}, 0, 100));
    return std::ranges::count(page.items, "cluster.nodes", &AuditEntry::action);
  };
  const auto before = entries();
  for (int i = 0; i < 10; ++i) {
    Must(Beat({{.name = "n1", .healthy = false, .reason = "fan at " + std::to_string(i)}}));
  }
  EXPECT_EQ(entries(), before + 1);
  const auto nodes =
      Must(ListNodes(*context, Operator(), ProviderId("prov"), ClusterId("c"), std::nullopt, {}));
  EXPECT_EQ(nodes.items[0].reason, "fan at 9");
  Inventory inventory = FourNodes(2);
  inventory.nodes[0] = {.name = "n1", .healthy = false, .reason = "fan, again"};
  Must(SyncInventory(*context, Agent(), inventory));
  EXPECT_EQ(entries(), before + 1);
  Must(Beat({}, 2));
  EXPECT_EQ(entries(), before + 2);
}

TEST_F(AgentTest, AReleaseThatFailsInEverOtherWordsIsOnRecordOnceUntilItIsDone) {
  SubmitAs("snu", "a", 1, Hours(4));
  Settle();
  EnactAll();
  Must(Release(*context, As(Member("snu")), {.id = AllocationId("snu/p/a"), .reason = ""}));
  const Order order = Pull().at(0);
  for (int i = 0; i < 10; ++i) {
    const Order failed = Must(Acknowledge(*context, Agent(),
                                          {.cluster = ClusterId("c"),
                                           .order = order.id,
                                           .session = session,
                                           .done = false,
                                           .message = "no power for " + std::to_string(i) + " s"}));
    EXPECT_EQ(failed.message, "no power for " + std::to_string(i) + " s");
  }
  Ack(order);
  const auto page = Must(ListAudit(*context, Operator(), {order.id.str(), {"order"}}, 0, 100));
  ASSERT_EQ(page.items.size(), 2U);
  EXPECT_EQ(page.items[0].action, "order.done");
  EXPECT_EQ(page.items[1].action, "order.failed");
}

TEST_F(AgentTest, AReleaseThatFailsComesBehindWhatWasNotTried) {
  for (const char* name : {"a", "b"}) SubmitAs("snu", name, 1, Hours(4));
  Settle();
  EnactAll();
  const auto release = [&](const std::string& id) {
    Must(Release(*context, As(Member("snu")), {.id = AllocationId(id), .reason = ""}));
    clock.Advance(Seconds{1});
  };
  const auto pull_one = [&] {
    return Must(PullOrders(*context, Agent(), ClusterId("c"), session, 1)).at(0);
  };
  release("snu/p/a");
  Ack(pull_one(), false);
  release("snu/p/b");
  EXPECT_EQ(pull_one().allocation.str(), "snu/p/b");
  Ack(pull_one(), false);
  EXPECT_EQ(pull_one().allocation.str(), "snu/p/a") << "that failed the longest ago";
}

TEST_F(AgentTest, ANodeThatLeavesTheInventoryLosesItsWork) {
  SubmitAs("snu", "a", 4, Hours(4));
  Settle();
  EnactAll();
  Inventory shrunk = FourNodes(2);
  shrunk.nodes.pop_back();
  Must(SyncInventory(*context, Agent(), shrunk));
  Settle();
  EXPECT_TRUE(IsWaiting(Get("snu/p/a").state));
  EXPECT_EQ(Get("snu/p/a").reason, "larger_than_pool");
  EXPECT_TRUE(Must(GetAllocation(*context, Member("snu"), AllocationId("snu/p/a"))).claims.empty())
      << "who waits holds nothing, though the provider has not cleared it yet";
}

}  // namespace
}  // namespace allot::control
