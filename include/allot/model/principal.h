#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "allot/base/id.h"
#include "allot/base/time.h"

namespace allot {

enum class Role : uint8_t {
  kMinistryAdmin,
  kOperator,
  kAuditor,
  kInstituteAdmin,
  kMember,
  kViewer,
  kProvider
};
inline constexpr std::size_t kRoleCount = 7;
/// "ministry_admin", "operator", "auditor", "institute_admin", "member", "viewer", "provider".
std::string_view Name(Role role);
std::optional<Role> ParseRole(std::string_view name);
/// Belongs to one institute: institute admins, members, viewers.
bool IsOfInstitute(Role role);
/// Serves the whole nation: ministry admins, operators, auditors.
bool IsStaff(Role role);

/// Who asks. Made from a credential only; the tenant never comes from a request's body.
struct Principal {
  /// What requests, watches and the audit are recorded under: the key's id, or the member's.
  KeyId key;
  Role role = Role::kMember;
  /// Of those who belong to an institute.
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
  /// Of one that took another's place: the first of those that were exchanged for each other.
  KeyId line;

  friend bool operator==(const ApiKey&, const ApiKey&) = default;
};
/// The same for all that were exchanged for each other: who holds one may hold them all.
KeyId LineOf(const ApiKey& key);
/// Neither revoked nor expired.
bool WorksAt(const ApiKey& key, Instant t);

/// What a token says of who holds it.
struct Person {
  /// Who vouches for the person: "iss".
  std::string issuer;
  /// By which name the issuer knows the person: "sub".
  std::string subject;

  friend auto operator<=>(const Person&, const Person&) = default;
};

/// A person who may call, with tokens of its issuer.
struct Member {
  MemberId id;
  Person person;
  Role role = Role::kMember;
  /// Of those who belong to an institute.
  InstituteId institute;
  std::string display_name;
  Instant create_time;
  /// From then on it is none.
  std::optional<Instant> remove_time;

  friend bool operator==(const Member&, const Member&) = default;
};
inline constexpr std::string_view kMemberIdPrefix = "m-";
/// The id of the member that a principal is; nothing when it is a key.
std::optional<MemberId> MemberOf(const KeyId& key);

/// What a principal may attempt.
enum class Permission : uint8_t {
  kReadTenant,
  kSubmit,
  kReadPool,
  kReadNodes,
  kEnact,
  kManageTenants,
  kManagePool,
  kManagePolicy,
  kManageStaff,
  kReadAudit,
  kDecideProposals,
};
inline constexpr std::size_t kPermissionCount = 11;
std::string_view Name(Permission permission);

/// On what a permission is good: for what is the principal's own (its institute's, its provider's),
/// or for all. What is neither does not exist for it.
enum class Reach : uint8_t { kNone, kOwn, kAll };

/// A row of the table of roles: what a permission allows, and to whom.
struct Grant {
  Permission permission;
  std::string_view allows;
  /// By role, in the order of the enumeration.
  std::array<Reach, kRoleCount> reach;
};

namespace grants {
inline constexpr Reach kNo = Reach::kNone;
inline constexpr Reach kOwn = Reach::kOwn;
inline constexpr Reach kAll = Reach::kAll;
}  // namespace grants

/// The one table of who may do what: all code asks it, and docs/api.md shows it (a test compares).
/// In the order of the enumeration; its columns are the roles in theirs.
// clang-format off
inline constexpr std::array<Grant, kPermissionCount> kGrants = {{
    //                                            ministry_admin, operator, auditor,
    //                                            institute_admin, member, viewer, provider
    {Permission::kReadTenant,
     "read institutes, projects, quotas and allocations; explain; watch",
     {grants::kAll, grants::kAll, grants::kAll, grants::kOwn, grants::kOwn, grants::kOwn, grants::kNo}},
    {Permission::kSubmit,
     "create, cancel and release allocations",
     {grants::kAll, grants::kAll, grants::kNo, grants::kOwn, grants::kOwn, grants::kNo, grants::kNo}},
    {Permission::kReadPool,
     "read providers, clusters, capacity and policies; reservations as below",
     {grants::kAll, grants::kAll, grants::kAll, grants::kAll, grants::kAll, grants::kAll, grants::kAll}},
    {Permission::kReadNodes,
     "read nodes and orders by name",
     {grants::kAll, grants::kAll, grants::kAll, grants::kNo, grants::kNo, grants::kNo, grants::kOwn}},
    {Permission::kEnact,
     "register as an agent; bring the inventory, heartbeats and acknowledgements; pull orders",
     {grants::kNo, grants::kNo, grants::kNo, grants::kNo, grants::kNo, grants::kNo, grants::kOwn}},
    {Permission::kManageTenants,
     "create institutes and projects; change projects, quotas, merit and urgency; reject; keys of institutes and providers; members of institutes",
     {grants::kAll, grants::kAll, grants::kNo, grants::kNo, grants::kNo, grants::kNo, grants::kNo}},
    {Permission::kManagePool,
     "create providers and clusters; change clusters; drain; reserve",
     {grants::kAll, grants::kAll, grants::kNo, grants::kNo, grants::kNo, grants::kNo, grants::kNo}},
    {Permission::kManagePolicy,
     "publish and withdraw policies",
     {grants::kAll, grants::kAll, grants::kNo, grants::kNo, grants::kNo, grants::kNo, grants::kNo}},
    {Permission::kManageStaff,
     "keys and members who are ministry admins, operators or auditors",
     {grants::kAll, grants::kNo, grants::kNo, grants::kNo, grants::kNo, grants::kNo, grants::kNo}},
    {Permission::kReadAudit,
     "read the audit; record a pass; ask what would be",
     {grants::kAll, grants::kAll, grants::kAll, grants::kNo, grants::kNo, grants::kNo, grants::kNo}},
    {Permission::kDecideProposals,
     "approve and reject what another person proposed",
     {grants::kAll, grants::kAll, grants::kNo, grants::kNo, grants::kNo, grants::kNo, grants::kNo}},
}};
// clang-format on

Reach ReachOf(Role role, Permission permission);
bool Holds(Role role, Permission permission);
/// Whether the tenant's resources exist for this principal at all.
bool MaySee(const Principal& principal, const InstituteId& institute);
/// Whether the provider's nodes by name and its orders do. Clusters and capacity are no secret:
/// they need `kReadPool` only.
bool MaySee(const Principal& principal, const ProviderId& provider);

}  // namespace allot
