#include <algorithm>
#include <charconv>
#include <utility>

#include "allot/control/identity.h"
#include "allot/control/pool.h"
#include "allot/control/tenants.h"
#include "allot/v1/operator_service.pb.h"
#include "rpc/fields.h"
#include "rpc/handlers.h"
#include "rpc/render.h"

namespace allot::rpc {
namespace {

/// How far back a caller can page in the audit of one resource.
constexpr int kAuditEntriesMax = 1000;

template <class Response>
Response RenderNodes(const control::DrainRequest& where, const std::vector<Node>& nodes) {
  Response response;
  for (const Node& node : nodes) {
    *response.add_nodes() = Render(node, NameOf(where.provider, where.cluster));
  }
  return response;
}

/// The audit has no ids: a page begins behind so many newer entries.
Result<int> ParseSkipped(const PageQuery& query, const std::string& token) {
  if (query.position.after.empty()) return 0;
  int skipped = 0;
  const std::string& text = query.position.after;
  std::from_chars(text.data(), text.data() + text.size(), skipped);
  if (skipped < 1 || skipped >= kAuditEntriesMax) {
    return FieldError(Reason::kPageTokenUnknown, "page_token", token,
                      "next_page_token of a page of this list");
  }
  return skipped;
}

class Handlers {
 public:
  explicit Handlers(const Services& services) : s_(services) {}

  Result<v1::Project> SetMerit(const Caller& caller, const v1::SetMeritRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCall(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto changed, control::UpdateProject(s_.context, call, asked));
    return Render(changed);
  }

  Result<v1::Node> DrainNode(const Caller& caller, const v1::DrainNodeRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCall(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto changed, control::Drain(s_.context, call, asked));
    return Render(changed.at(0), NameOf(asked.provider, asked.cluster));
  }

  Result<v1::Node> UndrainNode(const Caller& caller, const v1::UndrainNodeRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCall(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto changed, control::Drain(s_.context, call, asked));
    return Render(changed.at(0), NameOf(asked.provider, asked.cluster));
  }

  Result<v1::DrainClusterResponse> DrainCluster(const Caller& caller,
                                                const v1::DrainClusterRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCall(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto changed, control::Drain(s_.context, call, asked));
    return RenderNodes<v1::DrainClusterResponse>(asked, changed);
  }

  Result<v1::UndrainClusterResponse> UndrainCluster(const Caller& caller,
                                                    const v1::UndrainClusterRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCall(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto changed, control::Drain(s_.context, call, asked));
    return RenderNodes<v1::UndrainClusterResponse>(asked, changed);
  }

  Result<v1::CreateApiKeyResponse> CreateApiKey(const Caller& caller,
                                                const v1::CreateApiKeyRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCall(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto created, control::CreateApiKey(s_.context, call, asked));
    v1::CreateApiKeyResponse response;
    *response.mutable_api_key() = Render(created.key);
    response.set_secret(created.secret);
    return response;
  }

  Result<v1::ListApiKeysResponse> ListApiKeys(const Caller& caller,
                                              const v1::ListApiKeysRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto query, ParsePage(request));
    ALLOT_ASSIGN_OR_RETURN(
        const auto page, control::ListApiKeys(s_.context, caller.principal, ToPageRequest(query)));
    v1::ListApiKeysResponse response;
    for (const ApiKey& item : page.items) *response.add_api_keys() = Render(item);
    response.set_next_page_token(NextPageToken(query, page));
    return response;
  }

  Result<v1::ApiKey> RevokeApiKey(const Caller& caller, const v1::RevokeApiKeyRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto id, ParseKeyName(request.name(), "name"));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCall(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto key, control::RevokeApiKey(s_.context, call, id));
    return Render(key);
  }

  Result<v1::ListAuditEntriesResponse> ListAuditEntries(
      const Caller& caller, const v1::ListAuditEntriesRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto resource, ParseAnyName(request.resource(), "resource"));
    ALLOT_ASSIGN_OR_RETURN(const auto query, ParsePage(request));
    ALLOT_ASSIGN_OR_RETURN(const int skipped, ParseSkipped(query, request.page_token()));
    const int wanted = std::min(skipped + query.size + 1, kAuditEntriesMax);
    ALLOT_ASSIGN_OR_RETURN(const auto entries,
                           control::ListAudit(s_.context, caller.principal, resource, wanted));
    v1::ListAuditEntriesResponse response;
    const int end = std::min(skipped + query.size, static_cast<int>(entries.size()));
    for (int i = skipped; i < end; ++i) {
      *response.add_audit_entries() =
          Render(entries[static_cast<std::size_t>(i)], request.resource());
    }
    if (end < static_cast<int>(entries.size())) {
      response.set_next_page_token(MakePageToken({std::to_string(end), 0}, query.scope));
    }
    return response;
  }

 private:
  const Services s_;
};

}  // namespace

ServiceMethods OperatorMethods(const Services& services) {
  auto handlers = std::make_shared<Handlers>(services);
  MethodTable table(
      v1::SetMeritRequest::descriptor()->file()->FindServiceByName("OperatorService"));
  table.Unary(handlers.get(), &Handlers::SetMerit);
  table.Unary(handlers.get(), &Handlers::DrainNode);
  table.Unary(handlers.get(), &Handlers::UndrainNode);
  table.Unary(handlers.get(), &Handlers::DrainCluster);
  table.Unary(handlers.get(), &Handlers::UndrainCluster);
  table.Unary(handlers.get(), &Handlers::CreateApiKey);
  table.Unary(handlers.get(), &Handlers::ListApiKeys);
  table.Unary(handlers.get(), &Handlers::RevokeApiKey);
  table.Unary(handlers.get(), &Handlers::ListAuditEntries);
  return {std::move(handlers), std::move(table)};
}

}  // namespace allot::rpc
