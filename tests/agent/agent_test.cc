#include "allot/agent/agent.h"
#include "allot/agent/state_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>

#include "agent/fake_server.h"
#include "support/counting_id_source.h"
#include "support/manual_clock.h"
#include "support/temp_dir.h"

namespace allot::agent {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr OrderKind kProvision = OrderKind::kProvision;
constexpr OrderKind kRelease = OrderKind::kRelease;

class AgentTest : public ::testing::Test {
 protected:
  AgentTest() { Restart(); }

  /// A new process over the same state folder, as far as the agent can tell.
  void Restart() {
    agent_.reset();
    state_.reset();
    auto opened =
        StateFolder::Open({temp_ / "state", {}}, ProviderId("naver"), ClusterId("naver-a"));
    EXPECT_TRUE(opened.ok()) << Describe(opened.error());
    state_ = *std::move(opened);
    const Log log = [this](LogLevel, std::string_view message,
                           std::initializer_list<LogField> fields) {
      log_.emplace_back(message);
      for (const LogField& field : fields) {
        if (field.key == "cause") causes_.push_back(std::get<std::string>(field.value));
      }
    };
    agent_ = std::make_unique<Agent>(
        adapter_, *state_, server_,
        Agent::Surroundings{
            .clock = clock_, .steady_ms = [this] { return now_ms_; }, .ids = ids_, .log = log},
        Agent::Options{});
  }

  int64_t ReportAt(int64_t now_ms) {
    now_ms_ = now_ms;
    return agent_->ReportTurn();
  }
  void Open() { ASSERT_LE(ReportAt(now_ms_), 500); }

  Enactment Record(int attempt = 1) {
    const auto found = state_->Find(AllocationId("snu/llm/train"), attempt);
    EXPECT_TRUE(found.ok());
    EXPECT_TRUE(found->has_value());
    return (*found).value_or(Enactment{});
  }

  testing::TempDir temp_;
  testing::ManualClock clock_;
  testing::CountingIdSource ids_;
  FakeServer server_;
  FakeAdapter adapter_;
  std::unique_ptr<StateFolder> state_;
  std::unique_ptr<Agent> agent_;
  std::vector<std::string> log_;
  std::vector<std::string> causes_;
  int64_t now_ms_ = 1'000;
};

// ---- Reports

TEST_F(AgentTest, RegistersThenSendsTheInventoryThenAHeartbeat) {
  adapter_.nodes[1] = {"n2", false, "no fabric", ""};
  Open();
  EXPECT_EQ(server_.session, 1);
  EXPECT_EQ(server_.inventory, adapter_.nodes);
  EXPECT_EQ(server_.inventory_generation, 1);
  EXPECT_THAT(server_.unhealthy, ElementsAre(adapter_.nodes[1]));
}

TEST_F(AgentTest, NumbersItsReportsWhetherOrNotTheyAreAnswered) {
  Open();
  server_.failures = {Failure{Failure::Kind::kTryLater, "nobody answers"}};
  ReportAt(now_ms_ + 30'000);
  ReportAt(now_ms_ + 30'000);
  EXPECT_THAT(server_.reports, ElementsAre(1, 2, 3, 4));
}

TEST_F(AgentTest, HeartbeatsWithinAThirdOfTheServersExpiry) {
  server_.expiry = Seconds{3};
  Open();
  int64_t last_ms = now_ms_;
  for (int seen = 1; seen < 20;) {
    const int64_t wait_ms = ReportAt(now_ms_);
    const int heartbeats = server_.calls["Heartbeat"];
    if (heartbeats > seen) {
      EXPECT_LE(now_ms_ - last_ms, 1'000);
      last_ms = now_ms_;
      seen = heartbeats;
    }
    now_ms_ += wait_ms;
  }
  EXPECT_EQ(server_.calls["RegisterAgent"], 1);
  EXPECT_EQ(server_.calls["SyncInventory"], 1);
}

TEST_F(AgentTest, ReportsADeadNodeAtOnceAndWithItsReason) {
  Open();
  adapter_.nodes[0] = {"n1", false, "fell off the bus", ""};
  EXPECT_LE(ReportAt(now_ms_ + 1), 500);
  EXPECT_THAT(server_.unhealthy, ElementsAre(NodeReport{"n1", false, "fell off the bus", ""}));
  adapter_.nodes[0] = {"n1", true, "", ""};
  ReportAt(now_ms_ + 2);
  EXPECT_THAT(server_.unhealthy, IsEmpty());
}

TEST_F(AgentTest, SendsAChangedListWithTheNextGeneration) {
  Open();
  adapter_.nodes.push_back({"n3", true, "", ""});
  ReportAt(now_ms_ + 1);
  EXPECT_EQ(server_.inventory_generation, 2);
  EXPECT_EQ(server_.inventory, adapter_.nodes);
}

TEST_F(AgentTest, SendsTheInventoryAgainWhenTheServerWantsIt) {
  Open();
  server_.inventory_generation = 0;
  now_ms_ += 30'000;
  EXPECT_EQ(ReportAt(now_ms_), 0);
  Open();
  EXPECT_EQ(server_.inventory_generation, 1);
}

TEST_F(AgentTest, KeepsTheGenerationOverARestartInANewSession) {
  Open();
  Restart();
  Open();
  EXPECT_EQ(server_.session, 2);
  EXPECT_EQ(server_.inventory_generation, 1);
}

TEST_F(AgentTest, GoesAboveAGenerationThatTheServerHas) {
  server_.first_generation = 41;
  Open();
  EXPECT_GT(server_.inventory_generation, 41);
  EXPECT_EQ(server_.inventory, adapter_.nodes);
}

TEST_F(AgentTest, RegistersAnewWhenItsGenerationIsStale) {
  Open();
  server_.inventory_generation = 50;
  adapter_.nodes.push_back({"n3", true, "", ""});
  ReportAt(now_ms_ + 1);
  Open();
  EXPECT_EQ(server_.session, 2);
  EXPECT_EQ(server_.inventory, adapter_.nodes);
}

TEST_F(AgentTest, KeepsTheLastListWhenTheAdapterCannotSay) {
  Open();
  adapter_.broken = true;
  now_ms_ += 30'000;
  Open();
  Open();
  EXPECT_EQ(server_.calls["Heartbeat"], 2);
  EXPECT_EQ(std::ranges::count(log_, "the nodes cannot be read; the last list stays in force"), 1);
}

TEST_F(AgentTest, GoesOnWithTheListItSentWhenAnotherCannotBeRecorded) {
  Open();
  std::filesystem::rename(temp_ / "state", temp_ / "elsewhere");
  adapter_.nodes.push_back({"n3", true, "", ""});
  adapter_.nodes[0] = {"n1", false, "burnt", ""};
  for (int turn = 0; turn < 3; ++turn) ReportAt(now_ms_ + 10'000);
  EXPECT_EQ(server_.calls["Heartbeat"], 4) << "silence would take the work off all nodes";
  EXPECT_THAT(server_.unhealthy, ElementsAre(adapter_.nodes[0]));
  EXPECT_EQ(server_.inventory_generation, 1);
  EXPECT_EQ(
      std::ranges::count(log_, "the inventory's generation cannot be kept; it will be tried again"),
      1);
  std::filesystem::rename(temp_ / "elsewhere", temp_ / "state");
  ReportAt(now_ms_ + 1);
  EXPECT_EQ(server_.inventory, adapter_.nodes);
}

TEST_F(AgentTest, EndsWhenANewerAgentHasTakenOver) {
  Open();
  server_.session = 2;
  now_ms_ += 30'000;
  ReportAt(now_ms_);
  ASSERT_TRUE(agent_->ending().has_value());
  EXPECT_EQ(agent_->ending()->cause, Ending::Cause::kSuperseded);
  EXPECT_TRUE(server_.interrupted) << "a pull that waits must not hold the end up";
  const auto calls = server_.calls;
  ReportAt(now_ms_ + 60'000);
  agent_->OrderTurn();
  EXPECT_EQ(server_.calls, calls);
}

TEST_F(AgentTest, LearnsFromAPullThatItIsSuperseded) {
  Open();
  server_.session = 2;
  server_.open = {MakeOrder("o1", kProvision, 1)};
  agent_->OrderTurn();
  ASSERT_TRUE(agent_->ending().has_value());
  EXPECT_EQ(agent_->ending()->cause, Ending::Cause::kSuperseded);
  EXPECT_THAT(adapter_.provisioned, IsEmpty());
}

TEST_F(AgentTest, EndsWhenTheServerRefusesItsKey) {
  server_.failures = {Failure{Failure::Kind::kRefused, "credential_invalid: …"}};
  ReportAt(now_ms_);
  ASSERT_TRUE(agent_->ending().has_value());
  EXPECT_EQ(agent_->ending()->cause, Ending::Cause::kRefused);
  EXPECT_THAT(agent_->ending()->message, HasSubstr("credential_invalid"));
}

TEST_F(AgentTest, TriesAgainWithGrowingBoundedWaitsUntilTheServerIsBack) {
  server_.failures.assign(20, Failure{Failure::Kind::kTryLater, "unreachable"});
  int64_t longest_ms = 0;
  for (int i = 0; i < 20; ++i) {
    const int64_t wait_ms = ReportAt(now_ms_);
    EXPECT_GE(wait_ms, 50);
    EXPECT_LE(wait_ms, 5'000);
    longest_ms = std::max(longest_ms, wait_ms);
    now_ms_ += wait_ms;
  }
  EXPECT_GE(longest_ms, 2'500);
  Open();
  EXPECT_EQ(server_.inventory, adapter_.nodes);
  EXPECT_FALSE(agent_->ending().has_value());
}

TEST(Backoff, DoublesToItsBoundWithJitterAndRepeatsFromItsSeed) {
  Backoff backoff(100, 1'000, 7);
  Backoff same(100, 1'000, 7);
  Backoff other(100, 1'000, 8);
  std::vector<int64_t> waits;
  std::vector<int64_t> others;
  for (const int64_t ceiling_ms : {100, 200, 400, 800, 1'000, 1'000, 1'000}) {
    const int64_t wait_ms = backoff.NextMs();
    EXPECT_GE(wait_ms, ceiling_ms / 2);
    EXPECT_LE(wait_ms, ceiling_ms);
    EXPECT_EQ(same.NextMs(), wait_ms);
    waits.push_back(wait_ms);
    others.push_back(other.NextMs());
  }
  EXPECT_NE(waits, others) << "agents of other seeds do not come in step";
  backoff.Reset();
  EXPECT_LE(backoff.NextMs(), 100);
}

// ---- Orders

TEST_F(AgentTest, PullsNothingBeforeItHasASession) {
  EXPECT_GT(agent_->OrderTurn(), 0);
  EXPECT_EQ(server_.calls["PullOrders"], 0);
}

TEST_F(AgentTest, EnactsAndAcknowledgesInTheOrderGiven) {
  Open();
  server_.open = {MakeOrder("o1", kProvision, 3), MakeOrder("o2", kRelease, 3),
                  MakeOrder("o3", kProvision, 3, 2)};
  EXPECT_EQ(agent_->OrderTurn(), 0);
  EXPECT_GT(server_.last_wait, Seconds{0}) << "a long poll";
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o1", "o3"));
  EXPECT_THAT(adapter_.released, ElementsAre("o2"));
  EXPECT_THAT(server_.acknowledged,
              ElementsAre(std::pair(OrderId("o1"), Outcome{}), std::pair(OrderId("o2"), Outcome{}),
                          std::pair(OrderId("o3"), Outcome{})));
  EXPECT_EQ(Record(1).state, EnactmentState::kReleased);
  EXPECT_EQ(Record(2).state, EnactmentState::kProvisioned);
  EXPECT_EQ(Record(2).epoch, 3);
  EXPECT_EQ(Record(2).nodes, server_.open.empty() ? Record(2).nodes : server_.open[0].nodes);
}

TEST_F(AgentTest, EnactsAnOrderOnceThatIsPulledTwice) {
  Open();
  server_.open = {MakeOrder("o1", kProvision, 1)};
  server_.lose_acknowledgements = 1;
  EXPECT_GT(agent_->OrderTurn(), 0) << "not at once again";
  EXPECT_EQ(agent_->OrderTurn(), 0);
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o1"));
  EXPECT_THAT(server_.acknowledged, ElementsAre(std::pair(OrderId("o1"), Outcome{})));
}

TEST_F(AgentTest, EnactsAnOrderOnceThatIsPulledAgainAfterARestart) {
  Open();
  server_.open = {MakeOrder("o1", kProvision, 1)};
  server_.lose_acknowledgements = 1;
  agent_->OrderTurn();
  Restart();
  Open();
  agent_->OrderTurn();
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o1"));
  EXPECT_THAT(server_.acknowledged, ElementsAre(std::pair(OrderId("o1"), Outcome{})));
}

TEST_F(AgentTest, ReleasesOnceWhatIsPulledTwice) {
  Open();
  server_.open = {MakeOrder("o1", kProvision, 1), MakeOrder("o2", kRelease, 1)};
  agent_->OrderTurn();
  server_.open = {MakeOrder("o2", kRelease, 1)};
  agent_->OrderTurn();
  EXPECT_THAT(adapter_.released, ElementsAre("o2"));
  EXPECT_TRUE(server_.open.empty());
}

TEST_F(AgentTest, AcknowledgesTheReleaseOfWhatWasNeverProvisioned) {
  Open();
  server_.open = {MakeOrder("o2", kRelease, 1)};
  agent_->OrderTurn();
  EXPECT_THAT(server_.acknowledged, ElementsAre(std::pair(OrderId("o2"), Outcome{})));
  EXPECT_EQ(Record().state, EnactmentState::kReleased);
}

TEST_F(AgentTest, RefusesALateProvisionOfAReleasedAttempt) {
  Open();
  server_.open = {MakeOrder("o2", kRelease, 1), MakeOrder("o1", kProvision, 1)};
  agent_->OrderTurn();
  EXPECT_THAT(adapter_.provisioned, IsEmpty());
  ASSERT_EQ(server_.acknowledged.size(), 2U);
  EXPECT_FALSE(server_.acknowledged[1].second.done);
  EXPECT_THAT(server_.acknowledged[1].second.message, HasSubstr("released already"));
}

TEST_F(AgentTest, ForgetsWhatEndedLongAgoAndOnlyThat) {
  Open();
  server_.open = {MakeOrder("o1", kProvision, 1), MakeOrder("o2", kRelease, 1),
                  MakeOrder("o3", kProvision, 1, 2)};
  agent_->OrderTurn();
  clock_.Advance(Days(29));
  agent_->OrderTurn();
  EXPECT_EQ(Record(1).state, EnactmentState::kReleased);
  clock_.Advance(Days(2));
  agent_->OrderTurn();
  EXPECT_EQ(state_->Find(AllocationId("snu/llm/train"), 1).value(), std::nullopt);
  EXPECT_EQ(Record(2).state, EnactmentState::kProvisioned);
  // The server never heard of the release, and asks again.
  server_.open = {MakeOrder("o2", kRelease, 1)};
  agent_->OrderTurn();
  EXPECT_TRUE(server_.open.empty());
}

TEST_F(AgentTest, RefusesAnOrderOfAnOlderEpoch) {
  Open();
  server_.open = {MakeOrder("o1", kProvision, 5)};
  agent_->OrderTurn();
  server_.open = {MakeOrder("o0", kProvision, 4), MakeOrder("o2", kRelease, 4)};
  EXPECT_GE(agent_->OrderTurn(), 0);
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o1"));
  EXPECT_THAT(adapter_.released, IsEmpty());
  EXPECT_THAT(server_.acknowledged.back().second.message,
              HasSubstr("epoch 4 is older than epoch 5"));
  EXPECT_EQ(Record().state, EnactmentState::kProvisioned);
  EXPECT_GT(agent_->OrderTurn(), 0) << "the release is still open: no spinning";
}

TEST_F(AgentTest, TakesTheOwnersReleaseWhichHasNoEpoch) {
  Open();
  server_.open = {MakeOrder("o1", kProvision, 5), MakeOrder("o2", kRelease, 0)};
  agent_->OrderTurn();
  EXPECT_EQ(Record().state, EnactmentState::kReleased);
  EXPECT_EQ(Record().epoch, 5) << "and does not forget the epoch for it";
}

TEST_F(AgentTest, RefusesTheSameAttemptOnOtherGpus) {
  Open();
  server_.open = {MakeOrder("o1", kProvision, 5)};
  agent_->OrderTurn();
  server_.open = {MakeOrder("o9", kProvision, 6)};
  server_.open[0].nodes[0].gpus = 0x0f;
  agent_->OrderTurn();
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o1"));
  EXPECT_FALSE(server_.acknowledged.back().second.done);
}

TEST_F(AgentTest, TellsWhatTheAdapterCouldNotDoAndSaysTheSameAgain) {
  Open();
  adapter_.provision_results = {Progress::Failed("no such node")};
  server_.open = {MakeOrder("o1", kProvision, 1)};
  server_.lose_acknowledgements = 1;
  agent_->OrderTurn();
  Restart();
  Open();
  agent_->OrderTurn();
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o1"));
  EXPECT_THAT(server_.acknowledged,
              ElementsAre(std::pair(OrderId("o1"), Outcome{false, "no such node"})));
}

TEST_F(AgentTest, TriesAFailedReleaseAgainUntilItIsDone) {
  Open();
  server_.open = {MakeOrder("o1", kProvision, 1), MakeOrder("o2", kRelease, 1)};
  adapter_.release_result = Progress::Failed("work does not end");
  agent_->OrderTurn();
  EXPECT_EQ(Record().state, EnactmentState::kReleasing);
  EXPECT_GT(agent_->OrderTurn(), 0);
  adapter_.release_result = Progress::Done();
  agent_->OrderTurn();
  EXPECT_TRUE(server_.open.empty());
  EXPECT_EQ(Record().state, EnactmentState::kReleased);
}

TEST_F(AgentTest, AsksAgainForAnOrderUnderWayWhileOthersGoOn) {
  Open();
  adapter_.provision_results = {Progress::UnderWay(120)};
  server_.open = {MakeOrder("o1", kProvision, 1)};
  EXPECT_EQ(agent_->OrderTurn(), 120);
  EXPECT_THAT(server_.acknowledged, IsEmpty());
  EXPECT_EQ(Record().state, EnactmentState::kProvisioning);
  adapter_.provision_results = {Progress::UnderWay(60)};
  server_.open.push_back(MakeOrder("o5", kProvision, 1, 1, "snu/llm/other"));
  agent_->OrderTurn();
  EXPECT_EQ(server_.last_wait, Seconds{0});
  EXPECT_THAT(server_.acknowledged, ElementsAre(std::pair(OrderId("o5"), Outcome{})));
  agent_->OrderTurn();
  EXPECT_EQ(Record().state, EnactmentState::kProvisioned);
  EXPECT_TRUE(server_.open.empty());
}

TEST_F(AgentTest, FinishesAfterARestartWhatACrashLeftUnderWay) {
  Open();
  adapter_.provision_results = {Progress::UnderWay(120)};
  server_.open = {MakeOrder("o1", kProvision, 1)};
  agent_->OrderTurn();
  Restart();
  Open();
  agent_->OrderTurn();
  EXPECT_EQ(Record().state, EnactmentState::kProvisioned);
  EXPECT_TRUE(server_.open.empty());
}

TEST_F(AgentTest, ForgetsAnOrderThatIsNoLongerCurrent) {
  Open();
  server_.open = {MakeOrder("o1", kProvision, 1)};
  // The pull is let through; by the time of the acknowledgement the order is superseded.
  server_.failures = {std::nullopt, Failure{Failure::Kind::kOrderNotCurrent, "order_not_current"}};
  EXPECT_EQ(agent_->OrderTurn(), 0);
  EXPECT_FALSE(agent_->ending().has_value());
  EXPECT_EQ(Record().state, EnactmentState::kProvisioned) << "until its release is ordered";
  server_.open = {MakeOrder("o2", kRelease, 1)};
  agent_->OrderTurn();
  EXPECT_EQ(Record().state, EnactmentState::kReleased);
}

TEST_F(AgentTest, SaysOfAnOrderItCannotReadThatItFailed) {
  Open();
  server_.unreadable = {{OrderId("o8"), "order.kind 3 is not allowed"}};
  EXPECT_GT(agent_->OrderTurn(), 0);
  EXPECT_THAT(server_.acknowledged,
              ElementsAre(std::pair(OrderId("o8"), Outcome{false, "order.kind 3 is not allowed"})));
}

TEST_F(AgentTest, NeitherEnactsNorAcknowledgesWhatItCannotRecord) {
  Open();
  std::filesystem::remove_all(temp_ / "state/enactments");
  server_.open = {MakeOrder("o1", kProvision, 1)};
  EXPECT_GT(agent_->OrderTurn(), 0);
  EXPECT_THAT(adapter_.provisioned, IsEmpty());
  EXPECT_THAT(server_.acknowledged, IsEmpty());
  EXPECT_THAT(log_, Contains("an order cannot be recorded, so it waits"));
  EXPECT_THAT(causes_, Contains(HasSubstr("cannot be written")));
  std::filesystem::create_directory(temp_ / "state/enactments");
  agent_->OrderTurn();
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o1"));
  EXPECT_TRUE(server_.open.empty());
}

TEST_F(AgentTest, ARecordThatCannotBeReadHoldsUpItsOwnAttemptOnly) {
  Open();
  const std::string record = temp_ / "state/enactments/snu.llm.train.1.json";
  std::ofstream(record) << "{\"alloc";
  server_.open = {MakeOrder("o1", kProvision, 1),
                  MakeOrder("o2", kProvision, 1, 1, "snu/llm/other")};
  agent_->OrderTurn();
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o2"));
  EXPECT_THAT(server_.acknowledged, ElementsAre(std::pair(OrderId("o2"), Outcome{})));
  EXPECT_THAT(log_, Contains("an order waits"));
  EXPECT_THAT(causes_, Contains(AllOf(HasSubstr("what became of this attempt is not known"),
                                      HasSubstr(record + " is damaged"))));
  Restart();
  Open();
  EXPECT_GT(agent_->OrderTurn(), 0);
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o2"));
  // Its end is on record again.
  server_.open = {MakeOrder("o3", kRelease, 1)};
  agent_->OrderTurn();
  EXPECT_THAT(adapter_.released, ElementsAre("o3"));
  EXPECT_TRUE(server_.open.empty());
  EXPECT_EQ(Record().state, EnactmentState::kReleased);
}

TEST_F(AgentTest, APullThatSucceedsEndsTheWaitsBetweenPulls) {
  Open();
  for (int outage = 0; outage < 2; ++outage) {
    server_.failures.assign(10, Failure{Failure::Kind::kTryLater, "unreachable"});
    EXPECT_LE(agent_->OrderTurn(), 100) << outage;
    while (!server_.failures.empty()) agent_->OrderTurn();
    EXPECT_EQ(agent_->OrderTurn(), 0) << "nothing is open";
  }
}

TEST_F(AgentTest, KeepsEnactedStateWhileTheServerIsAway) {
  Open();
  server_.open = {MakeOrder("o1", kProvision, 1)};
  agent_->OrderTurn();
  server_.failures.assign(10, Failure{Failure::Kind::kTryLater, "unreachable"});
  for (int i = 0; i < 10; ++i) {
    const int64_t wait_ms = agent_->OrderTurn();
    EXPECT_GT(wait_ms, 0);
    EXPECT_LE(wait_ms, 5'000);
  }
  EXPECT_THAT(adapter_.released, IsEmpty());
  EXPECT_EQ(Record().state, EnactmentState::kProvisioned);
}

TEST_F(AgentTest, BeginsNoOrderAfterStop) {
  Open();
  server_.open = {MakeOrder("o1", kProvision, 1)};
  agent_->Stop();
  agent_->OrderTurn();
  EXPECT_THAT(adapter_.provisioned, IsEmpty());
  EXPECT_TRUE(server_.interrupted);
  EXPECT_FALSE(agent_->ending().has_value()) << "stopped is not an ending of its own";
}

}  // namespace
}  // namespace allot::agent
