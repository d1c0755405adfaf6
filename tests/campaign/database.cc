#include "campaign/database.h"

#include <cctype>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "allot/store/store.h"
#include "support/process.h"

namespace allot::campaign {
namespace {

namespace fs = std::filesystem;
using testing::Lives;

constexpr const char* kNodes[] = {"db1", "db2", "db3"};

pid_t FirstNumber(const std::string& path) {
  pid_t number = 0;
  std::ifstream(path) >> number;
  return number;
}

pid_t IfItLives(pid_t pid) { return pid > 1 && Lives(pid) ? pid : 0; }

/// Empty when its process ended in between.
std::string WholeFile(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

std::vector<pid_t> ChildrenOf(pid_t parent) {
  std::vector<pid_t> children;
  std::error_code gone;
  for (const auto& entry : fs::directory_iterator("/proc", gone)) {
    const std::string name = entry.path().filename();
    if (std::isdigit(static_cast<unsigned char>(name.front())) == 0) continue;
    const std::string stat = WholeFile(entry.path() / "stat");
    // PID (NAME) STATE PPID …; the name may hold anything.
    const std::size_t behind_name = stat.rfind(')');
    if (behind_name == std::string::npos) continue;
    if (std::atoi(stat.c_str() + behind_name + 4) == parent)
      children.push_back(std::atoi(name.c_str()));
  }
  return children;
}

pid_t Database::AnyBackend(uint64_t draw) {
  std::vector<pid_t> backends;
  for (const pid_t child : ChildrenOf(Postmaster())) {
    const std::string title = WholeFile("/proc/" + std::to_string(child) + "/cmdline");
    // Of our servers, not the archiver, a standby's or Patroni's own.
    if (title.find("allot allot ") != std::string::npos) backends.push_back(child);
  }
  return backends.empty() ? 0 : backends[draw % backends.size()];
}

PrivateDatabase::PrivateDatabase(const std::string& data_dir) : data_dir_(data_dir) {
  auto started = store::PrivateCluster::Start({.data_dir = data_dir});
  if (!started.ok()) throw std::runtime_error(Describe(started.error()));
  cluster_ = std::move(started).value();
  const auto migrated = store::Migrate(cluster_->url());
  if (!migrated.ok()) throw std::runtime_error(Describe(migrated.error()));
}

pid_t PrivateDatabase::Postmaster() {
  return IfItLives(FirstNumber(data_dir_ + "/postgres/postmaster.pid"));
}

void PrivateDatabase::Mend() {
  // Fails while another is still at work in the folder; looked at again soon.
  static_cast<void>(cluster_->EnsureRunning());
}

PatroniDatabase::PatroniDatabase(std::string script, std::string dir)
    : script_(std::move(script)), dir_(std::move(dir)), url_(Do({"url"})) {
  const auto migrated = store::Migrate(url_);
  if (!migrated.ok()) throw std::runtime_error(Describe(migrated.error()));
}

std::string PatroniDatabase::Do(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin() + 1, dir_);
  arguments.insert(arguments.begin(), script_);
  std::string out = testing::RunToEnd(std::move(arguments)).out;
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

std::string PatroniDatabase::Leader() const { return Do({"leader"}); }

std::string PatroniDatabase::Standby(uint64_t draw) const {
  const std::string leader = Leader();
  std::vector<std::string> standbys;
  for (const char* node : kNodes) {
    if (node != leader) standbys.emplace_back(node);
  }
  return standbys[draw % standbys.size()];
}

pid_t PatroniDatabase::Program(const std::string& node, const std::string& name) const {
  return IfItLives(FirstNumber(FolderOf(node) + "/" + name + ".pid"));
}

pid_t PatroniDatabase::PostmasterOf(const std::string& node) const {
  return IfItLives(FirstNumber(FolderOf(node) + "/data/postmaster.pid"));
}

bool PatroniDatabase::HasPreload() const { return fs::exists(dir_ + "/preload.so"); }

pid_t PatroniDatabase::Postmaster() {
  const std::string leader = Leader();
  return leader.empty() ? 0 : PostmasterOf(leader);
}

void PatroniDatabase::Mend() {
  for (const char* node : kNodes) {
    Do({"join", node});
    Do({"start", node});
  }
}

}  // namespace allot::campaign
