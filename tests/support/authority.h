#pragma once

#include <stdexcept>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/temp_dir.h"

namespace allot::testing {

/// A certificate authority in a folder of its own, as deploy/certificates makes it. Requires: the
/// test runs in the top folder.
class Authority {
 public:
  Authority() { Run({"authority", folder()}); }

  std::string folder() const { return dir_.path().string(); }
  std::string ca() const { return dir_ / "ca.crt"; }
  std::string certificate(const std::string& name) const { return dir_ / (name + ".crt"); }
  std::string key(const std::string& name) const { return dir_ / (name + ".key"); }

  /// Makes server.crt, for this machine only.
  void MakeServer(std::vector<std::string> options = {}) const {
    options.insert(options.begin(), {"server", folder(), "127.0.0.1", "localhost"});
    Run(options);
  }
  /// Makes PROVIDER.crt.
  void MakeProvider(const std::string& provider, std::vector<std::string> options = {}) const {
    options.insert(options.begin(), {"provider", folder(), provider});
    Run(options);
  }
  /// Makes edge.crt.
  void MakeEdge(std::vector<std::string> options = {}) const {
    options.insert(options.begin(), {"edge", folder()});
    Run(options);
  }

 private:
  static void Run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "deploy/certificates");
    const Ended ended = RunToEnd(std::move(arguments));
    if (ended.exit_code != 0) throw std::runtime_error(ended.err);
  }

  TempDir dir_;
};

}  // namespace allot::testing
