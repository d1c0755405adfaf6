#include "apps/allot-sim/settings.h"

#include "allot/model/decayed_usage.h"

namespace allot::apps {
namespace {

bool Set(const std::string& name, const std::string& value, Policy& policy) {
  if (name == "promise_nodes") {
    const auto nodes = Number(value);
    if (!nodes || *nodes < 1) return false;
    policy.promise_nodes = *nodes;
    return true;
  }
  if (name == "preemptions_max" || name == "preemptions_per_pass") {
    const auto count = Number(value);
    if (!count || *count < 0) return false;
    (name == "preemptions_max" ? policy.preemptions_max : policy.preemptions_per_pass) = *count;
    return true;
  }
  const std::pair<const char*, Seconds Policy::*> lengths[] = {
      {"usage_half_life", &Policy::usage_half_life},
      {"starvation_bound", &Policy::starvation_bound},
      {"gathering_time", &Policy::gathering_time},
      {"planning_horizon", &Policy::planning_horizon},
      {"release_time", &Policy::release_time},
      {"promise_within", &Policy::promise_within},
      {"preemption_grace", &Policy::preemption_grace},
      {"preemption_min_run", &Policy::preemption_min_run},
      {"preemption_gain", &Policy::preemption_gain}};
  for (const auto& [setting, member] : lengths) {
    if (name != setting) continue;
    const auto length = ParseDuration(value);
    const bool positive = member == &Policy::usage_half_life || member == &Policy::planning_horizon;
    if (!length || length->count < (positive ? 1 : 0) || *length > kUsageHalfLifeMax) return false;
    policy.*member = *length;
    return true;
  }
  return false;
}

}  // namespace

std::optional<std::pair<std::string, std::string>> Halves(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) return std::nullopt;
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

std::optional<int> Number(const std::string& text) {
  if (text.empty() || text.size() > 9 ||
      text.find_first_not_of("0123456789") != std::string::npos) {
    return std::nullopt;
  }
  return std::stoi(text);
}

std::string ShellQuoted(const std::string& word) {
  constexpr const char* kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=:,./@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

std::optional<std::string> SetAll(const std::vector<std::string>& settings, Policy& policy) {
  for (const std::string& text : settings) {
    const auto halves = Halves(text);
    if (!halves || !Set(halves->first, halves->second, policy)) {
      return "--set takes a setting of the policy such as promise_nodes=8 or starvation_bound=30d, "
             "not '" +
             text + "'";
    }
  }
  return std::nullopt;
}

}  // namespace allot::apps
