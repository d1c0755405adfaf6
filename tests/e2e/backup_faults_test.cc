// What goes wrong around backups: a server that has ended, a log that is gone, two clusters in one
// folder, tools that are killed, a database that hangs.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/backup_nation.h"

namespace allot::testing {
namespace {

using ::testing::HasSubstr;

class BackupFaultsTest : public BackupTest {};

TEST_F(BackupFaultsTest, ABackupOfAServerThatHasEndedLeavesItsLogForItToArchive) {
  nation_.RegisterSmallNation();
  const auto agent = nation_.StartAgent("naver-a");
  ASSERT_EQ(Backup().exit_code, 0);
  // Written and not archived yet: as it is when the archive is away for a while.
  const std::string log = folder() + "/wal";
  fs::rename(log, log + ".away");
  for (const char* name : {"first", "second"}) {
    Submit(name, "8");
    Ask("SELECT pg_switch_wal()");
  }
  ASSERT_EQ(nation_.server().Terminate().exit_code, 0);
  fs::rename(log + ".away", log);

  // Each of these starts PostgreSQL and ends it, with checkpoints.
  EXPECT_EQ(Allotd({"verify", "--data-dir", nation_.data_dir()}).exit_code, 0);
  const Ended backup = Allotd({"backup", "--data-dir", nation_.data_dir(), "--to", folder()});
  EXPECT_EQ(backup.exit_code, 0) << backup.err;
  EXPECT_THAT(backup.err, HasSubstr("its log is not in " + log));
  // As it is now.
  const Ended by_itself = Restore(restored_ / "now");
  EXPECT_EQ(by_itself.exit_code, 0) << by_itself.err;
  EXPECT_THAT(by_itself.err, HasSubstr("no log is taken: it will be "));

  nation_.StartServer();
  // The agent may still look for the server.
  ASSERT_EQ(nation_.Allot({"submit", "snu/llm", "--name", "third", "--gpus", "8", "--for", "1d"})
                .exit_code,
            0);
  AwaitArchived();
  ASSERT_EQ(nation_.server().Terminate().exit_code, 0);
  // From the first backup, over all that was written meanwhile.
  fs::remove_all(backup.out.substr(0, backup.out.size() - 1));
  const Ended restore = Restore(restored_ / "data");
  ASSERT_EQ(restore.exit_code, 0) << restore.err;
  nation_.MoveTo(restored_ / "data");
  nation_.StartServer();
  for (const char* name : {"first", "second", "third"}) EXPECT_TRUE(IsThere(name)) << name;
}

TEST_F(BackupFaultsTest, ALogThatIsGoneDoesNotPassForOneThatEnded) {
  nation_.RegisterSmallNation();
  const auto agent = nation_.StartAgent("naver-a");
  ASSERT_EQ(Backup().exit_code, 0);
  for (const char* name : {"first", "second", "third"}) {
    Submit(name, "8");
    AwaitArchived();
  }
  ASSERT_EQ(nation_.server().Terminate().exit_code, 0);
  const std::string log = folder() + "/wal";

  // Not mounted.
  fs::rename(log, log + ".away");
  const Ended verify = Allotd({"verify", "--backup", folder()});
  EXPECT_EQ(verify.exit_code, 1) << verify.out;
  EXPECT_THAT(verify.out, HasSubstr("is missing, which was there when it was made"));
  const Ended refused = Restore(restored_ / "refused");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("--without-log restores that backup"));
  const Ended without = Restore(restored_ / "without", {"--without-log"});
  EXPECT_EQ(without.exit_code, 0) << without.err;
  fs::rename(log + ".away", log);

  // A segment that can be unpacked and holds nothing: PostgreSQL takes it for the end.
  std::vector<fs::path> segments;
  for (const auto& entry : fs::directory_iterator(log)) {
    if (entry.path().filename().string().size() == 27) segments.push_back(entry.path());
  }
  std::sort(segments.begin(), segments.end());
  const fs::path middle = segments[segments.size() - 2];
  const Ended emptied =
      RunToEnd({"bash", "-c", "head -c 16777216 /dev/zero | gzip -n1 >\"$1\"", "-", middle});
  ASSERT_EQ(emptied.exit_code, 0) << emptied.err;
  const Ended short_one = Restore(restored_ / "short");
  EXPECT_EQ(short_one.exit_code, 1) << short_one.out;
  EXPECT_THAT(short_one.err, HasSubstr("cannot be read behind "));
  EXPECT_FALSE(fs::exists(restored_ / "short/postgres"));

  // What is restored without the log gets a number of its own, beside what is archived.
  nation_.MoveTo(restored_ / "without");
  nation_.StartServer();
  EXPECT_FALSE(IsThere("first"));
  AwaitArchived();
}

TEST_F(BackupFaultsTest, AnotherClusterAnotherDatabaseAndLessThanTheBackupHasAreRefused) {
  ASSERT_EQ(Backup().exit_code, 0);
  const Installation other;
  const Ended mixed = Allotd({"backup", "--data-dir", other.data_dir(), "--to", folder()});
  EXPECT_EQ(mixed.exit_code, 2);
  EXPECT_THAT(mixed.err, HasSubstr("holds backups of another PostgreSQL cluster"));

  const std::string url = *store::PrivateCluster::RunningUrl(nation_.data_dir());
  std::string of_another = url;
  of_another.replace(url.find("/allot?"), 7, "/template1?");
  const Ended unservable =
      Allotd({"backup", "--database", of_another, "--to", backups_ / "another"});
  EXPECT_EQ(unservable.exit_code, 2);
  EXPECT_THAT(unservable.err, HasSubstr("this one is called 'template1'"));

  // As a cluster would be that has another database of that name.
  AwaitArchived();
  const std::string metadata = BackupPath() + "/backup.json";
  std::string text;
  {
    std::ifstream stream(metadata);
    text = {std::istreambuf_iterator<char>(stream), {}};
  }
  auto ahead = nlohmann::ordered_json::parse(text);
  ahead["audit_number"] = ahead["audit_number"].get<int64_t>() + 1'000;
  std::ofstream(metadata) << ahead;
  const Ended less = Restore(restored_ / "data");
  EXPECT_EQ(less.exit_code, 1) << less.out;
  EXPECT_THAT(less.err, HasSubstr("What was recovered is not what "));
  EXPECT_FALSE(fs::exists(restored_ / "data/postgres"));
}

TEST_F(BackupFaultsTest, ALogOfAnotherUserIsRefusedBeforeAnythingIsCopied) {
  ASSERT_EQ(Backup().exit_code, 0);
  std::vector<std::string> command = {Binary("allotd"),   "backup", "--data-dir",
                                      nation_.data_dir(), "--to",   folder()};
  const std::string log = folder() + "/wal";
  if (geteuid() == 0) {
    // As whoever runs PostgreSQL, and reaches it, with a log that is root's.
    ASSERT_EQ(RunToEnd({"chown", "-R", "postgres", folder()}).exit_code, 0);
    ASSERT_EQ(RunToEnd({"chown", "root:root", log}).exit_code, 0);
    command.insert(command.begin(), {"setpriv", "--reuid=postgres", "--regid=postgres",
                                     "--clear-groups", "--inh-caps=-all"});
  } else {
    fs::permissions(log, fs::perms::none);
  }
  const Ended ended = RunToEnd(command);
  if (geteuid() != 0) fs::permissions(log, fs::perms::owner_all);
  EXPECT_NE(ended.exit_code, 0);
  EXPECT_THAT(ended.err, HasSubstr("This user may not read " + log));
  EXPECT_EQ(ended.err.find("copying"), std::string::npos) << ended.err;
}

TEST_F(BackupFaultsTest, OldOnesAreRemovedWithoutRoomForANewOne) {
  std::vector<std::string> made;
  for (int i = 0; i < 3; ++i) {
    const Ended backup = Backup();
    ASSERT_EQ(backup.exit_code, 0) << backup.err;
    made.push_back(backup.out.substr(0, backup.out.size() - 1));
    AwaitArchived();
  }
  // Without a database.
  ASSERT_EQ(nation_.server().Terminate().exit_code, 0);
  const std::string first_segment = FirstSegment();
  EXPECT_EQ(Allotd({"backup", "--prune", "--to", folder()}).exit_code, 2) << "keep how many?";
  const Ended pruned = Allotd({"backup", "--prune", "--keep", "1", "--to", folder()});
  EXPECT_EQ(pruned.exit_code, 0) << pruned.err;
  EXPECT_FALSE(fs::exists(made[0]));
  EXPECT_FALSE(fs::exists(made[1]));
  EXPECT_TRUE(fs::exists(made[2]));
  EXPECT_GT(FirstSegment(), first_segment) << "nor the log that only they needed";
  EXPECT_EQ(Allotd({"verify", "--backup", folder()}).exit_code, 0);

  const Ended nowhere = Allotd({"backup", "--prune", "--keep", "1", "--to", folder() + "x"});
  EXPECT_NE(nowhere.exit_code, 0);
  EXPECT_FALSE(fs::exists(folder() + "x")) << "a folder that is not mounted is not made";
}

TEST_F(BackupFaultsTest, ARestoreByAnotherUserKeepsNothingFromBeingRemoved) {
  ASSERT_EQ(Backup().exit_code, 0);
  ASSERT_EQ(Backup().exit_code, 0);
  // Left behind by whoever restored from it, root say.
  const std::string reading = folder() + "/reading";
  fs::remove(reading);
  std::ofstream(reading).close();
  std::vector<std::string> command = {Binary("allotd"), "backup", "--prune", "--keep", "1",
                                      "--to",           folder()};
  if (geteuid() == 0) {
    ASSERT_EQ(RunToEnd({"chown", "-R", "postgres", folder()}).exit_code, 0);
    ASSERT_EQ(RunToEnd({"chown", "root:root", reading}).exit_code, 0);
    command.insert(command.begin(), {"setpriv", "--reuid=postgres", "--regid=postgres",
                                     "--clear-groups", "--inh-caps=-all"});
  }
  fs::permissions(reading, fs::perms(0444));
  const Ended pruned = RunToEnd(command);
  EXPECT_EQ(pruned.exit_code, 0) << pruned.err;
  EXPECT_THAT(pruned.err, HasSubstr("removed 20"));
  EXPECT_FALSE(BackupPath().empty());
}

TEST_F(BackupFaultsTest, WhatTellsReadersIsThereBeforeTheDiskIsFull) {
  ASSERT_EQ(Backup().exit_code, 0);
  EXPECT_TRUE(fs::exists(folder() + "/reading"));
}

TEST_F(BackupFaultsTest, ANewDatabaseIsNotBegunBesideBackupsOfOneThatIsLost) {
  ASSERT_EQ(Backup().exit_code, 0);
  ASSERT_EQ(nation_.server().Terminate().exit_code, 0);
  const std::string config = backups_ / "allotd.yaml";
  std::ofstream(config) << Config();
  const auto serve = [&](const std::string& data_dir) {
    return std::vector<std::string>{Binary("allotd"), "serve",       "--data-dir",       data_dir,
                                    "--listen",       "127.0.0.1:0", "--metrics-listen", "off",
                                    "--config",       config};
  };
  const Ended refused = RunToEnd(serve(restored_ / "new"));
  EXPECT_EQ(refused.exit_code, 1) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("restore it first"));
  EXPECT_FALSE(fs::exists(restored_ / "new/postgres"));
  // Nor beside one that cannot be read.
  const std::string damaged = folder() + "/20260101T000000Z-r1";
  fs::create_directory(damaged);
  std::ofstream(damaged + "/backup.json") << "garbage";
  const Ended unsure = RunToEnd(serve(restored_ / "new"));
  EXPECT_EQ(unsure.exit_code, 1) << unsure.err;
  EXPECT_THAT(unsure.err, HasSubstr("cannot be seen: " + damaged + "/backup.json is damaged"));
  EXPECT_FALSE(fs::exists(restored_ / "new/postgres"));
  fs::remove_all(damaged);
  ASSERT_EQ(Restore(restored_ / "new").exit_code, 0);
  Process server(serve(restored_ / "new"));
  EXPECT_TRUE(server.AwaitErr(R"("event":"serving")")) << server.err();
}

TEST_F(BackupFaultsTest, AnArchiveThatIsNotThereKeepsNobodyFromBeingServed) {
  ASSERT_EQ(nation_.server().Terminate().exit_code, 0);
  const std::string folder = backups_ / "not-mounted";
  std::ofstream(folder) << "no folder";
  const std::string config = restored_ / "allotd.yaml";
  std::ofstream(config) << "backup: {folder: " << folder << "}\n";
  const auto serve = [&](const std::string& data_dir) {
    return std::vector<std::string>{Binary("allotd"), "serve",       "--data-dir",       data_dir,
                                    "--listen",       "127.0.0.1:0", "--metrics-listen", "off",
                                    "--config",       config};
  };
  Process server(serve(nation_.data_dir()));
  EXPECT_TRUE(server.AwaitErr(R"("event":"backup_folder_unusable")")) << server.err();
  EXPECT_TRUE(server.AwaitErr(R"("event":"serving")")) << server.err();
  // Of a new one it is a mistake in the configuration.
  const Ended refused = RunToEnd(serve(restored_ / "new"));
  EXPECT_EQ(refused.exit_code, 1) << refused.err;
  EXPECT_THAT(refused.err, HasSubstr("not-mounted"));
}

TEST_F(BackupFaultsTest, AServerOnADatabaseOfOthersTellsOfItsBackupsToo) {
  ASSERT_EQ(Backup().exit_code, 0);
  const std::string config = backups_ / "allotd.yaml";
  std::ofstream(config) << Config();
  Process server({Binary("allotd"), "serve", "--database",
                  *store::PrivateCluster::RunningUrl(nation_.data_dir()), "--listen", "127.0.0.1:0",
                  "--metrics-listen", "127.0.0.1:0", "--config", config});
  ASSERT_TRUE(server.AwaitErr(R"("event":"serving")")) << server.err();
  const std::string metrics = MetricsOf(server);
  EXPECT_THAT(metrics, HasSubstr("allot_backup_timestamp_seconds 1"));
  EXPECT_THAT(metrics, HasSubstr("allot_log_archived_timestamp_seconds"));
}

TEST_F(BackupFaultsTest, FoldersMayBeGivenFromWhereOneIs) {
  const auto here = [&](const std::string& command) {
    return RunToEnd(
        {"bash", "-c", "cd \"$1\" && \"$2\" " + command, "-", backups_ / "", Binary("allotd")});
  };
  const Ended backup = here("backup --data-dir '" + nation_.data_dir() + "' --to ./allot");
  ASSERT_EQ(backup.exit_code, 0) << backup.err;
  EXPECT_TRUE(
      fs::exists(backups_ / (backup.out.substr(0, backup.out.size() - 1) + "/backup.json")));
  const Ended verify = here("verify --backup allot");
  EXPECT_EQ(verify.exit_code, 0) << verify.out;
  const Ended restore = here("restore --from allot/ --data-dir restored/");
  EXPECT_EQ(restore.exit_code, 0) << restore.err;
  EXPECT_TRUE(fs::exists(backups_ / "restored/postgres/PG_VERSION"));
}

/// Processes whose command line names this.
std::vector<pid_t> ProcessesThatName(const std::string& text) {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const pid_t pid = std::atoi(entry.path().filename().c_str());
    if (pid == 0) continue;
    std::ifstream stream(entry.path() / "cmdline", std::ios::binary);
    std::ostringstream command;
    // An iterator over the buffer would throw when the process goes in the middle.
    command << stream.rdbuf();
    if (command.str().find(text) != std::string::npos) found.push_back(pid);
  }
  return found;
}

/// What does not go by itself does not outlive the test.
bool AreGone(const std::string& text) {
  for (int look = 0; look < 1'000; ++look) {
    if (ProcessesThatName(text).empty()) return true;
    usleep(10'000);
  }
  for (const pid_t pid : ProcessesThatName(text)) kill(pid, SIGKILL);
  return false;
}

TEST_F(BackupFaultsTest, WhatEndsInTheMiddleLeavesNobodyBehind) {
  const std::string unfinished = folder() + "/.unfinished";
  // Both of pg_basebackup's processes are there, and stand still.
  const auto backup_that_copies = [&] {
    for (int attempt = 0; attempt < 50; ++attempt) {
      auto running = std::make_unique<Process>(std::vector<std::string>{
          Binary("allotd"), "backup", "--data-dir", nation_.data_dir(), "--to", folder()});
      while (running->running()) {
        const auto copying = ProcessesThatName(unfinished);
        if (copying.size() < 2) continue;
        for (const pid_t pid : copying) kill(pid, SIGSTOP);
        if (std::ranges::all_of(copying, Lives)) return running;
      }
    }
    ADD_FAILURE() << "never seen while it copied";
    return std::unique_ptr<Process>();
  };

  const auto killed = backup_that_copies();
  ASSERT_NE(killed, nullptr);
  killed->Kill();
  EXPECT_TRUE(AreGone(unfinished)) << "killed with -9";

  const auto interrupted = backup_that_copies();
  ASSERT_NE(interrupted, nullptr);
  interrupted->Signal(SIGINT);
  const Ended ended = interrupted->Wait();
  EXPECT_EQ(ended.exit_code, 128 + SIGINT) << ended.err;
  EXPECT_THAT(ended.err, HasSubstr("no backup was made, and nothing of it is left"));
  EXPECT_TRUE(ProcessesThatName(unfinished).empty());
  EXPECT_FALSE(fs::exists(unfinished));

  const Ended next = Backup();
  ASSERT_EQ(next.exit_code, 0) << next.err;
}

TEST_F(BackupFaultsTest, ARestoreThatIsInterruptedPutsItsDatabaseAway) {
  ASSERT_EQ(Backup().exit_code, 0);
  ASSERT_EQ(nation_.server().Terminate().exit_code, 0);
  // A segment that never comes: the recovery waits for it for sure.
  std::string newest;
  for (const auto& entry : fs::directory_iterator(folder() + "/wal")) {
    const std::string name = entry.path().filename();
    if (name.size() == 27) newest = std::max(newest, name);
  }
  std::array<char, 9> number{};
  std::snprintf(number.data(), number.size(), "%08lX",
                std::strtoul(newest.substr(16, 8).c_str(), nullptr, 16) + 1);
  const std::string slow = folder() + "/wal/" + newest.substr(0, 16) + number.data() + ".gz";
  ASSERT_EQ(mkfifo(slow.c_str(), 0644), 0);
  const int never_written = open(slow.c_str(), O_RDWR | O_CLOEXEC);

  const std::string data_dir = restored_ / "data";
  Process restore({Binary("allotd"), "restore", "--from", folder(), "--data-dir", data_dir});
  EXPECT_TRUE(restore.AwaitErr("recovering"));
  const std::string waiting = std::string("gzip") + '\0' + "-dc" + '\0' + slow;
  while (ProcessesThatName(waiting).empty() && restore.running()) usleep(10'000);
  // Nothing goes while it reads.
  EXPECT_THAT(
      Allotd({"backup", "--data-dir", nation_.data_dir(), "--to", folder(), "--keep", "1"}).err,
      HasSubstr("nothing is removed while somebody restores"));
  restore.Signal(SIGTERM);
  const Ended stopped = restore.Wait();
  EXPECT_EQ(stopped.exit_code, 128 + SIGTERM) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("nothing was restored, and nothing of it is left"));
  EXPECT_TRUE(AreGone(data_dir));
  EXPECT_TRUE(AreGone(waiting));
  EXPECT_FALSE(fs::exists(data_dir));

  close(never_written);
  fs::remove(slow);
  const Ended after = Backup({"--keep", "1"});
  EXPECT_EQ(after.exit_code, 0) << after.err;
  EXPECT_EQ(Restore(data_dir).exit_code, 0);
}

TEST_F(BackupFaultsTest, ADatabaseThatDoesNotAnswerDoesNotSilenceTheAlarmsOnItsLog) {
  EXPECT_THAT(nation_.Metrics(), HasSubstr("allot_log_archived_timestamp_seconds"));
  const pid_t postgres = nation_.postgres_pid();
  kill(postgres, SIGSTOP);
  EXPECT_THAT(nation_.Metrics(), HasSubstr("allot_log_archived_timestamp_seconds"));
  kill(postgres, SIGCONT);
}

TEST_F(BackupFaultsTest, ABackupThatCannotBeReadTakesNoAlarmAway) {
  EXPECT_EQ(Backup().exit_code, 0);
  const std::string good = nation_.Metrics();
  const auto newest = ValueOf(good, "allot_backup_timestamp_seconds");
  ASSERT_TRUE(newest);
  EXPECT_GT(*newest, 0);
  EXPECT_EQ(ValueOf(good, "allot_backups_readable"), 1);

  const std::string broken = folder() + "/20260101T000000Z-r1";
  const auto expect_told = [&] {
    const std::string metrics = nation_.Metrics();
    EXPECT_EQ(ValueOf(metrics, "allot_backups_readable"), 0);
    EXPECT_EQ(ValueOf(metrics, "allot_backup_timestamp_seconds"), newest) << "as it was read last";
    EXPECT_TRUE(ValueOf(metrics, "allot_log_archived_timestamp_seconds"));
  };
  fs::create_directory(broken);
  std::ofstream(broken + "/backup.json") << "garbage";
  expect_told();
  EXPECT_TRUE(nation_.server().AwaitErr("backup.json is damaged: it is not a JSON object"));
  fs::remove_all(broken);
  EXPECT_EQ(ValueOf(nation_.Metrics(), "allot_backups_readable"), 1);

  // One that nobody may enter, as far as root can meet it.
  fs::create_directory_symlink(broken, broken);
  expect_told();
  EXPECT_TRUE(nation_.server().AwaitErr("backup.json cannot be read: Too many levels"));
}

TEST_F(BackupFaultsTest, AFolderThatHangsTakesNeitherMetricsNorTheEndAway) {
  ASSERT_EQ(Backup().exit_code, 0);
  const auto newest = ValueOf(nation_.Metrics(), "allot_backup_timestamp_seconds");
  ASSERT_TRUE(newest);
  // Whoever opens it waits for ever, as for a file server that is gone.
  const std::string hanging = folder() + "/20260101T000000Z-r1";
  fs::create_directory(hanging);
  const std::string metadata = hanging + "/backup.json";
  ASSERT_EQ(mkfifo(metadata.c_str(), 0644), 0);
  const auto expect_told = [&] {
    const std::string metrics = nation_.Metrics();
    EXPECT_EQ(ValueOf(metrics, "allot_store_up"), 1);
    EXPECT_EQ(ValueOf(metrics, "allot_backups_readable"), 0);
    EXPECT_EQ(ValueOf(metrics, "allot_backup_timestamp_seconds"), newest) << "as it was read last";
  };
  expect_told();
  expect_told();
  EXPECT_TRUE(nation_.server().AwaitErr("it has not answered for 2 s"));

  // It is back: whoever waited goes on.
  fs::rename(hanging, backups_ / "away");
  const int answer = open((backups_ / "away/backup.json").c_str(), O_WRONLY | O_CLOEXEC);
  ASSERT_GE(answer, 0);
  close(answer);
  EXPECT_EQ(ValueOf(nation_.Metrics(), "allot_backups_readable"), 1);

  fs::rename(backups_ / "away", hanging);
  expect_told();
  const Ended ended = nation_.server().Terminate(std::chrono::seconds(20));
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
}

TEST(BackupMetrics, APrimaryThatHasArchivedNothingYetIsGivenTimeToDoSo) {
  const int64_t before = SystemClock().Now().seconds();
  const TempDir backups;
  const Installation nation("backup: {folder: " + (backups / "allot") +
                            ", archive_timeout: 60m}\n");
  const std::string metrics = nation.Metrics();
  EXPECT_EQ(ValueOf(metrics, "allot_log_archive_timeout_seconds"), 3'600);
  const auto awaited_since = ValueOf(metrics, "allot_log_archived_timestamp_seconds");
  ASSERT_TRUE(awaited_since);
  EXPECT_GE(*awaited_since, static_cast<double>(before)) << "not since 1970";
  // By another second, it is still since then.
  while (SystemClock().Now().seconds() <= static_cast<int64_t>(*awaited_since)) usleep(10'000);
  EXPECT_EQ(ValueOf(nation.Metrics(), "allot_log_archived_timestamp_seconds"), awaited_since);
  EXPECT_EQ(ValueOf(metrics, "allot_backup_timestamp_seconds"), 0) << "there is none";
}

}  // namespace
}  // namespace allot::testing
