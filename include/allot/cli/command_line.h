#pragma once

#include <cstdint>
#include <functional>
#include <istream>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "allot/base/clock.h"
#include "allot/base/random.h"

namespace allot::cli {

/// All that a command sees of the machine around it.
struct Environment {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  /// An environment variable; nothing when unset or empty.
  std::function<std::optional<std::string>(const std::string&)> variable;
  const Clock& clock;
  IdSource& ids;
  std::function<void(Seconds)> pause;
  /// Of the pauses between repeats of a call, so that many clients do not come back at once.
  uint64_t seed = 1;
};

/// Runs one command of `allot`; `arguments` are those after the program's name. Returns what the
/// process is to exit with (docs/cli.md has the table).
int RunCommandLine(const std::vector<std::string>& arguments, const Environment& environment);

}  // namespace allot::cli
