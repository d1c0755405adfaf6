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

}  // namespace allot::testing
