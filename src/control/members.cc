#include "allot/control/members.h"

#include "allot/control/identity.h"
#include "allot/control/once.h"
#include "control/record.h"
#include "control/staff.h"

namespace allot::control {
namespace {

/// For the audit, which is kept for good: who it is stands in the member's row alone.
std::string Describe(const Member& member) {
  std::string text(Name(member.role));
  if (!member.institute.empty()) text += " of " + member.institute.str();
  return text + ", known to " + member.person.issuer;
}

/// A role comes with exactly the tenant it belongs to.
Status TenantFitsRole(store::Tx& tx, const NewMember& member) {
  if (member.role == Role::kProvider) {
    return FieldError(Reason::kFieldNotAllowed, "member.role", Name(member.role),
                      "a role of people; a provider's agents have keys");
  }
  const bool of_institute = IsOfInstitute(member.role);
  if (of_institute != !member.institute.empty()) {
    return FieldError(of_institute ? Reason::kFieldRequired : Reason::kFieldNotAllowed,
                      "member.institute", member.institute.str(),
                      "an institute for institute admins, members and viewers, and only for them");
  }
  if (!of_institute) return Ok{};
  ALLOT_ASSIGN_OR_RETURN(const auto institute, tx.FindInstitute(member.institute));
  if (!institute) return NotFound("member.institute", member.institute.str());
  return Ok{};
}

Result<Member> FindMember(store::Tx& tx, const MemberId& id) {
  ALLOT_ASSIGN_OR_RETURN(auto member, tx.FindMember(id));
  if (!member) return NotFound("name", id.str());
  return *std::move(member);
}

Result<Member> Again(store::Tx& tx, const std::string& id) { return FindMember(tx, MemberId(id)); }

}  // namespace

Result<Member> CreateMember(const Context& context, const Call& call, const NewMember& asked) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kManageTenants));
  const Instant now = context.clock.Now();
  const Member member{.id = MemberId(std::string(kMemberIdPrefix) + context.ids.Mint(kKeyIdLength)),
                      .person = asked.person,
                      .role = asked.role,
                      .institute = asked.institute,
                      .display_name = asked.display_name,
                      .create_time = now};
  return Once<Member>(
      context, call, now,
      [&](store::Tx& tx) -> Result<Member> {
        ALLOT_RETURN_IF_ERROR(MayManageThoseOf(tx, call.principal, asked.role, now));
        ALLOT_RETURN_IF_ERROR(TenantFitsRole(tx, asked));
        ALLOT_ASSIGN_OR_RETURN(const auto present,
                               tx.FindMembersByPerson(std::span(&asked.person, 1)));
        if (!present.empty()) {
          // By its id: whom the issuer knows by which name is nothing for a log.
          return FieldError(Reason::kAlreadyExists, "member.subject", present.front().id.str(),
                            "a person who is no member");
        }
        ALLOT_RETURN_IF_ERROR(tx.InsertMember(member));
        ALLOT_RETURN_IF_ERROR(tx.Audit(Record(call, now, "member.create", member.id.str(),
                                              member.institute, Describe(member))));
        return member;
      },
      [](const Member& made) { return made.id.str(); }, Again);
}

Result<store::Page<Member>> ListMembers(const Context& context, const Principal& principal,
                                        const store::PageRequest& page) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kManageTenants));
  const Instant now = context.clock.Now();
  return context.store.Transact<store::Page<Member>>(
      store::Access::kWrite, store::Scope::For(principal),
      [&](store::Tx& tx) -> Result<store::Page<Member>> {
        ALLOT_ASSIGN_OR_RETURN(auto found, tx.ListMembers(page));
        if (found.items.empty()) return found;
        ALLOT_RETURN_IF_ERROR(tx.Audit(Record(
            {.principal = principal}, now, "member.list", found.items.front().id.str(), {},
            std::to_string(found.items.size()) + " members, to " + found.items.back().id.str())));
        return found;
      });
}

Result<Member> RemoveMember(const Context& context, const Call& call, const MemberId& id,
                            const std::string& reason) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kManageTenants));
  ALLOT_RETURN_IF_ERROR(RequireReason(reason, "why the person is removed"));
  const Instant now = context.clock.Now();
  return Once<Member>(
      context, call, now,
      [&](store::Tx& tx) -> Result<Member> {
        ALLOT_ASSIGN_OR_RETURN(auto member, FindMember(tx, id));
        ALLOT_RETURN_IF_ERROR(MayManageThoseOf(tx, call.principal, member.role, now));
        if (member.remove_time) return member;
        ALLOT_RETURN_IF_ERROR(tx.RemoveMember(id, now));
        ALLOT_RETURN_IF_ERROR(tx.Audit(Record(call, now, "member.remove", id.str(),
                                              member.institute, Describe(member) + ": " + reason)));
        member.remove_time = now;
        return member;
      },
      [](const Member& removed) { return removed.id.str(); }, Again);
}

Result<Caller> WhoIs(const Context& context, const Principal& principal) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadPool));
  return context.store.Transact<Caller>(
      store::Access::kRead, store::Scope::For(principal), [&](store::Tx& tx) -> Result<Caller> {
        Caller caller;
        if (const auto member = MemberOf(principal.key)) {
          ALLOT_ASSIGN_OR_RETURN(caller.member, tx.FindMember(*member));
        } else {
          ALLOT_ASSIGN_OR_RETURN(caller.key, tx.FindApiKey(principal.key));
        }
        return caller;
      });
}

}  // namespace allot::control
