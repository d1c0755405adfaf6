#include "allot/model/name.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "allot/model/allocation.h"
#include "allot/model/event.h"
#include "allot/model/gpu.h"
#include "allot/model/order.h"
#include "allot/model/pool.h"
#include "allot/model/principal.h"
#include "allot/model/tenant.h"

namespace allot {
namespace {

/// What is written to the database or the wire must read back as the same value.
template <class Enum, class Parse>
void ExpectNamesReadBack(int count, Parse parse) {
  std::set<std::string_view> names;
  for (int i = 0; i < count; ++i) {
    const auto value = static_cast<Enum>(i);
    const std::string_view name = Name(value);
    EXPECT_FALSE(name.empty()) << i;
    EXPECT_TRUE(names.insert(name).second) << name;
    EXPECT_EQ(parse(name), value) << name;
  }
  for (const char* wrong : {"", "no-such-name", "PENDING", "h200", "ready "}) {
    EXPECT_FALSE(parse(wrong)) << wrong;
  }
}

TEST(EnumNames, ReadBack) {
  ExpectNamesReadBack<GpuModel>(kGpuModelCount, ParseGpuModel);
  ExpectNamesReadBack<NodeHealth>(4, ParseNodeHealth);
  ExpectNamesReadBack<Sector>(4, ParseSector);
  ExpectNamesReadBack<Role>(5, ParseRole);
  ExpectNamesReadBack<OrderKind>(2, ParseOrderKind);
  ExpectNamesReadBack<OrderState>(4, ParseOrderState);
  ExpectNamesReadBack<ResourceKind>(7, ParseResourceKind);
  ExpectNamesReadBack<AllocationState>(kAllocationStateCount, ParseAllocationState);
  ExpectNamesReadBack<AllocationEvent>(kAllocationEventCount, ParseAllocationEvent);
}

TEST(EnumNames, AreTheOnesPublished) {
  EXPECT_EQ(Name(GpuModel::kB200), "B200");
  EXPECT_EQ(Name(GpuModel::kH200), "H200");
  EXPECT_EQ(Name(Role::kInstituteAdmin), "institute_admin");
  EXPECT_EQ(Name(AllocationState::kProvisioning), "provisioning");
  EXPECT_EQ(Name(AllocationEvent::kReleaseConfirmed), "release_confirmed");
  EXPECT_EQ(Name(NodeHealth::kRemoved), "removed");
  EXPECT_EQ(Name(Permission::kManageTenants), "manage_tenants");
}

TEST(Names, AreShortLowerCaseAndStartWithALetter) {
  for (const std::string& name :
       {std::string("a"), std::string("seoul-nu"), std::string("x9-"), std::string(63, 'a')}) {
    EXPECT_TRUE(CheckName(name, "id").ok()) << name;
  }
  for (const std::string& name :
       {std::string("9a"), std::string("-a"), std::string("A"), std::string("a_b"),
        std::string("a/b"), std::string("a b"), std::string("한"), std::string(64, 'a'),
        std::string("a\n"), std::string("a\0", 2), std::string(1'000'000, 'a')}) {
    const Status status = CheckName(name, "project.id");
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().reason, Reason::kNameInvalid);
    EXPECT_EQ(status.error().field, "project.id");
    EXPECT_LE(status.error().value.size(), 128U);
  }
  EXPECT_EQ(CheckName("", "id").error().reason, Reason::kFieldRequired);
}

TEST(DisplayNames, TakeAnyLanguageButNothingHidden) {
  EXPECT_TRUE(CheckDisplayName("", "display_name").ok());
  EXPECT_TRUE(CheckDisplayName("서울 대학교 (Seoul)", "display_name").ok());
  EXPECT_EQ(CheckDisplayName("a\x1b[31m", "display_name").error().reason, Reason::kTextInvalid);
  EXPECT_EQ(CheckDisplayName("\xff", "display_name").error().reason, Reason::kTextInvalid);
  EXPECT_TRUE(CheckDisplayName(std::string(256, 'a'), "display_name").ok());
  const Error error = CheckDisplayName(std::string(1'048'576, 'a'), "display_name").error();
  EXPECT_EQ(error.reason, Reason::kTextTooLong);
  EXPECT_EQ(error.limit, "at most 256 bytes, not 1,048,576");
}

TEST(CompositeIds, AreMadeAndTakenApart) {
  const ProjectId project = MakeProjectId(InstituteId("snu"), "llm");
  EXPECT_EQ(project.str(), "snu/llm");
  EXPECT_EQ(InstituteOf(project), InstituteId("snu"));
  const AllocationId allocation = MakeAllocationId(project, "main");
  EXPECT_EQ(allocation.str(), "snu/llm/main");
  EXPECT_EQ(ProjectOf(allocation), project);
  EXPECT_EQ(InstituteOf(allocation), InstituteId("snu"));
  EXPECT_EQ(ClusterOf(MakeNodeId(ClusterId("naver-a"), "n001")), ClusterId("naver-a"));
}

TEST(CompositeIds, AreReadOnlyWithExactlyTheirNumberOfNames) {
  EXPECT_EQ(ParseInstituteId("snu"), InstituteId("snu"));
  EXPECT_EQ(ParseProjectId("snu/llm"), ProjectId("snu/llm"));
  EXPECT_EQ(ParseAllocationId("snu/llm/main"), AllocationId("snu/llm/main"));
  EXPECT_EQ(ParseNodeId("naver-a/n001"), NodeId("naver-a/n001"));
  EXPECT_EQ(ParseClusterId("naver-a"), ClusterId("naver-a"));
  for (const char* text : {"", "/", "snu", "snu/", "/llm", "snu//main", "snu/llm/",
                           "snu/llm/main/x", "Snu/llm/main", "snu/llm/../main", "snu/llm/ma in"}) {
    EXPECT_FALSE(ParseAllocationId(text)) << text;
  }
  EXPECT_FALSE(ParseInstituteId("snu/llm"));
  EXPECT_FALSE(ParseProjectId("snu/llm/main"));
}

}  // namespace
}  // namespace allot
