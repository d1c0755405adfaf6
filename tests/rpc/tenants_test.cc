#include "rpc/api_fixture.h"

namespace allot::rpc {
namespace {

class TenantsTest : public Api {
 protected:
  void SetUp() override {
    Api::SetUp();
    Serve();
    AddPool();
    AddTenant("snu");
    member_ = MemberKey("snu");
  }

  grpc::Status Update(const std::string& request, v1::Project* project = nullptr) {
    return Call<v1::ProjectService>(operator_key_, &Projects::UpdateProject, request, project);
  }
  grpc::Status UpdateQuota(const std::string& request, v1::Quota* quota = nullptr) {
    return Call<v1::QuotaService>(operator_key_, &Quotas::UpdateQuota, request + " reason: 'call'",
                                  quota);
  }

  std::string member_;
};

TEST_F(TenantsTest, AMaskChangesOnlyWhatItNames) {
  v1::Project project;
  ASSERT_EQ(ReasonOf(Update("project { name: 'institutes/snu/projects/p' display_name: 'Vision' "
                            "open: false } update_mask { paths: 'display_name' }",
                            &project)),
            "OK");
  EXPECT_EQ(project.display_name(), "Vision");
  EXPECT_TRUE(project.open());
  ASSERT_EQ(
      ReasonOf(Update("project { name: 'institutes/snu/projects/p' open: false } update_mask { "
                      "paths: 'open' }",
                      &project)),
      "OK");
  EXPECT_EQ(project.display_name(), "Vision");
  EXPECT_FALSE(project.open());
}

TEST_F(TenantsTest, MasksThatCannotBeAreRefused) {
  const std::string project = "project { name: 'institutes/snu/projects/p' } ";
  EXPECT_EQ(ReasonOf(Update(project)), "FIELD_REQUIRED");
  EXPECT_EQ(ReasonOf(Update(project + "update_mask { paths: 'merit' }")), "FIELD_IMMUTABLE");
  EXPECT_EQ(ReasonOf(Update(project + "update_mask { paths: 'colour' }")), "FIELD_MASK_INVALID");
  EXPECT_EQ(ReasonOf(Update(project + "update_mask { paths: 'open' }")), "FIELD_REQUIRED");
}

TEST_F(TenantsTest, AnUpdateOnOldNewsIsRefused) {
  v1::Project seen;
  Call<v1::ProjectService>(operator_key_, &Projects::GetProject,
                           "name: 'institutes/snu/projects/p'", &seen);
  const std::string update =
      "project { name: 'institutes/snu/projects/p' display_name: 'B' etag: '" + seen.etag() +
      "' } update_mask { paths: 'display_name' }";
  EXPECT_EQ(ReasonOf(Update(update)), "OK");
  EXPECT_EQ(ReasonOf(Update(update)), "ETAG_STALE");
}

TEST_F(TenantsTest, QuotasAreSetByModelAndShowTheirUse) {
  v1::Quota quota;
  ASSERT_EQ(
      ReasonOf(UpdateQuota("quota { name: 'institutes/snu/projects/p/quota' concurrent_gpus { "
                           "h200: 16 } } update_mask { paths: 'concurrent_gpus.h200' }",
                           &quota)),
      "OK");
  EXPECT_EQ(quota.concurrent_gpus().h200(), 16);
  EXPECT_EQ(quota.concurrent_gpus().b200(), 64);
  ASSERT_EQ(ReasonOf(Call<v1::AllocationService>(member_, &Allocations::CreateAllocation,
                                                 CreateText("snu", "a1"))),
            "OK");
  ASSERT_EQ(ReasonOf(Call<v1::QuotaService>(member_, &Quotas::GetQuota,
                                            "name: 'institutes/snu/projects/p/quota'", &quota)),
            "OK");
  EXPECT_EQ(quota.committed_gpu_seconds(), 8 * 3600);
  EXPECT_EQ(ReasonOf(UpdateQuota("quota { name: 'institutes/snu/projects/p/quota' gpu_seconds: 1 } "
                                 "update_mask { paths: 'gpu_seconds' }")),
            "QUOTA_BELOW_USE");
  EXPECT_EQ(
      ReasonOf(UpdateQuota("quota { name: 'institutes/snu/projects/p/quota' gpu_seconds: -1 } "
                           "update_mask { paths: 'gpu_seconds' }")),
      "QUOTA_OUT_OF_RANGE");
}

TEST_F(TenantsTest, RolesMayDoWhatTheTableSaysAndNoMore) {
  const std::string auditor = KeyFor("role: ROLE_AUDITOR");
  const std::string project =
      "project { name: 'institutes/snu/projects/p' open: true } update_mask "
      "{ paths: 'open' }";
  for (const std::string& key : {member_, auditor, agent_key_}) {
    EXPECT_EQ(ReasonOf(Call<v1::ProjectService>(key, &Projects::UpdateProject, project)),
              "ROLE_INSUFFICIENT");
    EXPECT_EQ(ReasonOf(Call<v1::OperatorService>(key, &Operators::CreateApiKey,
                                                 "api_key { role: ROLE_OPERATOR }")),
              "ROLE_INSUFFICIENT");
    EXPECT_EQ(ReasonOf(Call<v1::OperatorService>(
                  key, &Operators::DrainCluster,
                  "name: 'providers/prov/clusters/c' reason: 'maintenance'")),
              "ROLE_INSUFFICIENT");
  }
  EXPECT_EQ(ReasonOf(Call<v1::AllocationService>(auditor, &Allocations::CreateAllocation,
                                                 CreateText("snu", "a1"))),
            "ROLE_INSUFFICIENT");
  for (const std::string& key : {member_, agent_key_}) {
    EXPECT_EQ(ReasonOf(Call<v1::OperatorService>(key, &Operators::RecordPass, "")),
              "ROLE_INSUFFICIENT")
        << "a recording names every tenant";
  }
  v1::RecordPassResponse recorded;
  EXPECT_EQ(ReasonOf(Call<v1::OperatorService>(auditor, &Operators::RecordPass, "", &recorded)),
            "OK");
  EXPECT_EQ(recorded.recording().rfind("{\"allot_recording\":7,", 0), 0U);
  EXPECT_EQ(ReasonOf(Call<v1::PoolService>(member_, &Pool::ListNodes,
                                           "parent: 'providers/prov/clusters/c'")),
            "ROLE_INSUFFICIENT");
  EXPECT_EQ(ReasonOf(Call<v1::ProviderService>(
                member_, &Agents::RegisterAgent,
                "cluster: 'providers/prov/clusters/c' gpu_model: GPU_MODEL_H200")),
            "ROLE_INSUFFICIENT");
}

TEST_F(TenantsTest, MeritIsSetWithAReasonThatTheAuditKeeps) {
  const std::string name = "name: 'institutes/snu/projects/p' ";
  EXPECT_EQ(
      ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::SetMerit, name + "merit: 700")),
      "FIELD_REQUIRED");
  const auto unsaid =
      Call<v1::OperatorService>(operator_key_, &Operators::SetMerit, name + "reason: 'x'");
  EXPECT_EQ(ReasonOf(unsaid), "FIELD_REQUIRED");
  EXPECT_EQ(InfoOf(unsaid).metadata().at("field"), "merit");
  EXPECT_EQ(ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::SetMerit,
                                               name + "merit: 700 reason: '  '")),
            "FIELD_REQUIRED");
  EXPECT_EQ(ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::SetMerit,
                                               name + "merit: 1001 reason: 'x'")),
            "MERIT_OUT_OF_RANGE");
  v1::Project project;
  ASSERT_EQ(
      ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::SetMerit,
                                         name + "merit: 700 reason: 'second panel'", &project)),
      "OK");
  EXPECT_EQ(project.merit(), 700);

  v1::ListAuditEntriesResponse audit;
  ASSERT_EQ(ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::ListAuditEntries,
                                               "resource: 'institutes/snu/projects/p' page_size: 1",
                                               &audit)),
            "OK");
  ASSERT_EQ(audit.audit_entries_size(), 1);
  EXPECT_NE(audit.audit_entries(0).detail().find("second panel"), std::string::npos);
  EXPECT_EQ(audit.audit_entries(0).resource(), "institutes/snu/projects/p");
  std::size_t entries = 1;
  while (!audit.next_page_token().empty()) {
    const std::string token = audit.next_page_token();
    ASSERT_EQ(ReasonOf(Call<v1::OperatorService>(
                  operator_key_, &Operators::ListAuditEntries,
                  "resource: 'institutes/snu/projects/p' page_size: 1 page_token: '" + token + "'",
                  &audit)),
              "OK");
    entries += static_cast<std::size_t>(audit.audit_entries_size());
  }
  EXPECT_GE(entries, 2U) << "created and judged";
}

TEST_F(TenantsTest, TheAuditOfAnInstituteIsNotThatOfAProviderOfItsName) {
  ASSERT_EQ(ReasonOf(Call<v1::ProjectService>(
                operator_key_, &Projects::CreateInstitute,
                "institute_id: 'prov' institute { display_name: 'P' sector: SECTOR_INDUSTRY }")),
            "OK");
  for (const char* resource : {"institutes/prov", "providers/prov"}) {
    v1::ListAuditEntriesResponse audit;
    ASSERT_EQ(
        ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::ListAuditEntries,
                                           std::string("resource: '") + resource + "'", &audit)),
        "OK");
    ASSERT_EQ(audit.audit_entries_size(), 1) << resource;
    const bool institute = std::string(resource).starts_with("institutes");
    EXPECT_EQ(audit.audit_entries(0).action(), institute ? "institute.create" : "provider.create");
  }
}

TEST_F(TenantsTest, AClusterIsNotAnotherProviders) {
  const std::string cluster = "providers/other/clusters/c";
  ASSERT_EQ(ReasonOf(Call<v1::PoolService>(operator_key_, &Pool::CreateProvider,
                                           "provider_id: 'other' provider { display_name: 'O' }")),
            "OK");
  for (const std::string& resource : {cluster, cluster + "/nodes/n1"}) {
    EXPECT_EQ(ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::ListAuditEntries,
                                                 "resource: '" + resource + "'")),
              "NOT_FOUND");
  }
  EXPECT_EQ(ReasonOf(Call<v1::AllocationService>(
                operator_key_, &Allocations::ListAllocations,
                "parent: 'institutes/-/projects/-' cluster: '" + cluster + "'")),
            "NOT_FOUND");
}

TEST_F(TenantsTest, WhatDoesNotExistHasNoHistory) {
  for (const char* resource : {"institutes/none", "institutes/snu/projects/none", "apiKeys/none",
                               "providers/prov/clusters/c/nodes/none"}) {
    EXPECT_EQ(ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::ListAuditEntries,
                                                 std::string("resource: '") + resource + "'")),
              "NOT_FOUND")
        << resource;
  }
  EXPECT_EQ(ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::ListAuditEntries,
                                               "resource: 'providers/prov/clusters/c/nodes/n1'")),
            "OK");
}

TEST_F(TenantsTest, AProjectIsOfAProgrammeThePolicyKnows) {
  const auto refused = Call<v1::ProjectService>(
      operator_key_, &Projects::CreateProject,
      "parent: 'institutes/snu' project_id: 'q' project { display_name: 'Q' programme: "
      "'no-such-call' sector: SECTOR_ACADEMIA merit: 1 }");
  EXPECT_EQ(ReasonOf(refused), "ENUM_UNKNOWN");
  EXPECT_EQ(InfoOf(refused).metadata().at("field"), "project.programme");
}

TEST_F(TenantsTest, OnlyOperatorsTurnDownWhatWaits) {
  ASSERT_EQ(ReasonOf(Call<v1::AllocationService>(member_, &Allocations::CreateAllocation,
                                                 CreateText("snu", "a1"))),
            "OK");
  const std::string reject =
      "name: 'institutes/snu/projects/p/allocations/a1' reason: 'withdrawn call'";
  EXPECT_EQ(ReasonOf(Call<v1::OperatorService>(member_, &Operators::RejectAllocation, reject)),
            "ROLE_INSUFFICIENT");
  v1::Allocation rejected;
  ASSERT_EQ(ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::RejectAllocation, reject,
                                               &rejected)),
            "OK");
  EXPECT_EQ(rejected.state(), v1::Allocation::STATE_REJECTED);
}

TEST_F(TenantsTest, ADrainedNodeTakesNoNewWork) {
  v1::Node node;
  ASSERT_EQ(ReasonOf(Call<v1::OperatorService>(
                operator_key_, &Operators::DrainNode,
                "name: 'providers/prov/clusters/c/nodes/n1' reason: 'fan'", &node)),
            "OK");
  EXPECT_TRUE(node.draining());
  EXPECT_EQ(node.drain_reason(), "fan");
  v1::DrainClusterResponse cluster;
  ASSERT_EQ(ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::DrainCluster,
                                               "name: 'providers/prov/clusters/c' reason: 'move'",
                                               &cluster)),
            "OK");
  EXPECT_EQ(cluster.nodes_size(), 4);
  EXPECT_EQ(
      ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::DrainNode,
                                         "name: 'providers/other/clusters/c/nodes/n1' reason: "
                                         "'fan'")),
      "NOT_FOUND");
}

TEST_F(TenantsTest, ASecretIsShownOnceAndARoleNeedsItsTenant) {
  const std::string request =
      "api_key { role: ROLE_MEMBER institute: 'institutes/snu' } request_id: 'k-1'";
  v1::CreateApiKeyResponse first;
  v1::CreateApiKeyResponse again;
  ASSERT_EQ(
      ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::CreateApiKey, request, &first)),
      "OK");
  EXPECT_TRUE(first.secret().starts_with("allot_"));
  ASSERT_EQ(
      ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::CreateApiKey, request, &again)),
      "OK");
  EXPECT_EQ(again.api_key().name(), first.api_key().name());
  EXPECT_TRUE(again.secret().empty());
  EXPECT_EQ(ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::CreateApiKey,
                                               "api_key { role: ROLE_MEMBER }")),
            "FIELD_REQUIRED");
  v1::ListApiKeysResponse keys;
  ASSERT_EQ(ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::ListApiKeys, "", &keys)),
            "OK");
  EXPECT_EQ(keys.ShortDebugString().find(first.secret()), std::string::npos);
}

TEST_F(TenantsTest, AKeyThatIsOnlyCheckedHasNoSecret) {
  v1::CreateApiKeyResponse checked;
  ASSERT_EQ(ReasonOf(Call<v1::OperatorService>(
                operator_key_, &Operators::CreateApiKey,
                "api_key { role: ROLE_OPERATOR } validate_only: true", &checked)),
            "OK");
  EXPECT_TRUE(checked.secret().empty());
}

TEST_F(TenantsTest, AKeyIsRotatedOnceForARequestId) {
  v1::CreateApiKeyResponse old;
  const auto expire_time = (clock_.Now() + Days(90)).seconds();
  ASSERT_EQ(ReasonOf(Call<v1::OperatorService>(
                operator_key_, &Operators::CreateApiKey,
                "api_key { role: ROLE_MEMBER institute: 'institutes/snu' expire_time { seconds: " +
                    std::to_string(expire_time) + " } }",
                &old)),
            "OK");
  EXPECT_EQ(old.api_key().expire_time().seconds(), expire_time);
  const std::string request =
      "name: '" + old.api_key().name() + "' overlap { seconds: 3600 } request_id: 'rotate-1'";
  v1::RotateApiKeyResponse first;
  v1::RotateApiKeyResponse again;
  ASSERT_EQ(
      ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::RotateApiKey, request, &first)),
      "OK");
  ASSERT_EQ(
      ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::RotateApiKey, request, &again)),
      "OK");
  EXPECT_TRUE(first.secret().starts_with("allot_"));
  EXPECT_EQ(again.api_key().name(), first.api_key().name());
  EXPECT_TRUE(again.secret().empty());
  EXPECT_EQ(first.api_key().institute(), "institutes/snu");
  const auto refused = [&](const std::string& key, const std::string& more) {
    const auto status = Call<v1::OperatorService>(key, &Operators::RotateApiKey,
                                                  "name: '" + old.api_key().name() + "' " + more);
    return ReasonOf(status);
  };
  EXPECT_EQ(refused(operator_key_, "overlap { seconds: -1 }"), "DURATION_OUT_OF_RANGE");
  EXPECT_EQ(refused(operator_key_, "overlap { seconds: 2592001 }"), "DURATION_OUT_OF_RANGE");
  EXPECT_EQ(refused(member_, ""), "ROLE_INSUFFICIENT");
}

TEST_F(TenantsTest, AKeyThatExpiredIsNotTheOneThatIsLeft) {
  v1::CreateApiKeyResponse second;
  ASSERT_EQ(ReasonOf(Call<v1::OperatorService>(
                operator_key_, &Operators::CreateApiKey,
                "api_key { role: ROLE_MINISTRY_ADMIN expire_time { seconds: " +
                    std::to_string((clock_.Now() + Hours(1)).seconds()) + " } }",
                &second)),
            "OK");
  clock_.Advance(Hours(1));
  v1::ListApiKeysResponse keys;
  ASSERT_EQ(ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::ListApiKeys, "", &keys)),
            "OK");
  for (const v1::ApiKey& key : keys.api_keys()) {
    if (key.role() != v1::ROLE_MINISTRY_ADMIN || key.name() == second.api_key().name()) continue;
    EXPECT_EQ(ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::RevokeApiKey,
                                                 "name: '" + key.name() + "' reason: 'lost'")),
              "LAST_OPERATOR_KEY");
  }
}

TEST_F(TenantsTest, TheLastMinistryAdminsKeyIsNotRevoked) {
  v1::CreateApiKeyResponse second;
  ASSERT_EQ(ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::CreateApiKey,
                                               "api_key { role: ROLE_MINISTRY_ADMIN }", &second)),
            "OK");
  const auto revoke = [&](const std::string& key, const std::string& with) {
    return ReasonOf(Call<v1::OperatorService>(with, &Operators::RevokeApiKey,
                                              "name: '" + key + "' reason: 'lost'"));
  };
  EXPECT_EQ(revoke(second.api_key().name(), operator_key_), "OK");
  v1::ListApiKeysResponse keys;
  ASSERT_EQ(ReasonOf(Call<v1::OperatorService>(operator_key_, &Operators::ListApiKeys, "", &keys)),
            "OK");
  int refused = 0;
  for (const v1::ApiKey& key : keys.api_keys()) {
    if (key.role() != v1::ROLE_MINISTRY_ADMIN || key.has_revoke_time()) continue;
    EXPECT_EQ(revoke(key.name(), operator_key_), "LAST_OPERATOR_KEY");
    ++refused;
  }
  EXPECT_EQ(refused, 1);
}

TEST_F(TenantsTest, MembersSeeTheirOwnInstituteOnly) {
  AddTenant("kist");
  v1::ListInstitutesResponse institutes;
  ASSERT_EQ(ReasonOf(Call<v1::ProjectService>(member_, &Projects::ListInstitutes, "", &institutes)),
            "OK");
  ASSERT_EQ(institutes.institutes_size(), 1);
  EXPECT_EQ(institutes.institutes(0).name(), "institutes/snu");
  v1::ListProjectsResponse projects;
  ASSERT_EQ(ReasonOf(Call<v1::ProjectService>(member_, &Projects::ListProjects,
                                              "parent: 'institutes/-'", &projects)),
            "OK");
  ASSERT_EQ(projects.projects_size(), 1);
  v1::ListQuotasResponse quotas;
  ASSERT_EQ(ReasonOf(Call<v1::QuotaService>(operator_key_, &Quotas::ListQuotas,
                                            "parent: 'institutes/-/projects/-'", &quotas)),
            "OK");
  EXPECT_EQ(quotas.quotas_size(), 2);
}

}  // namespace
}  // namespace allot::rpc
