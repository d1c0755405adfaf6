#include "store/postgres/postgres_processes.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <thread>

namespace allot::store {
namespace {

using std::chrono::steady_clock;
constexpr auto kPoll = std::chrono::milliseconds(5);
// A fast shutdown writes a checkpoint; then we insist, and in the end we do not ask.
constexpr std::array kSignals = {SIGINT, SIGQUIT, SIGKILL};
constexpr std::array kPatience = {std::chrono::seconds(30), std::chrono::seconds(10),
                                  std::chrono::seconds(10)};

/// 0 for what is no number.
pid_t ParsePid(std::string_view text) {
  pid_t pid = 0;
  std::from_chars(text.data(), text.data() + text.size(), pid);
  return pid;
}

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
  if (folder.empty()) return pids;
  for (std::filesystem::directory_iterator entry("/proc", ignored), end; entry != end;
       entry.increment(ignored)) {
    const std::string process = entry->path();
    const pid_t pid = ParsePid(process.substr(process.rfind('/') + 1));
    if (pid <= 0) continue;
    if (LinkTarget(process + "/cwd") != folder) continue;
    std::string name;
    std::getline(std::ifstream(process + "/comm") >> std::ws, name);
    if (name.starts_with("postgres")) pids.push_back(pid);
  }
  std::ranges::sort(pids);
  return pids;
}

PostmasterFile ReadPostmasterFile(const std::string& data) {
  constexpr int kStatusLine = 8;
  std::ifstream stream(data + "/postmaster.pid");
  PostmasterFile file;
  std::string line;
  for (int number = 1; std::getline(stream, line); ++number) {
    if (number == 1) file.pid = ParsePid(line);
    if (number == kStatusLine) file.ready = line.starts_with("ready");
  }
  return file;
}

bool EndLeftovers(const std::string& data, const std::string& socket_dir) {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    const auto deadline = steady_clock::now() + kPatience[i];
    bool asked = false;
    while (true) {
      const std::vector<pid_t> pids = PostgresProcessesIn(data);
      if (pids.empty()) {
        // Nobody is at work, so the process id in either file is nobody's or a stranger's, which
        // would keep PostgreSQL from starting.
        std::error_code ignored;
        std::filesystem::remove(data + "/postmaster.pid", ignored);
        std::filesystem::remove(socket_dir + "/.s.PGSQL.5432.lock", ignored);
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
