// Ways by which one institute or provider might learn of another that no single method shows:
// wildcards, references, pages, watches, repeated ids, words of refusals and forecasts.

#include "rpc/matrix_world.h"

#include <array>
#include <set>

namespace allot::rpc {
namespace {

class TenantsApart : public MatrixWorld {
 protected:
  void SetUp() override {
    MatrixWorld::SetUp();
    methods_ = AllMethods();
    birch_ = MemberKey("birch");
  }

  Answer AskText(const std::string& key, const std::string& name, const std::string& text) {
    const auto& method = *methods_.at(name);
    const auto request = RequestOf(method);
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, request.get())) << text;
    tap_->Take();
    Answer answer = Ask(key, method, request->SerializeAsString());
    steps_ = tap_->Take();
    return answer;
  }

  static std::string AllOf(const Answer& answer) {
    return answer.status.error_message() + answer.status.error_details() +
           answer.message->SerializeAsString();
  }
  static void ExpectNoSecret(const Answer& answer, const std::string& what) {
    EXPECT_EQ(AllOf(answer).find(kSecret), std::string::npos)
        << what << ": " << answer.status.error_message() << answer.message->ShortDebugString();
  }

  std::map<std::string, const google::protobuf::MethodDescriptor*> methods_;
  std::string birch_;
  std::vector<std::string> steps_;
};

struct Wide {
  const char* method;
  const char* text;
};
/// Whatever asks for all that the caller may see.
constexpr std::array<Wide, 10> kWide = {{
    {"AllocationService/ListAllocations", "parent: 'institutes/-/projects/-'"},
    {"AllocationService/ListAllocations",
     "parent: 'institutes/-/projects/-' cluster: 'providers/teakx/clusters/teakc'"},
    {"AllocationService/ListAllocations",
     "parent: 'institutes/-/projects/-' states: STATE_ACTIVE states: STATE_PLANNED"},
    {"AllocationService/WatchAllocations", "parent: 'institutes/-/projects/-' after_revision: 0"},
    {"ProjectService/ListProjects", "parent: 'institutes/-'"},
    {"QuotaService/ListQuotas", "parent: 'institutes/-/projects/-'"},
    {"PoolService/ListReservations", "parent: 'providers/-/clusters/-'"},
    {"PoolService/ListReservations", "parent: 'providers/teakx/clusters/-'"},
    {"PoolService/GetCapacity", "horizon { seconds: 36000 } step { seconds: 3600 }"},
    {"PoolService/ListProviders", ""},
}};

TEST_F(TenantsApart, AWildcardStandsForWhatTheCallerSees) {
  for (const Wide& wide : kWide) {
    for (const auto& [role, key] : keys_) {
      const Answer answer = AskText(key, wide.method, wide.text);
      if (IsStaff(role)) continue;
      ExpectNoSecret(answer, wide.method + std::string(" as ") + std::string(Name(role)));
    }
  }
}

TEST_F(TenantsApart, AReferenceToAnothersWorkIsOneToNothing) {
  std::set<std::string> answers;
  std::set<std::vector<std::string>> steps;
  for (const char* name : {"institutes/birch/projects/projx/allocations/runx1",
                           "institutes/birch/projects/projx/allocations/runy1",
                           "institutes/cedar/projects/projx/allocations/runx1"}) {
    const Answer answer = AskText(
        keys_.at(Role::kMember), "AllocationService/CreateAllocation",
        "parent: 'institutes/alder/projects/projx' allocation { request { gpus: 8 duration { "
        "seconds: 3600 } after: '" +
            std::string(name) + "' } }");
    EXPECT_EQ(ReasonOf(answer.status), "NOT_FOUND");
    answers.insert(WithoutNames(answer.status.error_message()));
    steps.insert(steps_);
  }
  EXPECT_EQ(answers.size(), 1U) << *answers.begin();
  EXPECT_EQ(steps.size(), 1U) << "each takes the same steps";
}

TEST_F(TenantsApart, APageOfAnothersListOpensNothing) {
  for (const Wide& wide : kWide) {
    const std::string text = std::string(wide.text) + " page_size: 1";
    if (methods_.at(wide.method)->input_type()->FindFieldByName("page_token") == nullptr) continue;
    const Answer theirs = AskText(birch_, wide.method, text);
    const auto tokens = theirs.message->GetDescriptor()->FindFieldByName("next_page_token");
    const std::string token = theirs.message->GetReflection()->GetString(*theirs.message, tokens);
    if (token.empty()) continue;
    const Answer mine =
        AskText(keys_.at(Role::kMember), wide.method, text + " page_token: '" + token + "'");
    ExpectNoSecret(mine, wide.method);
  }
}

TEST_F(TenantsApart, TheSameRequestIdIsEverybodysOwn) {
  const auto create = [&](const std::string& key, const std::string& institute) {
    return AskText(key, "AllocationService/CreateAllocation",
                   "parent: 'institutes/" + institute +
                       "/projects/projx' request_id: 'one' allocation_id: 'same' allocation { "
                       "request { gpus: 8 duration { seconds: 3600 } } }");
  };
  const Answer theirs = create(birch_, "birch");
  EXPECT_EQ(ReasonOf(theirs.status), "OK");
  const Answer mine = create(keys_.at(Role::kMember), "alder");
  EXPECT_EQ(ReasonOf(mine.status), "OK") << "not REQUEST_ID_REUSED";
  ExpectNoSecret(mine, "create");
  // The very message of another: its answer is not handed out.
  EXPECT_EQ(ReasonOf(create(keys_.at(Role::kMember), "birch").status), "NOT_FOUND");
}

TEST_F(TenantsApart, RefusalsAndForecastsNameNobodyElse) {
  const std::string& key = keys_.at(Role::kMember);
  const auto create = [&](const std::string& request) {
    return AskText(key, "AllocationService/CreateAllocation",
                   "parent: 'institutes/alder/projects/projx' validate_only: true allocation { "
                   "request { " +
                       request + " duration { seconds: 3600 } } }");
  };
  // More than the quota, more than any cluster, on what birch holds, and what fits nowhere soon.
  for (const char* request :
       {"gpus: 64 models: GPU_MODEL_H200", "gpus: 16000", "gpus: 32 models: GPU_MODEL_B200",
        "gpus: 33 models: GPU_MODEL_B200", "node_shape { nodes: 4 gpus_per_node: 8 }"}) {
    ExpectNoSecret(create(request), request);
  }
  const Answer made = AskText(
      key, "AllocationService/CreateAllocation",
      "parent: 'institutes/alder/projects/projx' allocation_id: 'other' allocation { request { "
      "gpus: 32 models: GPU_MODEL_B200 duration { seconds: 3600 } } }");
  ASSERT_EQ(ReasonOf(made.status), "OK");
  Schedule();
  for (const char* name : {"other", "waitx", "runx1"}) {
    const std::string full =
        "name: 'institutes/alder/projects/projx/allocations/" + std::string(name) + "'";
    ExpectNoSecret(AskText(key, "AllocationService/ExplainAllocation", full), name);
    ExpectNoSecret(AskText(key, "AllocationService/GetAllocation", full), name);
  }
}

TEST_F(TenantsApart, WhatIsAnothersStaysSoForEveryFormOfItsName) {
  // Names that a careless reader might take for the same.
  for (const char* name :
       {"institutes/birch/projects/projx/allocations/runx1/", "institutes/birch//projects/projx",
        "institutes/alder/../birch/projects/projx", "institutes/Birch/projects/projx",
        "institutes/birch%2Fprojects%2Fprojx", " institutes/birch/projects/projx",
        "institutes/alder/projects/projx/allocations/birch/projx/runx1"}) {
    for (const char* method : {"AllocationService/GetAllocation", "ProjectService/GetProject"}) {
      const Answer answer =
          AskText(keys_.at(Role::kMember), method, "name: '" + std::string(name) + "'");
      EXPECT_EQ(ReasonOf(answer.status), "RESOURCE_NAME_INVALID") << name;
    }
  }
}

TEST_F(TenantsApart, AKeyThatIsRevokedOpensNoMethod) {
  v1::CreateApiKeyResponse made;
  ASSERT_EQ(ReasonOf(Call<v1::OperatorService>(
                operator_key_, &Operators::CreateApiKey,
                "api_key { role: ROLE_VIEWER institute: 'institutes/alder' }", &made)),
            "OK");
  ASSERT_EQ(
      ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::RevokeApiKey,
                                         "name: '" + made.api_key().name() + "' reason: 'lost'")),
      "OK");
  for (const MethodRow& row : MethodRows()) {
    const auto& method = *methods_.at(std::string(row.method));
    const Answer answer = Ask(made.secret(), method, BytesFor(row, method, Place::kOwn));
    EXPECT_EQ(ReasonOf(answer.status), "CREDENTIAL_INVALID") << row.method;
  }
}

TEST_F(TenantsApart, KeysOfStaffAreTheMinistryAdmins) {
  const std::string& night_shift = keys_.at(Role::kOperator);
  v1::CreateApiKeyResponse auditor;
  ASSERT_EQ(ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::CreateApiKey,
                                               "api_key { role: ROLE_AUDITOR }", &auditor)),
            "OK");
  const std::string name = "name: '" + auditor.api_key().name() + "'";
  for (const char* role : {"ROLE_MINISTRY_ADMIN", "ROLE_OPERATOR", "ROLE_AUDITOR"}) {
    EXPECT_EQ(ReasonOf(Call<v1::OperatorService>(night_shift, &Operators::CreateApiKey,
                                                 "api_key { role: " + std::string(role) + " }")),
              "ROLE_INSUFFICIENT");
  }
  EXPECT_EQ(ReasonOf(Call<v1::OperatorService>(night_shift, &Operators::RotateApiKey, name)),
            "ROLE_INSUFFICIENT");
  EXPECT_EQ(ReasonOf(Call<v1::OperatorService>(night_shift, &Operators::RevokeApiKey,
                                               name + " reason: 'lost'")),
            "ROLE_INSUFFICIENT");
  EXPECT_EQ(ReasonOf(Call<v1::OperatorService>(
                night_shift, &Operators::CreateApiKey,
                "api_key { role: ROLE_VIEWER institute: 'institutes/alder' }")),
            "OK");
  EXPECT_EQ(ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::RevokeApiKey,
                                               name + " reason: 'lost'")),
            "OK");
}

}  // namespace
}  // namespace allot::rpc
