#include "store/postgres/postgres_processes.h"

#include <dirent.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace allot::store {
namespace {

using std::chrono::steady_clock;
constexpr auto kPoll = std::chrono::milliseconds(5);
// A fast shutdown writes a checkpoint; then we insist, and in the end we do not ask.
constexpr std::array kSignals = {SIGINT, SIGQUIT, SIGKILL};
constexpr std::array kPatience = {std::chrono::seconds(30), std::chrono::seconds(10),
                                  std::chrono::seconds(10)};

std::string LinkTarget(const std::string& link) {
  std::array<char, 4096> buffer{};
  const ssize_t length = ::readlink(link.c_str(), buffer.data(), buffer.size());
  return length < 0 ? std::string() : std::string(buffer.data(), static_cast<std::size_t>(length));
}

}  // namespace

std::vector<pid_t> PostgresProcessesIn(const std::string& data) {
  std::error_code ignored;
  const std::string folder = std::filesystem::canonical(data, ignored);
  std::vector<pid_t> pids;
  DIR* proc = ::opendir("/proc");
  if (proc == nullptr || folder.empty()) return pids;
  while (const dirent* entry = ::readdir(proc)) {
    const pid_t pid = std::atoi(entry->d_name);
    if (pid <= 0) continue;
    const std::string process = "/proc/" + std::string(entry->d_name);
    if (LinkTarget(process + "/cwd") != folder) continue;
    std::string name;
    std::getline(std::ifstream(process + "/comm") >> std::ws, name);
    if (name.starts_with("postgres")) pids.push_back(pid);
  }
  ::closedir(proc);
  std::ranges::sort(pids);
  return pids;
}

PostmasterFile ReadPostmasterFile(const std::string& data) {
  constexpr int kStatusLine = 8;
  std::ifstream stream(data + "/postmaster.pid");
  PostmasterFile file;
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    if (number == 1) file.pid = std::atoi(line.c_str());
    if (number == kStatusLine) file.ready = line.starts_with("ready");
  }
  return file;
}

bool EndLeftovers(const std::string& data) {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    const auto deadline = steady_clock::now() + kPatience[i];
    bool asked = false;
    while (true) {
      const std::vector<pid_t> pids = PostgresProcessesIn(data);
      if (pids.empty()) {
        // Nobody is at work, so its process id is nobody's or a stranger's, which would keep
        // PostgreSQL from starting.
        std::error_code ignored;
        std::filesystem::remove(data + "/postmaster.pid", ignored);
        return true;
      }
      if (!asked) {
        // The postmaster stops its own; what has lost it ends by itself, or when we insist.
        const pid_t postmaster = ReadPostmasterFile(data).pid;
        const bool leads = std::ranges::find(pids, postmaster) != pids.end();
        for (const pid_t pid : pids) {
          if (pid == postmaster || (!leads && kSignals[i] != SIGINT)) ::kill(pid, kSignals[i]);
        }
        asked = true;
      }
      if (steady_clock::now() >= deadline) break;
      std::this_thread::sleep_for(kPoll);
    }
  }
  return false;
}

}  // namespace allot::store
