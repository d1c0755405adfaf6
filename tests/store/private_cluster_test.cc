#include "allot/store/private_cluster.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <pqxx/pqxx>
#include <string>
#include <thread>

#include "allot/store/inspection.h"
#include "store/conformance.h"
#include "support/postgres_server.h"
#include "support/process.h"

namespace allot::store {
namespace {

namespace fs = std::filesystem;

class PrivateClusterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / "allot-cluster-XXXXXX";
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    ::chmod(folder_.c_str(), 0711);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string data_dir() const { return folder_ + "/data"; }
  pid_t Postmaster() const {
    pid_t pid = 0;
    std::ifstream(data_dir() + "/postgres/postmaster.pid") >> pid;
    return pid;
  }
  std::unique_ptr<PrivateCluster> Start(bool throwaway = true) {
    auto cluster = PrivateCluster::Start({.data_dir = data_dir(), .throwaway = throwaway});
    EXPECT_TRUE(cluster.ok()) << (cluster.ok() ? "" : Describe(cluster.error()));
    return cluster.ok() ? std::move(cluster).value() : nullptr;
  }
  std::string folder_;
};

Status Enter(Store& store, const std::string& institute) {
  return Write(store, [&](Tx& tx) { return tx.InsertInstitute(SampleInstitute(institute)); });
}

std::size_t Institutes(Store& store) {
  const auto page = Read(store, [](Tx& tx) { return tx.ListInstitutes({}, {.size = 100'000}); });
  EXPECT_TRUE(page.ok()) << (page.ok() ? "" : Describe(page.error()));
  return page.ok() ? page->items.size() : 0;
}

// A primary shows what no standby had yet, and goes: the one that follows gives others the numbers.
TEST_F(PrivateClusterTest, WhatAnotherPrimaryNumbersIsAnotherHistory) {
  const auto open = [](const PrivateCluster& cluster) {
    EXPECT_TRUE(Migrate(cluster.url()).ok());
    return OpenPostgres({.url = cluster.url()}).value();
  };
  const auto after = [](Store& store, const Changes& seen) {
    return Read(store, [&](Tx& tx) { return tx.ChangesAfter(seen.revision, seen.history); })
        .value();
  };
  Changes seen;
  {
    const auto cluster = Start();
    const auto store = open(*cluster);
    EXPECT_OK(Enter(*store, "first"));
    seen = ChangesAfter(*store, 0);
  }
  {
    const auto cluster = Start();
    const auto store = open(*cluster);
    EXPECT_FALSE(after(*store, seen).complete) << "the same one, started again";
  }
  // At the end of its log it is promoted, as a standby is.
  std::ofstream(data_dir() + "/postgres/recovery.signal").close();
  const auto promoted = PrivateCluster::Start(
      {.data_dir = data_dir(), .throwaway = true, .settings = {"restore_command=/bin/false"}});
  ASSERT_TRUE(promoted.ok()) << Describe(promoted.error());
  const auto store = open(**promoted);
  EXPECT_TRUE(after(*store, seen).complete);
  EXPECT_OK(Enter(*store, "second"));
  const Changes changes = after(*store, seen);
  EXPECT_TRUE(changes.complete);
  EXPECT_FALSE(after(*store, changes).complete);
}

TEST_F(PrivateClusterTest, WhoFollowsItsLogIsCountedAndWhoIsAwayIsNot) {
  const auto cluster = Start();
  ASSERT_NE(cluster, nullptr);
  const std::string url = cluster->url();
  ASSERT_TRUE(Migrate(url).ok());
  const auto standbys = [&] {
    const auto state = ReadLogShipping(url);
    return state.ok() ? state->standbys : -1;
  };
  pqxx::connection connection(url);
  pqxx::nontransaction(connection)
      .exec("SELECT pg_create_physical_replication_slot('db2', immediately_reserve => true)");
  EXPECT_EQ(standbys(), 0);
  {
    testing::Process follower({"/usr/lib/postgresql/15/bin/pg_receivewal", "--slot=db2",
                               "--no-loop", "--directory=" + folder_, "--dbname=" + url});
    while (follower.running() && standbys() == 0) std::this_thread::yield();
    EXPECT_EQ(standbys(), 1) << follower.err();
  }
  while (standbys() > 0) std::this_thread::yield();
}

TEST_F(PrivateClusterTest, StartsStopsAndStartsAgainWithItsData) {
  {
    auto cluster = Start();
    ASSERT_EQ(Migrate(cluster->url()).ok(), true);
    EXPECT_OK(Enter(*testing::OpenTestStore(cluster->url()), "snu"));
    EXPECT_OK(cluster->Stop());
    EXPECT_FALSE(fs::exists(data_dir() + "/postgres/postmaster.pid"));
  }
  auto cluster = Start();
  EXPECT_EQ(Institutes(*testing::OpenTestStore(cluster->url())), 1u);
}

TEST_F(PrivateClusterTest, ACopyCanBeServedOnlyOfADatabaseAndAnOwnerOfThatName) {
  auto cluster = Start();
  ASSERT_TRUE(RequireServable(cluster->url()).ok());
  const auto as = [&](const std::string& role) {
    std::string url = cluster->url();
    return url.replace(url.find("//allot@"), 8, "//" + role + "@");
  };
  const auto execute = [&](const std::string& role, const std::string& sql) {
    pqxx::connection connection(as(role));
    pqxx::nontransaction(connection).exec0(sql);
  };
  ASSERT_TRUE(Migrate(cluster->url()).ok());
  execute("allot", "CREATE ROLE boss SUPERUSER LOGIN");
  execute("boss", "ALTER ROLE allot RENAME TO other");
  const Status missing = RequireServable(as("boss"));
  ASSERT_FALSE(missing.ok());
  EXPECT_EQ(missing.error().reason, Reason::kConfigInvalid);
  EXPECT_NE(missing.error().message.find("that role is missing or not the owner"),
            std::string::npos)
      << missing.error().message;
  execute("boss", "CREATE ROLE allot LOGIN");
  EXPECT_FALSE(RequireServable(as("boss")).ok()) << "it does not own the tables";
  execute("boss", "GRANT other TO allot");
  EXPECT_OK(RequireServable(as("boss")));
}

TEST_F(PrivateClusterTest, DurabilityCannotBeTurnedOffBehindItsBack) {
  auto cluster = Start(/*throwaway=*/false);
  pqxx::connection connection(cluster->url());
  pqxx::nontransaction statement(connection);
  for (const std::string setting : {"fsync", "synchronous_commit", "full_page_writes"}) {
    statement.exec("ALTER SYSTEM SET " + setting + " = off");
  }
  statement.exec("SELECT pg_reload_conf()");
  ASSERT_TRUE(cluster->Stop().ok());
  ASSERT_TRUE(cluster->EnsureRunning().ok());
  pqxx::connection again(cluster->url());
  pqxx::nontransaction ask(again);
  for (const std::string setting : {"fsync", "synchronous_commit", "full_page_writes"}) {
    EXPECT_STREQ(ask.exec1("SHOW " + setting)[0].c_str(), "on") << setting;
  }
}

TEST_F(PrivateClusterTest, NobodyElseReachesIt) {
  auto cluster = Start();
  struct stat info {};
  ASSERT_EQ(::stat((data_dir() + "/run").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  ASSERT_EQ(::stat((data_dir() + "/run/.s.PGSQL.5432").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  // No word of TCP in what it listens on: the socket's folder is the only address.
  std::ifstream file(data_dir() + "/postgres/postmaster.pid");
  std::string line;
  for (int i = 0; i < 6; ++i) std::getline(file, line);
  EXPECT_EQ(line, "");
}

TEST_F(PrivateClusterTest, ASecondServerOnTheFolderIsRefusedByNameAndPid) {
  auto cluster = Start();
  const auto second = PrivateCluster::Start({.data_dir = data_dir()});
  ASSERT_FALSE(second.ok());
  EXPECT_EQ(second.error().reason, Reason::kConfigInvalid);
  EXPECT_NE(second.error().message.find(data_dir()), std::string::npos) << second.error().message;
  EXPECT_NE(second.error().message.find(std::to_string(::getpid())), std::string::npos);
  EXPECT_OK(cluster->EnsureRunning());
}

TEST_F(PrivateClusterTest, AStrangersProcessIdInALockFileDoesNotKeepItFromStarting) {
  ASSERT_TRUE(Start()->Stop().ok());
  // As after a crash, when the id has been given to another process of the same user since.
  auto other = PrivateCluster::Start({.data_dir = folder_ + "/other", .throwaway = true});
  ASSERT_TRUE(other.ok());
  pid_t stranger = 0;
  std::ifstream(folder_ + "/other/postgres/postmaster.pid") >> stranger;
  for (const char* file : {"/postgres/postmaster.pid", "/run/.s.PGSQL.5432.lock"}) {
    std::ofstream(data_dir() + file) << stranger << '\n' << data_dir() << "/postgres\n";
    fs::permissions(data_dir() + file, fs::perms(0644));
  }
  EXPECT_NE(Start(), nullptr);
}

TEST_F(PrivateClusterTest, AKilledOwnersServerIsTakenOver) {
  int started[2];
  ASSERT_EQ(::pipe(started), 0);
  const pid_t owner = ::fork();
  if (owner == 0) {
    auto cluster = PrivateCluster::Start({.data_dir = data_dir(), .throwaway = true});
    const char outcome = cluster.ok() ? 'y' : 'n';
    if (::write(started[1], &outcome, 1) != 1) ::_exit(1);
    while (true) ::pause();
  }
  char outcome = 0;
  ASSERT_EQ(::read(started[0], &outcome, 1), 1);
  ASSERT_EQ(outcome, 'y');
  const pid_t orphan = Postmaster();
  ASSERT_EQ(::kill(owner, SIGKILL), 0);
  ASSERT_EQ(::waitpid(owner, nullptr, 0), owner);
  ASSERT_EQ(::kill(orphan, 0), 0) << "PostgreSQL outlives its owner";
  auto cluster = Start();
  ASSERT_NE(cluster, nullptr);
  EXPECT_NE(Postmaster(), orphan);
  EXPECT_OK(Migrate(cluster->url()));
  ::close(started[0]);
  ::close(started[1]);
}

TEST_F(PrivateClusterTest, WhatWasAcknowledgedSurvivesAKilledServer) {
  auto cluster = Start(/*throwaway=*/false);
  ASSERT_TRUE(Migrate(cluster->url()).ok());
  auto store = testing::OpenTestStore(cluster->url());
  std::atomic<std::size_t> acknowledged = 0;
  std::atomic<std::size_t> unknown = 0;
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) {
      const Status done = Enter(*store, "i" + std::to_string(i));
      if (done.ok()) {
        ++acknowledged;
      } else if (done.error().reason == Reason::kCommitOutcomeUnknown) {
        ++unknown;
      } else {
        EXPECT_EQ(Name(done.error().reason), Name(Reason::kStoreUnavailable));
      }
    }
  });
  // The owner's watch restarts what has died while the writer goes on.
  const auto await_more_writes = [&] {
    const std::size_t before = acknowledged;
    while (acknowledged < before + 20 && !HasFailure()) {
      EXPECT_OK(cluster->EnsureRunning());
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  };
  for (int kills = 0; kills < 3; ++kills) {
    await_more_writes();
    ASSERT_EQ(::kill(Postmaster(), SIGKILL), 0);
  }
  await_more_writes();
  stop = true;
  writer.join();
  const std::size_t stored = Institutes(*store);
  EXPECT_GE(stored, acknowledged);
  EXPECT_LE(stored, acknowledged + unknown);
}

TEST_F(PrivateClusterTest, AFolderTooDeepForASocketWorksAllTheSame) {
  folder_ += "/" + std::string(90, 'd');
  fs::create_directories(folder_);
  std::string socket_dir;
  {
    auto cluster = Start();
    ASSERT_NE(cluster, nullptr);
    EXPECT_OK(Migrate(cluster->url()));
    std::getline(std::ifstream(data_dir() + "/socket_dir") >> std::ws, socket_dir);
    struct stat info {};
    ASSERT_EQ(::stat(socket_dir.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700u);
  }
  EXPECT_FALSE(fs::exists(socket_dir)) << "a clean stop leaves nothing outside the folder";
  folder_ = fs::path(folder_).parent_path();
}

TEST_F(PrivateClusterTest, AnInterruptedBeginningIsBegunAgain) {
  fs::create_directories(data_dir() + "/postgres.unfinished/base");
  auto cluster = Start();
  ASSERT_NE(cluster, nullptr);
  EXPECT_FALSE(fs::exists(data_dir() + "/postgres.unfinished"));
}

TEST_F(PrivateClusterTest, FoldersThatAreNotOursAreRefusedUntouched) {
  const auto refused = [&](const std::string& what) {
    const auto cluster = PrivateCluster::Start({.data_dir = data_dir()});
    ASSERT_FALSE(cluster.ok());
    EXPECT_EQ(cluster.error().reason, Reason::kConfigInvalid);
    EXPECT_NE(cluster.error().message.find(what), std::string::npos) << cluster.error().message;
  };
  fs::create_directories(data_dir());
  std::ofstream(data_dir() + "/PG_VERSION") << "15\n";
  refused("is a PostgreSQL cluster itself");
  fs::remove_all(data_dir());

  fs::create_directories(data_dir() + "/postgres/somebody");
  refused("not PostgreSQL's");
  EXPECT_TRUE(fs::exists(data_dir() + "/postgres/somebody"));
  fs::remove_all(data_dir());

  std::ofstream(data_dir()) << "a file";
  refused("cannot be made");
  fs::remove_all(data_dir());

  fs::create_directories(data_dir() + "/postgres");
  std::ofstream(data_dir() + "/postgres/PG_VERSION") << "9\n";
  refused("PostgreSQL 9");
}

TEST_F(PrivateClusterTest, AsRootItNamesWhatIsMissing) {
  if (::geteuid() != 0) GTEST_SKIP() << "runs as ourselves";
  const auto nobody = PrivateCluster::Start({.data_dir = data_dir(), .user = "no-such-user"});
  ASSERT_FALSE(nobody.ok());
  EXPECT_NE(nobody.error().message.find("no-such-user"), std::string::npos);
  EXPECT_FALSE(fs::exists(data_dir()));
  ::chmod(folder_.c_str(), 0700);
  const auto closed = PrivateCluster::Start({.data_dir = data_dir()});
  ASSERT_FALSE(closed.ok());
  EXPECT_NE(closed.error().message.find(folder_ + " with chmod o+x"), std::string::npos)
      << closed.error().message;
}

}  // namespace
}  // namespace allot::store
