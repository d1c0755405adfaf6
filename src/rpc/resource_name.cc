#include "rpc/resource_name.h"

#include <vector>

#include "allot/model/name.h"

namespace allot::rpc {
namespace {

constexpr std::string_view kProviderForm = "providers/*";
constexpr std::string_view kClusterForm = "providers/*/clusters/*";
constexpr std::string_view kNodeForm = "providers/*/clusters/*/nodes/*";
constexpr std::string_view kReservationForm = "providers/*/clusters/*/reservations/*";
constexpr std::string_view kOrderForm = "providers/*/clusters/*/orders/*";
constexpr std::string_view kInstituteForm = "institutes/*";
constexpr std::string_view kProjectForm = "institutes/*/projects/*";
constexpr std::string_view kQuotaForm = "institutes/*/projects/*/quota";
constexpr std::string_view kAllocationForm = "institutes/*/projects/*/allocations/*";
constexpr std::string_view kPolicyForm = "policies/*";
constexpr std::string_view kKeyForm = "apiKeys/*";
constexpr std::string_view kProposalForm = "proposals/*";
constexpr std::string_view kMemberForm = "members/*";
constexpr std::string_view kAll = "-";

enum class Wildcard { kRefused, kAllowed };

std::string_view TakeSegment(std::string_view& rest) {
  const auto slash = rest.find('/');
  const std::string_view segment = rest.substr(0, slash);
  rest = slash == std::string_view::npos ? std::string_view() : rest.substr(slash + 1);
  return segment;
}

/// What stands for the stars of `form`, or nothing when `name` does not fit it.
std::optional<std::vector<std::string>> Match(std::string_view name, std::string_view form,
                                              Wildcard wildcard) {
  if (name.empty() || name.back() == '/') return std::nullopt;
  std::vector<std::string> parts;
  while (!form.empty() && !name.empty()) {
    const std::string_view expected = TakeSegment(form);
    const std::string_view segment = TakeSegment(name);
    if (expected != "*") {
      if (segment != expected) return std::nullopt;
      continue;
    }
    const bool all = wildcard == Wildcard::kAllowed && segment == kAll;
    if (!all && !CheckName(segment, "").ok()) return std::nullopt;
    parts.emplace_back(segment);
  }
  if (!form.empty() || !name.empty()) return std::nullopt;
  return parts;
}

Error Misfit(std::string_view name, const std::string& field, std::string_view expected) {
  const Reason reason = name.empty() ? Reason::kFieldRequired : Reason::kResourceNameInvalid;
  return FieldError(reason, field, std::string(name), std::string(expected));
}

Result<std::vector<std::string>> Parts(std::string_view name, const std::string& field,
                                       std::string_view form,
                                       Wildcard wildcard = Wildcard::kRefused) {
  auto parts = Match(name, form, wildcard);
  if (!parts) return Misfit(name, field, form);
  return *std::move(parts);
}

}  // namespace

Result<ProviderId> ParseProviderName(std::string_view name, const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(const auto parts, Parts(name, field, kProviderForm));
  return ProviderId(parts[0]);
}

Result<ClusterName> ParseClusterName(std::string_view name, const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(const auto parts, Parts(name, field, kClusterForm));
  return ClusterName{ProviderId(parts[0]), ClusterId(parts[1])};
}

Result<NodeName> ParseNodeName(std::string_view name, const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(const auto parts, Parts(name, field, kNodeForm));
  const ClusterId cluster(parts[1]);
  return NodeName{ProviderId(parts[0]), cluster, MakeNodeId(cluster, parts[2])};
}

Result<ReservationName> ParseReservationName(std::string_view name, const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(const auto parts, Parts(name, field, kReservationForm));
  const ClusterId cluster(parts[1]);
  return ReservationName{ProviderId(parts[0]), cluster, MakeReservationId(cluster, parts[2])};
}

Result<OrderName> ParseOrderName(std::string_view name, const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(const auto parts, Parts(name, field, kOrderForm));
  return OrderName{ProviderId(parts[0]), ClusterId(parts[1]), OrderId(parts[2])};
}

Result<InstituteId> ParseInstituteName(std::string_view name, const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(const auto parts, Parts(name, field, kInstituteForm));
  return InstituteId(parts[0]);
}

Result<ProjectId> ParseProjectName(std::string_view name, const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(const auto parts, Parts(name, field, kProjectForm));
  return MakeProjectId(InstituteId(parts[0]), parts[1]);
}

Result<ProjectId> ParseQuotaName(std::string_view name, const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(const auto parts, Parts(name, field, kQuotaForm));
  return MakeProjectId(InstituteId(parts[0]), parts[1]);
}

Result<AllocationId> ParseAllocationName(std::string_view name, const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(const auto parts, Parts(name, field, kAllocationForm));
  return MakeAllocationId(MakeProjectId(InstituteId(parts[0]), parts[1]), parts[2]);
}

Result<PolicyId> ParsePolicyName(std::string_view name, const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(const auto parts, Parts(name, field, kPolicyForm));
  return PolicyId(parts[0]);
}

Result<MemberId> ParseMemberName(std::string_view name, const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(const auto parts, Parts(name, field, kMemberForm));
  return MemberId(parts[0]);
}

Result<KeyId> ParseKeyName(std::string_view name, const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(const auto parts, Parts(name, field, kKeyForm));
  return KeyId(parts[0]);
}

Result<ProposalId> ParseProposalName(std::string_view name, const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(const auto parts, Parts(name, field, kProposalForm));
  return ProposalId(parts[0]);
}

Result<std::optional<ProviderId>> ParseProviderScope(std::string_view name,
                                                     const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(const auto parts, Parts(name, field, kProviderForm, Wildcard::kAllowed));
  if (parts[0] == kAll) return std::optional<ProviderId>();
  return std::optional(ProviderId(parts[0]));
}

Result<ClusterScope> ParseClusterScope(std::string_view name, const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(const auto parts, Parts(name, field, kClusterForm, Wildcard::kAllowed));
  if (parts[0] == kAll && parts[1] != kAll) {
    return Misfit(name, field, "providers/-/clusters/-, or one provider");
  }
  ClusterScope scope;
  if (parts[0] != kAll) scope.provider = ProviderId(parts[0]);
  if (parts[1] != kAll) scope.cluster = ClusterId(parts[1]);
  return scope;
}

Result<std::optional<InstituteId>> ParseInstituteScope(std::string_view name,
                                                       const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(const auto parts, Parts(name, field, kInstituteForm, Wildcard::kAllowed));
  if (parts[0] == kAll) return std::optional<InstituteId>();
  return std::optional(InstituteId(parts[0]));
}

Result<TenantScope> ParseTenantScope(std::string_view name, const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(const auto parts, Parts(name, field, kProjectForm, Wildcard::kAllowed));
  if (parts[0] == kAll && parts[1] != kAll) {
    return Misfit(name, field, "institutes/-/projects/-, or one institute");
  }
  TenantScope scope;
  if (parts[0] != kAll) scope.institute = InstituteId(parts[0]);
  if (parts[1] != kAll) scope.project = MakeProjectId(*scope.institute, parts[1]);
  return scope;
}

Result<std::optional<InstituteId>> ParseProjectsScope(std::string_view name,
                                                      const std::string& field) {
  ALLOT_ASSIGN_OR_RETURN(auto scope, ParseTenantScope(name, field));
  if (scope.project) return Misfit(name, field, "institutes/*/projects/-");
  return scope.institute;
}

Result<AuditedResource> ParseAuditedName(std::string_view name, const std::string& field) {
  struct Form {
    std::string_view pattern;
    std::vector<std::string> kinds;
    /// Parts that are no part of the id: clusters and orders are unique in the nation.
    std::size_t skipped = 0;
  };
  const Form forms[] = {
      {kProviderForm, {"provider"}},
      {kClusterForm, {"agent", "cluster", "node"}, 1},
      {kNodeForm, {"node"}, 1},
      {kReservationForm, {"reservation"}, 1},
      {kOrderForm, {"order"}, 2},
      {kInstituteForm, {"institute"}},
      {kProjectForm, {"project", "quota"}},
      {kQuotaForm, {"quota"}},
      {kAllocationForm, {"allocation"}},
      {kPolicyForm, {"policy"}},
      {kKeyForm, {"key"}},
      {kProposalForm, {"proposal"}},
      {kMemberForm, {"member"}},
  };
  for (const Form& form : forms) {
    const auto parts = Match(name, form.pattern, Wildcard::kRefused);
    if (!parts) continue;
    std::string id = (*parts)[form.skipped];
    for (std::size_t i = form.skipped + 1; i < parts->size(); ++i) id += '/' + (*parts)[i];
    return AuditedResource{.id = std::move(id), .kinds = form.kinds};
  }
  return Misfit(name, field, "the name of a resource, such as institutes/*/projects/*");
}

std::string NameOf(const ProviderId& id) { return "providers/" + id.str(); }
std::string NameOf(const InstituteId& id) { return "institutes/" + id.str(); }
std::string NameOf(const ProjectId& id) {
  const std::string institute = InstituteOf(id).str();
  return "institutes/" + institute + "/projects/" + id.str().substr(institute.size() + 1);
}
std::string NameOf(const AllocationId& id) {
  const ProjectId project = ProjectOf(id);
  return NameOf(project) + "/allocations/" + id.str().substr(project.str().size() + 1);
}
std::string NameOf(const PolicyId& id) { return "policies/" + id.str(); }
std::string NameOf(const KeyId& id) { return "apiKeys/" + id.str(); }
std::string NameOf(const ProposalId& id) { return "proposals/" + id.str(); }
std::string NameOf(const MemberId& id) { return "members/" + id.str(); }
std::string QuotaNameOf(const ProjectId& id) { return NameOf(id) + "/quota"; }
std::string NameOf(const ProviderId& provider, const ClusterId& id) {
  return NameOf(provider) + "/clusters/" + id.str();
}
std::string NodeNameOf(const std::string& cluster_name, const NodeId& id) {
  return cluster_name + "/nodes/" + id.str().substr(ClusterOf(id).str().size() + 1);
}
std::string ReservationNameOf(const std::string& cluster_name, const ReservationId& id) {
  return cluster_name + "/reservations/" + id.str().substr(id.str().find('/') + 1);
}
std::string OrderNameOf(const std::string& cluster_name, const OrderId& id) {
  return cluster_name + "/orders/" + id.str();
}

}  // namespace allot::rpc
