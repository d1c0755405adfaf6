#include <utility>

#include "allot/control/policies.h"
#include "allot/v1/policy_service.pb.h"
#include "rpc/call_for_two.h"
#include "rpc/fields.h"
#include "rpc/handlers.h"
#include "rpc/render.h"

namespace allot::rpc {
namespace {

class Handlers {
 public:
  explicit Handlers(const Services& services) : s_(services) {}

  Result<v1::Policy> GetPolicy(const Caller& caller, const v1::GetPolicyRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto id, ParsePolicyOrCurrent(request.name(), "name"));
    ALLOT_ASSIGN_OR_RETURN(const auto found,
                           id ? control::GetPolicy(s_.context, caller.principal, *id)
                              : control::GetPolicyInForce(s_.context, caller.principal));
    return Render(found);
  }

  Result<v1::ListPoliciesResponse> ListPolicies(const Caller& caller,
                                                const v1::ListPoliciesRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto query, ParsePage(request));
    ALLOT_ASSIGN_OR_RETURN(
        const auto page, control::ListPolicies(s_.context, caller.principal, ToPageRequest(query)));
    v1::ListPoliciesResponse response;
    for (const auto& item : page.items) *response.add_policies() = Render(item);
    response.set_next_page_token(NextPageToken(query, page));
    return response;
  }

  Result<v1::Policy> CreatePolicy(const Caller& caller, const v1::CreatePolicyRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCallForTwo(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto created,
                           control::CreatePolicy(s_.context, s_.planner, call, asked));
    return Render(created);
  }

  Result<v1::Policy> WithdrawPolicy(const Caller& caller,
                                    const v1::WithdrawPolicyRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCallForTwo(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto withdrawn,
                           control::WithdrawPolicy(s_.context, s_.planner, call, asked));
    return Render(withdrawn);
  }

 private:
  const Services s_;
};

}  // namespace

ServiceMethods PolicyMethods(const Services& services) {
  auto handlers = std::make_shared<Handlers>(services);
  MethodTable table(v1::GetPolicyRequest::descriptor()->file()->FindServiceByName("PolicyService"));
  table.Unary(handlers.get(), &Handlers::GetPolicy);
  table.Unary(handlers.get(), &Handlers::ListPolicies);
  table.Unary(handlers.get(), &Handlers::CreatePolicy);
  table.Unary(handlers.get(), &Handlers::WithdrawPolicy);
  return {std::move(handlers), std::move(table)};
}

}  // namespace allot::rpc
