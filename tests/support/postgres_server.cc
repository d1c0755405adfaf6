#include "support/postgres_server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <pqxx/pqxx>
#include <stdexcept>
#include <utility>

#include "allot/store/private_cluster.h"

namespace allot::testing {
namespace {

namespace fs = std::filesystem;

// Waits in a process of its own until ours is gone, however it goes, then ends PostgreSQL and
// removes its folder: an aborted or killed test leaves nothing behind.
void CleanUpWhenWeEnd(const fs::path& folder) {
  int pipe_fds[2];
  if (::pipe2(pipe_fds, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  const pid_t pid = ::fork();
  if (pid < 0) throw std::runtime_error("no process");
  if (pid > 0) {
    ::close(pipe_fds[0]);  // The other end stays open until we end.
    return;
  }
  ::setsid();
  ::close(pipe_fds[1]);
  // Whoever reads our output must not wait for the cleaner.
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) ::close(fd);
  char byte = 0;
  while (::read(pipe_fds[0], &byte, 1) < 0) {
  }
  pid_t postmaster = 0;
  std::ifstream(folder / "data" / "postgres" / "postmaster.pid") >> postmaster;
  if (postmaster > 1) {
    ::kill(postmaster, SIGQUIT);
    for (int i = 0; i < 1'000 && ::kill(postmaster, 0) == 0; ++i) ::usleep(5'000);
  }
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  ::_exit(0);
}

class PostgresServer {
 public:
  PostgresServer() {
    std::string folder = fs::temp_directory_path() / "allot-test-XXXXXX";
    if (::mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no temporary folder");
    // PostgreSQL may run as another user, who has to pass.
    fs::permissions(folder, fs::perms::others_exec, fs::perm_options::add);
    CleanUpWhenWeEnd(folder);
    auto cluster = store::PrivateCluster::Start({.data_dir = folder + "/data", .throwaway = true});
    if (!cluster.ok()) throw std::runtime_error(Describe(cluster.error()));
    cluster_ = std::move(cluster).value();
    CreateDatabase("migrated", "template0");
    const auto migrated = store::Migrate(UrlOf("migrated"));
    if (!migrated.ok()) throw std::runtime_error(Describe(migrated.error()));
  }

  std::string Create(const std::string& from) {
    const std::string name = "test_" + std::to_string(++databases_);
    CreateDatabase(name, from);
    return UrlOf(name);
  }

 private:
  std::string UrlOf(const std::string& database) const {
    std::string url = cluster_->url();
    const std::size_t query = url.find('?');
    const std::size_t slash = url.rfind('/', query);
    return url.substr(0, slash + 1) + database + url.substr(query);
  }

  void CreateDatabase(const std::string& name, const std::string& from) {
    pqxx::connection connection(cluster_->url());
    pqxx::nontransaction statement(connection);
    statement.exec("CREATE DATABASE " + name + " TEMPLATE " + from);
  }

  std::unique_ptr<store::PrivateCluster> cluster_;
  std::atomic<int> databases_ = 0;
};

// Never destroyed: stores of static tests may outlive it, and the cleaner ends PostgreSQL anyway.
PostgresServer& Server() {
  static auto* const server = new PostgresServer();
  return *server;
}

}  // namespace

std::string FreshDatabase() { return Server().Create("migrated"); }
std::string EmptyDatabase() { return Server().Create("template0"); }

int WaitingForLocks(const std::string& url) {
  pqxx::connection connection(url);
  pqxx::nontransaction work(connection);
  return work
      .exec1(
          "SELECT count(*) FROM pg_stat_activity"
          " WHERE datname = current_database() AND wait_event_type = 'Lock'")[0]
      .as<int>();
}

std::unique_ptr<store::Store> OpenTestStore(int connections) {
  return OpenTestStore(FreshDatabase(), connections);
}

std::unique_ptr<store::Store> OpenTestStore(const std::string& url, int connections) {
  store::PostgresOptions options{.url = url, .connections = connections};
  if (std::getenv("ALLOT_TEST_SQL_ERRORS") != nullptr) {
    options.report = [](const std::string& words) { std::cerr << "postgres: " << words << '\n'; };
  }
  auto opened = store::OpenPostgres(options);
  if (!opened.ok()) {
    ADD_FAILURE() << Describe(opened.error());
    std::abort();
  }
  return std::move(opened).value();
}

}  // namespace allot::testing
