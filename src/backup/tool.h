#pragma once

#include <stop_token>
#include <string>
#include <vector>

#include "allot/base/result.h"

namespace allot::backup {

/// How a program ended, and what it wrote to stdout and stderr.
struct ToolRun {
  int status = 0;
  std::string output;
};

/// Runs a program to its end, or until `stop` is requested, which is an error. It does not outlive
/// us. `argv[0]` is a path, or the name of one of PostgreSQL's programs.
Result<ToolRun> RunTool(std::vector<std::string> argv, const std::stop_token& stop = {},
                        const std::vector<std::string>& environment = {});

/// An error once `stop` is requested.
Status RequireNotStopped(const std::stop_token& stop);

/// The last lines of what it wrote, for a message.
std::string EndOf(const std::string& output);

}  // namespace allot::backup
