#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <memory>
#include <string>

#include "agent/fake_server.h"
#include "allot/agent/agent.h"

#include "allot/agent/state_folder.h"
#include "support/counting_id_source.h"
#include "support/manual_clock.h"
#include "support/temp_dir.h"

namespace allot::agent {
namespace {

/// What outlives a killed agent: the server's view and the machines, in memory shared with it.
struct World {
  bool provision_open = true;
  bool release_open = true;
  int provision_acknowledged = 0;
  int release_acknowledged = 0;
  /// How often the adapter began to hand the GPUs over, and whether they are handed over now.
  int provision_calls = 0;
  bool handed_over = false;
  /// Steps left until the agent is killed; negative: never.
  int steps_left = -1;
};

void Step(World& world) {
  if (world.steps_left < 0) return;
  if (world.steps_left == 0) raise(SIGKILL);
  --world.steps_left;
}

/// The orders of one attempt: provision, then, once that is acknowledged, release.
class SharedServer final : public Connection {
 public:
  explicit SharedServer(World& world) : world_(world) {}
  Answer<Registration> Register(const std::string&) override { return Registration{1, 0}; }
  Answer<int64_t> SyncInventory(const ReportHead& head, const std::vector<NodeReport>&) override {
    return head.generation;
  }
  Answer<HeartbeatAnswer> Heartbeat(const ReportHead&, const std::vector<NodeReport>&) override {
    return HeartbeatAnswer{};
  }
  Answer<PulledOrders> PullOrders(int64_t, Seconds) override {
    Step(world_);
    if (world_.provision_open) return PulledOrders{{MakeOrder("o1", OrderKind::kProvision, 1)}, {}};
    if (world_.release_open) return PulledOrders{{MakeOrder("o2", OrderKind::kRelease, 1)}, {}};
    return PulledOrders{};
  }
  Answer<Ok> Acknowledge(int64_t, const OrderId& order, const Outcome& outcome) override {
    Step(world_);
    EXPECT_TRUE(outcome.done) << outcome.message;
    const bool provision = order == OrderId("o1");
    // What the agent tells must be true.
    EXPECT_EQ(world_.handed_over, provision);
    (provision ? world_.provision_open : world_.release_open) = false;
    ++(provision ? world_.provision_acknowledged : world_.release_acknowledged);
    Step(world_);
    return Ok{};
  }
  void Interrupt() override {}

 private:
  World& world_;
};

class SharedAdapter final : public Adapter {
 public:
  explicit SharedAdapter(World& world) : world_(world) {}
  Result<std::vector<NodeReport>> Inventory() override {
    return std::vector<NodeReport>{{"n1", true, "", ""}};
  }
  Progress Provision(const Order&, int64_t) override {
    Step(world_);
    ++world_.provision_calls;
    world_.handed_over = true;
    Step(world_);
    return Progress::Done();
  }
  Progress Release(const Order&, int64_t) override {
    Step(world_);
    world_.handed_over = false;
    Step(world_);
    return Progress::Done();
  }
  Status Reload() override { return Ok{}; }

 private:
  World& world_;
};

/// One life of an agent: from its start until nothing is open, or until it is killed on the way.
void Live(const std::string& folder, World& world) {
  auto state = StateFolder::Open({folder, [&world](std::string_view) { Step(world); }},
                                 ProviderId("naver"), ClusterId("naver-a"));
  ASSERT_TRUE(state.ok()) << Describe(state.error());
  SharedServer server(world);
  SharedAdapter adapter(world);
  const testing::ManualClock clock;
  const Log quiet = [](LogLevel, std::string_view, std::initializer_list<LogField>) {};
  testing::CountingIdSource ids;
  Agent agent(adapter, **state, server,
              {.clock = clock, .steady_ms = [] { return int64_t{0}; }, .ids = ids, .log = quiet},
              {});
  agent.ReportTurn();
  for (int turn = 0; turn < 10 && (world.provision_open || world.release_open); ++turn) {
    agent.OrderTurn();
  }
}

/// Whether the child ended by itself rather than by SIGKILL.
bool LiveInAChild(const std::string& folder, World& world) {
  const pid_t child = fork();
  if (child == 0) {
    Live(folder, world);
    _exit(::testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  if (WIFSIGNALED(status)) {
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
    return false;
  }
  EXPECT_EQ(WEXITSTATUS(status), 0);
  return true;
}

// "DeathTest": GoogleTest runs these first, before another test starts threads that a fork would
// not take along.
TEST(AgentDeathTest, LosesNothingWhereverItIsKilled) {
  void* shared =
      mmap(nullptr, sizeof(World), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(shared, MAP_FAILED);
  int kills = 0;
  for (bool survived = false; !survived;) {
    SCOPED_TRACE("killed at step " + std::to_string(kills));
    const testing::TempDir temp;
    auto* world = new (shared) World{.steps_left = kills};
    survived = LiveInAChild(temp / "state", *world);
    if (!survived) {
      ++kills;
      world->steps_left = -1;
      ASSERT_TRUE(LiveInAChild(temp / "state", *world));
    }
    EXPECT_EQ(world->provision_acknowledged, 1);
    EXPECT_EQ(world->release_acknowledged, 1);
    EXPECT_FALSE(world->handed_over);
    // Called a second time only when the kill fell between its call and the record of it.
    EXPECT_LE(world->provision_calls, 2);
    const auto state =
        StateFolder::Open({temp / "state", {}}, ProviderId("naver"), ClusterId("naver-a"));
    ASSERT_TRUE(state.ok()) << Describe(state.error());
    const auto records = (*state)->List();
    ASSERT_EQ(records->enactments.size(), 1U);
    EXPECT_EQ(records->enactments.front().state, EnactmentState::kReleased);
    ASSERT_FALSE(::testing::Test::HasFailure());
  }
  // Six durable writes of four steps each, and the calls between them.
  EXPECT_GE(kills, 30);
  munmap(shared, sizeof(World));
}

}  // namespace
}  // namespace allot::agent
