// The server as a process: how it starts, refuses to start, and ends.

#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "e2e/installation.h"

namespace allot::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Server, ASecondOneOnTheSameFolderIsRefusedAndNamesTheFirst) {
  Installation nation;
  const Ended second = RunToEnd({Binary("allotd"), "serve", "--data-dir", nation.data_dir(),
                                 "--listen", "127.0.0.1:0", "--metrics-listen", "off"});
  // Not 2, which no supervisor tries again: a backup or a check may have it for a moment.
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr("is in use by the server with process id " +
                                    std::to_string(nation.server().pid())));
  EXPECT_EQ(nation.Allot({"pool"}).exit_code, 0) << "the first one goes on";
}

TEST(Server, SigtermDrainsAndLeavesNothingRunning) {
  Installation nation;
  const pid_t postgres = nation.postgres_pid();
  ASSERT_TRUE(Lives(postgres));
  const auto watch = nation.StartAllot({"watch"});

  const Ended ended = nation.server().Terminate();
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr(R"("event":"stopped")"));
  EXPECT_FALSE(Lives(postgres));
  EXPECT_FALSE(std::filesystem::exists(nation.data_dir() + "/server.address"));
}

TEST(Server, ComesBackInTheSameFolderWithItsKeyAndData) {
  Installation nation;
  nation.RegisterSmallNation();
  nation.server().Terminate();
  nation.StartServer();
  EXPECT_EQ(nation.AllotJson({"providers"})["providers"].size(), 2U);
}

TEST(Server, TheOperatorsKeyIsForItsOwnerOnly) {
  const Installation nation;
  struct stat info {};
  ASSERT_EQ(stat((nation.data_dir() + "/keys/operator.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
}

TEST(Server, EveryLineOfItsLogIsOneJsonObject) {
  Installation nation;
  nation.RegisterSmallNation();
  const Ended ended = nation.server().Terminate();
  std::istringstream lines(ended.err);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    EXPECT_TRUE(json.is_object() && json.contains("time") && json.contains("level")) << line;
  }
  EXPECT_GT(count, 2);
  EXPECT_THAT(ended.err, Not(HasSubstr("Bearer")));
}

TEST(Server, OneThatCannotSayWhereItListensEndsWhileItPlans) {
  Installation nation("policy: {gathering_time: 1h}\n");
  nation.RegisterSmallNation();
  const auto agent = nation.StartAgent("naver-a");
  ASSERT_EQ(nation.Allot({"submit", "snu/llm", "--gpus", "8", "--for", "4h"}).exit_code, 0);
  nation.server().Kill();
  // In the place of the file, and not empty: it can be neither removed nor replaced.
  const std::string in_the_way = nation.data_dir() + "/server.address";
  std::filesystem::remove(in_the_way);
  std::filesystem::create_directories(in_the_way + "/x");
  const TempDir dir;
  std::ofstream(dir / "allotd.yaml") << "policy: {gathering_time: 0s}\n";
  // Its first pass has something to write, and is under way when the server gives up.
  const Ended ended =
      RunToEnd({Binary("allotd"), "serve", "--data-dir", nation.data_dir(), "--listen",
                "127.0.0.1:0", "--metrics-listen", "off", "--config", dir / "allotd.yaml"});
  EXPECT_EQ(ended.exit_code, 1) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("server.address cannot be written"));
  std::filesystem::remove_all(in_the_way);
}

TEST(Server, MetricsCountFromZeroSoThatAnAlarmSeesTheFirst) {
  Installation nation;
  const std::string metrics = nation.Metrics();
  EXPECT_THAT(metrics, HasSubstr("allot_scheduler_errors_total{reason=\"internal\"} 0"));
  EXPECT_THAT(metrics, HasSubstr("allot_scheduler_decisions_total{outcome=\"slipped\"} 0"));
  EXPECT_THAT(metrics, HasSubstr("allot_scheduler_leader 1"));
}

/// The whole of its PostgreSQL; a child of it may have ended meanwhile.
void SignalDatabase(const Installation& nation, int signal) {
  const pid_t postmaster = nation.postgres_pid();
  const std::string pid = std::to_string(postmaster);
  std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
  kill(postmaster, signal);
  for (pid_t child = 0; children >> child;) kill(child, signal);
}

TEST(Server, ADatabaseThatDoesNotAnswerDoesNotSilenceItsAlarm) {
  Installation nation;
  nation.RegisterSmallNation();
  const std::string before = nation.Metrics();
  EXPECT_THAT(before, HasSubstr("allot_store_up 1"));
  EXPECT_THAT(before, HasSubstr("allot_pool_gpus{"));
  SignalDatabase(nation, SIGSTOP);
  for (int i = 0; i < 2; ++i) {
    const std::string meanwhile = nation.Metrics();
    EXPECT_THAT(meanwhile, HasSubstr("allot_store_up 0"));
    EXPECT_THAT(meanwhile, HasSubstr("allot_pool_gpus{"));
    EXPECT_THAT(meanwhile, HasSubstr("allot_rpc_calls_total"));
  }
  SignalDatabase(nation, SIGCONT);
  std::string after;
  while (after.find("allot_store_up 1") == std::string::npos) {
    ASSERT_TRUE(nation.server().running());
    after = nation.Metrics();
  }
}

TEST(Server, ABrokenConfigurationIsRefusedAtStart) {
  const TempDir dir;
  std::ofstream(dir / "allotd.yaml") << "policy:\n  failures_max: lots\n";
  const Ended ended = RunToEnd(
      {Binary("allotd"), "serve", "--data-dir", dir / "data", "--config", dir / "allotd.yaml"});
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("allotd.yaml:2: policy.failures_max is 'lots'"));
  EXPECT_FALSE(std::filesystem::exists(dir / "data"));
}

TEST(Server, WhatMayPassDoesNotEndItForGood) {
  const TempDir dir;
  const auto serve = [&](const std::string& config, const std::string& listen) {
    std::ofstream(dir / "allotd.yaml") << config;
    return RunToEnd({Binary("allotd"), "serve", "--data-dir", dir / "data", "--config",
                     dir / "allotd.yaml", "--listen", listen, "--metrics-listen", "off"});
  };
  // As before a folder of another machine is mounted.
  const Ended not_mounted = serve("backup: {folder: /proc/backups}\n", "127.0.0.1:0");
  EXPECT_EQ(not_mounted.exit_code, 1) << not_mounted.err;
  EXPECT_THAT(not_mounted.err, HasSubstr("/proc/backups/wal cannot be written"));
  const Installation other;
  const Ended taken = serve("policy: {gathering_time: 0s}\n", other.address());
  EXPECT_EQ(taken.exit_code, 1) << taken.err;
  EXPECT_THAT(taken.err, HasSubstr(other.address() + " cannot be listened on"));
}

TEST(Server, AnOperatorsKeyThatCannotBeKeptIsNotMade) {
  Installation nation;
  const std::string keys = nation.data_dir() + "/keys";
  const auto expect_refused = [&](const std::string& why) {
    const Ended refused = RunToEnd({Binary("allotd"), "serve", "--data-dir", nation.data_dir(),
                                    "--listen", "127.0.0.1:0", "--metrics-listen", "off"});
    EXPECT_EQ(refused.exit_code, 1) << refused.err;
    EXPECT_THAT(refused.err, HasSubstr(keys + "/operator.key " + why));
  };
  ASSERT_EQ(nation.server().Terminate().exit_code, 0);
  std::filesystem::remove(keys + "/operator.key");
  std::filesystem::create_directory(keys + "/operator.key.new");
  expect_refused("cannot be written");
  // A folder that cannot be looked into may well hold it.
  std::filesystem::remove_all(keys);
  std::filesystem::create_symlink(keys, keys);
  expect_refused("cannot be seen: Too many levels");

  std::filesystem::remove(keys);
  nation.StartServer();
  EXPECT_EQ(nation.AllotJson({"keys", "list"})["apiKeys"].size(), 2U) << "the first and the last";
}

TEST(Server, WrongUsageSaysWhatIsMissing) {
  const Ended neither = RunToEnd({Binary("allotd"), "serve"});
  EXPECT_EQ(neither.exit_code, 2);
  EXPECT_THAT(neither.err, HasSubstr("--database URL or --data-dir DIR"));
  const Ended address =
      RunToEnd({Binary("allotd"), "serve", "--data-dir", "/tmp", "--listen", "x"});
  EXPECT_EQ(address.exit_code, 2);
  EXPECT_THAT(address.err, HasSubstr("expected HOST:PORT"));
}

TEST(Server, VersionAndHelpAnswer) {
  EXPECT_THAT(RunToEnd({Binary("allotd"), "version"}).out, HasSubstr("allotd "));
  const Ended help = RunToEnd({Binary("allotd"), "--help"});
  EXPECT_EQ(help.exit_code, 0);
  EXPECT_THAT(help.out, HasSubstr("allotd serve --data-dir"));
}

}  // namespace
}  // namespace allot::testing
