#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "campaign/clients.h"
#include "campaign/database.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace allot::campaign {

/// Three servers on one database, and an agent at each of two clusters: real programs, all of which
/// can be killed, stopped, and given another clock.
class Installation {
 public:
  static constexpr int kServers = 3;
  static constexpr const char* kClusters[] = {"naver-a", "kakao-a"};

  /// Serves when it returns; throws std::runtime_error otherwise.
  Installation(std::string bin_dir, Database& database);

  const Access& access() const { return access_; }
  testing::Process& server(int number) { return *servers_[static_cast<std::size_t>(number)]; }
  testing::Process& agent(const std::string& cluster) { return *agents_.at(cluster); }
  /// With a clock that is set off by so much ("+1d"), or a true one. Waits until it serves; false
  /// when it does not, which is no fault of the server's while there is no database.
  bool StartServer(int number, const std::string& clock = "");
  void StartAgent(const std::string& cluster, const std::string& clock = "");
  /// Which server holds the lead by its own log; -1 when none does.
  int Leader() const;
  /// Whether one has begun to lead since it was asked last.
  bool HasNewLeader();
  /// Starts whatever died by itself.
  void Mend();

  testing::Ended Allot(std::vector<std::string> arguments) const;

 private:
  void MakeKey(const std::string& name, std::vector<std::string> arguments) const;
  void RegisterNation();

  testing::TempDir dir_;
  const std::string bin_dir_;
  Database& database_;
  Access access_;
  std::vector<std::unique_ptr<testing::Process>> servers_;
  std::map<std::string, std::unique_ptr<testing::Process>> agents_;
};

}  // namespace allot::campaign
