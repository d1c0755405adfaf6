#include <memory>
#include <sstream>

#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/resource.h"
#include "cli/resource_name.h"
#include "cli/text.h"
#include "cli/views.h"

namespace allot::cli {
namespace {

struct DecideFlags {
  std::string proposal;
  std::string reason;
  bool dry_run = false;
};

ExitCode Show(Session& session, const v1::Proposal& proposal) {
  session.output().Show(proposal, ProposalDetails(proposal, session.Now()), {proposal.name()});
  return ExitCode::kOk;
}

ExitCode GetProposal(Session& session, const std::string& text) {
  const auto name = ProposalName(text);
  if (!name.ok()) return session.Fail(name.failure());
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  v1::GetProposalRequest request;
  request.set_name(*name);
  const auto proposal = (*client)->Call(&Proposals::GetProposal, request);
  if (!proposal.ok()) return session.Fail(proposal.failure());
  return Show(session, *proposal);
}

ExitCode List(Session& session, bool all) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  v1::ListProposalsRequest request;
  request.set_pending_only(!all);
  const auto answer = ListAll(**client, &Proposals::ListProposals, request,
                              [](const auto& page) { return page.proposals_size(); });
  if (!answer.ok()) return session.Fail(answer.failure());
  session.output().Show(*answer, ProposalTable(answer->proposals(), session.Now()),
                        NamesOf(answer->proposals()));
  return ExitCode::kOk;
}

template <class Request>
ExitCode Decide(Session& session, const DecideFlags& flags,
                Method<Proposals, Request, v1::Proposal> method) {
  const auto name = ProposalName(flags.proposal);
  if (!name.ok()) return session.Fail(name.failure());
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  Request request;
  request.set_name(*name);
  request.set_reason(flags.reason);
  request.set_validate_only(flags.dry_run);
  const auto proposal = (*client)->Call(method, request);
  if (!proposal.ok()) return session.Fail(proposal.failure());
  return Show(session, *proposal);
}

using Decision = ExitCode (*)(Session&, const DecideFlags&);

void AddDecision(CLI::App& proposals, Action& chosen, const std::string& name,
                 const std::string& description, Decision decide) {
  auto flags = std::make_shared<DecideFlags>();
  CLI::App* command = AddCommand(
      proposals, name, description,
      "  allot proposals " + name + " pk3f9a0c2m1x7 --reason \"looked at with the call\"");
  command->add_option("proposal", flags->proposal, "As 'allot proposals list' prints it")
      ->required();
  command->add_option("--reason", flags->reason, "Why; shown with it and kept in the audit")
      ->required();
  command->add_flag("--dry-run", flags->dry_run, "Check everything, change nothing");
  command->callback([&chosen, flags, decide] {
    chosen = [flags, decide](Session& session) { return decide(session, *flags); };
  });
}

}  // namespace

void AddProposalCommands(CLI::App& root, Action& chosen) {
  CLI::App* proposals =
      AddCommand(root, "proposals", "Calls that take two persons: reads, approves and rejects them",
                 "  allot proposals list\n"
                 "  allot proposals get pk3f9a0c2m1x7\n"
                 "  allot proposals approve pk3f9a0c2m1x7 --reason \"looked at with the call\"");
  proposals->require_subcommand(1);

  auto all = std::make_shared<bool>(false);
  CLI::App* list = AddCommand(*proposals, "list", "Lists those that wait for a second person",
                              "  allot proposals list\n  allot proposals list --all");
  list->add_flag("--all", *all, "Those that were decided, done or have expired, too");
  list->callback(
      [&chosen, all] { chosen = [all](Session& session) { return List(session, *all); }; });

  auto name = std::make_shared<std::string>();
  CLI::App* get = AddCommand(*proposals, "get", "Shows one with all that it asks for",
                             "  allot proposals get pk3f9a0c2m1x7");
  get->add_option("proposal", *name, "As 'allot proposals list' prints it")->required();
  get->callback([&chosen, name] {
    chosen = [name](Session& session) { return GetProposal(session, *name); };
  });

  AddDecision(*proposals, chosen, "approve",
              "Lets the call go through when its first person makes it again",
              [](Session& session, const DecideFlags& flags) {
                return Decide<v1::ApproveProposalRequest>(session, flags,
                                                          &Proposals::ApproveProposal);
              });
  AddDecision(
      *proposals, chosen, "reject", "Refuses it", [](Session& session, const DecideFlags& flags) {
        return Decide<v1::RejectProposalRequest>(session, flags, &Proposals::RejectProposal);
      });
}

}  // namespace allot::cli
