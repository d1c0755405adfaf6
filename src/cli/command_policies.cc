#include <algorithm>
#include <memory>

#include "cli/commands.h"
#include "cli/input_file.h"
#include "cli/listing.h"
#include "cli/policy_file.h"
#include "cli/resource.h"
#include "cli/resource_name.h"
#include "cli/text.h"
#include "cli/values.h"
#include "cli/views.h"

namespace allot::cli {
namespace {

constexpr const char* kCurrent = "current";

struct PublishFlags {
  std::string policy;
  std::string file;
  std::string from;
  std::string reason;
  bool dry_run = false;
};

void Show(Session& session, const v1::Policy& policy) {
  session.output().Show(policy, PolicyDetails(policy, session.Now(), session.output().colours()),
                        {policy.name().empty() ? "policies/current" : policy.name()});
}

Outcome<v1::Policy> Find(Client& client, const std::string& text) {
  const auto name = PolicyName(text);
  if (!name.ok()) return name.failure();
  v1::GetPolicyRequest request;
  request.set_name(*name);
  return client.Call(&Policies::GetPolicy, request);
}

/// Whose place it takes: the last that takes effect before it does.
Outcome<v1::Policy> FindBefore(Client& client, const v1::Policy& policy) {
  auto before = Find(client, kCurrent);
  if (!before.ok() || !policy.has_effective_time()) return before;
  const auto all = ListAll(client, &Policies::ListPolicies, v1::ListPoliciesRequest(),
                           [](const auto& page) { return page.policies_size(); });
  if (!all.ok()) return all.failure();
  Instant latest = before->has_effective_time() ? InstantOf(before->effective_time()) : Instant{0};
  for (const v1::Policy& other : all->policies()) {
    const Instant from = InstantOf(other.effective_time());
    if (other.state() != v1::Policy::STATE_SCHEDULED || from <= latest ||
        from >= InstantOf(policy.effective_time())) {
      continue;
    }
    latest = from;
    before = other;
  }
  return before;
}

/// What an official signs: every setting that is to be another, one a line.
void ShowDifferences(const Session& session, const v1::Policy& before, const v1::Policy& after) {
  if (!session.output().for_people()) return;
  const auto old_lines = SettingLines(before.settings());
  const auto new_lines = SettingLines(after.settings());
  const auto valued = [](const std::vector<SettingLine>& lines, const std::string& name) {
    const auto found = std::ranges::find(lines, name, &SettingLine::name);
    return found == lines.end() ? std::string("-") : found->value;
  };
  std::vector<std::string> changes;
  for (const SettingLine& line : old_lines) {
    const std::string value = valued(new_lines, line.name);
    if (value != line.value) changes.push_back(line.name + ": " + line.value + " -> " + value);
  }
  for (const SettingLine& line : new_lines) {
    if (valued(old_lines, line.name) == "-") changes.push_back(line.name + ": - -> " + line.value);
  }
  const std::string name = before.name().empty() ? before.version() : ShortName(before.name());
  session.output().Note(changes.empty()
                            ? "the settings are those of " + name + ", whose place it takes"
                            : "against " + name + ", whose place it takes:");
  for (const std::string& change : changes) session.output().Note("  " + Harmless(change));
  for (const v1::ProgrammeCaps& caps : before.settings().programmes()) {
    const auto& kept = after.settings().programmes();
    if (std::ranges::find(kept, caps.programme(), &v1::ProgrammeCaps::programme) != kept.end()) {
      continue;
    }
    session.output().Note("warning: programme " + Harmless(caps.programme()) +
                          " has no caps in it: its projects' new requests will be refused");
  }
}

Outcome<v1::CreatePolicyRequest> ReadRequest(Session& session, const PublishFlags& flags) {
  v1::CreatePolicyRequest request;
  if (!flags.from.empty()) {
    const auto from = session.moments().Read("--from", flags.from);
    if (!from.ok()) return FailureOf(from.error());
    *request.mutable_policy()->mutable_effective_time() = TimestampOf(*from);
  }
  const auto text = ReadInput(session.environment(), flags.file);
  if (!text.ok()) return text.failure();
  std::vector<ManifestProblem> problems;
  *request.mutable_policy()->mutable_settings() =
      ParsePolicyFile(InputName(flags.file), *text, problems);
  if (!problems.empty()) return ShowProblems(session, problems);
  request.set_policy_id(flags.policy);
  request.set_reason(flags.reason);
  request.set_validate_only(flags.dry_run);
  return request;
}

ExitCode Create(Session& session, const PublishFlags& flags) {
  const auto request = ReadRequest(session, flags);
  if (!request.ok()) return session.Fail(request.failure());
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  const auto before = FindBefore(**client, request->policy());
  if (!before.ok()) return session.Fail(before.failure());
  const auto created = (*client)->Call(&Policies::CreatePolicy, *request);
  if (!created.ok()) return session.Fail(created.failure());
  ShowDifferences(session, *before, *created);
  if (flags.dry_run) session.output().Note("dry run: nothing was changed; it would become");
  Repeated<v1::Policy> rows;
  *rows.Add() = *created;
  session.output().Show(*created, PolicyTable(rows, session.Now()), {created->name()});
  return ExitCode::kOk;
}

ExitCode GetPolicy(Session& session, const std::string& policy) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  const auto found = Find(**client, policy);
  if (!found.ok()) return session.Fail(found.failure());
  Show(session, *found);
  return ExitCode::kOk;
}

ExitCode Export(Session& session, const std::string& policy) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  const auto found = Find(**client, policy);
  if (!found.ok()) return session.Fail(found.failure());
  session.environment().out << FormatPolicyFile(found->settings());
  return ExitCode::kOk;
}

ExitCode List(Session& session) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  const auto answer = ListAll(**client, &Policies::ListPolicies, v1::ListPoliciesRequest(),
                              [](const auto& page) { return page.policies_size(); });
  if (!answer.ok()) return session.Fail(answer.failure());
  session.output().Show(*answer, PolicyTable(answer->policies(), session.Now()),
                        NamesOf(answer->policies()));
  return ExitCode::kOk;
}

ExitCode Withdraw(Session& session, const std::string& policy, const std::string& reason,
                  bool dry_run) {
  const auto name = PolicyName(policy);
  if (!name.ok()) return session.Fail(name.failure());
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  v1::WithdrawPolicyRequest request;
  request.set_name(*name);
  request.set_reason(reason);
  request.set_validate_only(dry_run);
  const auto withdrawn = (*client)->Call(&Policies::WithdrawPolicy, request);
  if (!withdrawn.ok()) return session.Fail(withdrawn.failure());
  if (dry_run) session.output().Note("dry run: nothing was changed; it would become");
  Repeated<v1::Policy> rows;
  *rows.Add() = *withdrawn;
  session.output().Show(*withdrawn, PolicyTable(rows, session.Now()), {withdrawn->name()});
  return ExitCode::kOk;
}

void AddCreatePolicy(CLI::App& policies, Action& chosen) {
  auto flags = std::make_shared<PublishFlags>();
  CLI::App* create = AddCommand(
      policies, "create", "Publishes a policy, in force from its date on",
      "  allot policies export > policy.yaml        # and edit it\n"
      "  allot policies create spring-2027 -f policy.yaml --from 2027-03-01T00:00:00+09:00 \\\n"
      "    --reason \"second call\" --dry-run");
  create->add_option("policy", flags->policy, "Its name, such as spring-2027")->required();
  create->add_option("-f,--file", flags->file, "Every setting, in YAML or JSON; - for stdin")
      ->required();
  create->add_option("--from", flags->from, "RFC 3339, or +2h from now (at once)");
  create->add_option("--reason", flags->reason, "Why; shown with it and kept in the audit")
      ->required();
  create->add_flag("--dry-run", flags->dry_run, "Check everything, change nothing");
  create->callback(
      [&chosen, flags] { chosen = [flags](Session& session) { return Create(session, *flags); }; });
}

void AddWithdraw(CLI::App& policies, Action& chosen) {
  auto policy = std::make_shared<std::string>();
  auto reason = std::make_shared<std::string>();
  auto dry_run = std::make_shared<bool>(false);
  CLI::App* withdraw =
      AddCommand(policies, "withdraw", "Takes back a policy before its date",
                 "  allot policies withdraw spring-2027 --reason \"the caps were wrong\"");
  withdraw->add_option("policy", *policy, "Its name")->required();
  withdraw->add_option("--reason", *reason, "Why; shown with it and kept in the audit")->required();
  withdraw->add_flag("--dry-run", *dry_run, "Check everything, change nothing");
  withdraw->callback([&chosen, policy, reason, dry_run] {
    chosen = [policy, reason, dry_run](Session& session) {
      return Withdraw(session, *policy, *reason, *dry_run);
    };
  });
}

void AddNamed(CLI::App& policies, Action& chosen, const char* name, const char* description,
              const char* example, ExitCode (*run)(Session&, const std::string&)) {
  auto policy = std::make_shared<std::string>(kCurrent);
  CLI::App* command = AddCommand(policies, name, description, example);
  command->add_option("policy", *policy, "Its name (the one in force)");
  command->callback([&chosen, policy, run] {
    chosen = [policy, run](Session& session) { return run(session, *policy); };
  });
}

}  // namespace

void AddPolicyCommands(CLI::App& root, Action& chosen) {
  CLI::App* policies =
      AddCommand(root, "policies", "The rules: reads, publishes and withdraws them",
                 "  allot policies get\n"
                 "  allot policies list\n"
                 "  allot policies export > policy.yaml");
  policies->require_subcommand(1);
  AddNamed(*policies, chosen, "get", "Shows one with every setting",
           "  allot policies get\n  allot policies get spring-2027", GetPolicy);
  AddNamed(*policies, chosen, "export", "Prints its settings as a file that create takes",
           "  allot policies export > policy.yaml", Export);
  CLI::App* list = AddCommand(*policies, "list", "Lists all that were published, by date",
                              "  allot policies list");
  list->callback([&chosen] { chosen = [](Session& session) { return List(session); }; });
  AddCreatePolicy(*policies, chosen);
  AddWithdraw(*policies, chosen);
}

}  // namespace allot::cli
