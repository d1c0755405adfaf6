#pragma once

#include <CLI/CLI.hpp>

namespace allot::apps {

/// `allot-sim chaos`: the service under faults, many seeds.
void AddChaosCommand(CLI::App& app, int& exit_code);

}  // namespace allot::apps
