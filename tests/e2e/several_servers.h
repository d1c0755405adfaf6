#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/process.h"
#include "support/temp_dir.h"

namespace allot::testing {

/// Several real servers on one database. Each keeps its address when it is started again;
/// everything ends with the object.
class SeveralServers {
 public:
  explicit SeveralServers(int count);
  SeveralServers(const SeveralServers&) = delete;
  SeveralServers& operator=(const SeveralServers&) = delete;

  const std::string& database_url() const { return database_url_; }
  int count() const { return static_cast<int>(servers_.size()); }
  Process& server(int number) { return *servers_[Index(number)].process; }
  const std::string& address(int number) const { return servers_[Index(number)].address; }
  /// All of them, as clients are given several.
  std::string addresses() const;
  /// Starts one that was killed, and waits until it serves.
  void Start(int number);

  /// Waits until one of them begins to lead, and says which; -1 when none does. Each beginning is
  /// told once.
  int AwaitLeader(std::chrono::milliseconds patience = kPatience);

  /// `allot` as the operator, at one address or several.
  Ended Allot(const std::string& server, std::vector<std::string> arguments) const;
  void Apply(std::string_view yaml) const;
  /// The agent of a cluster of four H200 nodes, brought online by whichever server it reaches.
  std::unique_ptr<Process> StartAgent(const std::string& provider,
                                      const std::string& cluster) const;

 private:
  struct Server {
    std::string address;
    std::unique_ptr<Process> process;
  };
  static std::size_t Index(int number) { return static_cast<std::size_t>(number); }

  TempDir dir_;
  std::string database_url_;
  std::string config_file_;
  std::string key_file_;
  std::vector<Server> servers_;
};

}  // namespace allot::testing
