#pragma once

#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "allot/cli/command_line.h"
#include "support/counting_id_source.h"
#include "support/manual_clock.h"

namespace allot::cli::testing {

struct Ran {
  int code = -1;
  std::string out;
  std::string err;
};

/// Runs commands in this process with an environment of the test's own.
class Runner {
 public:
  explicit Runner(const std::string& server) {
    variables["ALLOT_SERVER"] = server;
    variables["ALLOT_KEY"] = "allot_testkey_secret";
  }

  Ran Run(const std::vector<std::string>& arguments, const std::string& input = "") {
    std::istringstream in(input);
    std::ostringstream out;
    std::ostringstream err;
    if (out_is_full) out.setstate(std::ios::badbit);
    const Environment environment{
        .in = in,
        .out = out,
        .err = err,
        .out_is_terminal = terminal,
        .err_is_terminal = false,
        .variable = [this](const std::string& name) -> std::optional<std::string> {
          const auto found = variables.find(name);
          if (found == variables.end()) return std::nullopt;
          return found->second;
        },
        .clock = clock,
        .ids = ids,
        .pause =
            [this](Seconds length) {
              pauses.push_back(length);
              clock.Advance(length);
            },
        .seed = 1};
    const int code = RunCommandLine(arguments, environment);
    return {code, out.str(), err.str()};
  }

  std::map<std::string, std::string> variables;
  bool terminal = false;
  /// Nothing can be written to stdout.
  bool out_is_full = false;
  /// How long commands wanted to wait; the clock went on by as much.
  std::vector<Seconds> pauses;
  allot::testing::ManualClock clock;
  allot::testing::CountingIdSource ids;
};

}  // namespace allot::cli::testing
