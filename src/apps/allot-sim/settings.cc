#include "apps/allot-sim/settings.h"

#include "allot/model/policy_settings.h"

namespace allot::apps {
namespace {

bool IsOfPlans(const PolicySetting& setting) {
  return setting.use == PolicySetting::Use::kPlanning;
}

std::string NamesOfSettings() {
  std::string names;
  for (const PolicySetting& setting : PolicySettings()) {
    if (IsOfPlans(setting)) names += (names.empty() ? "" : ", ") + std::string(setting.name);
  }
  return names;
}

Status SetOne(const std::string& name, const std::string& text, Policy& policy) {
  const PolicySetting* setting = FindPolicySetting(name);
  if (setting == nullptr || !IsOfPlans(*setting)) {
    return FieldError(Reason::kConfigInvalid, "--set", name, NamesOfSettings());
  }
  std::optional<int64_t> value;
  if (setting->is_time()) {
    if (const auto length = ParseDuration(text)) value = length->count;
  } else {
    value = Number(text);
  }
  if (!value || *value < setting->min || *value > setting->max) {
    return FieldError(Reason::kPolicyInvalid, "--set " + name, text, RangeOf(*setting));
  }
  Set(policy, *setting, *value);
  return Ok{};
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
    if (!halves) {
      return "--set takes NAME=VALUE such as promise_nodes=8 or starvation_bound=30d, not '" +
             text + "'";
    }
    if (const Status set = SetOne(halves->first, halves->second, policy); !set.ok()) {
      return set.error().message;
    }
  }
  return std::nullopt;
}

}  // namespace allot::apps
