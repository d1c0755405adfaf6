#include <memory>
#include <set>
#include <string>

#include "cli/commands.h"
#include "cli/place.h"
#include "cli/policy_file.h"
#include "cli/request_flags.h"
#include "cli/resource_name.h"
#include "cli/text.h"
#include "cli/values.h"
#include "cli/views.h"

namespace allot::cli {
namespace {

struct WhatIfFlags {
  std::vector<std::string> merits;
  std::vector<std::string> quotas;
  std::vector<std::string> drains;
  std::vector<std::string> withdrawals;
  std::vector<std::string> urgent;
  std::vector<std::string> consolidations;
  std::string policy;
  std::vector<std::string> settings;
  std::string submit;
  RequestFlags request;
};

/// "a=b" as its two halves, none of them empty.
Result<std::pair<std::string, std::string>> Halves(const std::string& flag, const std::string& text,
                                                   const std::string& expected) {
  const std::size_t equals = text.find('=');
  if (equals != std::string::npos && equals > 0 && equals + 1 < text.size()) {
    return std::pair(text.substr(0, equals), text.substr(equals + 1));
  }
  return FieldError(Reason::kConfigInvalid, flag, text, expected);
}

Outcome<v1::WhatIfChange> ReadMerit(const std::string& text) {
  const auto halves = Halves("--merit", text, "INSTITUTE/PROJECT=SCORE, such as snu/llm=700");
  if (!halves.ok()) return FailureOf(halves.error());
  const auto project = ProjectName(halves->first);
  if (!project.ok()) return project.failure();
  const auto score =
      ParseSmallCount("--merit", halves->second, Reason::kMeritOutOfRange, 0, kMeritMax);
  if (!score.ok()) return FailureOf(score.error());
  v1::WhatIfChange change;
  change.mutable_merit()->set_project(*project);
  change.mutable_merit()->set_merit(*score);
  return change;
}

Outcome<v1::WhatIfChange> ReadQuota(const std::string& text) {
  const std::string expected = "INSTITUTE/PROJECT=MODEL:GPUS, such as snu/llm=H200:64";
  const auto halves = Halves("--quota", text, expected);
  if (!halves.ok()) return FailureOf(halves.error());
  const auto project = ProjectName(halves->first);
  if (!project.ok()) return project.failure();
  const std::vector<std::string> parts = Split(halves->second, ':');
  v1::WhatIfChange change;
  v1::WhatIfChange::ConcurrentGpus& quota = *change.mutable_concurrent_gpus();
  v1::GpuModel model{};
  if (parts.size() != 2 || !v1::GpuModel_Parse("GPU_MODEL_" + parts[0], &model)) {
    return FailureOf(FieldError(Reason::kGpuModelUnknown, "--quota", Printable(text), expected));
  }
  const auto gpus = ParseSmallCount("--quota", parts[1], Reason::kQuotaOutOfRange, 0, kGpusMax);
  if (!gpus.ok()) return FailureOf(gpus.error());
  quota.set_project(*project);
  quota.set_gpu_model(model);
  quota.set_gpus(*gpus);
  return change;
}

/// What needs no server to be understood.
Outcome<v1::WhatIfRequest> ReadQuestion(Session& session, const WhatIfFlags& flags) {
  v1::WhatIfRequest request;
  for (const std::string& text : flags.merits) {
    auto change = ReadMerit(text);
    if (!change.ok()) return change.failure();
    *request.add_changes() = *std::move(change);
  }
  for (const std::string& text : flags.quotas) {
    auto change = ReadQuota(text);
    if (!change.ok()) return change.failure();
    *request.add_changes() = *std::move(change);
  }
  for (const std::string& text : flags.withdrawals) {
    const auto name = AllocationName(text);
    if (!name.ok()) return name.failure();
    request.add_changes()->set_withdraw(*name);
  }
  for (const std::string& text : flags.urgent) {
    const auto name = AllocationName(text);
    if (!name.ok()) return name.failure();
    request.add_changes()->set_urgent(*name);
  }
  for (const std::string& text : flags.consolidations) {
    const auto name = AllocationName(text);
    if (!name.ok()) return name.failure();
    request.add_changes()->set_consolidate(*name);
  }
  if (!flags.policy.empty()) {
    const auto name = PolicyName(flags.policy);
    if (!name.ok()) return name.failure();
    request.set_policy(*name);
  }
  std::set<std::string> names;
  for (const std::string& text : flags.settings) {
    const auto halves = Halves("--set", text, "NAME=VALUE, such as promise_nodes=8");
    if (!halves.ok()) return FailureOf(halves.error());
    if (!names.insert(halves->first).second) {
      return FailureOf(FieldError(Reason::kValueRepeated, "--set", text, "each setting once"));
    }
    const Status set =
        SetSetting("--set", halves->first, halves->second, *request.mutable_settings());
    if (!set.ok()) return FailureOf(set.error());
  }
  if (!flags.submit.empty()) {
    const auto project = ProjectName(flags.submit);
    if (!project.ok()) return project.failure();
    if (flags.request.length.empty()) {
      return UsageFailure("--submit needs --for: how long", "'allot what-if --help' has examples.");
    }
    auto asked = ReadRequest(flags.request, session.moments(), "allot what-if");
    if (!asked.ok()) return asked.failure();
    v1::WhatIfChange::Submit& submit = *request.add_changes()->mutable_submit();
    submit.set_project(*project);
    *submit.mutable_request() = *std::move(asked);
  }
  return request;
}

/// A cluster or a node by its full name.
Outcome<std::string> FindPlaceName(Client& client, const std::string& text) {
  if (text.starts_with("providers/")) return text;
  const auto place = FindPlace(client, text);
  if (!place.ok()) return place.failure();
  return place->node.empty() ? place->cluster : place->node;
}

ExitCode WhatIf(Session& session, const WhatIfFlags& flags) {
  auto request = ReadQuestion(session, flags);
  if (!request.ok()) return session.Fail(request.failure());
  if (request->changes().empty() && flags.drains.empty() && flags.policy.empty() &&
      flags.settings.empty()) {
    return session.Fail(
        UsageFailure("what is to be otherwise? Give at least one of --merit, "
                     "--quota, --drain, --withdraw, --urgent, --consolidate, --submit, --policy "
                     "and --set",
                     "'allot what-if --help' has examples."));
  }
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  for (const std::string& text : flags.drains) {
    const auto place = FindPlaceName(**client, text);
    if (!place.ok()) return session.Fail(place.failure());
    request->add_changes()->set_drain(*place);
  }
  const auto answer = (*client)->Call(&Operators::WhatIf, *request);
  if (!answer.ok()) return session.Fail(answer.failure());
  std::vector<std::string> projects;
  for (const v1::ProjectShift& shift : answer->projects()) projects.push_back(shift.project());
  session.output().Show(*answer, WhatIfText(*answer, session.Now(), session.output().colours()),
                        projects);
  return ExitCode::kOk;
}

}  // namespace

void AddWhatIfCommand(CLI::App& root, Action& chosen) {
  auto flags = std::make_shared<WhatIfFlags>();
  CLI::App* what_if = AddCommand(
      root, "what-if", "Plans as if something were otherwise: who starts sooner, who later",
      "  allot what-if --drain naver-a\n"
      "  allot what-if --merit snu/llm=900 --quota snu/llm=H200:128\n"
      "  allot what-if --policy spring-2027\n"
      "  allot what-if --set promise_nodes=8 --set usage_half_life=7d\n"
      "  allot what-if --submit snu/llm --nodes 16 --models H200 --for 14d");
  what_if->add_option("--merit", flags->merits, "INSTITUTE/PROJECT=SCORE; may be repeated");
  what_if->add_option("--quota", flags->quotas, "INSTITUTE/PROJECT=MODEL:GPUS; may be repeated");
  what_if->add_option("--drain", flags->drains,
                      "CLUSTER or CLUSTER/NODE takes nothing new; may be repeated");
  what_if->add_option("--withdraw", flags->withdrawals,
                      "A waiting ALLOCATION is not there; may be repeated");
  what_if->add_option("--urgent", flags->urgent,
                      "A waiting ALLOCATION goes before others; may be repeated");
  what_if->add_option("--consolidate", flags->consolidations,
                      "Room is made for a waiting ALLOCATION; may be repeated");
  what_if->add_option("--policy", flags->policy, "Planned by this policy");
  what_if->add_option("--set", flags->settings,
                      "A setting of the policy: promise_nodes=8; may be repeated");
  what_if->add_option("--submit", flags->submit,
                      "INSTITUTE/PROJECT submits one more; the flags below say what");
  AddRequestFlags(*what_if, flags->request);
  what_if->callback(
      [&chosen, flags] { chosen = [flags](Session& session) { return WhatIf(session, *flags); }; });
}

}  // namespace allot::cli
