#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "allot/model/policy.h"

namespace allot::apps {

/// "a=b" as its two halves; the first is not empty.
std::optional<std::pair<std::string, std::string>> Halves(const std::string& text);
/// A whole number of at most nine digits.
std::optional<int> Number(const std::string& text);

/// As one word of a shell's command line.
std::string ShellQuoted(const std::string& word);

/// Of --set: settings of the policy that a plan depends on, by the names of the server's
/// configuration ("promise_nodes=8", "starvation_bound=30d"). Returns what is wrong with the first
/// that cannot be read.
std::optional<std::string> SetAll(const std::vector<std::string>& settings, Policy& policy);

}  // namespace allot::apps
