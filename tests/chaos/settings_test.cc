#include "chaos/settings.h"

#include <gtest/gtest.h>

#include <string>

#include "chaos/reports.h"

namespace allot::chaos {
namespace {

class SettingsTest : public ::testing::Test {
 protected:
  SettingsTest() { settings_.Seen("quota", 8); }
  std::string Rule() const { return world_.violated() ? world_.report.violation->rule : ""; }

  const std::function<void(std::string_view)> silent_;
  World world_{1, silent_};
  Settings settings_{world_};
};

TEST_F(SettingsTest, OneThatWasAskedForComesAboutOnce) {
  const auto asked = settings_.Asked({{"quota", 16}});
  settings_.Seen("quota", 16);
  settings_.Acknowledged(asked);
  settings_.Asked({{"quota", 8}});
  settings_.Seen("quota", 8);
  EXPECT_EQ(Rule(), "");
  EXPECT_EQ(settings_.Of("quota"), 8);
  settings_.Seen("quota", 16);
  EXPECT_EQ(Rule(), "set_by_somebody");
}

TEST_F(SettingsTest, OneOfTwoThatWereNotAnsweredMayHaveComeAbout) {
  settings_.Asked({{"quota", 16}});
  settings_.Asked({{"quota", 16}});
  settings_.Asked({{"quota", 8}});
  for (const int64_t value : {16, 8, 16}) settings_.Seen("quota", value);
  EXPECT_EQ(Rule(), "");
  settings_.Seen("quota", 12);
  EXPECT_EQ(Rule(), "set_by_somebody");
}

TEST_F(SettingsTest, WhatWasSoAlreadyMayBeAcknowledged) {
  const auto asked = settings_.Asked({{"quota", 8}});
  settings_.Acknowledged(asked);
  settings_.Acknowledged(asked);
  EXPECT_EQ(Rule(), "");
}

TEST_F(SettingsTest, WhatNeverCameAboutIsNotAcknowledged) {
  settings_.Acknowledged(settings_.Asked({{"quota", 16}}));
  EXPECT_EQ(Rule(), "acknowledged_is_done");
}

class ReportsTest : public ::testing::Test {
 protected:
  static constexpr Seconds kDownAfter{100};
  MachineBooks::Report Of(bool is_inventory, std::map<std::string, bool> nodes) {
    return {.cluster = cluster_,
            .mark = {1, ++number_},
            .is_inventory = is_inventory,
            .nodes = std::move(nodes)};
  }
  void Says(bool is_inventory, std::map<std::string, bool> nodes) {
    const auto report = Of(is_inventory, std::move(nodes));
    reports_.Arrives(report);
    reports_.IsAnswered(report, true);
  }
  void Wait(Seconds time) {
    world_.After(Micros(time), kNobody, "a while", [] {});
    world_.Step();
  }
  bool MayBeLost(const char* node) const { return reports_.MayBeLost(cluster_, NodeId(node)); }

  const std::function<void(std::string_view)> silent_;
  World world_{1, silent_};
  const ClusterId cluster_{"c"};
  int64_t number_ = 0;
  Reports reports_{world_, kDownAfter};
};

TEST_F(ReportsTest, WhatIsSaidToWorkIsNotLost) {
  Says(true, {{"n1", true}, {"n2", true}});
  EXPECT_FALSE(MayBeLost("c/n1"));
  Says(false, {{"n1", false}});
  EXPECT_TRUE(MayBeLost("c/n1"));
  EXPECT_FALSE(MayBeLost("c/n2"));
  Says(false, {});
  EXPECT_FALSE(MayBeLost("c/n1"));
}

TEST_F(ReportsTest, WhatIsNotListedIsGoneUntilItIsListed) {
  Says(true, {{"n1", true}, {"n2", true}});
  Says(true, {{"n2", true}});
  Says(false, {});
  EXPECT_TRUE(MayBeLost("c/n1"));
  Says(true, {{"n1", true}, {"n2", true}});
  EXPECT_FALSE(MayBeLost("c/n1"));
}

TEST_F(ReportsTest, WhoIsSilentForLongIsLostUntilItIsHeeded) {
  Says(true, {{"n1", true}});
  Wait(Seconds{99});
  EXPECT_FALSE(MayBeLost("c/n1"));
  Wait(Seconds{1});
  EXPECT_TRUE(MayBeLost("c/n1"));
  auto of_no_nodes = Of(false, {});
  of_no_nodes.is_of_nodes = false;
  reports_.IsAnswered(of_no_nodes, true);
  EXPECT_TRUE(MayBeLost("c/n1"));
  Says(false, {});
  EXPECT_FALSE(MayBeLost("c/n1"));
}

TEST_F(ReportsTest, WhatHadNoAnswerMayHaveBeenTaken) {
  Says(true, {{"n1", true}});
  const auto works = Of(false, {});
  const auto broken = Of(false, {{"n1", false}});
  reports_.Arrives(broken);
  reports_.IsAnswered(broken, false);
  EXPECT_TRUE(MayBeLost("c/n1"));
  reports_.Arrives(works);
  reports_.IsAnswered(works, true);
  EXPECT_TRUE(MayBeLost("c/n1")) << "what is late says nothing";
  Says(false, {});
  EXPECT_FALSE(MayBeLost("c/n1"));
}

}  // namespace
}  // namespace allot::chaos
