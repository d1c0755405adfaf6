// What happens when machines die, fall silent, or two agents claim one cluster.

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/installation.h"

namespace allot::testing {
namespace {

using ::testing::HasSubstr;

TEST(Provider, WorkOnADeadNodeIsMovedAndItsOwnerSeesWhy) {
  const Installation nation;
  nation.RegisterSmallNation();
  const auto agent = nation.StartAgent("naver-a");
  ASSERT_EQ(nation
                .Allot({"submit", "snu/llm", "--name", "main", "--nodes", "1", "--models", "H200",
                        "--for", "1d", "--wait"})
                .exit_code,
            0);
  const std::string node =
      nation.AllotJson({"get", "snu/llm/main"})["nodes"][0]["node"].get<std::string>();
  const auto watch = nation.StartAllot({"watch", "snu/llm", "--from-revision", "0"});

  const std::string name = node.substr(node.rfind('/') + 1);
  std::ofstream(nation.AgentState("naver-a") + "/health/" + name) << "GPU 3 fell off the bus\n";

  EXPECT_TRUE(watch->AwaitOut(name + " is down (GPU 3 fell off the bus)")) << watch->out();
  EXPECT_TRUE(watch->AwaitOut("active")) << watch->out();
  const auto moved = nation.AllotJson({"get", "snu/llm/main"});
  EXPECT_EQ(moved["attempt"], 2);
  EXPECT_NE(moved["nodes"][0]["node"], node);
}

TEST(Provider, ASilentAgentsNodesBecomeUnknownThenDownAndReadyAgainWithIt) {
  const Installation nation(
      "policy: {gathering_time: 0s, heartbeat_expiry: 1s, node_down_after: 3s}\n"
      "server: {scheduler_poll_ms: 50}\n");
  nation.RegisterSmallNation();
  auto agent = nation.StartAgent("naver-a");
  ASSERT_EQ(nation
                .Allot({"submit", "snu/llm", "--name", "main", "--nodes", "1", "--models", "H200",
                        "--for", "1d", "--wait"})
                .exit_code,
            0);
  const auto watch = nation.StartAllot({"watch", "snu/llm", "--from-revision", "0"});
  agent->Kill();

  EXPECT_TRUE(watch->AwaitOut("is down (no heartbeat")) << watch->out() << watch->err();
  EXPECT_EQ(nation.AllotJson({"nodes", "naver-a", "--health", "down"})["nodes"].size(), 4U);

  agent = nation.StartAgent("naver-a");
  EXPECT_TRUE(watch->AwaitOut("active")) << watch->out() << watch->err();
  EXPECT_EQ(nation.AllotJson({"nodes", "naver-a", "--health", "ready"})["nodes"].size(), 4U);
}

TEST(Provider, ANewerAgentTakesTheClusterOverAndTheOlderOneEnds) {
  const Installation nation;
  nation.RegisterSmallNation();
  const auto older = nation.LaunchAgent("naver-a", "older");
  ASSERT_TRUE(older->AwaitErr("inventory sent")) << older->err();
  const auto newer = nation.LaunchAgent("naver-a", "newer");
  ASSERT_TRUE(newer->AwaitErr("inventory sent")) << newer->err();

  const Ended ended = older->Wait();
  EXPECT_EQ(ended.exit_code, 3);
  EXPECT_THAT(ended.err, HasSubstr("superseded"));
  EXPECT_TRUE(newer->running());
}

TEST(Provider, NothingNewIsPlacedOnADrainedNode) {
  const Installation nation;
  nation.RegisterSmallNation();
  const auto agent = nation.StartAgent("naver-a");
  ASSERT_EQ(nation.Allot({"drain", "naver-a/node-1", "--reason", "memory errors"}).exit_code, 0);
  ASSERT_EQ(nation
                .Allot({"submit", "snu/llm", "--name", "main", "--nodes", "3", "--models", "H200",
                        "--for", "1d", "--wait"})
                .exit_code,
            0);
  const auto allocation = nation.AllotJson({"get", "snu/llm/main"});
  EXPECT_EQ(allocation["nodes"].size(), 3U);
  for (const auto& node : allocation["nodes"]) {
    EXPECT_THAT(node["node"].get<std::string>(), Not(::testing::EndsWith("/node-1")));
  }
}

}  // namespace
}  // namespace allot::testing
