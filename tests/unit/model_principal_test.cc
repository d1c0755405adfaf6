#include "allot/model/principal.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace allot {
namespace {

TEST(Permissions, EachRoleHoldsExactlyItsOwn) {
  using enum Permission;
  const std::map<Role, std::set<Permission>> expected = {
      {Role::kMember, {kReadTenant, kSubmit, kReadPool}},
      {Role::kInstituteAdmin, {kReadTenant, kSubmit, kReadPool}},
      {Role::kOperator, {kReadTenant, kSubmit, kReadPool, kManageTenants, kManagePool, kReadAudit}},
      {Role::kAuditor, {kReadTenant, kReadPool, kReadAudit}},
      {Role::kProvider, {kReadPool, kEnact}},
  };
  for (const auto& [role, granted] : expected) {
    for (int i = 0; i <= static_cast<int>(kReadAudit); ++i) {
      const auto permission = static_cast<Permission>(i);
      EXPECT_EQ(Holds(role, permission), granted.contains(permission))
          << Name(role) << " " << Name(permission);
    }
  }
}

Principal Of(Role role, const char* institute, const char* provider) {
  return {KeyId("k"), role, InstituteId(institute), ProviderId(provider), "test"};
}

TEST(Tenancy, AnInstituteSeesItselfOnly) {
  for (const Role role : {Role::kMember, Role::kInstituteAdmin}) {
    EXPECT_TRUE(MaySee(Of(role, "snu", ""), InstituteId("snu")));
    EXPECT_FALSE(MaySee(Of(role, "snu", ""), InstituteId("kaist")));
    EXPECT_FALSE(MaySee(Of(role, "snu", ""), ProviderId("naver")));
  }
}

TEST(Tenancy, AnEmptyInstituteOrProviderIsNobodys) {
  EXPECT_FALSE(MaySee(Of(Role::kMember, "", ""), InstituteId("")));
  EXPECT_FALSE(MaySee(Of(Role::kProvider, "", ""), ProviderId("")));
}

TEST(Tenancy, AProviderSeesItsOwnMachinesAndNoTenant) {
  EXPECT_TRUE(MaySee(Of(Role::kProvider, "", "naver"), ProviderId("naver")));
  EXPECT_FALSE(MaySee(Of(Role::kProvider, "", "naver"), ProviderId("nhn")));
  EXPECT_FALSE(MaySee(Of(Role::kProvider, "snu", "naver"), InstituteId("snu")));
}

TEST(Tenancy, OperatorsAndAuditorsSeeAll) {
  for (const Role role : {Role::kOperator, Role::kAuditor}) {
    EXPECT_TRUE(MaySee(Of(role, "", ""), InstituteId("snu")));
    EXPECT_TRUE(MaySee(Of(role, "", ""), ProviderId("naver")));
  }
}

}  // namespace
}  // namespace allot
