#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "allot/base/id.h"
#include "allot/base/result.h"
#include "allot/model/audit.h"

namespace allot::rpc {

// Resource names, and the ids they stand for. Every Parse function answers field_required for an
// empty name and resource_name_invalid, with the form expected, for every other that does not fit.

struct ClusterName {
  ProviderId provider;
  ClusterId cluster;
};
struct NodeName {
  ProviderId provider;
  ClusterId cluster;
  NodeId node;
};
struct OrderName {
  ProviderId provider;
  ClusterId cluster;
  OrderId order;
};
struct ReservationName {
  ProviderId provider;
  ClusterId cluster;
  ReservationId reservation;
};
/// Nothing stands for all.
struct ClusterScope {
  std::optional<ProviderId> provider;
  std::optional<ClusterId> cluster;
};
/// Nothing stands for all.
struct TenantScope {
  std::optional<InstituteId> institute;
  std::optional<ProjectId> project;
};

Result<ProviderId> ParseProviderName(std::string_view name, const std::string& field);
Result<ClusterName> ParseClusterName(std::string_view name, const std::string& field);
Result<NodeName> ParseNodeName(std::string_view name, const std::string& field);
Result<ReservationName> ParseReservationName(std::string_view name, const std::string& field);
Result<OrderName> ParseOrderName(std::string_view name, const std::string& field);
Result<InstituteId> ParseInstituteName(std::string_view name, const std::string& field);
Result<ProjectId> ParseProjectName(std::string_view name, const std::string& field);
/// Of "institutes/*/projects/*/quota": its project.
Result<ProjectId> ParseQuotaName(std::string_view name, const std::string& field);
Result<AllocationId> ParseAllocationName(std::string_view name, const std::string& field);
Result<PolicyId> ParsePolicyName(std::string_view name, const std::string& field);
Result<MemberId> ParseMemberName(std::string_view name, const std::string& field);
Result<KeyId> ParseKeyName(std::string_view name, const std::string& field);
Result<ProposalId> ParseProposalName(std::string_view name, const std::string& field);

/// "providers/*", or "providers/-" for all.
Result<std::optional<ProviderId>> ParseProviderScope(std::string_view name,
                                                     const std::string& field);
/// "providers/*/clusters/*", "providers/*/clusters/-" or "providers/-/clusters/-".
Result<ClusterScope> ParseClusterScope(std::string_view name, const std::string& field);
/// "institutes/*", or "institutes/-" for all.
Result<std::optional<InstituteId>> ParseInstituteScope(std::string_view name,
                                                       const std::string& field);
/// "institutes/*/projects/*", "institutes/*/projects/-" or "institutes/-/projects/-".
Result<TenantScope> ParseTenantScope(std::string_view name, const std::string& field);
/// "institutes/*/projects/-" or "institutes/-/projects/-".
Result<std::optional<InstituteId>> ParseProjectsScope(std::string_view name,
                                                      const std::string& field);
/// Any of the resources above as the text that audit entries are kept under.
Result<AuditedResource> ParseAuditedName(std::string_view name, const std::string& field);

std::string NameOf(const ProviderId& id);
std::string NameOf(const InstituteId& id);
std::string NameOf(const ProjectId& id);
std::string NameOf(const AllocationId& id);
std::string NameOf(const PolicyId& id);
std::string NameOf(const KeyId& id);
std::string NameOf(const ProposalId& id);
std::string NameOf(const MemberId& id);
std::string QuotaNameOf(const ProjectId& id);
std::string NameOf(const ProviderId& provider, const ClusterId& id);
/// Of "<cluster>/<node>", under its cluster's name.
std::string NodeNameOf(const std::string& cluster_name, const NodeId& id);
/// Likewise.
std::string ReservationNameOf(const std::string& cluster_name, const ReservationId& id);
std::string OrderNameOf(const std::string& cluster_name, const OrderId& id);

}  // namespace allot::rpc
