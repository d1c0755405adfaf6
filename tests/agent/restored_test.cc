// The pool's database was restored to a moment of before: what the agent did since is on its record
// and nowhere else, and what the pool orders now is what counts.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <memory>

#include "agent/fake_server.h"
#include "allot/agent/agent.h"
#include "allot/agent/state_folder.h"
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
/// Microseconds since 1970, where a timeline begins.
constexpr int64_t kEpochAfter = 1'800'000'000'000'000;

Order OrderOf(const std::string& id, const std::string& allocation, OrderKind kind, int64_t epoch,
              std::vector<OrderedNode> nodes = {{NodeId("naver-a/n1"), 0xff}}) {
  Order order = MakeOrder(id, kind, epoch, 1, allocation);
  order.nodes = std::move(nodes);
  return order;
}

class RestoredTest : public ::testing::Test {
 protected:
  RestoredTest() { Restart(); }

  void Restart() {
    agent_.reset();
    state_.reset();
    auto opened =
        StateFolder::Open({temp_ / "state", {}}, ProviderId("naver"), ClusterId("naver-a"));
    ASSERT_TRUE(opened.ok()) << Describe(opened.error());
    state_ = *std::move(opened);
    const Log log = [this](LogLevel, std::string_view message,
                           std::initializer_list<LogField> fields) {
      log_.emplace_back(message);
      for (const LogField& field : fields) {
        if (field.key == "cause") log_.back() += ": " + std::get<std::string>(field.value);
      }
    };
    agent_ = std::make_unique<Agent>(
        adapter_, *state_, server_,
        Agent::Surroundings{
            .clock = clock_, .steady_ms = [] { return int64_t{1'000}; }, .ids = ids_, .log = log},
        Agent::Options{});
    agent_->ReportTurn();
  }

  /// One order, to its end.
  Outcome Enact(const Order& order) {
    server_.open = {order};
    agent_->OrderTurn();
    EXPECT_FALSE(server_.acknowledged.empty());
    return server_.acknowledged.back().second;
  }

  EnactmentState StateOf(const std::string& allocation) {
    const auto found = state_->Find(AllocationId(allocation), 1);
    EXPECT_TRUE(found.ok() && found->has_value());
    return (*found)->state;
  }

  testing::TempDir temp_;
  testing::ManualClock clock_;
  testing::CountingIdSource ids_;
  FakeServer server_;
  FakeAdapter adapter_;
  std::unique_ptr<StateFolder> state_;
  std::unique_ptr<Agent> agent_;
  std::vector<std::string> log_;
};

TEST_F(RestoredTest, GpusHandedOverInWhatIsLostAreTakenBackBeforeAnotherGetsThem) {
  EXPECT_TRUE(Enact(OrderOf("o1", "snu/llm/lost", kProvision, 4)).done);
  EXPECT_TRUE(Enact(OrderOf("o2", "snu/llm/new", kProvision, kEpochAfter)).done);
  EXPECT_THAT(adapter_.released, ElementsAre("o1"));
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o1", "o2"));
  EXPECT_EQ(StateOf("snu/llm/lost"), EnactmentState::kReleased);
  EXPECT_EQ(StateOf("snu/llm/new"), EnactmentState::kProvisioned);
  EXPECT_THAT(log_, Contains(HasSubstr("taken back")));
}

TEST_F(RestoredTest, AlsoByAnAgentThatWasStartedSince) {
  EXPECT_TRUE(Enact(OrderOf("o1", "snu/llm/lost", kProvision, 4)).done);
  Restart();
  EXPECT_TRUE(Enact(OrderOf("o2", "snu/llm/new", kProvision, kEpochAfter)).done);
  EXPECT_THAT(adapter_.released, ElementsAre("o1"));
}

TEST_F(RestoredTest, WhatNobodyNeedsStays) {
  EXPECT_TRUE(Enact(OrderOf("o1", "snu/llm/lost", kProvision, 4)).done);
  EXPECT_TRUE(
      Enact(OrderOf("o2", "snu/llm/new", kProvision, kEpochAfter, {{NodeId("naver-a/n2"), 0xff}}))
          .done);
  EXPECT_THAT(adapter_.released, IsEmpty());
  EXPECT_EQ(StateOf("snu/llm/lost"), EnactmentState::kProvisioned);
  // Half of a node is needed now.
  EXPECT_TRUE(
      Enact(OrderOf("o3", "snu/llm/half", kProvision, kEpochAfter, {{NodeId("naver-a/n1"), 0x0f}}))
          .done);
  EXPECT_THAT(adapter_.released, ElementsAre("o1"));
}

TEST_F(RestoredTest, NothingIsHandedOverWhileTheTakingBackIsUnderWayOrFails) {
  EXPECT_TRUE(Enact(OrderOf("o1", "snu/llm/lost", kProvision, 4)).done);
  server_.acknowledged.clear();
  adapter_.release_result = Progress::UnderWay(10);
  server_.open = {OrderOf("o2", "snu/llm/new", kProvision, kEpochAfter)};
  agent_->OrderTurn();
  EXPECT_THAT(server_.acknowledged, IsEmpty());
  EXPECT_EQ(StateOf("snu/llm/lost"), EnactmentState::kReleasing);
  Restart();
  adapter_.release_result = Progress::Failed("locked");
  server_.open = {OrderOf("o2", "snu/llm/new", kProvision, kEpochAfter)};
  EXPECT_GT(agent_->OrderTurn(), 0);
  EXPECT_THAT(server_.acknowledged, IsEmpty()) << "who waits for its GPUs has not failed";
  EXPECT_THAT(log_, Contains(AllOf(HasSubstr("an order waits: "), HasSubstr("snu/llm/lost"),
                                   HasSubstr("locked"))));
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o1"));
  adapter_.release_result = Progress::Done();
  EXPECT_TRUE(Enact(OrderOf("o3", "snu/llm/other", kProvision, kEpochAfter)).done);
}

TEST_F(RestoredTest, NothingIsHandedOverWhileARecordOfBeforeMayHoldAnyGpus) {
  EXPECT_TRUE(Enact(OrderOf("o1", "snu/llm/lost", kProvision, 4)).done);
  server_.acknowledged.clear();
  const std::string record = temp_ / "state/enactments/snu.llm.lost.1.json";
  const std::string content = [&] {
    std::ifstream file(record);
    return std::string{std::istreambuf_iterator<char>(file), {}};
  }();
  std::ofstream(record) << content.substr(0, 40);
  server_.open = {OrderOf("o2", "snu/llm/new", kProvision, kEpochAfter)};
  EXPECT_GT(agent_->OrderTurn(), 0);
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o1"));
  EXPECT_THAT(server_.acknowledged, IsEmpty());
  EXPECT_THAT(log_, Contains(AllOf(HasSubstr("an order waits: "), HasSubstr(record))));
  // Brought back, it is taken into account by the same agent.
  std::ofstream(record) << content;
  agent_->OrderTurn();
  EXPECT_THAT(adapter_.released, ElementsAre("o1"));
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o1", "o2"));
}

TEST_F(RestoredTest, WhatIsOrderedOnceMoreKeepsItsGpus) {
  EXPECT_TRUE(Enact(OrderOf("o1", "snu/llm/runs", kProvision, 4)).done);
  EXPECT_TRUE(Enact(OrderOf("o1", "snu/llm/runs", kProvision, kEpochAfter)).done);
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o1")) << "it never stopped running";
  EXPECT_THAT(adapter_.released, IsEmpty());
  // From now on it is of this timeline, and nothing takes it off its GPUs but its release.
  EXPECT_EQ((*state_->Find(AllocationId("snu/llm/runs"), 1))->epoch, kEpochAfter);
  EXPECT_TRUE(Enact(OrderOf("o2", "snu/llm/runs", kRelease, kEpochAfter + 1)).done);
  EXPECT_THAT(adapter_.released, ElementsAre("o2"));
}

TEST_F(RestoredTest, WhatWasReleasedInWhatIsLostIsHandedOverAgain) {
  EXPECT_TRUE(Enact(OrderOf("o1", "snu/llm/runs", kProvision, 4)).done);
  EXPECT_TRUE(Enact(OrderOf("o2", "snu/llm/runs", kRelease, 5)).done);
  EXPECT_FALSE(Enact(OrderOf("o1", "snu/llm/runs", kProvision, 6)).done)
      << "within one timeline an attempt that ended never begins again";
  EXPECT_TRUE(Enact(OrderOf("o1", "snu/llm/runs", kProvision, kEpochAfter)).done);
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o1", "o1"));
  EXPECT_EQ(StateOf("snu/llm/runs"), EnactmentState::kProvisioned);
}

TEST_F(RestoredTest, AnAttemptThatIsElsewhereNowLeavesWhereItWas) {
  EXPECT_TRUE(Enact(OrderOf("o1", "snu/llm/moved", kProvision, 4)).done);
  EXPECT_TRUE(
      Enact(OrderOf("o2", "snu/llm/moved", kProvision, kEpochAfter, {{NodeId("naver-a/n2"), 0xff}}))
          .done);
  EXPECT_THAT(adapter_.released, ElementsAre("o1"));
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o1", "o2"));
}

TEST_F(RestoredTest, AReleaseThatWasOpenGoesThrough) {
  EXPECT_TRUE(Enact(OrderOf("o1", "snu/llm/ends", kProvision, 4)).done);
  EXPECT_TRUE(Enact(OrderOf("o2", "snu/llm/ends", kRelease, 9)).done);
  // The moment restored to was before the acknowledgement, and its epoch was raised since.
  EXPECT_TRUE(Enact(OrderOf("o2", "snu/llm/ends", kRelease, kEpochAfter)).done);
}

}  // namespace
}  // namespace allot::agent
