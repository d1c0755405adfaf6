#include <utility>

#include "allot/control/tenants.h"
#include "allot/v1/quota_service.pb.h"
#include "rpc/call_for_two.h"
#include "rpc/fields.h"
#include "rpc/handlers.h"
#include "rpc/render.h"

namespace allot::rpc {
namespace {

class Handlers {
 public:
  explicit Handlers(const Services& services) : s_(services) {}

  Result<v1::Quota> GetQuota(const Caller& caller, const v1::GetQuotaRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto id, ParseQuotaName(request.name(), "name"));
    ALLOT_ASSIGN_OR_RETURN(const auto found, control::GetQuota(s_.context, caller.principal, id));
    return Render(found);
  }

  Result<v1::Quota> UpdateQuota(const Caller& caller, const v1::UpdateQuotaRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCallForTwo(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto changed, control::UpdateQuota(s_.context, call, asked));
    return Render(changed);
  }

  Result<v1::ListQuotasResponse> ListQuotas(const Caller& caller,
                                            const v1::ListQuotasRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto scope, ParseProjectsScope(request.parent(), "parent"));
    ALLOT_ASSIGN_OR_RETURN(const auto query, ParsePage(request));
    ALLOT_ASSIGN_OR_RETURN(const auto page, control::ListQuotas(s_.context, caller.principal, scope,
                                                                ToPageRequest(query)));
    v1::ListQuotasResponse response;
    for (const Quota& item : page.items) *response.add_quotas() = Render(item);
    response.set_next_page_token(NextPageToken(query, page));
    return response;
  }

 private:
  const Services s_;
};

}  // namespace

ServiceMethods QuotaMethods(const Services& services) {
  auto handlers = std::make_shared<Handlers>(services);
  MethodTable table(v1::GetQuotaRequest::descriptor()->file()->FindServiceByName("QuotaService"));
  table.Unary(handlers.get(), &Handlers::GetQuota);
  table.Unary(handlers.get(), &Handlers::UpdateQuota);
  table.Unary(handlers.get(), &Handlers::ListQuotas);
  return {std::move(handlers), std::move(table)};
}

}  // namespace allot::rpc
