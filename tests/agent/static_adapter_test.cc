#include "agent/static_adapter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "agent/fake_server.h"
#include "support/temp_dir.h"

namespace allot::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class StaticAdapterTest : public ::testing::Test {
 protected:
  StaticAdapterTest() {
    std::filesystem::create_directory(temp_ / "health");
    WriteSite("[n1, n2]");
  }

  void WriteSite(const std::string& nodes, const std::string& cluster = "naver-a",
                 const std::string& more = "") {
    std::ofstream(temp_ / "site.yaml")
        << "provider: naver\ncluster: " << cluster << "\ngpu_model: H200\nnodes: " << nodes << "\n"
        << more;
  }

  StaticAdapter Make() {
    return StaticAdapter(*ReadSite(temp_ / "site.yaml"),
                         {.site_file = temp_ / "site.yaml",
                          .health_folder = temp_ / "health",
                          .steady_ms = [this] { return now_ms_; },
                          .log = [this](LogLevel, std::string_view message,
                                        std::initializer_list<LogField>) { log_ += message; }});
  }

  testing::TempDir temp_;
  int64_t now_ms_ = 0;
  std::string log_;
};

TEST_F(StaticAdapterTest, TakesAHealthFileForADeadNodeAndItsContentForTheReason) {
  StaticAdapter adapter = Make();
  EXPECT_THAT(*adapter.Inventory(),
              ElementsAre(NodeReport{"n1", true, "", ""}, NodeReport{"n2", true, "", ""}));
  std::ofstream(temp_ / "health/n2") << "fell off\tthe bus \xff\n";
  EXPECT_THAT(*adapter.Inventory(), ElementsAre(NodeReport{"n1", true, "", ""},
                                                NodeReport{"n2", false, "fell off the bus", ""}));
  std::filesystem::remove(temp_ / "health/n2");
  std::ofstream(temp_ / "health/n1");
  EXPECT_THAT(*adapter.Inventory(),
              ElementsAre(NodeReport{"n1", false, "marked as not working by the provider", ""},
                          NodeReport{"n2", true, "", ""}));
}

TEST_F(StaticAdapterTest, CutsALongReason) {
  StaticAdapter adapter = Make();
  std::ofstream(temp_ / "health/n1") << std::string(1'000'000, 'x');
  EXPECT_EQ(adapter.Inventory()->front().reason.size(), 500U);
}

TEST_F(StaticAdapterTest, PassesOverFilesThatNameNoNode) {
  StaticAdapter adapter = Make();
  std::ofstream(temp_ / "health/n9") << "who?";
  std::ofstream(temp_ / "health/.n1.swp") << "an editor's";
  EXPECT_THAT(*adapter.Inventory(),
              ElementsAre(NodeReport{"n1", true, "", ""}, NodeReport{"n2", true, "", ""}));
  EXPECT_THAT(log_, HasSubstr("names a node that the site file has not"));
}

TEST_F(StaticAdapterTest, DoesNotWaitAtAPipe) {
  StaticAdapter adapter = Make();
  ASSERT_EQ(mkfifo((temp_ / "health/n1").c_str(), 0600), 0);
  std::filesystem::create_directory(temp_ / "health/n2");
  EXPECT_THAT(*adapter.Inventory(),
              ElementsAre(NodeReport{"n1", true, "", ""}, NodeReport{"n2", true, "", ""}));
}

TEST_F(StaticAdapterTest, SaysWhenTheHealthFolderIsGone) {
  StaticAdapter adapter = Make();
  std::filesystem::remove_all(temp_ / "health");
  EXPECT_FALSE(adapter.Inventory().ok());
}

TEST_F(StaticAdapterTest, ReadsTheSiteFileAgain) {
  StaticAdapter adapter = Make();
  WriteSite("[n1, n3]");
  EXPECT_EQ(adapter.Inventory()->back().name, "n2") << "not before it is told to";
  ASSERT_TRUE(adapter.Reload().ok());
  EXPECT_EQ(adapter.Inventory()->back().name, "n3");
}

TEST_F(StaticAdapterTest, KeepsTheOldListWhenTheNewFileIsBroken) {
  StaticAdapter adapter = Make();
  WriteSite("[]");
  EXPECT_FALSE(adapter.Reload().ok());
  WriteSite("[n1]", "naver-b");
  const Status other_cluster = adapter.Reload();
  ASSERT_FALSE(other_cluster.ok());
  EXPECT_THAT(other_cluster.error().message, HasSubstr("cannot change while the agent runs"));
  EXPECT_EQ(adapter.Inventory()->size(), 2U);
}

TEST_F(StaticAdapterTest, RefusesNodesThatItDoesNotHave) {
  StaticAdapter adapter = Make();
  Order order = MakeOrder("o1", OrderKind::kProvision, 1);
  EXPECT_EQ(adapter.Provision(order, 1), Progress::Done());
  order.nodes[0].node = NodeId("naver-a/n9");
  EXPECT_EQ(adapter.Provision(order, 1).state, Progress::State::kFailed);
  order.nodes[0].node = NodeId("naver-b/n1");
  EXPECT_EQ(adapter.Provision(order, 1).state, Progress::State::kFailed);
  EXPECT_EQ(adapter.Release(order, 1), Progress::Done()) << "a node may have left the site file";
}

TEST_F(StaticAdapterTest, TakesItsTimeWhenToldTo) {
  WriteSite("[n1]", "naver-a", "simulated_provisioning_delay: 2s\n");
  StaticAdapter adapter = Make();
  const Order order = MakeOrder("o1", OrderKind::kProvision, 1);
  EXPECT_EQ(adapter.Provision(order, 1), Progress::UnderWay(2'000));
  now_ms_ = 1'500;
  EXPECT_EQ(adapter.Provision(order, 1), Progress::UnderWay(500));
  const Order other = MakeOrder("o2", OrderKind::kProvision, 1, 1, "snu/llm/other");
  EXPECT_EQ(adapter.Provision(other, 1), Progress::UnderWay(2'000)) << "each its own";
  now_ms_ = 2'000;
  EXPECT_EQ(adapter.Provision(order, 1), Progress::Done());
}

}  // namespace
}  // namespace allot::agent
