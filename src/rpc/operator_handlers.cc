#include <charconv>
#include <system_error>
#include <utility>

#include "allot/control/allocations.h"
#include "allot/control/identity.h"
#include "allot/control/planner.h"
#include "allot/control/pool.h"
#include "allot/control/tenants.h"
#include "allot/v1/operator_service.pb.h"
#include "rpc/call_for_two.h"
#include "rpc/fields.h"
#include "rpc/handlers.h"
#include "rpc/render.h"

namespace allot::rpc {
namespace {

template <class Response>
Response RenderNodes(const control::DrainRequest& where, const std::vector<Node>& nodes) {
  Response response;
  for (const Node& node : nodes) {
    *response.add_nodes() = Render(node, NameOf(where.provider, where.cluster));
  }
  return response;
}

/// Entries have numbers, not names: a page begins below the last one of the page before.
Result<int64_t> ParseNumber(const PageQuery& query, const std::string& token) {
  const std::string& text = query.position.after;
  if (text.empty()) return int64_t{0};
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1) {
    return FieldError(Reason::kPageTokenUnknown, "page_token", token,
                      "next_page_token of a page of this list");
  }
  return number;
}

template <class Response>
Response RenderCreated(const control::CreatedKey& created) {
  Response response;
  *response.mutable_api_key() = Render(created.key);
  response.set_secret(created.secret);
  return response;
}

/// Time enough for people to put the new key in place.
constexpr Seconds kUsualOverlap = Days(1);

class Handlers {
 public:
  explicit Handlers(const Services& services) : s_(services) {}

  Result<v1::Project> SetMerit(const Caller& caller, const v1::SetMeritRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCallForTwo(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto changed, control::UpdateProject(s_.context, call, asked));
    return Render(changed);
  }

  Result<v1::Allocation> RejectAllocation(const Caller& caller,
                                          const v1::RejectAllocationRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCallForTwo(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto rejected, control::Reject(s_.context, call, asked));
    return Render(rejected, ClusterNamesFor(s_.cluster_names, caller.principal));
  }

  Result<v1::Allocation> SetUrgency(const Caller& caller, const v1::SetUrgencyRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCallForTwo(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto changed,
                           control::SetUrgency(s_.context, call, asked, request.urgent()));
    return Render(changed, ClusterNamesFor(s_.cluster_names, caller.principal));
  }

  Result<v1::Allocation> SetConsolidation(const Caller& caller,
                                          const v1::SetConsolidationRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCallForTwo(caller, request));
    ALLOT_ASSIGN_OR_RETURN(
        const auto changed,
        control::SetConsolidation(s_.context, call, s_.planner, asked, request.consolidate()));
    return Render(changed, ClusterNamesFor(s_.cluster_names, caller.principal));
  }

  Result<v1::Node> DrainNode(const Caller& caller, const v1::DrainNodeRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto asked, Parse(request));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCallForTwo(caller, request));
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
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCallForTwo(caller, request));
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
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCallForTwo(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto created, control::CreateApiKey(s_.context, call, asked));
    return RenderCreated<v1::CreateApiKeyResponse>(created);
  }

  Result<v1::RotateApiKeyResponse> RotateApiKey(const Caller& caller,
                                                const v1::RotateApiKeyRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto id, ParseKeyName(request.name(), "name"));
    Seconds overlap = kUsualOverlap;
    if (request.has_overlap()) {
      ALLOT_ASSIGN_OR_RETURN(overlap, ParseDuration(request.overlap(), Seconds{0},
                                                    control::kKeyOverlapMax, "overlap"));
    }
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCallForTwo(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto created,
                           control::RotateApiKey(s_.context, call, id, overlap));
    return RenderCreated<v1::RotateApiKeyResponse>(created);
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
    ALLOT_ASSIGN_OR_RETURN(const auto reason, ParseRequiredText(request.reason(), "reason"));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCallForTwo(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto key, control::RevokeApiKey(s_.context, call, id, reason));
    return Render(key);
  }

  Result<v1::RecordPassResponse> RecordPass(const Caller& caller, const v1::RecordPassRequest&) {
    ALLOT_ASSIGN_OR_RETURN(auto recorded, control::RecordPass(caller.principal, s_.planner));
    v1::RecordPassResponse response;
    response.set_recording(std::move(recorded.recording));
    response.set_revision(recorded.revision);
    return response;
  }

  Result<v1::WhatIfResponse> WhatIf(const Caller& caller, const v1::WhatIfRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto question, Parse(request));
    // Before names are looked up: who may not ask learns of none.
    ALLOT_RETURN_IF_ERROR(control::Require(caller.principal, Permission::kReadAudit));
    for (int i = 0; i < request.changes_size(); ++i) {
      const std::string& place = request.changes(i).drain();
      if (place.empty()) continue;
      ALLOT_RETURN_IF_ERROR(s_.cluster_names.Confirm(caller.principal, place,
                                                     "changes[" + std::to_string(i) + "].drain"));
    }
    ALLOT_ASSIGN_OR_RETURN(const auto answer,
                           control::PlanWhatIf(s_.context, caller.principal, s_.planner, question));
    return Render(answer);
  }

  Result<v1::ListAuditEntriesResponse> ListAuditEntries(
      const Caller& caller, const v1::ListAuditEntriesRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto resource, ParseAuditedName(request.resource(), "resource"));
    ALLOT_RETURN_IF_ERROR(control::Require(caller.principal, Permission::kReadAudit));
    ALLOT_RETURN_IF_ERROR(
        s_.cluster_names.Confirm(caller.principal, request.resource(), "resource"));
    ALLOT_ASSIGN_OR_RETURN(const auto query, ParsePage(request));
    ALLOT_ASSIGN_OR_RETURN(const int64_t before, ParseNumber(query, request.page_token()));
    ALLOT_ASSIGN_OR_RETURN(const auto page, control::ListAudit(s_.context, caller.principal,
                                                               resource, before, query.size));
    v1::ListAuditEntriesResponse response;
    for (const AuditEntry& entry : page.items) {
      *response.add_audit_entries() = Render(entry, request.resource());
    }
    response.set_next_page_token(NextPageToken(query, page));
    return response;
  }

  Result<v1::ReadAuditChainResponse> ReadAuditChain(const Caller& caller,
                                                    const v1::ReadAuditChainRequest& request) {
    if (request.after_number() < 0) {
      return FieldError(Reason::kPageTokenUnknown, "after_number",
                        std::to_string(request.after_number()), "0 or the number of an entry");
    }
    ALLOT_ASSIGN_OR_RETURN(const int size,
                           ParseCount(request.page_size(), kPageSizeMax, "page_size"));
    ALLOT_ASSIGN_OR_RETURN(const auto chain, control::ReadAuditChain(s_.context, caller.principal,
                                                                     request.after_number(), size));
    v1::ReadAuditChainResponse response;
    for (const ChainedAuditEntry& chained : chain.entries) {
      *response.add_entries() = Render(chained);
    }
    response.set_head_number(chain.head.number);
    response.set_head_hash(chain.head.hash);
    response.set_base_number(chain.base.number);
    response.set_base_hash(chain.base.hash);
    for (const AuditCheckpoint& checkpoint : chain.checkpoints) {
      *response.add_checkpoints() = Render(checkpoint);
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
  table.Unary(handlers.get(), &Handlers::RejectAllocation);
  table.Unary(handlers.get(), &Handlers::SetUrgency);
  table.Unary(handlers.get(), &Handlers::SetConsolidation);
  table.Unary(handlers.get(), &Handlers::DrainNode);
  table.Unary(handlers.get(), &Handlers::UndrainNode);
  table.Unary(handlers.get(), &Handlers::DrainCluster);
  table.Unary(handlers.get(), &Handlers::UndrainCluster);
  table.Unary(handlers.get(), &Handlers::RecordPass);
  table.Unary(handlers.get(), &Handlers::WhatIf);
  table.Unary(handlers.get(), &Handlers::CreateApiKey);
  table.Unary(handlers.get(), &Handlers::RotateApiKey);
  table.Unary(handlers.get(), &Handlers::ListApiKeys);
  table.Unary(handlers.get(), &Handlers::RevokeApiKey);
  table.Unary(handlers.get(), &Handlers::ListAuditEntries);
  table.Unary(handlers.get(), &Handlers::ReadAuditChain);
  return {std::move(handlers), std::move(table)};
}

}  // namespace allot::rpc
