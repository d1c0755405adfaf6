#pragma once

#include <memory>
#include <string>

#include "allot/cli/command_line.h"
#include "cli/client.h"
#include "cli/connection.h"
#include "cli/output.h"

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

  /// Shows the failure; its exit code.
  ExitCode Fail(const Failure& failure) const;

 private:
  Session(const Environment& environment, GlobalFlags flags, Format format, CallPolicy policy)
      : environment_(environment),
        flags_(std::move(flags)),
        output_(environment, format),
        policy_(policy) {}

  const Environment& environment_;
  const GlobalFlags flags_;
  const Output output_;
  const CallPolicy policy_;
  std::unique_ptr<Client> client_;
};

}  // namespace allot::cli
