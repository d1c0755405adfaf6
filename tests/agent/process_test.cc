#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "agent/fake_service.h"
#include "support/process.h"
#include "support/temp_dir.h"

// The real program against a server in this process.

namespace allot::agent {
namespace {

using testing::Binary;
using testing::Ended;
using ::testing::HasSubstr;
using testing::Process;

class AgentProcess : public ::testing::Test {
 protected:
  AgentProcess() {
    WriteSite("[n1, n2]");
    std::ofstream(temp_ / "key") << "allot_key\n";
    chmod((temp_ / "key").c_str(), 0600);
  }

  void WriteSite(const std::string& nodes, const std::string& more = "") {
    std::ofstream(temp_ / "site.yaml")
        << "provider: naver\ncluster: naver-a\ngpu_model: H200\nnodes: " << nodes << "\n"
        << more;
  }

  std::vector<std::string> Command(const std::string& state = "state") {
    return {Binary("allot-agent"), "--server", service_.address(), "--site",
            temp_ / "site.yaml",   "--state",  temp_ / state,      "--key-file",
            temp_ / "key"};
  }

  bool AwaitHeartbeats(int count) {
    return service_.Await([count](const FakeService& s) {
      const auto calls = s.calls.find("Heartbeat");
      return calls != s.calls.end() && calls->second >= count;
    });
  }
  bool AwaitAcknowledged(std::size_t count) {
    return service_.Await([count](const FakeService& s) { return s.acknowledged.size() >= count; });
  }
  void Open(const v1::Order& order) {
    service_.Change([&](FakeService& s) { s.open.push_back(order); });
  }

  testing::TempDir temp_;
  FakeService service_;
};

TEST_F(AgentProcess, ServesOrdersAndEndsCleanlyOnSigterm) {
  Process agent(Command());
  ASSERT_TRUE(AwaitHeartbeats(1)) << agent.err();
  Open(MakeOrderMessage("o1", v1::Order::KIND_PROVISION));
  ASSERT_TRUE(AwaitAcknowledged(1)) << agent.err();
  EXPECT_TRUE(std::filesystem::exists(temp_ / "state/enactments/snu.llm.train.1.json"));
  const Ended ended = agent.Terminate();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr(R"("message":"order enacted","order":"o1")"));
  EXPECT_THAT(ended.err, HasSubstr(R"("message":"stopped")"));
  EXPECT_EQ(ended.err.find("allot_key"), std::string::npos) << "the key is in the log";
}

TEST_F(AgentProcess, EndsWithItsOwnCodeWhenSuperseded) {
  Process older(Command());
  ASSERT_TRUE(AwaitHeartbeats(1)) << older.err();
  Process newer(Command("other-state"));
  const Ended ended = older.Wait();
  EXPECT_EQ(ended.exit_code, 3) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("superseded: a newer agent has taken over this cluster"));
  EXPECT_TRUE(newer.running());
  EXPECT_EQ(newer.Terminate().exit_code, 0);
}

TEST_F(AgentProcess, IsNotSupersededByTheRegistrationOfAnEarlierLife) {
  service_.Change([](FakeService& s) { s.hanging = "RegisterAgent"; });
  Process first(Command());
  ASSERT_TRUE(
      service_.Await([](const FakeService& s) { return s.calls.contains("RegisterAgent"); }));
  first.Kill();
  // It is carried out all the same, before the second life's or behind it.
  service_.Change([](FakeService& s) { s.hanging.clear(); });
  Process second(Command());
  ASSERT_TRUE(service_.Await([](const FakeService& s) { return s.request_ids.size() == 2; }));
  ASSERT_TRUE(AwaitHeartbeats(1)) << second.err();
  service_.Look([](const FakeService& s) {
    EXPECT_EQ(s.request_ids[0], s.request_ids[1]);
    EXPECT_EQ(s.session, 1);
  });
  EXPECT_EQ(second.Terminate().exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(temp_ / "state/registration"));
}

TEST_F(AgentProcess, EndsWithItsOwnCodeWhenRefused) {
  service_.Change([](FakeService& s) {
    s.refusals["RegisterAgent"] = Refusal(grpc::StatusCode::UNAUTHENTICATED, "CREDENTIAL_INVALID",
                                          "the API key is not valid");
  });
  const Ended ended = testing::RunToEnd(Command());
  EXPECT_EQ(ended.exit_code, 4);
  EXPECT_THAT(ended.err, HasSubstr("credential_invalid: the API key is not valid"));
}

TEST_F(AgentProcess, RefusesAStateFolderInUse) {
  Process first(Command());
  ASSERT_TRUE(AwaitHeartbeats(1)) << first.err();
  const Ended second = testing::RunToEnd(Command());
  EXPECT_EQ(second.exit_code, 5);
  EXPECT_THAT(second.err, HasSubstr("in use by another agent"));
  EXPECT_TRUE(first.running());
}

TEST_F(AgentProcess, ServesWithARecordThatItCannotReadAndSaysWhatToDo) {
  std::filesystem::create_directories(temp_ / "state/enactments");
  std::ofstream(temp_ / "state/enactments/snu.llm.old.1.json") << "{";
  Process agent(Command());
  ASSERT_TRUE(AwaitHeartbeats(1)) << agent.err();
  Open(MakeOrderMessage("o1", v1::Order::KIND_PROVISION));
  ASSERT_TRUE(AwaitAcknowledged(1)) << agent.err();
  EXPECT_THAT(agent.err(), HasSubstr("snu.llm.old.1.json is damaged"));
  EXPECT_THAT(agent.err(), HasSubstr("bring it back from a copy"));
}

TEST_F(AgentProcess, RefusesBrokenInputAtTheStart) {
  struct Case {
    std::string flag;
    std::string value;
    std::string message;
  };
  WriteSite("[n1, n1]");
  chmod((temp_ / "key").c_str(), 0644);
  const std::vector<Case> cases = {
      {"", "", "site.yaml:4: nodes 'n1' is not allowed: expected each node once"},
      {"--site", temp_ / "none.yaml", "there is no such file"},
      {"--server", "pool", "--server pool is not allowed: expected HOST:PORT"},
      {"--log-level", "loud", "--log-level"},
      {"--colour", "blue", "--colour"},
  };
  for (const Case& broken : cases) {
    std::vector<std::string> command = Command();
    const auto flag = std::ranges::find(command, broken.flag);
    if (flag != command.end()) {
      *(flag + 1) = broken.value;
    } else if (!broken.flag.empty()) {
      command.insert(command.end(), {broken.flag, broken.value});
    }
    const Ended ended = testing::RunToEnd(command);
    EXPECT_EQ(ended.exit_code, 2) << broken.message;
    EXPECT_THAT(ended.err, HasSubstr(broken.message));
  }
  WriteSite("[n1]");
  const Ended ended = testing::RunToEnd(Command());
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("chmod 600"));
  EXPECT_FALSE(std::filesystem::exists(temp_ / "state")) << "refused input changes nothing";
}

TEST_F(AgentProcess, ExplainsItself) {
  const Ended help = testing::RunToEnd({Binary("allot-agent"), "--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, HasSubstr("Examples:"));
  EXPECT_THAT(help.out, HasSubstr("Exit codes:"));
  const Ended version = testing::RunToEnd({Binary("allot-agent"), "--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_THAT(version.out, HasSubstr("allot-agent "));
}

TEST_F(AgentProcess, ReportsADeadNodeWithinASecondOrTwo) {
  Process agent(Command());
  ASSERT_TRUE(AwaitHeartbeats(1)) << agent.err();
  std::ofstream(temp_ / "state/health/n2") << "burnt";
  ASSERT_TRUE(
      service_.Await([](const FakeService& s) { return s.heartbeat.unhealthy_nodes_size() == 1; }));
  service_.Look([](const FakeService& s) {
    ASSERT_EQ(s.heartbeat.unhealthy_nodes_size(), 1);
    EXPECT_EQ(s.heartbeat.unhealthy_nodes(0).node_id(), "n2");
  });
  std::filesystem::remove(temp_ / "state/health/n2");
  EXPECT_TRUE(
      service_.Await([](const FakeService& s) { return s.heartbeat.unhealthy_nodes_size() == 0; }));
}

TEST_F(AgentProcess, TakesAChangedSiteFileOnSighup) {
  Process agent(Command());
  ASSERT_TRUE(AwaitHeartbeats(1)) << agent.err();
  WriteSite("[]");
  agent.Signal(SIGHUP);
  EXPECT_TRUE(agent.AwaitErr("the site file was not taken")) << agent.err();
  WriteSite("[n1, n2, n3]");
  agent.Signal(SIGHUP);
  ASSERT_TRUE(service_.Await([](const FakeService& s) { return s.generation == 2; }));
  service_.Look([](const FakeService& s) { EXPECT_EQ(s.inventory.nodes_size(), 3); });
}

TEST_F(AgentProcess, EnactsOnceWhatIsPulledAgainAfterKill9) {
  // Acknowledgements do not get through: the order stays open at the server.
  service_.Change([](FakeService& s) {
    s.refusals["AcknowledgeOrder"] =
        Refusal(grpc::StatusCode::UNAVAILABLE, "STORE_UNAVAILABLE", "no database");
  });
  Process first(Command());
  ASSERT_TRUE(AwaitHeartbeats(1)) << first.err();
  Open(MakeOrderMessage("o1", v1::Order::KIND_PROVISION));
  ASSERT_TRUE(
      service_.Await([](const FakeService& s) { return s.calls.contains("AcknowledgeOrder"); }));
  first.Kill();
  const auto written =
      std::filesystem::last_write_time(temp_ / "state/enactments/snu.llm.train.1.json");
  service_.Change([](FakeService& s) { s.refusals.clear(); });
  Process second(Command());
  ASSERT_TRUE(AwaitAcknowledged(1)) << second.err();
  service_.Look([](const FakeService& s) {
    EXPECT_EQ(s.acknowledged[0].outcome(), v1::AcknowledgeOrderRequest::OUTCOME_DONE);
    EXPECT_EQ(s.session, 2);
  });
  EXPECT_EQ(std::filesystem::last_write_time(temp_ / "state/enactments/snu.llm.train.1.json"),
            written);
}

TEST_F(AgentProcess, OutlivesAServerThatGoesAndComesBack) {
  Process agent(Command());
  ASSERT_TRUE(AwaitHeartbeats(1)) << agent.err();
  const int port = service_.port();
  service_.Shutdown();
  ASSERT_TRUE(agent.AwaitErr("the server did not take a call")) << agent.err();
  FakeService again(port);
  again.Change([](FakeService& s) {
    s.session = 1;
    s.open = {MakeOrderMessage("o1", v1::Order::KIND_PROVISION)};
  });
  EXPECT_TRUE(again.Await([](const FakeService& s) { return s.acknowledged.size() == 1; }))
      << agent.err();
  EXPECT_EQ(agent.Terminate().exit_code, 0);
}

TEST_F(AgentProcess, EndsAtOnceWhileAnOrderIsUnderWayAndFinishesItLater) {
  WriteSite("[n1]", "simulated_provisioning_delay: 1h\n");
  Open(MakeOrderMessage("o1", v1::Order::KIND_PROVISION));
  Process first(Command());
  ASSERT_TRUE(service_.Await([](const FakeService& s) {
    const auto pulls = s.calls.find("PullOrders");
    return pulls != s.calls.end() && pulls->second >= 2;
  })) << first.err();
  EXPECT_EQ(first.Terminate().exit_code, 0);
  WriteSite("[n1]");
  Process second(Command());
  EXPECT_TRUE(AwaitAcknowledged(1)) << second.err();
}

}  // namespace
}  // namespace allot::agent
