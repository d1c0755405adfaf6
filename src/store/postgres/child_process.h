#pragma once

#include <sys/types.h>

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "allot/base/result.h"

namespace allot::store {

/// Whom a child runs as.
struct Account {
  std::string name;
  uid_t uid = 0;
  gid_t gid = 0;
  std::vector<gid_t> groups;
};
/// config_invalid when there is no such user on this machine.
Result<Account> FindAccount(const std::string& user);

/// What becomes of a child when we die, however we die: it goes on, or it ends with all that it has
/// started. "We" are the thread that starts it, which has to await its end.
enum class WhenWeDie { kItGoesOn, kItEnds };

/// Starts `argv` in a session of its own, so that Ctrl-C in our terminal is ours to pass on, with a
/// clean environment, and what is given of it, and its output appended to `log_path`. `as` needs us
/// to be root.
Result<pid_t> Spawn(const std::vector<std::string>& argv, const std::optional<Account>& as,
                    const std::string& log_path,
                    const std::vector<std::string>& more_environment = {},
                    WhenWeDie when_we_die = WhenWeDie::kItGoesOn);

/// Whether a child of ours still runs; one that ended is reaped.
bool ChildRuns(pid_t pid);
/// The child's exit status, 128 + signal when it was killed. Once `stop` is requested the child is
/// killed, with all that it has started.
int AwaitChild(pid_t pid, const std::stop_token& stop = {});

}  // namespace allot::store
