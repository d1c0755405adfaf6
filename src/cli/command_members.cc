#include <memory>

#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/resource_name.h"
#include "cli/role.h"
#include "cli/views.h"

namespace allot::cli {
namespace {

constexpr char kMemberRoles[] =
    "ministry_admin, operator, auditor, institute_admin, member or viewer";

struct MemberFlags {
  std::string issuer;
  std::string subject;
  std::string role;
  std::string institute;
  std::string display_name;
};

Outcome<v1::Member> ReadMember(const MemberFlags& flags) {
  v1::Member member;
  const auto role = ReadRole(flags.role, kMemberRoles);
  if (!role.ok()) return role.failure();
  member.set_issuer(flags.issuer);
  member.set_subject(flags.subject);
  member.set_role(*role);
  member.set_display_name(flags.display_name);
  if (!flags.institute.empty()) {
    const auto name = InstituteName(flags.institute);
    if (!name.ok()) return name.failure();
    member.set_institute(*name);
  }
  return member;
}

ExitCode ShowMember(const Session& session, const v1::Member& member) {
  Repeated<v1::Member> rows;
  *rows.Add() = member;
  session.output().Show(member, MemberTable(rows, session.Now()), {member.name()});
  return ExitCode::kOk;
}

ExitCode AddMember(Session& session, const MemberFlags& flags) {
  const auto member = ReadMember(flags);
  if (!member.ok()) return session.Fail(member.failure());
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  v1::CreateMemberRequest request;
  *request.mutable_member() = *member;
  const auto created = (*client)->Call(&Members::CreateMember, request);
  if (!created.ok()) return session.Fail(created.failure());
  return ShowMember(session, *created);
}

ExitCode ListMembers(Session& session) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  const auto answer = ListAll(**client, &Members::ListMembers, v1::ListMembersRequest(),
                              [](const auto& page) { return page.members_size(); });
  if (!answer.ok()) return session.Fail(answer.failure());
  session.output().Show(*answer, MemberTable(answer->members(), session.Now()),
                        NamesOf(answer->members()));
  return ExitCode::kOk;
}

ExitCode RemoveMember(Session& session, const std::string& text, const std::string& reason) {
  const auto name = MemberName(text);
  if (!name.ok()) return session.Fail(name.failure());
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  v1::RemoveMemberRequest request;
  request.set_name(*name);
  request.set_reason(reason);
  const auto removed = (*client)->Call(&Members::RemoveMember, request);
  if (!removed.ok()) return session.Fail(removed.failure());
  return ShowMember(session, *removed);
}

}  // namespace

void AddMemberCommands(CLI::App& root, Action& chosen) {
  CLI::App* members =
      AddCommand(root, "members", "Adds, lists and removes people who log in with an issuer",
                 "  allot members add --issuer https://id.example --subject 8f1c --role member "
                 "--institute snu\n"
                 "  allot members list -o wide\n"
                 "  allot members remove m-k3f9a0c2m1x7 --reason \"has left\"");
  members->require_subcommand(1);

  auto flags = std::make_shared<MemberFlags>();
  CLI::App* add =
      AddCommand(*members, "add", "Adds a person; 'allot whoami' tells it what you need",
                 "  allot members add --issuer https://id.example --subject 8f1c "
                 "--role member --institute snu --display-name \"J. Kim\"");
  add->add_option("--issuer", flags->issuer, "Who vouches for the person, to the letter")
      ->required();
  add->add_option("--subject", flags->subject, "By which name the issuer knows it, to the letter")
      ->required();
  add->add_option("--role", flags->role, kMemberRoles)->required();
  add->add_option("--institute", flags->institute, "Of institute admins, members and viewers");
  add->add_option("--display-name", flags->display_name, "Who it is");
  add->callback([&chosen, flags] {
    chosen = [flags](Session& session) { return AddMember(session, *flags); };
  });

  CLI::App* list =
      AddCommand(*members, "list", "Lists members, removed ones too", "  allot members list");
  list->callback([&chosen] { chosen = ListMembers; });

  auto name = std::make_shared<std::string>();
  auto reason = std::make_shared<std::string>();
  CLI::App* remove = AddCommand(*members, "remove", "Removes a person: refused from then on",
                                "  allot members remove m-k3f9a0c2m1x7 --reason \"has left\"");
  remove->add_option("member", *name, "As 'allot members list' prints it")->required();
  remove->add_option("--reason", *reason, "Why; kept in the audit")->required();
  remove->callback([&chosen, name, reason] {
    chosen = [name, reason](Session& session) { return RemoveMember(session, *name, *reason); };
  });
}

}  // namespace allot::cli
