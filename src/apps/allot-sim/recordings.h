#pragma once

#include <CLI/CLI.hpp>

namespace allot::apps {

/// `replay` and `what-if`: what can be asked of a pass on file. `exit_code` is set by the one that
/// ran.
void AddRecordingCommands(CLI::App& app, int& exit_code);

}  // namespace allot::apps
