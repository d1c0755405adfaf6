#include "allot/model/principal.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace allot {
namespace {

std::vector<Role> Roles() {
  std::vector<Role> roles;
  for (std::size_t i = 0; i < kRoleCount; ++i) roles.push_back(static_cast<Role>(i));
  return roles;
}

TEST(Permissions, EachRoleHoldsExactlyItsOwn) {
  using enum Permission;
  const std::map<Role, std::set<Permission>> expected = {
      {Role::kMinistryAdmin,
       {kReadTenant, kSubmit, kReadPool, kReadNodes, kManageTenants, kManagePool, kManagePolicy,
        kManageStaff, kReadAudit, kDecideProposals}},
      {Role::kOperator,
       {kReadTenant, kSubmit, kReadPool, kReadNodes, kManageTenants, kManagePool, kManagePolicy,
        kReadAudit, kDecideProposals}},
      {Role::kAuditor, {kReadTenant, kReadPool, kReadNodes, kReadAudit}},
      {Role::kInstituteAdmin, {kReadTenant, kSubmit, kReadPool}},
      {Role::kMember, {kReadTenant, kSubmit, kReadPool}},
      {Role::kViewer, {kReadTenant, kReadPool}},
      {Role::kProvider, {kReadPool, kReadNodes, kEnact}},
  };
  ASSERT_EQ(expected.size(), kRoleCount);
  for (const auto& [role, granted] : expected) {
    for (const Grant& grant : kGrants) {
      EXPECT_EQ(Holds(role, grant.permission), granted.contains(grant.permission))
          << Name(role) << " " << Name(grant.permission);
    }
  }
}

std::string Cell(Reach reach) {
  switch (reach) {
    case Reach::kNone:
      return "";
    case Reach::kOwn:
      return "own";
    case Reach::kAll:
      return "all";
  }
  return "?";
}

/// The table as docs/api.md must have it.
std::string Markdown() {
  std::string header = "| permission | allows to |";
  std::string rule = "|---|---|";
  for (const Role role : Roles()) {
    header += " " + std::string(Name(role)) + " |";
    rule += "---|";
  }
  std::string table = header + "\n" + rule + "\n";
  for (const Grant& grant : kGrants) {
    table +=
        "| `" + std::string(Name(grant.permission)) + "` | " + std::string(grant.allows) + " |";
    for (const Reach reach : grant.reach) {
      const std::string cell = Cell(reach);
      table += " " + cell + (cell.empty() ? "|" : " |");
    }
    table += "\n";
  }
  return table;
}

TEST(Permissions, AreDocumentedAsTheyAre) {
  std::ifstream file("docs/api.md");
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_NE(page.str().find(Markdown()), std::string::npos)
      << "docs/api.md, \"Who may do what\", must have exactly this table:\n"
      << Markdown();
}

TEST(Roles, AreNamedAndOfOneKind) {
  for (const Role role : Roles()) {
    EXPECT_EQ(ParseRole(Name(role)), role);
    EXPECT_EQ(IsStaff(role) + IsOfInstitute(role) + (role == Role::kProvider), 1) << Name(role);
  }
}

Principal Of(Role role, const char* institute, const char* provider) {
  return {KeyId("k"), role, InstituteId(institute), ProviderId(provider), "test"};
}

TEST(Tenancy, AnInstituteSeesItselfOnly) {
  for (const Role role : {Role::kInstituteAdmin, Role::kMember, Role::kViewer}) {
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

TEST(Tenancy, StaffSeesAll) {
  for (const Role role : Roles()) {
    if (!IsStaff(role)) continue;
    EXPECT_TRUE(MaySee(Of(role, "", ""), InstituteId("snu")));
    EXPECT_TRUE(MaySee(Of(role, "", ""), ProviderId("naver")));
  }
}

}  // namespace
}  // namespace allot
