#include "store/conformance.h"

namespace allot::store {
namespace {

TEST_P(StoreConformance, WhatIsEnteredIntoThePoolIsReadBackEqual) {
  Cluster cluster = SampleCluster("kakao-a", GpuModel::kB200);
  cluster.agent_session = 3;
  cluster.newest_report = {.session = 3, .number = 12};
  cluster.inventory_generation = 17;
  cluster.last_heartbeat = kNow + Seconds{1};
  cluster.draining = true;
  cluster.drain_reason = "moves out";
  Node node = SampleNode("kakao-a", 1);
  node.health = NodeHealth::kDown;
  node.draining = true;
  node.drain_reason = "to be replaced";
  node.reason = "fan 3 is broken, \"again\"; {see} \\ ticket";
  node.leaf = "su-01";
  EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
    ALLOT_RETURN_IF_ERROR(tx.InsertCluster(cluster));
    return tx.InsertNodes(std::span(&node, 1));
  }));
  Read(store(), [&](Tx& tx) -> Status {
    EXPECT_EQ(tx.FindProvider(ProviderId("naver")).value()->display_name, "NAVER Cloud");
    EXPECT_EQ(tx.FindCluster(cluster.id).value(), cluster);
    EXPECT_EQ(tx.FindNode(node.id).value(), node);
    EXPECT_EQ(tx.FindCluster(ClusterId("nowhere")).value(), std::nullopt);
    return Ok{};
  }).value();
  node.leaf = "su-02";
  EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.UpdateNodes(std::span(&node, 1)); }));
  Read(store(), [&](Tx& tx) -> Status {
    EXPECT_EQ(tx.FindNode(node.id).value(), node);
    return Ok{};
  }).value();
}

TEST_P(StoreConformance, ListsFollowTheIdsPageByPage) {
  std::vector<std::string> seen;
  Read(store(), [&](Tx& tx) -> Status {
    PageRequest request{.size = 3};
    for (bool more = true; more;) {
      const Page<Node> page =
          tx.ListNodes(ClusterId("naver-a"), NodeHealth::kReady, request).value();
      for (const Node& node : page.items) seen.push_back(node.id.str());
      more = page.more;
      request.after = page.items.back().id.str();
    }
    EXPECT_EQ(tx.ListNodes({}, NodeHealth::kDown, {}).value().items.size(), 0u);
    EXPECT_EQ(tx.ListProviders({}).value().items.size(), 1u);
    EXPECT_EQ(tx.ListClusters(ProviderId("naver"), {}).value().items.size(), 2u);
    EXPECT_EQ(tx.ListClusters(ProviderId("nhn"), {}).value().items.size(), 0u);
    EXPECT_FALSE(tx.ListClusters({}, {.size = 2}).value().more);
    EXPECT_TRUE(tx.ListClusters({}, {.size = 1}).value().more);
    return Ok{};
  }).value();
  EXPECT_EQ(seen,
            (std::vector<std::string>{"naver-a/n1", "naver-a/n2", "naver-a/n3", "naver-a/n4"}));
}

TEST_P(StoreConformance, AnUpdateNeedsTheVersionThatWasRead) {
  const auto update = [&](int64_t version) {
    return Write(store(), [&](Tx& tx) -> Result<int64_t> {
      Node node = tx.FindNode(NodeId("naver-a/n1")).value().value();
      node.version = version;
      node.reason = "seen";
      ALLOT_RETURN_IF_ERROR(tx.UpdateNodes(std::span(&node, 1)));
      return node.version;
    });
  };
  EXPECT_EQ(update(1).value(), 2);
  EXPECT_REASON(update(1), Reason::kStoreConflict);
  EXPECT_EQ(update(2).value(), 3);
}

TEST_P(StoreConformance, AStaleVersionRerunsTheWorkAndChangesNothing) {
  int runs = 0;
  const Status done = Write(store(), [&](Tx& tx) -> Status {
    Cluster cluster = tx.FindCluster(ClusterId("naver-a")).value().value();
    // The first run is as if somebody had written in between.
    if (++runs == 1) cluster.version -= 1;
    cluster.display_name = "run " + std::to_string(runs);
    static_cast<void>(tx.UpdateCluster(cluster));
    return Ok{};  // Even when the work overlooks the conflict.
  });
  EXPECT_OK(done);
  EXPECT_EQ(runs, 2);
  const auto cluster = Read(store(), [](Tx& tx) { return tx.FindCluster(ClusterId("naver-a")); });
  EXPECT_EQ(cluster.value()->display_name, "run 2");
}

TEST_P(StoreConformance, OneStaleRowAmongManyChangesNone) {
  const Status done = Write(store(), [&](Tx& tx) -> Status {
    std::vector<Node> nodes = tx.NodesOfCluster(ClusterId("naver-a")).value();
    for (Node& node : nodes) node.draining = true;
    nodes[2].version = 99;
    return tx.UpdateNodes(nodes);
  });
  EXPECT_REASON(done, Reason::kStoreConflict);
  const auto nodes = Read(store(), [](Tx& tx) { return tx.NodesOfCluster(ClusterId("naver-a")); });
  for (const Node& node : nodes.value())
    EXPECT_EQ(node, SampleNode("naver-a", node.id.str().back() - '0'));
}

TEST_P(StoreConformance, AnIdIsTakenOnce) {
  EXPECT_REASON(Write(store(),
                      [](Tx& tx) {
                        return tx.InsertProvider({.id = ProviderId("naver"), .display_name = "x"});
                      }),
                Reason::kAlreadyExists);
  EXPECT_REASON(Write(store(), [](Tx& tx) { return tx.InsertInstitute(SampleInstitute("snu")); }),
                Reason::kAlreadyExists);
  const std::vector<Node> nodes = {SampleNode("naver-a", 1), SampleNode("naver-a", 9)};
  EXPECT_REASON(Write(store(), [&](Tx& tx) { return tx.InsertNodes(nodes); }),
                Reason::kAlreadyExists);
  EXPECT_EQ(Read(store(), [&](Tx& tx) { return tx.FindNode(nodes[1].id); }).value(), std::nullopt);
}

TEST_P(StoreConformance, WhatItRefersToMustExist) {
  EXPECT_REASON(Write(store(),
                      [](Tx& tx) {
                        Cluster cluster = SampleCluster("nhn-a");
                        cluster.provider = ProviderId("nhn");
                        return tx.InsertCluster(cluster);
                      }),
                Reason::kNotFound);
}

TEST_P(StoreConformance, AHeartbeatChangesNeitherVersionNorRevision) {
  const Revision before = CurrentRevision();
  const ReportMark report{.session = 3, .number = 9};
  EXPECT_OK(
      Write(store(), [&](Tx& tx) { return tx.TouchCluster(ClusterId("naver-a"), kNow, report); }));
  const auto cluster = Read(store(), [](Tx& tx) { return tx.FindCluster(ClusterId("naver-a")); });
  EXPECT_EQ(cluster.value()->last_heartbeat, kNow);
  EXPECT_EQ(cluster.value()->newest_report, report);
  EXPECT_EQ(cluster.value()->version, 1);
  EXPECT_EQ(CurrentRevision(), before);
  EXPECT_REASON(
      Write(store(), [&](Tx& tx) { return tx.TouchCluster(ClusterId("nowhere"), kNow, report); }),
      Reason::kNotFound);
}

TEST_P(StoreConformance, TheLargestClusterCountsNodesThatAreThere) {
  EXPECT_OK(Write(store(), [](Tx& tx) -> Status {
    Node node = tx.FindNode(NodeId("naver-b/n4")).value().value();
    node.health = NodeHealth::kRemoved;
    return tx.UpdateNodes(std::span(&node, 1));
  }));
  Read(store(), [](Tx& tx) -> Status {
    const auto largest = tx.LargestClusters(ProgrammeId("national"), kNow).value();
    EXPECT_EQ(At(largest, GpuModel::kH200), 4);
    EXPECT_EQ(At(largest, GpuModel::kB200), 3);
    EXPECT_EQ(tx.LargestClusters(ProgrammeId("none"), kNow).value(), LargestClusterByModel{});
    return Ok{};
  }).value();
}

TEST_P(StoreConformance, TheLargestClusterIsOneThatHasNotLeft) {
  EXPECT_OK(Write(store(), [](Tx& tx) -> Status {
    Cluster cluster = tx.LockCluster(ClusterId("naver-b")).value().value();
    cluster.join_time = kNow + Days(1);
    cluster.leave_time = kNow + Days(2);
    return tx.UpdateCluster(cluster);
  }));
  const auto b200 = [&](Instant at) {
    return At(Read(store(), [&](Tx& tx) { return tx.LargestClusters(ProgrammeId("national"), at); })
                  .value(),
              GpuModel::kB200);
  };
  EXPECT_EQ(b200(kNow), 4) << "one that is still to join may be waited for";
  EXPECT_EQ(b200(kNow + Days(2) - Seconds{1}), 4);
  EXPECT_EQ(b200(kNow + Days(2)), 0);
}

}  // namespace
}  // namespace allot::store
