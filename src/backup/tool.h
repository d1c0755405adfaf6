#pragma once

#include <string>
#include <vector>

#include "allot/base/result.h"

namespace allot::backup {

/// How a program ended, and what it wrote to stdout and stderr.
struct ToolRun {
  int status = 0;
  std::string output;
};

/// Runs a program to its end. `argv[0]` is a path, or the name of one of PostgreSQL's programs.
Result<ToolRun> RunTool(std::vector<std::string> argv,
                        const std::vector<std::string>& environment = {});

/// The last lines of what it wrote, for a message.
std::string EndOf(const std::string& output);

}  // namespace allot::backup
