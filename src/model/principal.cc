#include "allot/model/principal.h"

#include <array>
#include <cstddef>
#include <initializer_list>

#include "model/name_table.h"

namespace allot {
namespace {

constexpr NameTable<Role, 5> kRoles = {
    {"member", "institute_admin", "operator", "auditor", "provider"}};
constexpr NameTable<Permission, 8> kPermissions = {{"read_tenant", "submit", "read_pool",
                                                    "manage_tenants", "manage_pool", "enact",
                                                    "read_audit", "manage_policy"}};

using enum Permission;

/// By role, in the order of the enumeration: exactly what each may attempt.
constexpr std::array<std::initializer_list<Permission>, 5> kGranted = {{
    {kReadTenant, kSubmit, kReadPool},
    {kReadTenant, kSubmit, kReadPool},
    {kReadTenant, kSubmit, kReadPool, kManageTenants, kManagePool, kReadAudit, kManagePolicy},
    {kReadTenant, kReadPool, kReadAudit},
    {kReadPool, kEnact},
}};

/// Operators and auditors serve the whole nation.
bool SeesAll(Role role) { return role == Role::kOperator || role == Role::kAuditor; }

}  // namespace

std::string_view Name(Role role) { return kRoles.NameOf(role); }
std::optional<Role> ParseRole(std::string_view name) { return kRoles.Parse(name); }
std::string_view Name(Permission permission) { return kPermissions.NameOf(permission); }

bool WorksAt(const ApiKey& key, Instant t) {
  return !key.revoke_time && (!key.expire_time || t < *key.expire_time);
}

bool Holds(Role role, Permission permission) {
  const auto index = static_cast<std::size_t>(role);
  ALLOT_CHECK(index < kGranted.size());
  for (const Permission granted : kGranted[index]) {
    if (granted == permission) return true;
  }
  return false;
}

bool MaySee(const Principal& principal, const InstituteId& institute) {
  if (SeesAll(principal.role)) return true;
  if (principal.role == Role::kProvider) return false;
  return !institute.empty() && principal.institute == institute;
}

bool MaySee(const Principal& principal, const ProviderId& provider) {
  if (SeesAll(principal.role)) return true;
  if (principal.role != Role::kProvider) return false;
  return !provider.empty() && principal.provider == provider;
}

}  // namespace allot
