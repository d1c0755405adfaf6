#include "allot/control/members.h"
#include "allot/v1/member_service.pb.h"
#include "rpc/call_for_two.h"
#include "rpc/enums.h"
#include "rpc/fields.h"
#include "rpc/handlers.h"
#include "rpc/render.h"

namespace allot::rpc {
namespace {

Result<control::NewMember> ParseNew(const v1::CreateMemberRequest& request) {
  control::NewMember member;
  const v1::Member& asked = request.member();
  ALLOT_ASSIGN_OR_RETURN(member.person.issuer, ParseRequiredText(asked.issuer(), "member.issuer"));
  ALLOT_ASSIGN_OR_RETURN(member.person.subject,
                         ParseRequiredText(asked.subject(), "member.subject"));
  ALLOT_ASSIGN_OR_RETURN(member.role, Parse(asked.role(), "member.role"));
  if (IsOfInstitute(member.role) || !asked.institute().empty()) {
    ALLOT_ASSIGN_OR_RETURN(member.institute,
                           ParseInstituteName(asked.institute(), "member.institute"));
  }
  ALLOT_ASSIGN_OR_RETURN(member.display_name,
                         ParseDisplayName(asked.display_name(), "member.display_name"));
  return member;
}

v1::Member RenderMember(const Member& member) {
  v1::Member rendered;
  rendered.set_name(NameOf(member.id));
  rendered.set_issuer(member.person.issuer);
  rendered.set_subject(member.person.subject);
  rendered.set_role(Render(member.role));
  if (!member.institute.empty()) rendered.set_institute(NameOf(member.institute));
  rendered.set_display_name(member.display_name);
  *rendered.mutable_create_time() = Render(member.create_time);
  if (member.remove_time) *rendered.mutable_remove_time() = Render(*member.remove_time);
  return rendered;
}

class Handlers {
 public:
  explicit Handlers(const Services& services) : s_(services) {}

  Result<v1::Member> CreateMember(const Caller& caller, const v1::CreateMemberRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, ParseNew(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCallForTwo(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto created, control::CreateMember(s_.context, call, asked));
    return RenderMember(created);
  }

  Result<v1::ListMembersResponse> ListMembers(const Caller& caller,
                                              const v1::ListMembersRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto query, ParsePage(request));
    ALLOT_ASSIGN_OR_RETURN(
        const auto page, control::ListMembers(s_.context, caller.principal, ToPageRequest(query)));
    v1::ListMembersResponse response;
    for (const Member& item : page.items) *response.add_members() = RenderMember(item);
    response.set_next_page_token(NextPageToken(query, page));
    return response;
  }

  Result<v1::Member> RemoveMember(const Caller& caller, const v1::RemoveMemberRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto id, ParseMemberName(request.name(), "name"));
    ALLOT_ASSIGN_OR_RETURN(const auto reason, ParseRequiredText(request.reason(), "reason"));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCallForTwo(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto removed, control::RemoveMember(s_.context, call, id, reason));
    return RenderMember(removed);
  }

  Result<v1::WhoAmIResponse> WhoAmI(const Caller& caller, const v1::WhoAmIRequest&) {
    const Principal& principal = caller.principal;
    ALLOT_ASSIGN_OR_RETURN(const auto who, control::WhoIs(s_.context, principal));
    v1::WhoAmIResponse response;
    response.set_role(Render(principal.role));
    if (!principal.institute.empty()) response.set_institute(NameOf(principal.institute));
    if (!principal.provider.empty()) response.set_provider(NameOf(principal.provider));
    if (who.key) *response.mutable_api_key() = Render(*who.key);
    if (who.member) *response.mutable_member() = RenderMember(*who.member);
    return response;
  }

 private:
  const Services s_;
};

}  // namespace

ServiceMethods MemberMethods(const Services& services) {
  auto handlers = std::make_shared<Handlers>(services);
  MethodTable table(
      v1::CreateMemberRequest::descriptor()->file()->FindServiceByName("MemberService"));
  table.Unary(handlers.get(), &Handlers::CreateMember);
  table.Unary(handlers.get(), &Handlers::ListMembers);
  table.Unary(handlers.get(), &Handlers::RemoveMember);
  table.Unary(handlers.get(), &Handlers::WhoAmI);
  return {std::move(handlers), std::move(table)};
}

}  // namespace allot::rpc
