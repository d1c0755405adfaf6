#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace allot::cli {

/// A script that completes the commands and options of `root`, as they are: for "bash", "zsh" or
/// "fish". Nothing for another shell.
std::optional<std::string> CompletionScript(const CLI::App& root, std::string_view shell);

}  // namespace allot::cli
