#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "support/authority.h"
#include "support/process.h"
#include "support/temp_dir.h"

namespace allot::testing {

/// A real nginx with the configuration as shipped, in front of a server on this machine. Requires:
/// run in the top folder.
class Edge {
 public:
  /// `authority` has made the server's certificate, which both show, and the edge's, and outlives
  /// the object; `server` is HOST:PORT. Serves when it returns; throws std::runtime_error
  /// otherwise.
  Edge(const Authority& authority, const std::string& server);

  int port() const { return port_; }
  /// "127.0.0.1:PORT".
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  Process& process() { return *process_; }
  /// nginx's master and its workers.
  std::vector<pid_t> pids() const;

 private:
  TempDir dir_;
  int port_;
  std::unique_ptr<Process> process_;
};

/// How often an address may connect to an edge, as shipped: rules of this machine's nftables for
/// one port, which go with the object.
class EdgeFirewall {
 public:
  /// Nothing where this user may make no rules. Throws std::runtime_error when it may, and they are
  /// not taken.
  static std::unique_ptr<EdgeFirewall> Make(int port);
  ~EdgeFirewall();
  EdgeFirewall(const EdgeFirewall&) = delete;
  EdgeFirewall& operator=(const EdgeFirewall&) = delete;

 private:
  explicit EdgeFirewall(int port);

  const std::string table_;
};

}  // namespace allot::testing
