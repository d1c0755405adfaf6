#include "allot/model/principal.h"

#include "model/name_table.h"

namespace allot {
namespace {

constexpr NameTable<Role, kRoleCount> kRoles = {
    {"ministry_admin", "operator", "auditor", "institute_admin", "member", "viewer", "provider"}};
constexpr NameTable<Permission, kPermissionCount> kPermissions = {
    {"read_tenant", "submit", "read_pool", "read_nodes", "enact", "manage_tenants", "manage_pool",
     "manage_policy", "manage_staff", "read_audit", "decide_proposals"}};

/// Whether the table can be read by position.
constexpr bool IsInOrder() {
  for (std::size_t i = 0; i < kGrants.size(); ++i) {
    if (static_cast<std::size_t>(kGrants[i].permission) != i) return false;
  }
  return true;
}
static_assert(IsInOrder());

}  // namespace

std::string_view Name(Role role) { return kRoles.NameOf(role); }
std::optional<Role> ParseRole(std::string_view name) { return kRoles.Parse(name); }
std::string_view Name(Permission permission) { return kPermissions.NameOf(permission); }

bool IsOfInstitute(Role role) {
  return role == Role::kInstituteAdmin || role == Role::kMember || role == Role::kViewer;
}

KeyId LineOf(const ApiKey& key) { return key.line.empty() ? key.id : key.line; }

bool IsStaff(Role role) { return !IsOfInstitute(role) && role != Role::kProvider; }

bool WorksAt(const ApiKey& key, Instant t) {
  return !key.revoke_time && (!key.expire_time || t < *key.expire_time);
}

std::optional<MemberId> MemberOf(const KeyId& key) {
  if (!key.str().starts_with(kMemberIdPrefix)) return std::nullopt;
  return MemberId(key.str());
}

Reach ReachOf(Role role, Permission permission) {
  const auto row = static_cast<std::size_t>(permission);
  const auto column = static_cast<std::size_t>(role);
  ALLOT_CHECK(row < kGrants.size() && column < kRoleCount);
  return kGrants[row].reach[column];
}

bool Holds(Role role, Permission permission) { return ReachOf(role, permission) != Reach::kNone; }

bool MaySee(const Principal& principal, const InstituteId& institute) {
  const Reach reach = ReachOf(principal.role, Permission::kReadTenant);
  if (reach == Reach::kAll) return true;
  return reach == Reach::kOwn && !institute.empty() && principal.institute == institute;
}

bool MaySee(const Principal& principal, const ProviderId& provider) {
  const Reach reach = ReachOf(principal.role, Permission::kReadNodes);
  if (reach == Reach::kAll) return true;
  return reach == Reach::kOwn && !provider.empty() && principal.provider == provider;
}

}  // namespace allot
