// Several servers on one database: all serve, one leads, and one that led and was cut off writes
// nothing more.

#include <csignal>
#include <string>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pqxx/pqxx>

#include "e2e/several_servers.h"

namespace allot::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kNation = R"yaml(
--- {kind: Provider, id: naver, display_name: "Naver"}
--- {kind: Cluster, id: naver-a, provider: naver, model: H200, programmes: [call-2026-1]}
--- {kind: Institute, id: snu, sector: academia, display_name: "SNU"}
--- {kind: Project, id: snu/llm, programme: call-2026-1, sector: academia, merit: 800}
--- {kind: Quota, project: snu/llm, concurrent_gpus: {H200: 256, B200: 128}, gpu_hours: 1000000}
)yaml";

std::vector<std::string> Submit(const std::string& name) {
  return {"--timeout", "60s", "submit", "snu/llm", "--name",   name,
          "--gpus",    "1",   "--for",  "1d",      "--models", "H200"};
}

std::vector<std::string> SubmitAndWait(const std::string& name) {
  auto arguments = Submit(name);
  arguments.emplace_back("--wait");
  return arguments;
}

TEST(Leadership, AllServeAndOneLeads) {
  SeveralServers servers(3);
  servers.Apply(kNation);
  const int leader = servers.AwaitLeader();
  ASSERT_NE(leader, -1);
  const auto agent = servers.StartAgent("naver", "naver-a");
  for (int number = 0; number < servers.count(); ++number) {
    const std::string name = "by-" + std::to_string(number);
    const Ended submitted = servers.Allot(servers.address(number), SubmitAndWait(name));
    EXPECT_EQ(submitted.exit_code, 0) << submitted.err;
    // What one took in, all show.
    for (int other = 0; other < servers.count(); ++other) {
      EXPECT_THAT(servers.Allot(servers.address(other), {"get", "snu/llm/" + name}).out,
                  HasSubstr("active"));
    }
  }
  for (int number = 0; number < servers.count(); ++number) {
    const std::string log = servers.server(number).err();
    if (number == leader) {
      EXPECT_THAT(log, HasSubstr(R"("event":"pass",)"));
    } else {
      EXPECT_THAT(log, Not(HasSubstr(R"("event":"pass",)")));
    }
  }
}

TEST(Leadership, AnotherLeadsWhenTheLeaderIsKilled) {
  SeveralServers servers(3);
  servers.Apply(kNation);
  const auto agent = servers.StartAgent("naver", "naver-a");
  for (const std::string name : {"first", "second"}) {
    const int leader = servers.AwaitLeader();
    ASSERT_NE(leader, -1);
    servers.server(leader).Kill();
    const Ended submitted = servers.Allot(servers.addresses(), SubmitAndWait(name));
    EXPECT_EQ(submitted.exit_code, 0) << submitted.err;
    servers.Start(leader);
  }
}

TEST(Leadership, WhoStopsGivesTheLeadUpAtOnce) {
  SeveralServers servers(2);
  const int leader = servers.AwaitLeader();
  ASSERT_NE(leader, -1);
  EXPECT_EQ(servers.server(leader).Terminate().exit_code, 0);
  pqxx::connection database(servers.database_url());
  // Well within a lease; the other may have it already.
  EXPECT_EQ(pqxx::nontransaction(database).exec1("SELECT epoch >= 2 FROM leadership")[0].as<bool>(),
            true);
  EXPECT_EQ(servers.AwaitLeader(), 1 - leader);
}

TEST(Leadership, APausedLeaderThatWakesFollows) {
  SeveralServers servers(2);
  servers.Apply(kNation);
  const auto agent = servers.StartAgent("naver", "naver-a");
  const int leader = servers.AwaitLeader();
  ASSERT_NE(leader, -1);
  servers.server(leader).Signal(SIGSTOP);
  ASSERT_EQ(servers.AwaitLeader(), 1 - leader);
  // Clients that were given both are served while it sleeps.
  const Ended submitted = servers.Allot(servers.addresses(), SubmitAndWait("meanwhile"));
  EXPECT_EQ(submitted.exit_code, 0) << submitted.err;
  servers.server(leader).Signal(SIGCONT);
  EXPECT_TRUE(servers.server(leader).AwaitErr(R"("event":"leading_ended")"));
  EXPECT_EQ(servers.Allot(servers.address(leader), SubmitAndWait("after")).exit_code, 0);
}

/// Passes wait, in the middle of writing, as long as this lives.
class HeldPool {
 public:
  explicit HeldPool(const std::string& database_url)
      : connection_(database_url), lock_(connection_) {
    lock_.exec("SELECT pg_advisory_xact_lock(1, hashtext('naver-a'))");
  }
  /// Until a pass waits for it: the process of the database that it waits in.
  int AwaitWaiting() {
    for (;;) {
      const pqxx::result waiting =
          lock_.exec("SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted");
      if (!waiting.empty()) return waiting[0][0].as<int>();
      lock_.exec("SELECT pg_sleep(0.01)");
    }
  }
  void End(int process) {
    lock_.exec("SELECT pg_terminate_backend(" + std::to_string(process) + ")");
  }
  void LetGo() { lock_.commit(); }

 private:
  pqxx::connection connection_;
  pqxx::work lock_;
};

// The fence: stopped in the middle of its writes, and awake again when another leads, it repeats
// them and is refused. Its successor is stopped too, so that whatever is written is its own.
TEST(Leadership, APausedLeaderThatWakesWritesNothing) {
  SeveralServers servers(2);
  servers.Apply(kNation);
  const auto agent = servers.StartAgent("naver", "naver-a");
  const int leader = servers.AwaitLeader();
  ASSERT_NE(leader, -1);
  const int other = 1 - leader;
  HeldPool pool(servers.database_url());
  ASSERT_EQ(servers.Allot(servers.address(other), Submit("a")).exit_code, 0);
  const int of_leader = pool.AwaitWaiting();
  servers.server(leader).Signal(SIGSTOP);
  // As the database itself does with whoever sits on its transaction.
  pool.End(of_leader);
  ASSERT_EQ(servers.AwaitLeader(), other);
  const int of_other = pool.AwaitWaiting();
  servers.server(other).Signal(SIGSTOP);
  pool.End(of_other);
  pool.LetGo();

  servers.server(leader).Signal(SIGCONT);
  const auto said = servers.server(leader).AwaitErr(R"("event":"pass)");
  ASSERT_TRUE(said) << servers.server(leader).err();
  EXPECT_THAT(*said, HasSubstr(R"("event":"pass_failed")"));
  EXPECT_THAT(*said, HasSubstr("not_leader"));
  pqxx::connection database(servers.database_url());
  EXPECT_EQ(
      pqxx::nontransaction(database)
          .exec1("SELECT (SELECT count(*) FROM claims) + (SELECT count(*) FROM provider_orders)")[0]
          .as<int>(),
      0);
  servers.server(other).Signal(SIGCONT);
  EXPECT_EQ(servers.Allot(servers.addresses(), SubmitAndWait("b")).exit_code, 0);
  EXPECT_THAT(servers.Allot(servers.addresses(), {"get", "snu/llm/a"}).out, HasSubstr("active"));
}

}  // namespace
}  // namespace allot::testing
