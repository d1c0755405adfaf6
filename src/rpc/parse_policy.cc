#include <algorithm>

#include <google/protobuf/descriptor.h>

#include "allot/model/policy_settings.h"
#include "rpc/enums.h"
#include "rpc/fields.h"
#include "rpc/parse.h"

namespace allot::rpc {
namespace {

/// What `policies/{policy}` must not be: the one in force goes by it.
constexpr std::string_view kCurrent = "current";
const std::string kSettings = "policy.settings.";

/// By the setting's name, which the message's field has too; nothing when it is not given.
Result<std::optional<int64_t>> ParseSetting(const v1::PolicySettings& settings,
                                            const PolicySetting& setting, const std::string& path) {
  const std::string name(setting.name);
  const auto* field = settings.GetDescriptor()->FindFieldByName(name);
  ALLOT_CHECK(field != nullptr);
  const auto* reflection = settings.GetReflection();
  if (!reflection->HasField(settings, field)) return std::optional<int64_t>();
  int64_t value = 0;
  if (setting.is_time()) {
    const auto& duration =
        static_cast<const google::protobuf::Duration&>(reflection->GetMessage(settings, field));
    ALLOT_ASSIGN_OR_RETURN(const Seconds parsed, ParseDuration(duration, path + name));
    value = parsed.count;
  } else {
    value = reflection->GetInt32(settings, field);
  }
  if (value >= setting.min && value <= setting.max) return std::optional(value);
  return FieldError(Reason::kPolicyInvalid, path + name, FormatSetting(setting, value),
                    RangeOf(setting));
}

Result<int> ParseGpusMax(int64_t gpus, const std::string& field) {
  if (gpus >= 0 && gpus <= kGpusMax) return static_cast<int>(gpus);
  return FieldError(Reason::kPolicyInvalid, field, std::to_string(gpus),
                    "0 to " + std::to_string(kGpusMax));
}

Result<ProgrammeCaps> ParseCaps(const v1::ProgrammeCaps& caps, const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(auto programme, ParseNewName(caps.programme(), field + ".programme"));
  ProgrammeCaps parsed{.programme = ProgrammeId(std::move(programme))};
  if (!caps.has_gpus_max()) {
    return FieldError(Reason::kFieldRequired, field + ".gpus_max", "", "GPUs at most, by model");
  }
  auto& gpus = parsed.gpus_max;
  ALLOT_ASSIGN_OR_RETURN(gpus[static_cast<std::size_t>(GpuModel::kB200)],
                         ParseGpusMax(caps.gpus_max().b200(), field + ".gpus_max.b200"));
  ALLOT_ASSIGN_OR_RETURN(gpus[static_cast<std::size_t>(GpuModel::kH200)],
                         ParseGpusMax(caps.gpus_max().h200(), field + ".gpus_max.h200"));
  if (!caps.has_duration_max()) {
    return FieldError(Reason::kFieldRequired, field + ".duration_max", "", "how long at most");
  }
  ALLOT_ASSIGN_OR_RETURN(parsed.duration_max, ParseDuration(caps.duration_max(), kDurationMin,
                                                            kDurationMax, field + ".duration_max"));
  return parsed;
}

}  // namespace

Result<std::vector<std::pair<const PolicySetting*, int64_t>>> ParseGivenSettings(
    const v1::PolicySettings& settings, const std::string& path) {
  std::vector<std::pair<const PolicySetting*, int64_t>> given;
  for (const PolicySetting& setting : PolicySettings()) {
    ALLOT_ASSIGN_OR_RETURN(const auto value, ParseSetting(settings, setting, path));
    if (!value) continue;
    if (setting.use != PolicySetting::Use::kPlanning) {
      return FieldError(Reason::kFieldNotAllowed, path + std::string(setting.name),
                        FormatSetting(setting, *value), "a setting that plans depend on");
    }
    given.emplace_back(&setting, *value);
  }
  return given;
}

Result<std::vector<ProgrammeCaps>> ParseProgrammes(const v1::PolicySettings& settings,
                                                   const std::string& path) {
  std::vector<ProgrammeCaps> programmes;
  for (int i = 0; i < settings.programmes_size(); ++i) {
    const std::string field = path + "programmes[" + std::to_string(i) + "]";
    ALLOT_ASSIGN_OR_RETURN(auto caps, ParseCaps(settings.programmes(i), field));
    const auto same = std::ranges::find(programmes, caps.programme, &ProgrammeCaps::programme);
    if (same != programmes.end()) {
      return FieldError(Reason::kValueRepeated, field + ".programme", caps.programme.str(),
                        "each programme once");
    }
    programmes.push_back(std::move(caps));
  }
  std::ranges::sort(programmes, {}, &ProgrammeCaps::programme);
  return programmes;
}

Result<control::NewPolicy> Parse(const v1::CreatePolicyRequest& request) {
  control::NewPolicy asked;
  ALLOT_ASSIGN_OR_RETURN(auto id, ParseNewName(request.policy_id(), "policy_id"));
  if (id == kCurrent) {
    return FieldError(Reason::kNameInvalid, "policy_id", id,
                      "another name: this is the one in force");
  }
  asked.id = PolicyId(std::move(id));
  const v1::PolicySettings& settings = request.policy().settings();
  ALLOT_ASSIGN_OR_RETURN(asked.policy.programmes, ParseProgrammes(settings, kSettings));
  for (const PolicySetting& setting : PolicySettings()) {
    ALLOT_ASSIGN_OR_RETURN(const auto value, ParseSetting(settings, setting, kSettings));
    if (!value) {
      return FieldError(Reason::kFieldRequired, kSettings + std::string(setting.name), "",
                        RangeOf(setting));
    }
    Set(asked.policy, setting, *value);
  }
  ALLOT_ASSIGN_OR_RETURN(asked.policy.node_loss,
                         Parse(settings.node_loss(), kSettings + "node_loss"));
  if (request.policy().has_effective_time()) {
    ALLOT_ASSIGN_OR_RETURN(asked.effective_time, ParseTimestamp(request.policy().effective_time(),
                                                                "policy.effective_time"));
  }
  ALLOT_ASSIGN_OR_RETURN(asked.reason, ParseRequiredText(request.reason(), "reason"));
  return asked;
}

Result<control::PolicyEnd> Parse(const v1::WithdrawPolicyRequest& request) {
  control::PolicyEnd end;
  ALLOT_ASSIGN_OR_RETURN(end.id, ParsePolicyName(request.name(), "name"));
  ALLOT_ASSIGN_OR_RETURN(end.reason, ParseRequiredText(request.reason(), "reason"));
  return end;
}

Result<std::optional<PolicyId>> ParsePolicyOrCurrent(const std::string& name,
                                                     const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(auto id, ParsePolicyName(name, field));
  if (id.str() == kCurrent) return std::optional<PolicyId>();
  return std::optional(std::move(id));
}

}  // namespace allot::rpc
