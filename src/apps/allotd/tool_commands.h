#pragma once

#include <functional>

#include <CLI/CLI.hpp>

namespace allot::allotd {

/// A subcommand in a file of its own: what it was given is read when it runs.
struct ToolCommand {
  CLI::App* app;
  /// Returns the exit status.
  std::function<int()> run;
};

ToolCommand AddBackup(CLI::App& root);
ToolCommand AddRestore(CLI::App& root);
ToolCommand AddVerify(CLI::App& root);

}  // namespace allot::allotd
