// Who leads when: each rule is seen to be broken once.
#include "chaos/auditor_epochs.h"

#include <gtest/gtest.h>

namespace allot::chaos {
namespace {

class EpochsTest : public ::testing::Test {
 protected:
  std::string Rule() const { return world_.violated() ? world_.report.violation->rule : ""; }

  static store::Leadership RowOf(const std::string& holder, int64_t epoch) {
    return {.epoch = epoch, .holder = holder, .lease_until = Instant{1}};
  }
  static Epochs::Commit Lead(const std::string& server, int64_t life, int64_t epoch) {
    return {.writer = {server, life},
            .in_turn = true,
            .wrote = false,
            .given = RowOf(server, epoch),
            .row = RowOf(server, epoch)};
  }
  static Epochs::Commit Write(const std::string& server, const store::Leadership& row) {
    return {.writer = {server, 1}, .in_turn = true, .wrote = true, .given = {}, .row = row};
  }
  static Epochs::Commit Call(const std::string& server, const store::Leadership& row) {
    return {.writer = {server, 1}, .in_turn = false, .wrote = true, .given = {}, .row = row};
  }
  static Order OrderOf(int64_t epoch) {
    return {.id = OrderId("o"),
            .allocation = AllocationId("snu/p/a"),
            .attempt = 1,
            .nodes = {},
            .epoch = epoch};
  }
  void Commit(const Epochs::Commit& commit) {
    epochs_.Began(commit);
    epochs_.Ended();
  }

  const std::function<void(std::string_view)> silent_;
  World world_{1, silent_};
  Epochs epochs_{world_};
};

TEST_F(EpochsTest, WhoWasDeposedWritesNothingByItself) {
  Commit(Lead("one", 1, 1));
  Commit(Write("one", RowOf("one", 1)));
  Commit(Lead("two", 1, 2));
  Commit(Write("two", RowOf("two", 2)));
  Commit(Call("one", RowOf("two", 2)));
  EXPECT_EQ(Rule(), "");
  EXPECT_EQ(world_.report.probes["leader_changed"], 1);
  Commit(Write("one", RowOf("two", 2)));
  EXPECT_EQ(Rule(), "epoch_newest");
}

TEST_F(EpochsTest, WhoGaveTheLeadUpWritesNothingByItself) {
  Commit(Lead("one", 1, 1));
  Epochs::Commit resigns = Lead("one", 1, 2);
  resigns.given->holder = resigns.row.holder = "";
  Commit(resigns);
  EXPECT_EQ(Rule(), "");
  Commit(Write("one", RowOf("", 2)));
  EXPECT_EQ(Rule(), "epoch_newest");
}

TEST_F(EpochsTest, AnEpochIsOfOneLifeOfOneServer) {
  Commit(Lead("one", 1, 1));
  Commit(Lead("one", 1, 1));
  EXPECT_EQ(Rule(), "");
  Commit(Lead("one", 2, 1));
  EXPECT_EQ(Rule(), "epoch_of_one_server");
}

TEST_F(EpochsTest, EpochsGrow) {
  Commit(Lead("one", 1, 2));
  Commit(Lead("two", 1, 1));
  EXPECT_EQ(Rule(), "epoch_newest");
}

TEST_F(EpochsTest, AnOrderNamesTheEpochThatItWasDecidedIn) {
  Commit(Lead("one", 1, 1));
  epochs_.Began(Write("one", RowOf("one", 1)));
  epochs_.Opened(OrderOf(1));
  epochs_.Ended();
  epochs_.Began(Call("one", RowOf("one", 1)));
  epochs_.Opened(OrderOf(0));
  EXPECT_EQ(Rule(), "");
  epochs_.Opened(OrderOf(1));
  EXPECT_EQ(Rule(), "epoch_newest");
}

TEST_F(EpochsTest, ALeadersOrderIsNeverOfNoEpoch) {
  Commit(Lead("one", 1, 1));
  epochs_.Began(Write("one", RowOf("one", 1)));
  epochs_.Opened(OrderOf(0));
  EXPECT_EQ(Rule(), "epoch_newest");
}

TEST_F(EpochsTest, APassIsOfAnEpochOfItsServer) {
  Commit(Lead("one", 1, 1));
  epochs_.PassMade("one", 1);
  EXPECT_EQ(Rule(), "");
  epochs_.PassMade("two", 1);
  EXPECT_EQ(Rule(), "epoch_of_one_server");
}

}  // namespace
}  // namespace allot::chaos
