#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "allot/base/id.h"
#include "allot/base/time.h"

namespace allot {

enum class Role : uint8_t { kMember, kInstituteAdmin, kOperator, kAuditor, kProvider };
/// "member", "institute_admin", "operator", "auditor", "provider".
std::string_view Name(Role role);
std::optional<Role> ParseRole(std::string_view name);

/// Who asks. Made from a credential only; the tenant never comes from a request's body.
struct Principal {
  KeyId key;
  Role role = Role::kMember;
  /// Of members and institute admins.
  InstituteId institute;
  /// Of providers.
  ProviderId provider;
  /// For audit and logs ("institute_admin of snu (key k3f…)").
  std::string display_name;

  friend bool operator==(const Principal&, const Principal&) = default;
};

/// An API key as stored: never the secret, only its SHA-256.
struct ApiKey {
  KeyId id;
  Role role = Role::kMember;
  InstituteId institute;
  ProviderId provider;
  std::string display_name;
  /// 64 lower-case hexadecimal digits.
  std::string secret_sha256;
  Instant create_time;
  std::optional<Instant> revoke_time;
  /// From then on it is none.
  std::optional<Instant> expire_time;

  friend bool operator==(const ApiKey&, const ApiKey&) = default;
};
/// Neither revoked nor expired.
bool WorksAt(const ApiKey& key, Instant t);

/// What a principal may attempt; one row of the table in docs/api.md each.
enum class Permission : uint8_t {
  kReadTenant,     ///< own projects, quotas, allocations (operators, auditors: all)
  kSubmit,         ///< create, cancel, release allocations of the own institute (operators: of all)
  kReadPool,       ///< clusters, capacity (nodes by name: operators, auditors, providers)
  kManageTenants,  ///< institutes, projects, quotas, merit, keys
  kManagePool,     ///< providers, clusters, drain
  kEnact,          ///< inventory, orders, acknowledgements, heartbeats of the own provider
  kReadAudit,
  kManagePolicy,  ///< publish and withdraw policies (who reads the pool reads them)
};
bool Holds(Role role, Permission permission);
std::string_view Name(Permission permission);
/// Whether the tenant's resources exist for this principal at all.
bool MaySee(const Principal& principal, const InstituteId& institute);
/// Whether the provider's nodes by name and its orders do. Clusters and capacity are no secret:
/// they need `kReadPool` only.
bool MaySee(const Principal& principal, const ProviderId& provider);

}  // namespace allot
