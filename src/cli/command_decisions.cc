#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/resource_name.h"
#include "cli/views.h"

namespace allot::cli {
namespace {

/// Of what an operator decides about one that waits.
struct DecisionFlags {
  std::string name;
  std::string reason;
  bool off = false;
  bool dry_run = false;
};

/// `request` with what every decision takes; it has set the rest. `dry_run`: what to show of it
/// besides, when nothing was changed.
template <class Request, class DryRun>
ExitCode DecideOn(Session& session, const DecisionFlags& flags, Request request,
                  Method<Operators, Request, v1::Allocation> method, const DryRun& dry_run) {
  const auto name = AllocationName(flags.name);
  if (!name.ok()) return session.Fail(name.failure());
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  request.set_name(*name);
  request.set_reason(flags.reason);
  request.set_validate_only(flags.dry_run);
  const auto changed = (*client)->Call(method, request);
  if (!changed.ok()) return session.Fail(changed.failure());
  if (flags.dry_run) {
    if (const auto code = dry_run(**client, *name)) return *code;
    session.output().Note("dry run: nothing was changed; it would become");
  }
  session.output().Show(*changed,
                        AllocationDetails(*changed, session.Now(), session.output().colours()),
                        {changed->name()});
  return ExitCode::kOk;
}

ExitCode SetUrgency(Session& session, const DecisionFlags& flags) {
  v1::SetUrgencyRequest request;
  request.set_urgent(!flags.off);
  return DecideOn(session, flags, request, &Operators::SetUrgency,
                  [](Client&, const std::string&) { return std::optional<ExitCode>(); });
}

/// A dry run tells what would be moved.
ExitCode SetConsolidation(Session& session, const DecisionFlags& flags) {
  v1::SetConsolidationRequest request;
  request.set_consolidate(!flags.off);
  const auto show_moves = [&](Client& client, const std::string& name) -> std::optional<ExitCode> {
    if (flags.off) return std::nullopt;
    v1::WhatIfRequest question;
    question.add_changes()->set_consolidate(name);
    const auto answer = client.Call(&Operators::WhatIf, question);
    if (!answer.ok()) return session.Fail(answer.failure());
    session.output().Show(*answer, WhatIfText(*answer, session.Now(), session.output().colours()),
                          {name});
    return ExitCode::kOk;
  };
  return DecideOn(session, flags, request, &Operators::SetConsolidation, show_moves);
}

void AddDecisionFlags(CLI::App& command, DecisionFlags& flags, const std::string& off_help) {
  command.add_option("allocation", flags.name, "INSTITUTE/PROJECT/ALLOCATION")->required();
  command.add_option("--reason", flags.reason, "Shown with it and kept in the audit")->required();
  command.add_flag("--off", flags.off, off_help);
}

void AddConsolidateCommand(CLI::App& root, Action& chosen) {
  auto flags = std::make_shared<DecisionFlags>();
  CLI::App* consolidate = AddCommand(
      root, "consolidate", "Makes room for a waiting allocation by moving others (operators)",
      "  allot consolidate snu/vaccine/main --dry-run --reason \"the outbreak of 2027-01\"\n"
      "  allot consolidate snu/vaccine/main --reason \"the outbreak of 2027-01\"");
  AddDecisionFlags(*consolidate, *flags, "No room is made for it, if it was not made yet");
  consolidate->add_flag("--dry-run", flags->dry_run, "Tell what would be moved, change nothing");
  consolidate->callback([&chosen, flags] {
    chosen = [flags](Session& session) { return SetConsolidation(session, *flags); };
  });
}

void AddUrgentCommand(CLI::App& root, Action& chosen) {
  auto flags = std::make_shared<DecisionFlags>();
  CLI::App* urgent =
      AddCommand(root, "urgent", "Puts a waiting allocation before others, or back (operators)",
                 "  allot urgent snu/vaccine/main --reason \"the outbreak of 2027-01\"\n"
                 "  allot urgent snu/vaccine/main --off --reason \"it is over\"");
  AddDecisionFlags(*urgent, *flags, "It goes before others no more");
  urgent->add_flag("--dry-run", flags->dry_run, "Check everything, change nothing");
  urgent->callback([&chosen, flags] {
    chosen = [flags](Session& session) { return SetUrgency(session, *flags); };
  });
}

}  // namespace

void AddDecisionCommands(CLI::App& root, Action& chosen) {
  AddUrgentCommand(root, chosen);
  AddConsolidateCommand(root, chosen);
}

}  // namespace allot::cli
