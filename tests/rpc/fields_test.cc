#include "rpc/fields.h"

#include <gtest/gtest.h>

#include <limits>

#include "allot/v1/allocation_service.pb.h"
#include "allot/v1/project_service.pb.h"
#include "rpc/bytes.h"
#include "rpc/page.h"
#include "rpc/resource_name.h"

namespace allot::rpc {
namespace {

template <class T>
void ExpectRefused(const Result<T>& result, Reason reason, const std::string& field) {
  ASSERT_FALSE(result.ok()) << field << " was accepted";
  EXPECT_EQ(Name(result.error().reason), Name(reason));
  EXPECT_EQ(result.error().field, field);
  EXPECT_FALSE(result.error().limit.empty());
}

google::protobuf::Duration MakeDuration(int64_t seconds, int32_t nanos) {
  google::protobuf::Duration duration;
  duration.set_seconds(seconds);
  duration.set_nanos(nanos);
  return duration;
}

google::protobuf::Timestamp MakeTimestamp(int64_t seconds, int32_t nanos) {
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(seconds);
  timestamp.set_nanos(nanos);
  return timestamp;
}

TEST(ParseDuration, TakesWholeSecondsAndNothingElse) {
  EXPECT_EQ(ParseDuration(MakeDuration(90, 0), "d").value().count, 90);
  EXPECT_EQ(ParseDuration(MakeDuration(-5, 0), "d").value().count, -5);
  for (const auto& bad :
       {MakeDuration(1, 500'000'000), MakeDuration(0, 1), MakeDuration(0, -1),
        MakeDuration(std::numeric_limits<int64_t>::max(), 0),
        MakeDuration(std::numeric_limits<int64_t>::min(), 0), MakeDuration(315'576'000'001, 0)}) {
    ExpectRefused(ParseDuration(bad, "d"), Reason::kDurationOutOfRange, "d");
  }
}

TEST(ParseDuration, ShowsThePartOfASecondThatWasSent) {
  EXPECT_EQ(ParseDuration(MakeDuration(1, 500'000'000), "d").error().value, "1.5s");
  EXPECT_EQ(ParseDuration(MakeDuration(0, -1'000), "d").error().value, "-0.000001s");
}

TEST(ParseDuration, KeepsToItsBounds) {
  EXPECT_TRUE(ParseDuration(MakeDuration(30, 0), Seconds{0}, Seconds{30}, "wait").ok());
  ExpectRefused(ParseDuration(MakeDuration(31, 0), Seconds{0}, Seconds{30}, "wait"),
                Reason::kDurationOutOfRange, "wait");
  ExpectRefused(ParseDuration(MakeDuration(-1, 0), Seconds{0}, Seconds{30}, "wait"),
                Reason::kDurationOutOfRange, "wait");
}

TEST(ParseTimestamp, TakesTheYears1970To9999) {
  EXPECT_EQ(ParseTimestamp(MakeTimestamp(7, 1'999), "t").value().micros, 7'000'001);
  EXPECT_EQ(ParseTimestamp(MakeTimestamp(253'402'300'799, 0), "t").value(), kEndOfTime);
  for (const auto& bad :
       {MakeTimestamp(-1, 0), MakeTimestamp(253'402'300'800, 0), MakeTimestamp(0, -1),
        MakeTimestamp(0, 1'000'000'000), MakeTimestamp(std::numeric_limits<int64_t>::max(), 0)}) {
    ExpectRefused(ParseTimestamp(bad, "t"), Reason::kTimeOutOfRange, "t");
  }
}

TEST(Render, GivesBackTheInstantThatWasParsed) {
  for (const int64_t micros :
       {int64_t{0}, int64_t{1}, int64_t{999'999}, int64_t{1'772'323'200'000'001}}) {
    EXPECT_EQ(ParseTimestamp(Render(Instant{micros}), "t").value().micros, micros);
  }
}

TEST(ParseText, RefusesWhatWouldBreakALine) {
  EXPECT_TRUE(ParseText("연구 과제, 둘째 단계", "reason").ok());
  EXPECT_TRUE(ParseText("", "reason").ok());
  ExpectRefused(ParseText("a\nb", "reason"), Reason::kTextInvalid, "reason");
  ExpectRefused(ParseText(std::string("a\0b", 3), "reason"), Reason::kTextInvalid, "reason");
  ExpectRefused(ParseText("\xff\xfe", "reason"), Reason::kTextInvalid, "reason");
  ExpectRefused(ParseText(std::string(501, 'x'), "reason"), Reason::kTextTooLong, "reason");
  ExpectRefused(ParseText(std::string(1 << 20, 'x'), "reason"), Reason::kTextTooLong, "reason");
  ExpectRefused(ParseRequiredText("", "reason"), Reason::kFieldRequired, "reason");
}

TEST(ParseNewName, RefusesEmptyHugeAndStrangeNames) {
  EXPECT_TRUE(ParseNewName("train-1", "allocation_id").ok());
  ExpectRefused(ParseNewName("", "allocation_id"), Reason::kFieldRequired, "allocation_id");
  for (const std::string& bad :
       {std::string(64, 'a'), std::string(1 << 20, 'a'), std::string("Upper"), std::string("1st"),
        std::string("a/b"), std::string("a b"), std::string("a\n"), std::string("한글")}) {
    ExpectRefused(ParseNewName(bad, "allocation_id"), Reason::kNameInvalid, "allocation_id");
  }
}

TEST(ParseRequestId, TakesUuidsAndNothingThatNeedsQuoting) {
  EXPECT_TRUE(ParseRequestId("").ok());
  EXPECT_TRUE(ParseRequestId("0b9c6b4e-0c0f-4a53-9d5a-6a4dca3a3e10").ok());
  EXPECT_TRUE(ParseRequestId(std::string(64, 'a')).ok());
  for (const std::string& bad : {std::string(65, 'a'), std::string("a b"), std::string("a\n"),
                                 std::string("a;DROP"), std::string("\xff")}) {
    ExpectRefused(ParseRequestId(bad), Reason::kRequestIdInvalid, "request_id");
  }
}

TEST(ParseEtag, KnowsOnlyWhatGetReturns) {
  EXPECT_EQ(ParseEtag("", "etag").value(), 0);
  EXPECT_EQ(ParseEtag(EtagOf(7), "etag").value(), 7);
  for (const char* bad : {"0", "-1", "07", "7 ", "+7", "x", "99999999999999999999"}) {
    ExpectRefused(ParseEtag(bad, "etag"), Reason::kEtagStale, "etag");
  }
}

TEST(ParseFieldMask, NamesWhatCanBeUpdated) {
  static constexpr std::array<std::string_view, 2> kUpdatable = {"display_name", "open"};
  static constexpr std::array<std::string_view, 1> kImmutable = {"name"};
  const auto parse = [](std::initializer_list<const char*> paths) {
    google::protobuf::FieldMask mask;
    for (const char* path : paths) mask.add_paths(path);
    return ParseFieldMask(mask, kUpdatable, kImmutable);
  };
  EXPECT_EQ(parse({"open"}).value(), std::vector<std::string>{"open"});
  EXPECT_EQ(parse({"*"}).value().size(), 2U);
  ExpectRefused(parse({}), Reason::kFieldRequired, "update_mask");
  ExpectRefused(parse({"name"}), Reason::kFieldImmutable, "update_mask");
  ExpectRefused(parse({"open", "colour"}), Reason::kFieldMaskInvalid, "update_mask");
  ExpectRefused(parse({"open", "*"}), Reason::kFieldMaskInvalid, "update_mask");
}

TEST(PageToken, OpensTheListItWasMadeForAndNoOther) {
  const PagePosition position{.after = "snu/p1/a 한 b", .revision = 41};
  const std::string token = MakePageToken(position, "list one");
  EXPECT_EQ(ParsePageToken(token, "list one").value(), position);
  ExpectRefused(ParsePageToken(token, "list two"), Reason::kPageTokenUnknown, "page_token");
}

TEST(PageToken, IsRefusedWhenAnyCharacterChanged) {
  const std::string token = MakePageToken({.after = "snu/p1", .revision = 3}, "list");
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    ExpectRefused(ParsePageToken(changed, "list"), Reason::kPageTokenUnknown, "page_token");
  }
  for (const std::string& bad : {std::string("x"), token + "A", token.substr(1), std::string("%%"),
                                 std::string(1 << 20, 'A'), std::string("\xff\xff")}) {
    ExpectRefused(ParsePageToken(bad, "list"), Reason::kPageTokenUnknown, "page_token");
  }
}

TEST(ParsePage, BindsATokenToParentAndFilterButNotToThePageSize) {
  v1::ListAllocationsRequest first;
  first.set_parent("institutes/snu/projects/-");
  first.add_states(v1::Allocation::STATE_ACTIVE);
  const auto scope = ParsePage(first).value().scope;
  const std::string token = MakePageToken({.after = "snu/p/a", .revision = 5}, scope);

  v1::ListAllocationsRequest next = first;
  next.set_page_token(token);
  next.set_page_size(7);
  EXPECT_EQ(ParsePage(next).value().position.after, "snu/p/a");
  EXPECT_EQ(ParsePage(next).value().size, 7);

  v1::ListAllocationsRequest other_parent = next;
  other_parent.set_parent("institutes/kist/projects/-");
  ExpectRefused(ParsePage(other_parent), Reason::kPageTokenUnknown, "page_token");
  v1::ListAllocationsRequest other_filter = next;
  other_filter.add_states(v1::Allocation::STATE_FAILED);
  ExpectRefused(ParsePage(other_filter), Reason::kPageTokenUnknown, "page_token");
  v1::ListProjectsRequest other_method;
  other_method.set_parent(first.parent());
  other_method.set_page_token(token);
  ExpectRefused(ParsePage(other_method), Reason::kPageTokenUnknown, "page_token");
}

TEST(ParsePage, TakesSizesFrom1To1000) {
  const auto size_of = [](int32_t size) {
    v1::ListProjectsRequest request;
    request.set_page_size(size);
    return ParsePage(request);
  };
  EXPECT_EQ(size_of(0).value().size, kPageSizeDefault);
  EXPECT_EQ(size_of(1000).value().size, 1000);
  ExpectRefused(size_of(-1), Reason::kPageSizeOutOfRange, "page_size");
  ExpectRefused(size_of(1001), Reason::kPageSizeOutOfRange, "page_size");
}

TEST(ResourceName, IsTheIdUnderItsParents) {
  EXPECT_EQ(NameOf(ParseProviderName("providers/nhn", "name").value()), "providers/nhn");
  EXPECT_EQ(NameOf(ParseProjectName("institutes/snu/projects/p", "name").value()),
            "institutes/snu/projects/p");
  EXPECT_EQ(QuotaNameOf(ParseQuotaName("institutes/snu/projects/p/quota", "name").value()),
            "institutes/snu/projects/p/quota");
  const std::string allocation = "institutes/snu/projects/p/allocations/a-1";
  EXPECT_EQ(NameOf(ParseAllocationName(allocation, "name").value()), allocation);
  EXPECT_EQ(ParseAllocationName(allocation, "name").value(), AllocationId("snu/p/a-1"));
  const auto node = ParseNodeName("providers/nhn/clusters/c/nodes/n1", "name").value();
  EXPECT_EQ(node.node, NodeId("c/n1"));
  EXPECT_EQ(NodeNameOf(NameOf(node.provider, node.cluster), node.node),
            "providers/nhn/clusters/c/nodes/n1");
  EXPECT_EQ(ParseOrderName("providers/nhn/clusters/c/orders/o1", "name").value().order,
            OrderId("o1"));
}

TEST(ResourceName, IsRefusedInEveryOtherForm) {
  for (const std::string& bad :
       {std::string("institutes/snu"), std::string("institutes/snu/projects"),
        std::string("institutes/snu/projects/"), std::string("institutes/snu/projects/p/"),
        std::string("/institutes/snu/projects/p"), std::string("institutes//projects/p"),
        std::string("institutes/snu/projects/p/allocations/a"),
        std::string("institutes/-/projects/p"), std::string("institutes/snu/projects/-"),
        std::string("providers/snu/projects/p"), std::string("institutes/SNU/projects/p"),
        std::string("institutes/snu/projects/../p"), std::string("institutes/snu/projects/p\n"),
        std::string("\xff"), std::string(1 << 20, 'a')}) {
    ExpectRefused(ParseProjectName(bad, "name"), Reason::kResourceNameInvalid, "name");
  }
  ExpectRefused(ParseProjectName("", "name"), Reason::kFieldRequired, "name");
}

TEST(TenantScope, TakesAllFromTheRightOnly) {
  const auto all = ParseTenantScope("institutes/-/projects/-", "parent").value();
  EXPECT_FALSE(all.institute || all.project);
  const auto institute = ParseTenantScope("institutes/snu/projects/-", "parent").value();
  EXPECT_EQ(institute.institute, InstituteId("snu"));
  EXPECT_FALSE(institute.project);
  EXPECT_EQ(ParseTenantScope("institutes/snu/projects/p", "parent").value().project,
            ProjectId("snu/p"));
  ExpectRefused(ParseTenantScope("institutes/-/projects/p", "parent"), Reason::kResourceNameInvalid,
                "parent");
}

TEST(CheckWire, NamesTheTextThatIsNotUtf8) {
  v1::CreateAllocationRequest request;
  request.set_parent("institutes/snu/projects/p");
  request.mutable_allocation()->set_display_name("QQ");
  request.mutable_allocation()->mutable_request()->set_gpus(8);
  std::string bytes = request.SerializeAsString();
  EXPECT_TRUE(CheckWire(*request.descriptor(), bytes).ok());
  bytes.replace(bytes.find("QQ"), 2, "\xc3\x28");
  ExpectRefused(CheckWire(*request.descriptor(), bytes), Reason::kTextInvalid,
                "allocation.display_name");
}

TEST(CheckWire, RefusesBytesThatAreNoMessage) {
  v1::CreateAllocationRequest request;
  request.set_parent("institutes/snu/projects/p");
  request.mutable_allocation()->mutable_request()->mutable_duration()->set_seconds(1'000'000);
  const std::string bytes = request.SerializeAsString();
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    const auto result = CheckWire(*request.descriptor(), std::string_view(bytes).substr(0, cut));
    v1::CreateAllocationRequest parsed;
    EXPECT_EQ(result.ok(), parsed.ParseFromString(bytes.substr(0, cut))) << "cut at " << cut;
  }
  EXPECT_FALSE(
      CheckWire(*request.descriptor(), "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff").ok());
}

TEST(Base64Url, HasOneTextForEveryBytes) {
  for (const std::string& bytes : {std::string(), std::string("a"), std::string("ab"),
                                   std::string("abc"), std::string("\0\xff\x80", 3)}) {
    EXPECT_EQ(DecodeBase64Url(EncodeBase64Url(bytes)), bytes);
  }
  EXPECT_FALSE(DecodeBase64Url("YR"));
  EXPECT_TRUE(DecodeBase64Url("YQ"));
}

}  // namespace
}  // namespace allot::rpc
