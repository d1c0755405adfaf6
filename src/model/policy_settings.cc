#include "allot/model/policy_settings.h"

#include <array>

#include "allot/base/check.h"
#include "allot/model/decayed_usage.h"
#include "allot/model/name.h"
#include "allot/model/request.h"

namespace allot {
namespace {

using Use = PolicySetting::Use;

constexpr PolicySetting Time(std::string_view name, Seconds Policy::*member, Seconds min,
                             Seconds max, Use use = Use::kPlanning) {
  return {.name = name, .use = use, .member = member, .min = min.count, .max = max.count};
}
constexpr PolicySetting Count(std::string_view name, int Policy::*member, int min, int max,
                              Use use = Use::kPlanning) {
  return {.name = name, .use = use, .member = member, .min = min, .max = max};
}

constexpr std::array kSettings = {
    Time("usage_half_life", &Policy::usage_half_life, Hours(1), kUsageHalfLifeMax),
    Time("starvation_bound", &Policy::starvation_bound, Hours(1), Days(3'660)),
    Count("tie_seed", &Policy::tie_seed, 0, kTieSeedMax),
    Time("gathering_time", &Policy::gathering_time, Seconds{0}, Days(30)),
    Time("planning_horizon", &Policy::planning_horizon, Days(1), kAheadMax),
    Time("release_time", &Policy::release_time, Seconds{0}, Hours(6)),
    Count("promise_nodes", &Policy::promise_nodes, 1, kNodesMax),
    Time("promise_within", &Policy::promise_within, Seconds{0}, kAheadMax),
    Time("planned_slip_max", &Policy::planned_slip_max, Hours(1), Days(3'660)),
    Time("preemption_grace", &Policy::preemption_grace, Seconds{0}, Days(7)),
    Time("preemption_min_run", &Policy::preemption_min_run, Seconds{0}, Days(366)),
    Count("preemptions_max", &Policy::preemptions_max, 0, 1'000),
    Time("preemption_gain", &Policy::preemption_gain, Seconds{0}, Days(366)),
    Count("preemptions_per_pass", &Policy::preemptions_per_pass, 0, 100),
    Count("borrowed_gpus_max", &Policy::borrowed_gpus_max, 0, kGpusMax),
    Time("growth_min", &Policy::growth_min, Seconds{0}, Days(366)),
    Count("b200_worth_permille", &Policy::b200_worth_permille, 100, 10'000),
    Count("preemptions_per_project", &Policy::preemptions_per_project, 0, 1'000),
    Count("improver_rounds", &Policy::improver_rounds, 0, kImproverRoundsMax),
    Time("improver_delay_max", &Policy::improver_delay_max, Seconds{0}, Days(366)),
    Time("heartbeat_expiry", &Policy::heartbeat_expiry, Seconds{1}, Hours(1), Use::kService),
    Time("node_down_after", &Policy::node_down_after, Seconds{2}, Days(7), Use::kService),
    Count("failures_max", &Policy::failures_max, 1, 100, Use::kService),
    Time("event_retention", &Policy::event_retention, Hours(1), Days(3'660), Use::kService),
    Time("request_retention", &Policy::request_retention, Days(1), Days(3'660), Use::kService),
    Time("audit_retention", &Policy::audit_retention, Days(30), Days(3'660), Use::kService),
};

/// Every one is sent with every policy that is listed.
constexpr std::size_t kProgrammesMax = 100;

Error Invalid(std::string path, const std::string& value, std::string expected) {
  return FieldError(Reason::kPolicyInvalid, std::move(path), value, std::move(expected));
}

Status CheckCaps(const ProgrammeCaps& caps) {
  const std::string path = "programmes." + caps.programme.str();
  if (!CheckName(caps.programme.str(), path).ok()) {
    return Invalid(path, caps.programme.str(),
                   "a name of 1 to 63 of a-z, 0-9 and '-' that starts with a letter");
  }
  for (const GpuModel model : kGpuModels) {
    const int gpus = caps.gpus_max[static_cast<std::size_t>(model)];
    if (gpus >= 0 && gpus <= kGpusMax) continue;
    return Invalid(path + ".gpus_max." + std::string(Name(model)), std::to_string(gpus),
                   "0 to " + std::to_string(kGpusMax));
  }
  if (caps.duration_max >= kDurationMin && caps.duration_max <= kDurationMax) return Ok{};
  return Invalid(path + ".duration_max", FormatDuration(caps.duration_max),
                 FormatDuration(kDurationMin) + " to " + FormatDuration(kDurationMax));
}

Status CheckProgrammes(const std::vector<ProgrammeCaps>& programmes) {
  if (programmes.empty()) return Invalid("programmes", "", "at least one programme");
  if (programmes.size() > kProgrammesMax) {
    return Invalid("programmes", std::to_string(programmes.size()) + " programmes",
                   "at most " + std::to_string(kProgrammesMax));
  }
  const ProgrammeCaps* before = nullptr;
  for (const ProgrammeCaps& caps : programmes) {
    if (before != nullptr && caps.programme <= before->programme) {
      return Invalid("programmes." + caps.programme.str(), "", "each programme once, by name");
    }
    ALLOT_RETURN_IF_ERROR(CheckCaps(caps));
    before = &caps;
  }
  return Ok{};
}

}  // namespace

std::span<const PolicySetting> PolicySettings() { return kSettings; }

const PolicySetting* FindPolicySetting(std::string_view name) {
  for (const PolicySetting& setting : kSettings) {
    if (setting.name == name) return &setting;
  }
  return nullptr;
}

int64_t Get(const Policy& policy, const PolicySetting& setting) {
  if (setting.is_time()) return (policy.*std::get<Seconds Policy::*>(setting.member)).count;
  return policy.*std::get<int Policy::*>(setting.member);
}

void Set(Policy& policy, const PolicySetting& setting, int64_t value) {
  ALLOT_CHECK(value >= setting.min && value <= setting.max);
  if (setting.is_time()) {
    policy.*std::get<Seconds Policy::*>(setting.member) = Seconds{value};
  } else {
    policy.*std::get<int Policy::*>(setting.member) = static_cast<int>(value);
  }
}

std::string FormatSetting(const PolicySetting& setting, int64_t value) {
  return setting.is_time() ? FormatDuration(Seconds{value}) : std::to_string(value);
}

std::string RangeOf(const PolicySetting& setting) {
  return FormatSetting(setting, setting.min) + " to " + FormatSetting(setting, setting.max);
}

std::optional<PolicyContradiction> FindContradiction(const Policy& policy) {
  struct Row {
    std::string_view longer;
    std::string_view shorter;
    bool may_be_equal;
  };
  constexpr std::array kRows = {
      // A node is unknown first and down later; the other way round it would never be unknown.
      Row{"node_down_after", "heartbeat_expiry", false},
      // Nothing starts before it was gathered, and nothing is planned beyond the horizon.
      Row{"planning_horizon", "gathering_time", false},
      // Or everybody who may start at all would have waited too long.
      Row{"starvation_bound", "gathering_time", false},
      // What is not planned cannot be promised.
      Row{"planning_horizon", "promise_within", true},
  };
  for (const Row& row : kRows) {
    const PolicySetting& longer = *FindPolicySetting(row.longer);
    const PolicySetting& shorter = *FindPolicySetting(row.shorter);
    const int64_t longer_s = Get(policy, longer);
    const int64_t shorter_s = Get(policy, shorter);
    if (longer_s > shorter_s || (row.may_be_equal && longer_s == shorter_s)) continue;
    const auto of = [](const PolicySetting& setting, int64_t value) {
      return std::string(setting.name) + " (" + FormatSetting(setting, value) + ")";
    };
    return PolicyContradiction{
        .longer = row.longer,
        .shorter = row.shorter,
        .longer_needs =
            (row.may_be_equal ? "at least as long as " : "longer than ") + of(shorter, shorter_s),
        .shorter_needs =
            (row.may_be_equal ? "at most as long as " : "shorter than ") + of(longer, longer_s)};
  }
  return std::nullopt;
}

Status CheckPolicy(const Policy& policy) {
  ALLOT_RETURN_IF_ERROR(CheckProgrammes(policy.programmes));
  for (const PolicySetting& setting : kSettings) {
    const int64_t value = Get(policy, setting);
    if (value >= setting.min && value <= setting.max) continue;
    return Invalid(std::string(setting.name), FormatSetting(setting, value), RangeOf(setting));
  }
  if (const auto found = FindContradiction(policy)) {
    const PolicySetting& longer = *FindPolicySetting(found->longer);
    return Invalid(std::string(found->longer), FormatSetting(longer, Get(policy, longer)),
                   found->longer_needs);
  }
  return Ok{};
}

}  // namespace allot
