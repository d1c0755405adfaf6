#pragma once

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <pqxx/pqxx>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "allot/base/clock.h"
#include "allot/base/time.h"
#include "allot/store/private_cluster.h"
#include "e2e/installation.h"

namespace allot::testing {

namespace fs = std::filesystem;

inline Ended Allotd(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), Binary("allotd"));
  return RunToEnd(std::move(arguments));
}

inline std::string NowText() { return FormatRfc3339(SystemClock().Now()); }

inline nlohmann::json Json(const std::string& text) {
  return nlohmann::json::parse(text, nullptr, false);
}

/// A nation whose log is archived, and what becomes of it.
class BackupTest : public ::testing::Test {
 protected:
  std::string folder() const { return backups_ / "allot"; }
  std::string Config() const {
    return "policy: {gathering_time: 0s}\nbackup: {folder: " + folder() +
           ", archive_timeout: 1s}\n";
  }

  Ended Backup(std::vector<std::string> more = {}) const {
    std::vector<std::string> command = {"backup", "--data-dir", nation_.data_dir(), "--to",
                                        folder()};
    command.insert(command.end(), more.begin(), more.end());
    return Allotd(command);
  }
  Ended Restore(const std::string& data_dir, std::vector<std::string> more = {}) const {
    std::vector<std::string> command = {"restore", "--from", folder(), "--data-dir", data_dir};
    command.insert(command.end(), more.begin(), more.end());
    return Allotd(command);
  }
  Ended Submit(const std::string& name, const std::string& gpus) const {
    Ended ended = nation_.Allot(
        {"submit", "snu/llm", "--name", name, "--gpus", gpus, "--for", "1d", "--wait"});
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return ended;
  }
  bool IsThere(const std::string& name) const {
    return nation_.Allot({"get", "snu/llm/" + name}).exit_code == 0;
  }

  std::string Ask(const std::string& sql) const {
    pqxx::connection connection(*store::PrivateCluster::RunningUrl(nation_.data_dir()));
    return pqxx::nontransaction(connection).exec1(sql)[0].as<std::string>();
  }
  std::string NewestRevision() const { return Ask("SELECT value FROM revision"); }

  /// Until everything committed so far is in the archive.
  void AwaitArchived() const {
    const std::string segment = Ask("SELECT pg_walfile_name(pg_switch_wal())");
    const std::string file = folder() + "/wal/" + segment + ".gz";
    for (int look = 0; look < 6'000 && !fs::exists(file); ++look) usleep(10'000);
    ASSERT_TRUE(fs::exists(file)) << file;
  }
  void KillAll() {
    const pid_t postgres = nation_.postgres_pid();
    nation_.server().Kill();
    kill(postgres, SIGKILL);
  }
  std::string FirstSegment() const {
    std::string first = "~";
    for (const auto& entry : fs::directory_iterator(folder() + "/wal")) {
      first = std::min(first, entry.path().filename().string());
    }
    return first;
  }
  /// The only backup there is.
  std::string BackupPath() const {
    for (const auto& entry : fs::directory_iterator(folder())) {
      if (fs::exists(entry.path() / "backup.json")) return entry.path();
    }
    return "";
  }

  TempDir backups_;
  TempDir restored_;
  Installation nation_{Config()};
};

}  // namespace allot::testing
