#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "support/authority.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace allot::testing {

/// A small nation run by the real programs: a server with a private PostgreSQL in a folder of its
/// own, the command line, and agents. Everything ends with the object, whatever was killed before.
class Installation {
 public:
  /// `config` is the text of a configuration file. Requests are not gathered unless it says so.
  explicit Installation(const std::string& config = "policy: {gathering_time: 0s}\n");
  /// With TLS, and providers' certificates, all made by `authority`, which outlives the object.
  explicit Installation(const Authority& authority);
  ~Installation();
  Installation(const Installation&) = delete;
  Installation& operator=(const Installation&) = delete;

  /// Starts the server (again) and waits until it serves.
  void StartServer();
  Process& server() { return *server_; }
  std::string data_dir() const { return data_dir_; }
  /// The server is started on another folder from now on, at the address where it was last.
  /// Requires: it has ended.
  void MoveTo(const std::string& data_dir);
  std::string address() const;
  /// Of the server.
  std::string Metrics() const;
  /// From now on clients connect there, instead of to the server itself.
  void PutBehind(const std::string& address) { front_ = address; }
  pid_t postgres_pid() const;

  /// `allot`, as the operator; or with another key.
  Ended Allot(std::vector<std::string> arguments) const;
  Ended AllotAs(const std::string& key_file, std::vector<std::string> arguments) const;
  /// A command that goes on while the test does other things.
  std::unique_ptr<Process> StartAllot(std::vector<std::string> arguments) const;
  /// With -o json; adds a failure when it does not succeed.
  nlohmann::json AllotJson(std::vector<std::string> arguments) const;
  /// Applies a YAML text; adds a failure when it does not succeed.
  Ended Apply(std::string_view yaml) const;
  /// `state` of an allocation: "active", …
  std::string StateOf(const std::string& allocation) const;
  /// The path of a new key's file.
  std::string MakeKey(const std::string& name, std::vector<std::string> role_and_scope) const;

  /// Two providers with a cluster each, naver-a of four nodes of H200 and kakao-a of two of B200,
  /// and two institutes with a project each, snu/llm and kaist/vision, with ample quotas.
  void RegisterSmallNation() const;
  /// A provider's key, made when it is first asked for.
  std::string ProviderKey(const std::string& provider) const;
  /// The agent of a cluster of the small nation, online when this returns. `site_lines` are added
  /// to its site file.
  std::unique_ptr<Process> StartAgent(const std::string& cluster,
                                      const std::string& site_lines = "") const;
  /// The same, returned at once.
  std::unique_ptr<Process> LaunchAgent(const std::string& cluster, const std::string& state_name,
                                       const std::string& site_lines = "") const;
  /// Where an agent keeps what it must remember.
  std::string AgentState(const std::string& state_name) const;

 private:
  Installation(const std::string& config, const Authority* authority);
  void WriteFile(const std::string& path, std::string_view text) const;

  /// Where clients connect.
  std::string Server() const { return front_.empty() ? address() : front_; }
  /// What every client is started with besides.
  std::vector<std::string> TlsFlags(const std::string& provider = "") const;

  TempDir dir_;
  std::string data_dir_ = dir_ / "data";
  /// Where it listened last, also when it has ended.
  std::string last_address_;
  const Authority* authority_ = nullptr;
  std::string front_;
  std::vector<std::string> server_command_;
  std::unique_ptr<Process> server_;
};

/// What a scrape of a server that serves is answered; adds a failure when there is nothing to
/// scrape.
std::string MetricsOf(const Process& server);

/// The value of a series in a scrape, by its name and its labels as they stand there; nothing when
/// it is not there.
std::optional<double> ValueOf(const std::string& scrape, const std::string& series);

/// Waits until `folder` holds a file whose text contains `wanted`; false when it takes too long.
bool AwaitFile(const std::string& folder, std::string_view wanted);

}  // namespace allot::testing
