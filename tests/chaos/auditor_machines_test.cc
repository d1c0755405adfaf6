// What the machines say, and what the service makes of it: each rule is seen to be broken once.
#include "chaos/auditor_machines.h"

#include <gtest/gtest.h>

namespace allot::chaos {
namespace {

class MachineBooksTest : public ::testing::Test {
 protected:
  std::string Rule() const { return world_.violated() ? world_.report.violation->rule : ""; }

  static Order OrderOf(const std::string& allocation, GpuMask gpus) {
    return {.id = OrderId("o-" + allocation),
            .cluster = ClusterId("c"),
            .allocation = AllocationId("snu/p/" + allocation),
            .attempt = 1,
            .nodes = {{NodeId("c/n1"), gpus}},
            .create_time = Instant{1}};
  }
  MachineBooks::Report Inventory(const std::map<std::string, bool>& nodes) {
    return {
        .cluster = ClusterId("c"), .mark = {1, ++reports_}, .is_inventory = true, .nodes = nodes};
  }
  MachineBooks::Report Heartbeat(const std::map<std::string, bool>& unhealthy) {
    return {.cluster = ClusterId("c"),
            .mark = {1, ++reports_},
            .is_inventory = false,
            .nodes = unhealthy};
  }
  static bool Runs(const MachineBooks::AttemptKey&) { return true; }

  const std::function<void(std::string_view)> silent_;
  World world_{1, silent_};
  MachineBooks books_{world_};
  int64_t reports_ = 0;
};

TEST_F(MachineBooksTest, AGpuIsWithOneAttemptUntilItIsTakenBack) {
  books_.HandedOver(OrderOf("a", 0x0f));
  books_.HandsOver(OrderOf("b", 0xf0));
  books_.HandedOver(OrderOf("a", 0x0f));
  books_.TakenBack(OrderOf("b", 0xf0));
  books_.HandedOver(OrderOf("c", 0xf0));
  EXPECT_EQ(Rule(), "");
  books_.HandedOver(OrderOf("d", 0x01));
  EXPECT_EQ(Rule(), "gpu_once");
}

TEST_F(MachineBooksTest, WhatIsActiveHasAllItsGpus) {
  books_.HandedOver(OrderOf("a", 0x0f));
  books_.Active(AllocationId("snu/p/a"), 1);
  EXPECT_EQ(Rule(), "");
  books_.HandsOver(OrderOf("b", 0xf0));
  books_.Active(AllocationId("snu/p/b"), 1);
  EXPECT_EQ(Rule(), "active_is_handed_over") << "some of them are not all";
}

TEST_F(MachineBooksTest, WhatIsFreeWasTakenBack) {
  books_.HandedOver(OrderOf("a", 0x0f));
  books_.TakenBack(OrderOf("a", 0x0f));
  books_.Freed(OrderOf("a", 0x0f));
  books_.CheckTakenBack();
  EXPECT_EQ(Rule(), "");
  books_.HandedOver(OrderOf("b", 0x0f));
  books_.Freed(OrderOf("b", 0x0f));
  EXPECT_EQ(Rule(), "freed_is_taken_back");
}

TEST_F(MachineBooksTest, NothingIsHandedOverInTheEnd) {
  books_.HandsOver(OrderOf("a", 0x0f));
  books_.CheckTakenBack();
  EXPECT_EQ(Rule(), "freed_is_taken_back");
}

TEST_F(MachineBooksTest, NothingStartsOnWhatWasReportedBroken) {
  books_.Taken(Inventory({{"n1", true}, {"n2", true}}));
  books_.Taken(Heartbeat({{"n2", false}}));
  books_.Provisions(OrderOf("a", 0x0f));
  books_.Taken(Heartbeat({{"n1", false}}));
  books_.Taken(Heartbeat({}));
  books_.Provisions(OrderOf("b", 0xf0));
  EXPECT_EQ(Rule(), "") << "it works again";
  books_.Taken(Heartbeat({{"n1", false}}));
  books_.Provisions(OrderOf("c", 0x0f));
  EXPECT_EQ(Rule(), "starts_on_what_works");
}

TEST_F(MachineBooksTest, NothingStartsOnWhatIsListedNoMore) {
  books_.Taken(Inventory({{"n1", true}, {"n2", true}}));
  books_.Taken(Inventory({{"n2", true}}));
  books_.Taken(Heartbeat({}));
  books_.Provisions(OrderOf("a", 0x0f));
  EXPECT_EQ(Rule(), "starts_on_what_works");
}

TEST_F(MachineBooksTest, WhatMayNotHaveBeenTakenSaysNothing) {
  books_.Taken(Inventory({{"n1", true}}));
  books_.MayBeTaken(Heartbeat({{"n1", false}}));
  books_.Provisions(OrderOf("a", 0x0f));
  books_.Taken(Heartbeat({{"n1", false}}));
  books_.MayBeTaken(Heartbeat({}));
  books_.Provisions(OrderOf("b", 0xf0));
  EXPECT_EQ(Rule(), "");
}

TEST_F(MachineBooksTest, WhatIsLateSaysNothing) {
  books_.Taken(Inventory({{"n1", true}}));
  const auto late = Heartbeat({});
  books_.Taken(Heartbeat({{"n1", false}}));
  books_.Taken(late);
  books_.Provisions(OrderOf("a", 0x0f));
  EXPECT_EQ(Rule(), "starts_on_what_works");
}

TEST_F(MachineBooksTest, WhatComesBehindOneThatMayHaveBeenTakenMayBeLate) {
  books_.Taken(Inventory({{"n1", true}}));
  const auto late = Heartbeat({{"n1", false}});
  books_.MayBeTaken(Heartbeat({}));
  books_.Taken(late);
  books_.Provisions(OrderOf("a", 0x0f));
  EXPECT_EQ(Rule(), "");
}

TEST_F(MachineBooksTest, APassThatBeganLaterTakesWorkOffWhatIsBroken) {
  books_.Taken(Inventory({{"n1", true}}));
  books_.Provisions(OrderOf("a", 0x0f));
  const int64_t before = books_.moment();
  books_.Taken(Heartbeat({{"n1", false}}));
  books_.PassMade(before, Runs);
  books_.PassMade(books_.moment(), [](const auto&) { return false; });
  EXPECT_EQ(Rule(), "");
  books_.PassMade(books_.moment(), Runs);
  EXPECT_EQ(Rule(), "leaves_what_is_broken");
}

}  // namespace
}  // namespace allot::chaos
