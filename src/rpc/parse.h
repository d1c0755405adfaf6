#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "allot/control/allocations.h"
#include "allot/control/enact.h"
#include "allot/control/identity.h"
#include "allot/control/policies.h"
#include "allot/control/pool.h"
#include "allot/control/reservations.h"
#include "allot/control/submit.h"
#include "allot/control/tenants.h"
#include "allot/control/what_if.h"
#include "allot/v1/allocation_service.pb.h"
#include "allot/v1/operator_service.pb.h"
#include "allot/v1/policy_service.pb.h"
#include "allot/v1/pool_service.pb.h"
#include "allot/v1/project_service.pb.h"
#include "allot/v1/provider_service.pb.h"
#include "allot/v1/quota_service.pb.h"
#include "rpc/page.h"
#include "rpc/resource_name.h"

namespace allot::rpc {

// Requests as control takes them. What is wrong with the message itself is refused here, field by
// field; what depends on state or on the time is control's.

/// `path` is where the request stands, such as "allocation.request".
Result<RawRequest> ParseRaw(const v1::AllocationRequest& request, const std::string& path);
Result<control::Submission> Parse(const v1::CreateAllocationRequest& request);
Result<std::vector<control::Submission>> Parse(const v1::BatchCreateAllocationsRequest& request);
Result<control::EndRequest> Parse(const v1::CancelAllocationRequest& request);
Result<control::EndRequest> Parse(const v1::ReleaseAllocationRequest& request);
Result<control::EndRequest> Parse(const v1::RejectAllocationRequest& request);
Result<control::EndRequest> Parse(const v1::SetUrgencyRequest& request);
Result<control::EndRequest> Parse(const v1::SetConsolidationRequest& request);
Result<store::AllocationFilter> ParseFilter(const v1::ListAllocationsRequest& request);
struct WatchStart {
  TenantScope scope;
  /// Nothing: from the present revision on.
  std::optional<Revision> after;
};
Result<WatchStart> Parse(const v1::WatchAllocationsRequest& request);

Result<Institute> Parse(const v1::CreateInstituteRequest& request);
Result<Project> Parse(const v1::CreateProjectRequest& request);
Result<control::ProjectUpdate> Parse(const v1::UpdateProjectRequest& request);
Result<control::ProjectUpdate> Parse(const v1::SetMeritRequest& request);
Result<control::QuotaUpdate> Parse(const v1::UpdateQuotaRequest& request);

Result<control::NewPolicy> Parse(const v1::CreatePolicyRequest& request);
Result<control::PolicyEnd> Parse(const v1::WithdrawPolicyRequest& request);
/// The numbers that are given and that plans depend on, each within its range; others are
/// field_not_allowed. `path` ends in a dot.
Result<std::vector<std::pair<const PolicySetting*, int64_t>>> ParseGivenSettings(
    const v1::PolicySettings& settings, const std::string& path);
/// Sorted; may be empty.
Result<std::vector<ProgrammeCaps>> ParseProgrammes(const v1::PolicySettings& settings,
                                                   const std::string& path);
Result<control::WhatIfQuestion> Parse(const v1::WhatIfRequest& request);
/// Nothing for the one in force.
Result<std::optional<PolicyId>> ParsePolicyOrCurrent(const std::string& name,
                                                     const std::string& field);

Result<Provider> Parse(const v1::CreateProviderRequest& request);
Result<Cluster> Parse(const v1::CreateClusterRequest& request);
Result<control::ClusterUpdate> Parse(const v1::UpdateClusterRequest& request);
Result<control::ReservationRequest> Parse(const v1::CreateReservationRequest& request);
Result<control::ReservationEnd> Parse(const v1::CancelReservationRequest& request);
struct CapacityQuery {
  Seconds horizon;
  Seconds step;
  /// Without one, only the present is wanted.
  bool timeline = false;
};
Result<CapacityQuery> Parse(const v1::GetCapacityRequest& request);
Result<control::DrainRequest> Parse(const v1::DrainNodeRequest& request);
Result<control::DrainRequest> Parse(const v1::UndrainNodeRequest& request);
Result<control::DrainRequest> Parse(const v1::DrainClusterRequest& request);
Result<control::DrainRequest> Parse(const v1::UndrainClusterRequest& request);
Result<control::NewKey> Parse(const v1::CreateApiKeyRequest& request);

Result<control::Inventory> Parse(const v1::SyncInventoryRequest& request);
Result<control::HeartbeatMessage> Parse(const v1::HeartbeatRequest& request);
struct OrderPull {
  ClusterId cluster;
  int64_t session = 0;
  int orders_max = 0;
  Seconds wait;
};
Result<OrderPull> Parse(const v1::PullOrdersRequest& request);
Result<control::Acknowledgement> Parse(const v1::AcknowledgeOrderRequest& request);

/// A page as the store takes it.
store::PageRequest ToPageRequest(const PageQuery& query);

}  // namespace allot::rpc
