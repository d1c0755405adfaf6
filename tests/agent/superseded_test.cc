// Which agent may act: one that a newer agent has superseded must not, however late it finds out;
// and no agent supersedes itself.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>

#include "agent/fake_server.h"
#include "allot/agent/agent.h"
#include "allot/agent/state_folder.h"
#include "support/counting_id_source.h"
#include "support/manual_clock.h"
#include "support/temp_dir.h"

namespace allot::agent {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr OrderKind kProvision = OrderKind::kProvision;
constexpr OrderKind kRelease = OrderKind::kRelease;
const Failure kStale{Failure::Kind::kInventoryStale, "inventory_stale"};

class SupersededTest : public ::testing::Test {
 protected:
  /// An agent with a folder of its own.
  struct One {
    std::unique_ptr<StateFolder> state;
    std::unique_ptr<Agent> agent;
  };

  One Make(const std::string& folder) {
    One one;
    auto opened =
        StateFolder::Open({temp_ / folder, {}}, ProviderId("naver"), ClusterId("naver-a"));
    EXPECT_TRUE(opened.ok());
    one.state = *std::move(opened);
    const Log log = [this](LogLevel, std::string_view message,
                           std::initializer_list<LogField> fields) {
      log_.emplace_back(message);
      for (const LogField& field : fields) {
        if (field.key == "cause") log_.back() += ": " + std::get<std::string>(field.value);
      }
    };
    one.agent = std::make_unique<Agent>(
        adapter_, *one.state, server_,
        Agent::Surroundings{
            .clock = clock_, .steady_ms = [this] { return now_ms_; }, .ids = ids_, .log = log},
        Agent::Options{});
    return one;
  }

  testing::TempDir temp_;
  testing::ManualClock clock_;
  testing::CountingIdSource ids_;
  FakeServer server_;
  FakeAdapter adapter_;
  std::vector<std::string> log_;
  int64_t now_ms_ = 1'000;
};

// ---- By itself

TEST_F(SupersededTest, ARegistrationThatWasGivenUpOpensNoSecondSession) {
  const One one = Make("state");
  server_.lose_registration = true;
  EXPECT_GT(one.agent->ReportTurn(), 0);
  one.agent->ReportTurn();
  EXPECT_EQ(server_.calls["RegisterAgent"], 2);
  EXPECT_EQ(server_.session, 1);
  // The first call, once more, behind the one that was answered.
  ASSERT_EQ(server_.registrations.size(), 1U);
  server_.Register(server_.registrations.begin()->first);
  now_ms_ += 30'000;
  one.agent->ReportTurn();
  EXPECT_FALSE(one.agent->ending().has_value()) << one.agent->ending()->message;
  EXPECT_EQ(server_.calls["Heartbeat"], 2);
}

TEST_F(SupersededTest, NorDoesOneOfAnEarlierLife) {
  {
    const One one = Make("state");
    server_.lose_registration = true;
    one.agent->ReportTurn();
  }
  const One again = Make("state");
  again.agent->ReportTurn();
  EXPECT_EQ(server_.session, 1);
  EXPECT_EQ(server_.calls["Heartbeat"], 1);
  EXPECT_EQ(again.state->PendingRegistration(), "")
      << "the next life asks for a session of its own";
}

TEST_F(SupersededTest, WhatIsStartedAgainTakesOverFromWhoCameBetween) {
  {
    const One one = Make("one");
    server_.lose_registration = true;
    one.agent->ReportTurn();
  }
  const One other = Make("other");
  other.agent->ReportTurn();
  const One again = Make("one");
  again.agent->ReportTurn();
  EXPECT_FALSE(again.agent->ending().has_value());
  again.agent->ReportTurn();
  EXPECT_EQ(server_.session, 3);
  now_ms_ += 30'000;
  other.agent->ReportTurn();
  EXPECT_TRUE(other.agent->ending().has_value());
}

TEST_F(SupersededTest, WhatAnEarlierLifeWasRefusedIsAskedForOnceMore) {
  {
    const One one = Make("state");
    server_.failures = {Failure{Failure::Kind::kTryLater, "unreachable"}};
    one.agent->ReportTurn();
  }
  const One again = Make("state");
  server_.failures = {Failure{Failure::Kind::kRefused, "request_id_reused"}};
  again.agent->ReportTurn();
  EXPECT_FALSE(again.agent->ending().has_value());
  again.agent->ReportTurn();
  EXPECT_EQ(server_.session, 1);
  EXPECT_EQ(server_.registrations.size(), 1U);
  EXPECT_EQ(server_.calls["Heartbeat"], 1);
}

TEST_F(SupersededTest, RegistersEvenIfTheIdCannotBeKept) {
  const One one = Make("state");
  std::filesystem::rename(temp_ / "state", temp_ / "elsewhere");
  one.agent->ReportTurn();
  EXPECT_EQ(server_.session, 1);
  EXPECT_THAT(log_, Contains(HasSubstr("the registration's id cannot be kept")));
}

TEST_F(SupersededTest, ASessionThatWasGivenUpIsFollowedByAnother) {
  const One one = Make("state");
  one.agent->ReportTurn();
  server_.failures = {kStale};
  now_ms_ += 30'000;
  one.agent->ReportTurn();
  one.agent->ReportTurn();
  EXPECT_EQ(server_.session, 2);
  EXPECT_EQ(server_.registrations.size(), 2U) << "under an id of its own";
  EXPECT_FALSE(one.agent->ending().has_value());
}

TEST_F(SupersededTest, ARegistrationOfBeforeARestoreIsNotRepeatedForEver) {
  const One one = Make("state");
  server_.lose_registration = true;
  one.agent->ReportTurn();
  server_.failures = {kStale};
  one.agent->ReportTurn();
  one.agent->ReportTurn();
  EXPECT_EQ(server_.registrations.size(), 2U);
  EXPECT_EQ(server_.session, 2);
  EXPECT_EQ(server_.calls["Heartbeat"], 1);
}

TEST_F(SupersededTest, APullOfASessionThatItGaveUpItselfIsNoEnd) {
  const One one = Make("state");
  one.agent->ReportTurn();
  // While a pull waits, the other thread is told to register anew.
  server_.while_pulling = [&] {
    server_.failures = {kStale};
    now_ms_ += 30'000;
    one.agent->ReportTurn();
    one.agent->ReportTurn();
  };
  server_.open = {MakeOrder("o1", kProvision, 1)};
  one.agent->OrderTurn();
  EXPECT_EQ(server_.session, 2);
  ASSERT_FALSE(one.agent->ending().has_value()) << one.agent->ending()->message;
  one.agent->OrderTurn();
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o1"));
  EXPECT_TRUE(server_.open.empty());
}

// ---- By another

TEST_F(SupersededTest, APausedAgentDoesNotHandOverWhatItsSuccessorReleased) {
  const One older = Make("older");
  older.agent->ReportTurn();
  const One newer = Make("newer");
  // It is paused with the order in hand, recorded, on its way to the adapter.
  adapter_.before_a_call = [&] {
    newer.agent->ReportTurn();
    server_.open = {MakeOrder("o2", kRelease, 1)};
    newer.agent->OrderTurn();
  };
  server_.open = {MakeOrder("o1", kProvision, 1)};
  older.agent->OrderTurn();
  EXPECT_THAT(adapter_.released, ElementsAre("o2"));
  EXPECT_THAT(adapter_.provisioned, IsEmpty());
  EXPECT_THAT(server_.acknowledged, ElementsAre(std::pair(OrderId("o2"), Outcome{})));
  EXPECT_THAT(log_, Contains(HasSubstr("an order waits: a newer session was here")));
  EXPECT_EQ((*older.state->Find(AllocationId("snu/llm/train"), 1))->state,
            EnactmentState::kProvisioning)
      << "neither done nor failed";
  older.agent->OrderTurn();
  ASSERT_TRUE(older.agent->ending().has_value());
  EXPECT_EQ(older.agent->ending()->cause, Ending::Cause::kSuperseded);
  EXPECT_FALSE(newer.agent->ending().has_value());
}

TEST_F(SupersededTest, OrdersWhoseAnswerLayUnreadArePulledAgain) {
  const One one = Make("state");
  one.agent->ReportTurn();
  server_.open = {MakeOrder("o1", kProvision, 1)};
  // The answer is there, and this process is stopped before it reads it.
  server_.while_pulling = [&] { now_ms_ += 3'600'000; };
  EXPECT_EQ(one.agent->OrderTurn(), 0);
  EXPECT_THAT(adapter_.provisioned, IsEmpty()) << "its successor may have released it since";
  one.agent->OrderTurn();
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o1"));
}

TEST_F(SupersededTest, AServerThatAlwaysAnswersLateIsNotAskedWithoutAPause) {
  const One one = Make("state");
  one.agent->ReportTurn();
  server_.open = {MakeOrder("o1", kProvision, 1)};
  const auto answer_late = [&] { now_ms_ += 5'001; };
  server_.while_pulling = answer_late;
  EXPECT_EQ(one.agent->OrderTurn(), 0) << "the question may have waited for the order";
  server_.while_pulling = answer_late;
  EXPECT_GT(one.agent->OrderTurn(), 0);
  EXPECT_THAT(adapter_.provisioned, IsEmpty());
  one.agent->OrderTurn();
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o1"));
}

TEST_F(SupersededTest, OrdersThatWerePulledLongAgoAreNotBegun) {
  const One one = Make("state");
  one.agent->ReportTurn();
  server_.open = {MakeOrder("o1", kProvision, 1), MakeOrder("o2", kProvision, 1, 1, "snu/llm/b"),
                  MakeOrder("o3", kProvision, 1, 1, "snu/llm/c")};
  // The first takes long; meanwhile the second is withdrawn.
  adapter_.before_a_call = [&] {
    now_ms_ += 5'001;
    std::erase_if(server_.open, [](const Order& order) { return order.id == OrderId("o2"); });
  };
  EXPECT_EQ(one.agent->OrderTurn(), 0) << "the rest is pulled anew at once";
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o1"));
  one.agent->OrderTurn();
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o1", "o3"));
  EXPECT_TRUE(server_.open.empty());
}

TEST_F(SupersededTest, OrdersThatTakeLongDoNotKeepTheOthersFromTheirTurn) {
  const One one = Make("state");
  one.agent->ReportTurn();
  server_.open = {MakeOrder("o1", kRelease, 1), MakeOrder("o2", kRelease, 1, 1, "snu/llm/b")};
  adapter_.release_result = Progress::Failed("work does not end");
  const auto take_long = [&] { now_ms_ += 5'001; };
  adapter_.before_a_call = take_long;
  one.agent->OrderTurn();
  adapter_.before_a_call = take_long;
  one.agent->OrderTurn();
  EXPECT_THAT(adapter_.released, ElementsAre("o1", "o2"));
  one.agent->OrderTurn();
  EXPECT_THAT(adapter_.released, ElementsAre("o1", "o2", "o1", "o2"));
}

TEST_F(SupersededTest, AnOrderThatTookLongToRecordIsAskedForAnew) {
  const One one = Make("state");
  one.agent->ReportTurn();
  server_.open = {MakeOrder("o1", kProvision, 1)};
  int64_t looks = 0;
  const One slow = [&] {
    One made = Make("slow");
    made.agent = std::make_unique<Agent>(
        adapter_, *made.state, server_,
        // A clock that jumps at the third look: behind the pull, and the look before the order.
        Agent::Surroundings{
            .clock = clock_,
            .steady_ms = [&looks] { return ++looks < 4 ? 0 : 6'000; },
            .ids = ids_,
            .log = [](LogLevel, std::string_view, std::initializer_list<LogField>) {}},
        Agent::Options{});
    return made;
  }();
  slow.agent->ReportTurn();
  EXPECT_GT(slow.agent->OrderTurn(), 0);
  EXPECT_THAT(adapter_.provisioned, IsEmpty());
  EXPECT_EQ((*slow.state->Find(AllocationId("snu/llm/train"), 1))->state,
            EnactmentState::kProvisioning);
  slow.agent->OrderTurn();
  EXPECT_THAT(adapter_.provisioned, ElementsAre("o1"));
}

}  // namespace
}  // namespace allot::agent
