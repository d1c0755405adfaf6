#pragma once

#include <memory>
#include <string>

#include "allot/cli/command_line.h"
#include "cli/client.h"
#include "cli/connection.h"
#include "cli/output.h"
#include "cli/values.h"

namespace allot::cli {

/// The flags that every command takes.
struct GlobalFlags {
  ConnectionFlags connection;
  std::string format = "table";
  std::string timeout = "10s";
  std::string request_id;
};

/// One run of the program: what a command works with.
class Session {
 public:
  /// Usage failures of the flags themselves.
  static Outcome<std::unique_ptr<Session>> Make(const Environment& environment,
                                                const GlobalFlags& flags);

  /// Connects at the first call. Nothing of the server is known to work yet.
  Outcome<Client*> Connect();

  /// Looks for the key again, for calls that come after: whether there is another. A token ends
  /// while a watch goes on.
  bool RenewKey();

  const Environment& environment() const { return environment_; }
  const Output& output() const { return output_; }
  const ConnectionFlags& connection_flags() const { return flags_.connection; }
  Instant Now() const { return environment_.clock.Now(); }
  const CallPolicy& policy() const { return policy_; }
  SeededRandom& random() { return random_; }
  /// Times as the command line gives them.
  Moments& moments() { return moments_; }
  /// Whether this run repeats a call by the id it had.
  bool has_request_id() const { return !flags_.request_id.empty(); }

  /// Shows the failure, with what a repeat of the command must say; its exit code.
  ExitCode Fail(const Failure& failure) const;

 private:
  Session(const Environment& environment, GlobalFlags flags, Format format, CallPolicy policy)
      : environment_(environment),
        flags_(std::move(flags)),
        output_(environment, format),
        policy_(policy),
        random_(environment.seed),
        moments_(environment.clock.Now()) {}

  const Environment& environment_;
  const GlobalFlags flags_;
  const Output output_;
  const CallPolicy policy_;
  SeededRandom random_;
  Moments moments_;
  bool trouble_told_ = false;
  std::unique_ptr<Client> client_;
};

}  // namespace allot::cli
