#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "allot/v1/error_reason.pb.h"
#include "rpc/enums.h"
#include "rpc/status.h"

namespace allot::rpc {
namespace {

constexpr std::string_view kPrefix = "ERROR_REASON_";

std::set<std::string> Catalogue() {
  return {
#define ALLOT_REASON(name, text, code, advice) UpperName(Reason::name),
#include "allot/base/reasons.def"
#undef ALLOT_REASON
  };
}

TEST(ErrorReason, IsTheCatalogueNoMoreAndNoLess) {
  std::set<std::string> published;
  const auto* descriptor = v1::ErrorReason_descriptor();
  for (int i = 0; i < descriptor->value_count(); ++i) {
    if (descriptor->value(i)->number() == 0) continue;
    published.insert(descriptor->value(i)->name().substr(kPrefix.size()));
  }
  EXPECT_EQ(published, Catalogue());
}

google::rpc::Status DetailsOf(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  return details;
}

v1::ErrorInfo InfoOf(const grpc::Status& status) {
  const google::rpc::Status details = DetailsOf(status);
  for (const auto& any : details.details()) {
    if (any.type_url() != "type.googleapis.com/google.rpc.ErrorInfo") continue;
    v1::ErrorInfo info;
    EXPECT_TRUE(info.ParseFromString(any.value()));
    return info;
  }
  ADD_FAILURE() << "no ErrorInfo";
  return {};
}

template <class Detail>
std::optional<Detail> Find(const grpc::Status& status) {
  const google::rpc::Status details = DetailsOf(status);
  for (const auto& any : details.details()) {
    Detail detail;
    if (any.UnpackTo(&detail)) return detail;
  }
  return std::nullopt;
}

TEST(ToStatus, SaysReasonFieldValueLimitAndAdvice) {
  const auto status = ToStatus(
      FieldError(Reason::kGpusPerNodeOutOfRange, "allocation.request.gpus_per_node", "9", "1 to 8"),
      "call-1");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(),
            "allocation.request.gpus_per_node 9 is not allowed: expected 1 to 8");
  const auto info = InfoOf(status);
  EXPECT_EQ(info.reason(), "GPUS_PER_NODE_OUT_OF_RANGE");
  EXPECT_EQ(info.domain(), "allot.v1");
  EXPECT_EQ(info.metadata().at("field"), "allocation.request.gpus_per_node");
  EXPECT_EQ(info.metadata().at("value"), "9");
  EXPECT_EQ(info.metadata().at("limit"), "1 to 8");
  EXPECT_EQ(info.metadata().at("advice"), "A node has 8 GPUs: ask for 1 to 8 on each.");
  EXPECT_EQ(Find<google::rpc::BadRequest>(status)->field_violations(0).field(),
            "allocation.request.gpus_per_node");
  EXPECT_EQ(Find<google::rpc::RequestInfo>(status)->request_id(), "call-1");
  EXPECT_FALSE(Find<google::rpc::RetryInfo>(status));
}

TEST(ToStatus, SaysWhenToComeBackWhereThatHelps) {
  for (const Reason reason : {Reason::kOverloaded, Reason::kStoreUnavailable,
                              Reason::kCommitOutcomeUnknown, Reason::kShuttingDown}) {
    const auto retry = Find<google::rpc::RetryInfo>(ToStatus(StateError(reason, "m"), "c"));
    ASSERT_TRUE(retry) << Name(reason);
    EXPECT_GT(retry->retry_delay().seconds(), 0);
  }
}

template <class Proto, class Descriptor>
void ExpectEveryValueGoesBothWays(const Descriptor* descriptor) {
  for (int i = 0; i < descriptor->value_count(); ++i) {
    const auto value = static_cast<Proto>(descriptor->value(i)->number());
    const auto parsed = Parse(value, "f");
    EXPECT_EQ(parsed.ok(), value != Proto{}) << descriptor->value(i)->name();
    if (parsed.ok()) {
      EXPECT_EQ(Render(*parsed), value);
    }
  }
  EXPECT_FALSE(Parse(static_cast<Proto>(99), "f").ok());
}

TEST(Enums, EveryValueOfTheApiIsOneOfTheModel) {
  ExpectEveryValueGoesBothWays<v1::GpuModel>(v1::GpuModel_descriptor());
  ExpectEveryValueGoesBothWays<v1::Sector>(v1::Sector_descriptor());
  ExpectEveryValueGoesBothWays<v1::Role>(v1::Role_descriptor());
  ExpectEveryValueGoesBothWays<v1::Allocation::State>(v1::Allocation::State_descriptor());
  ExpectEveryValueGoesBothWays<v1::Node::Health>(v1::Node::Health_descriptor());
  ExpectEveryValueGoesBothWays<v1::Order::State>(v1::Order::State_descriptor());
}

TEST(Enums, UnspecifiedIsMissingAndStrangeIsUnknown) {
  EXPECT_EQ(Parse(v1::SECTOR_UNSPECIFIED, "f").error().reason, Reason::kFieldRequired);
  EXPECT_EQ(Parse(static_cast<v1::Sector>(99), "f").error().reason, Reason::kEnumUnknown);
  EXPECT_EQ(Parse(static_cast<v1::Sector>(-1), "f").error().value, "-1");
  EXPECT_EQ(Parse(static_cast<v1::GpuModel>(99), "f").error().reason, Reason::kGpuModelUnknown);
}

}  // namespace
}  // namespace allot::rpc
