#include <map>

#include <google/protobuf/descriptor.h>

#include "allot/model/policy_settings.h"
#include "rpc/api_fixture.h"

namespace allot::rpc {
namespace {

class PoliciesTest : public Api {
 protected:
  void SetUp() override {
    Api::SetUp();
    Serve();
    const auto status = Call<v1::PolicyService>(operator_key_, &Policies::GetPolicy,
                                                "name: 'policies/current'", &configured_);
    ASSERT_EQ(ReasonOf(status), "OK");
  }
  /// As configured, but for what `spoil` does.
  v1::CreatePolicyRequest Asked(const std::string& id,
                                const std::function<void(v1::CreatePolicyRequest&)>& spoil = {}) {
    v1::CreatePolicyRequest request;
    request.set_policy_id(id);
    request.set_reason("second call");
    *request.mutable_policy()->mutable_settings() = configured_.settings();
    if (spoil) spoil(request);
    return request;
  }
  grpc::Status Create(const v1::CreatePolicyRequest& request, v1::Policy* created = nullptr) {
    v1::PolicyService::Stub stub(channel_);
    v1::Policy ignored;
    return stub.CreatePolicy(As(operator_key_).get(), request,
                             created != nullptr ? created : &ignored);
  }

  v1::Policy configured_;
};

TEST_F(PoliciesTest, FromTheFirstToTheWithdrawn) {
  EXPECT_EQ(configured_.name(), "");
  EXPECT_EQ(configured_.version(), "default");
  EXPECT_EQ(configured_.state(), v1::Policy::STATE_IN_FORCE);

  v1::Policy made;
  ASSERT_EQ(
      ReasonOf(Create(Asked("spring",
                            [&](auto& request) {
                              request.mutable_policy()->mutable_effective_time()->set_seconds(
                                  clock_.Now().seconds() + 3'600);
                              request.mutable_policy()->mutable_settings()->set_promise_nodes(32);
                            }),
                      &made)),
      "OK");
  EXPECT_EQ(made.name(), "policies/spring");
  EXPECT_EQ(made.version(), "spring");
  EXPECT_EQ(made.state(), v1::Policy::STATE_SCHEDULED);
  EXPECT_EQ(made.settings().promise_nodes(), 32);
  EXPECT_EQ(made.reason(), "second call");
  v1::Policy found;
  AddTenant("snu");
  const std::string member = MemberKey("snu");
  ASSERT_EQ(ReasonOf(Call<v1::PolicyService>(member, &Policies::GetPolicy,
                                             "name: 'policies/spring'", &found)),
            "OK");
  EXPECT_EQ(found.SerializeAsString(), made.SerializeAsString());
  v1::ListPoliciesResponse listed;
  ASSERT_EQ(ReasonOf(Call<v1::PolicyService>(member, &Policies::ListPolicies, "", &listed)), "OK");
  EXPECT_EQ(listed.policies_size(), 1);

  v1::Policy withdrawn;
  ASSERT_EQ(
      ReasonOf(Call<v1::PolicyService>(operator_key_, &Policies::WithdrawPolicy,
                                       "name: 'policies/spring' reason: 'a mistake'", &withdrawn)),
      "OK");
  EXPECT_EQ(withdrawn.state(), v1::Policy::STATE_WITHDRAWN);
  EXPECT_EQ(withdrawn.withdraw_reason(), "a mistake");
  v1::ListAuditEntriesResponse audit;
  ASSERT_EQ(ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::ListAuditEntries,
                                               "resource: 'policies/spring'", &audit)),
            "OK");
  EXPECT_EQ(audit.audit_entries_size(), 2);
}

TEST_F(PoliciesTest, EverySettingIsAFieldAndIsRequired) {
  const auto* settings = v1::PolicySettings::descriptor();
  // Programmes and node_loss are the two that are no numbers.
  EXPECT_EQ(static_cast<std::size_t>(settings->field_count()), PolicySettings().size() + 2);
  for (int i = 0; i < settings->field_count(); ++i) {
    const auto* field = settings->field(i);
    const auto status = Create(Asked("spring", [&](auto& request) {
      auto* message = request.mutable_policy()->mutable_settings();
      message->GetReflection()->ClearField(message, field);
    }));
    const bool programmes = field->name() == "programmes";
    EXPECT_EQ(ReasonOf(status), programmes ? "POLICY_INVALID" : "FIELD_REQUIRED");
    EXPECT_EQ(InfoOf(status).metadata().at("field"), "policy.settings." + field->name());
  }
}

TEST_F(PoliciesTest, WhatIsWrongIsRefusedByTheField) {
  using Spoil = std::function<void(v1::CreatePolicyRequest&)>;
  const auto settings = [](v1::CreatePolicyRequest& r) {
    return r.mutable_policy()->mutable_settings();
  };
  const struct {
    const char* reason;
    const char* field;
    Spoil spoil;
  } rows[] = {
      {"FIELD_REQUIRED", "policy_id", [](auto& r) { r.clear_policy_id(); }},
      {"NAME_INVALID", "policy_id", [](auto& r) { r.set_policy_id("Spring"); }},
      {"NAME_INVALID", "policy_id", [](auto& r) { r.set_policy_id("current"); }},
      {"FIELD_REQUIRED", "reason", [](auto& r) { r.clear_reason(); }},
      {"TEXT_TOO_LONG", "reason", [](auto& r) { r.set_reason(std::string(501, 'x')); }},
      {"TIME_OUT_OF_RANGE", "policy.effective_time",
       [](auto& r) { r.mutable_policy()->mutable_effective_time()->set_seconds(1); }},
      {"TIME_OUT_OF_RANGE", "policy.effective_time",
       [](auto& r) { r.mutable_policy()->mutable_effective_time()->set_seconds(-1); }},
      {"POLICY_INVALID", "policy.settings.promise_nodes",
       [&](auto& r) { settings(r)->set_promise_nodes(0); }},
      {"POLICY_INVALID", "policy.settings.failures_max",
       [&](auto& r) { settings(r)->set_failures_max(-1); }},
      {"POLICY_INVALID", "policy.settings.usage_half_life",
       [&](auto& r) { settings(r)->mutable_usage_half_life()->set_seconds(-5); }},
      {"DURATION_OUT_OF_RANGE", "policy.settings.usage_half_life",
       [&](auto& r) { settings(r)->mutable_usage_half_life()->set_nanos(1); }},
      {"DURATION_OUT_OF_RANGE", "policy.settings.gathering_time",
       [&](auto& r) { settings(r)->mutable_gathering_time()->set_seconds(INT64_MAX); }},
      {"POLICY_INVALID", "policy.settings.node_down_after",
       [&](auto& r) { settings(r)->mutable_node_down_after()->set_seconds(3); }},
      {"ENUM_UNKNOWN", "policy.settings.node_loss",
       [&](auto& r) { settings(r)->set_node_loss(static_cast<v1::NodeLoss>(9)); }},
      {"VALUE_REPEATED", "policy.settings.programmes[1].programme",
       [&](auto& r) { *settings(r)->add_programmes() = settings(r)->programmes(0); }},
      {"NAME_INVALID", "policy.settings.programmes[0].programme",
       [&](auto& r) { settings(r)->mutable_programmes(0)->set_programme("a b"); }},
      {"POLICY_INVALID", "policy.settings.programmes[0].gpus_max.h200",
       [&](auto& r) { settings(r)->mutable_programmes(0)->mutable_gpus_max()->set_h200(16'385); }},
      {"FIELD_REQUIRED", "policy.settings.programmes[0].gpus_max",
       [&](auto& r) { settings(r)->mutable_programmes(0)->clear_gpus_max(); }},
      {"DURATION_OUT_OF_RANGE", "policy.settings.programmes[0].duration_max",
       [&](auto& r) {
         settings(r)->mutable_programmes(0)->mutable_duration_max()->set_seconds(0);
       }},
  };
  for (const auto& row : rows) {
    const auto status = Create(Asked("spring", row.spoil));
    EXPECT_EQ(ReasonOf(status), row.reason) << row.field;
    EXPECT_EQ(InfoOf(status).metadata().at("field"), row.field);
  }
  v1::ListPoliciesResponse listed;
  ASSERT_EQ(ReasonOf(Call<v1::PolicyService>(operator_key_, &Policies::ListPolicies, "", &listed)),
            "OK");
  EXPECT_EQ(listed.policies_size(), 0) << "nothing was changed";
}

TEST_F(PoliciesTest, NamesThatAreNone) {
  for (const char* name : {"", "policies", "policies/", "policies/a/b", "projects/a"}) {
    EXPECT_NE(ReasonOf(Call<v1::PolicyService>(operator_key_, &Policies::GetPolicy,
                                               std::string("name: '") + name + "'")),
              "OK")
        << name;
  }
  EXPECT_EQ(ReasonOf(Call<v1::PolicyService>(operator_key_, &Policies::GetPolicy,
                                             "name: 'policies/none'")),
            "NOT_FOUND");
  EXPECT_EQ(ReasonOf(Call<v1::PolicyService>(operator_key_, &Policies::WithdrawPolicy,
                                             "name: 'policies/none' reason: 'x'")),
            "NOT_FOUND");
}

}  // namespace
}  // namespace allot::rpc
