#include "allot/store/private_cluster.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <mutex>
#include <pqxx/pqxx>
#include <thread>
#include <utility>
#include <vector>

#include "store/postgres/binaries.h"
#include "store/postgres/child_process.h"
#include "store/postgres/cluster_folder.h"
#include "store/postgres/failure.h"
#include "store/postgres/postgres_processes.h"

namespace allot::store {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

constexpr const char* kSuperuser = PrivateCluster::kName;
constexpr const char* kDatabase = PrivateCluster::kName;
constexpr auto kPoll = std::chrono::milliseconds(2);

// Modest: the machine is shared with us.
const std::vector<std::string> kSettings = {
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "port=5432",
    // Of a server as many as its configuration allows, and those of backups and of whoever looks.
    "max_connections=120",
    "shared_buffers=64MB",
    "max_wal_size=512MB",
    // After a crash one call makes the data durable, instead of one for each of a thousand files.
    "recovery_init_sync_method=syncfs",
    "jit=off",
    "timezone=UTC",
    "log_timezone=UTC",
    "log_line_prefix=%m [%p] ",
    "logging_collector=off",
    // There is no standby to wait for, whatever cluster the data was copied from.
    "synchronous_standby_names=",
};

// Given on the command line, so that nothing in the cluster's own configuration can undo them.
const std::vector<std::string> kDurable = {"fsync=on", "synchronous_commit=on",
                                           "full_page_writes=on"};
const std::vector<std::string> kThrowaway = {"fsync=off", "synchronous_commit=off",
                                             "full_page_writes=off"};

std::string PercentEncoded(const std::string& text) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.') {
      result += c;
    } else {
      result += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
    }
  }
  return result;
}

std::string UrlOf(const std::string& socket_dir, const std::string& database) {
  return "postgresql://" + std::string(kSuperuser) + "@/" + database +
         "?host=" + PercentEncoded(socket_dir);
}

class LocalCluster final : public PrivateCluster {
 public:
  LocalCluster(ClusterFolder folder, std::optional<Account> as, Options options)
      : folder_(std::move(folder)), as_(std::move(as)), options_(std::move(options)) {}
  ~LocalCluster() override { static_cast<void>(Stop()); }

  Status Open() {
    ALLOT_ASSIGN_OR_RETURN(binaries_, FindBinaries(folder_.data_version()));
    if (!folder_.data_version()) ALLOT_RETURN_IF_ERROR(Create());
    ALLOT_RETURN_IF_ERROR(EnsureRunning());
    return EnsureDatabase();
  }

  std::string url() const override { return UrlOf(folder_.socket_dir(), kDatabase); }

  Status EnsureRunning() override {
    const std::scoped_lock lock(mutex_);
    if (postmaster_ > 0 && ChildRuns(postmaster_)) return Ok{};
    postmaster_ = 0;
    return StartPostmaster();
  }

  Status Stop() override {
    const std::scoped_lock lock(mutex_);
    if (postmaster_ == 0) return Ok{};
    constexpr std::pair<int, std::chrono::seconds> kSteps[] = {{SIGINT, std::chrono::seconds(30)},
                                                               {SIGQUIT, std::chrono::seconds(10)}};
    for (const auto& [signal, patience] : kSteps) {
      ::kill(postmaster_, signal);
      const auto deadline = steady_clock::now() + patience;
      while (steady_clock::now() < deadline) {
        if (!ChildRuns(postmaster_)) {
          postmaster_ = 0;
          folder_.RemoveOutsideSocketDir();
          return Ok{};
        }
        std::this_thread::sleep_for(kPoll);
      }
    }
    return StoreUnavailable("PostgreSQL would not stop; its log: " + folder_.EndOfLog());
  }

 private:
  // Made aside and renamed, so that a folder is either empty or complete, whenever we are killed.
  Status Create() {
    ALLOT_ASSIGN_OR_RETURN(const std::string unfinished, folder_.MakeUnfinished());
    ALLOT_ASSIGN_OR_RETURN(
        const pid_t initdb,
        Spawn({binaries_ / "initdb", "--pgdata=" + unfinished,
               "--username=" + std::string(kSuperuser), "--encoding=UTF8", "--locale=C",
               "--auth-local=trust", "--auth-host=reject", "--no-instructions", "--no-sync"},
              as_, folder_.log()));
    if (AwaitChild(initdb) != 0) {
      return StoreUnavailable("initdb failed; its log: " + folder_.EndOfLog());
    }
    return folder_.Finish(unfinished, options_.throwaway);
  }

  Status StartPostmaster() {
    if (!EndLeftovers(folder_.data(), folder_.socket_dir())) {
      return StoreUnavailable("A PostgreSQL that a dead server left in " + folder_.data() +
                              " does not end.");
    }
    std::vector<std::string> argv = {binaries_ / "postgres", "-D", folder_.data(), "-k",
                                     folder_.socket_dir()};
    for (const auto* settings :
         {&kSettings, options_.throwaway ? &kThrowaway : &kDurable, &options_.settings}) {
      for (const std::string& setting : *settings) argv.insert(argv.end(), {"-c", setting});
    }
    ALLOT_ASSIGN_OR_RETURN(postmaster_, Spawn(argv, as_, folder_.log()));

    const auto deadline = steady_clock::now() + options_.start_patience;
    while (true) {
      const PostmasterFile file = ReadPostmasterFile(folder_.data());
      if (file.pid == postmaster_ && file.ready) return Ok{};
      if (!ChildRuns(postmaster_)) {
        postmaster_ = 0;
        return StoreUnavailable("PostgreSQL ended at start; its log: " + folder_.EndOfLog());
      }
      if (options_.stop.stop_requested()) return StoreUnavailable("The start was interrupted.");
      if (steady_clock::now() >= deadline) {
        return StoreUnavailable("PostgreSQL did not start in time; its log: " + folder_.EndOfLog());
      }
      std::this_thread::sleep_for(kPoll);
    }
  }

  // The database that initdb makes, by our name: a second one would double what has to be written.
  Status EnsureDatabase() {
    try {
      pqxx::connection connection(UrlOf(folder_.socket_dir(), "template1"));
      pqxx::nontransaction statement(connection);
      const std::string name = statement.quote(kDatabase);
      if (statement.exec("SELECT FROM pg_database WHERE datname = " + name).empty()) {
        statement.exec("ALTER DATABASE postgres RENAME TO " + statement.quote_name(kDatabase));
      }
      return Ok{};
    } catch (...) {
      std::string own_words;
      return FailureOfCurrentException(own_words).error;
    }
  }

  ClusterFolder folder_;
  const std::optional<Account> as_;
  const Options options_;
  fs::path binaries_;
  std::mutex mutex_;
  pid_t postmaster_ = 0;
};

}  // namespace

Result<std::unique_ptr<PrivateCluster>> PrivateCluster::Start(const Options& options) {
  std::optional<Account> as;
  if (::geteuid() == 0) {
    ALLOT_ASSIGN_OR_RETURN(as, FindAccount(options.user));
  }
  ALLOT_ASSIGN_OR_RETURN(ClusterFolder folder, ClusterFolder::Open(options.data_dir, as));
  auto cluster = std::make_unique<LocalCluster>(std::move(folder), std::move(as), options);
  ALLOT_RETURN_IF_ERROR(cluster->Open());
  return Result<std::unique_ptr<PrivateCluster>>(std::move(cluster));
}

std::optional<std::string> PrivateCluster::RunningUrl(const std::string& data_dir) {
  const std::string folder = fs::absolute(data_dir).lexically_normal();
  const std::string data = folder + "/postgres";
  const PostmasterFile file = ReadPostmasterFile(data);
  const std::vector<pid_t> at_work = PostgresProcessesIn(data);
  // One that was killed leaves its file.
  if (!file.ready || std::ranges::find(at_work, file.pid) == at_work.end()) return std::nullopt;
  return UrlOf(ClusterFolder::SocketDirOf(folder), kDatabase);
}

}  // namespace allot::store
