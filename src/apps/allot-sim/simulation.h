#pragma once

#include <CLI/CLI.hpp>

namespace allot::apps {

/// Adds `run` and `compare`; the chosen one leaves its exit status in `exit_code`: 0, 1 when the
/// auditor found a violation, 2 for what was asked wrongly.
void AddSimulationCommands(CLI::App& app, int& exit_code);

}  // namespace allot::apps
