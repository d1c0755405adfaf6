// kill -9 of each of the three: what was acknowledged is there, and nothing is there twice.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/installation.h"

namespace allot::testing {
namespace {

using ::testing::HasSubstr;

constexpr int kMany = 200;

std::string ManyAllocations() {
  std::string yaml;
  for (int i = 0; i < kMany; ++i) {
    yaml += "--- {kind: Allocation, id: snu/llm/a" + std::to_string(i) +
            ", gpus: 1, models: [H200], duration: 1d}\n";
  }
  return yaml;
}

std::multiset<std::string> NamesOf(const Installation& nation) {
  std::multiset<std::string> names;
  const auto listed = nation.AllotJson({"list", "snu/llm"});
  for (const auto& allocation : listed["allocations"]) names.insert(allocation["name"]);
  return names;
}

TEST(Crash, WhatAKilledServerAcknowledgedIsThereAndNothingTwice) {
  Installation nation;
  nation.RegisterSmallNation();
  const auto agent = nation.StartAgent("naver-a");
  const auto watch = nation.StartAllot({"watch", "snu/llm", "--from-revision", "0"});
  const std::string file = nation.data_dir() + "/many.yaml";
  std::ofstream(file) << ManyAllocations();

  const auto applying = nation.StartAllot({"apply", "-f", file, "--timeout", "2s"});
  ASSERT_TRUE(watch->AwaitOut("snu/llm/a")) << watch->err();
  nation.server().Kill();
  const Ended interrupted = applying->Wait();

  nation.StartServer();
  const std::multiset<std::string> after_restart = NamesOf(nation);
  EXPECT_GT(after_restart.size(), 0U);
  // Each line the first run printed as created was acknowledged.
  for (int i = 0; i < kMany; ++i) {
    const std::string id = "snu/llm/a" + std::to_string(i) + " ";
    if (interrupted.out.find(id + "created") == std::string::npos) continue;
    EXPECT_EQ(after_restart.count("institutes/snu/projects/llm/allocations/a" + std::to_string(i)),
              1U);
  }
  const Ended again = nation.Allot({"apply", "-f", file});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  const std::multiset<std::string> all = NamesOf(nation);
  EXPECT_EQ(all.size(), static_cast<std::size_t>(kMany));
  EXPECT_EQ((std::set<std::string>(all.begin(), all.end()).size()), all.size());
}

TEST(Crash, ASubmissionRepeatedWithItsRequestIdAfterACrashIsTheSameOne) {
  Installation nation;
  nation.RegisterSmallNation();
  const auto agent = nation.StartAgent("naver-a");
  const std::vector<std::string> submit = {
      "--request-id", "once-1", "submit", "snu/llm", "--gpus", "2", "--for", "1d", "-o", "name"};
  const Ended first = nation.Allot(submit);
  ASSERT_EQ(first.exit_code, 0) << first.err;

  nation.server().Kill();
  nation.StartServer();
  const Ended second = nation.Allot(submit);
  ASSERT_EQ(second.exit_code, 0) << second.err;
  EXPECT_EQ(second.out, first.out);
  EXPECT_EQ(NamesOf(nation).size(), 1U);
}

TEST(Crash, APromiseOutlivesTheServerThatMadeIt) {
  Installation nation("policy: {gathering_time: 0s, promise_nodes: 4}\n");
  nation.RegisterSmallNation();
  auto agent = nation.StartAgent("naver-a");
  const auto submit = [&](const std::string& name, const std::string& nodes) {
    return nation.Allot({"submit", "snu/llm", "--name", name, "--nodes", nodes, "--models", "H200",
                         "--for", "1d", "--wait", "--until",
                         name == "gang" ? "planned" : "active"});
  };
  ASSERT_EQ(submit("first", "2").exit_code, 0);
  ASSERT_EQ(submit("gang", "4").exit_code, 0);
  const auto promised = nation.AllotJson({"get", "snu/llm/gang"});
  ASSERT_TRUE(promised.value("promised", false)) << promised;

  nation.server().Kill();
  nation.StartServer();
  agent->Kill();
  agent = nation.StartAgent("naver-a");  // The server has another port now.
  const auto kept = nation.AllotJson({"get", "snu/llm/gang"});
  EXPECT_EQ(kept["startTime"], promised["startTime"]) << kept;
  // It moves up when GPUs come free, and starts on them; what was booked is held once.
  ASSERT_EQ(nation.Allot({"release", "snu/llm/first", "--reason", "done", "--wait"}).exit_code, 0);
  const auto watch = nation.StartAllot({"watch", "snu/llm/gang", "--from-revision", "0"});
  EXPECT_TRUE(watch->AwaitOut("promised to start")) << watch->out();
  EXPECT_TRUE(watch->AwaitOut("active")) << watch->out() << watch->err();
  const auto runs = nation.AllotJson({"get", "snu/llm/gang"});
  EXPECT_EQ(runs["nodes"].size(), 4U) << runs;
}

TEST(Crash, AKilledAgentFinishesWhatItHadBegun) {
  const Installation nation;
  nation.RegisterSmallNation();
  const std::string slow = "simulated_provisioning_delay: 2s\n";
  auto agent = nation.StartAgent("naver-a", slow);
  ASSERT_EQ(nation
                .Allot({"submit", "snu/llm", "--name", "main", "--nodes", "1", "--models", "H200",
                        "--for", "1d"})
                .exit_code,
            0);
  ASSERT_TRUE(AwaitFile(nation.AgentState("naver-a") + "/enactments", "\"provisioning\""));
  agent->Kill();
  EXPECT_EQ(nation.StateOf("snu/llm/main"), "provisioning");

  agent = nation.StartAgent("naver-a", slow);
  ASSERT_TRUE(agent->AwaitErr("order enacted")) << agent->err();
  const auto allocation = nation.AllotJson({"get", "snu/llm/main"});
  EXPECT_EQ(nation.StateOf("snu/llm/main"), "active");
  EXPECT_EQ(allocation["attempt"], 1) << "the same attempt, not a second one";
  EXPECT_EQ(nation.AllotJson({"orders", "naver-a"})["orders"].size(), 1U);
}

TEST(Crash, AKilledPostgresComesBackByItselfWithAllThatWasAcknowledged) {
  Installation nation;
  nation.RegisterSmallNation();
  const auto agent = nation.StartAgent("naver-a");
  ASSERT_EQ(
      nation
          .Allot({"submit", "snu/llm", "--name", "before", "--gpus", "1", "--for", "1d", "--wait"})
          .exit_code,
      0);
  const pid_t killed = nation.postgres_pid();
  ASSERT_EQ(kill(killed, SIGKILL), 0);

  const Ended after = nation.Allot({"--timeout", "60s", "submit", "snu/llm", "--name", "after",
                                    "--gpus", "1", "--for", "1d", "--wait"});
  EXPECT_EQ(after.exit_code, 0) << after.err;
  EXPECT_NE(nation.postgres_pid(), killed);
  EXPECT_TRUE(nation.server().running());
  EXPECT_EQ(nation.StateOf("snu/llm/before"), "active");
}

TEST(Crash, AServerWhosePostgresRecoversForLongEndsWhenItIsTold) {
  Installation nation;
  // A recovery that waits for a segment that nobody brings.
  const TempDir dir;
  const std::string segment = dir / "segment";
  ASSERT_EQ(mkfifo(segment.c_str(), 0666), 0);
  ASSERT_EQ(chmod(segment.c_str(), 0666), 0);
  const std::string data = nation.data_dir() + "/postgres";
  std::ofstream(data + "/postgresql.auto.conf", std::ios::app)
      << "restore_command = 'cat " << segment << "'\n";
  std::ofstream(data + "/recovery.signal").close();
  ASSERT_EQ(kill(nation.postgres_pid(), SIGKILL), 0);
  int never_written = -1;
  for (int look = 0; look < 6'000 && never_written < 0; ++look) {
    never_written = open(segment.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    if (never_written < 0) usleep(10'000);
  }
  ASSERT_GE(never_written, 0) << "it recovers";

  const Ended ended = nation.server().Terminate(std::chrono::seconds(30));
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(nation.postgres_pid(), 0) << "PostgreSQL ended in order, too";
  close(never_written);
}

}  // namespace
}  // namespace allot::testing
