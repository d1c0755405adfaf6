#include "rpc/api_fixture.h"

namespace allot::rpc {
namespace {

class OperatorsTest : public Api {
 protected:
  void SetUp() override {
    Api::SetUp();
    Serve();
    AddPool();
    AddTenant("snu");
    AddTenant("kist");
    Create("snu", "first");
    Create("kist", "second");
    Schedule();
  }
  void Create(const std::string& institute, const std::string& id) {
    EXPECT_EQ(ReasonOf(Call<v1::AllocationService>(
                  operator_key_, &Allocations::CreateAllocation,
                  CreateText(institute, id, "node_shape { nodes: 4 gpus_per_node: 8 }"))),
              "OK");
  }
  grpc::Status Ask(const std::string& question, v1::WhatIfResponse* answer = nullptr,
                   const std::string& key = "") {
    return Call<v1::OperatorService>(key.empty() ? operator_key_ : key, &Operators::WhatIf,
                                     question, answer);
  }
};

TEST_F(OperatorsTest, TellsTheTwoPlansApart) {
  // Kist's has started: it was submitted at the same moment, and comes first by its name.
  v1::WhatIfResponse answer;
  ASSERT_EQ(
      ReasonOf(Ask("changes { submit { project: 'institutes/kist/projects/p' request { gpus: 8 "
                   "duration { seconds: 7200 } } } } changes { concurrent_gpus { project: "
                   "'institutes/snu/projects/p' gpu_model: GPU_MODEL_H200 gpus: 8 } }",
                   &answer)),
      "OK");
  EXPECT_EQ(answer.policy_version(), "default");
  EXPECT_EQ(answer.changed_policy_version(), "default");
  EXPECT_EQ(answer.then().deferred(), 1) << "snu's 32 GPUs are more than its quota then";
  ASSERT_EQ(answer.projects_size(), 1);
  EXPECT_EQ(answer.projects(0).project(), "institutes/snu/projects/p");
  EXPECT_EQ(answer.projects(0).lost(), 1);
  ASSERT_EQ(answer.fares_size(), 1);
  EXPECT_TRUE(answer.fares(0).has_planned_start_time());
  ASSERT_EQ(ReasonOf(Ask("policy: 'policies/current'", &answer)), "OK");
  EXPECT_EQ(answer.projects_size(), 0);
  ASSERT_EQ(ReasonOf(Ask("settings { promise_nodes: 1 }", &answer)), "OK");
  EXPECT_EQ(answer.changed_policy_version(), "default, changed");
}

TEST_F(OperatorsTest, WhatIsWrongIsRefusedByTheField) {
  const std::string project = "project: 'institutes/snu/projects/p'";
  std::string many;
  for (int i = 0; i < 101; ++i) many += "changes { drain: 'providers/prov/clusters/c' } ";
  const struct {
    std::string question;
    const char* reason;
    const char* field;
  } rows[] = {
      {"", "FIELD_REQUIRED", "changes"},
      {"changes { }", "FIELD_REQUIRED", "changes[0]"},
      {many, "REQUEST_TOO_LARGE", "changes"},
      {"changes { merit { " + project + " } }", "FIELD_REQUIRED", "changes[0].merit.merit"},
      {"changes { merit { " + project + " merit: 1001 } }", "MERIT_OUT_OF_RANGE", "changes[0]"},
      {"changes { merit { project: 'x' merit: 1 } }", "RESOURCE_NAME_INVALID",
       "changes[0].merit.project"},
      {"changes { concurrent_gpus { " + project + " gpus: 1 } }", "GPU_MODEL_UNKNOWN",
       "changes[0].concurrent_gpus.gpu_model"},
      {"changes { concurrent_gpus { " + project + " gpu_model: GPU_MODEL_H200 } }",
       "FIELD_REQUIRED", "changes[0].concurrent_gpus.gpus"},
      {"changes { concurrent_gpus { " + project + " gpu_model: GPU_MODEL_H200 gpus: -1 } }",
       "QUOTA_OUT_OF_RANGE", "changes[0]"},
      {"changes { concurrent_gpus { " + project + " gpu_model: GPU_MODEL_H200 gpus: 16385 } }",
       "QUOTA_OUT_OF_RANGE", "changes[0]"},
      {"changes { drain: 'c' }", "RESOURCE_NAME_INVALID", "changes[0].drain"},
      {"changes { drain: 'providers/other/clusters/c' }", "NOT_FOUND", "changes[0].drain"},
      {"changes { drain: 'providers/prov/clusters/c/nodes/n9' }", "NOT_FOUND", "changes[0]"},
      {"changes { withdraw: 'institutes/snu/projects/p/allocations/none' }", "NOT_FOUND",
       "changes[0]"},
      {"changes { urgent: 'institutes/snu/projects/p/allocations/none' }", "NOT_FOUND",
       "changes[0]"},
      {"changes { urgent: 'x' }", "RESOURCE_NAME_INVALID", "changes[0].urgent"},
      {"changes { consolidate: 'institutes/snu/projects/p/allocations/none' }", "NOT_FOUND",
       "changes[0]"},
      {"changes { consolidate: 'x' }", "RESOURCE_NAME_INVALID", "changes[0].consolidate"},
      {"changes { submit { " + project + " request { gpus: 0 duration { seconds: 60 } } } }",
       "GPUS_OUT_OF_RANGE", "changes[0].submit.request.gpus"},
      {"changes { submit { " + project + " request { gpus: 1 } } }", "FIELD_REQUIRED",
       "changes[0].submit.request.duration"},
      {"policy: 'policies/none'", "NOT_FOUND", "policy"},
      {"policy: 'none'", "RESOURCE_NAME_INVALID", "policy"},
      {"settings { failures_max: 2 }", "FIELD_NOT_ALLOWED", "settings.failures_max"},
      {"settings { node_loss: NODE_LOSS_FAIL }", "FIELD_NOT_ALLOWED", "settings.node_loss"},
      {"settings { promise_nodes: 0 }", "POLICY_INVALID", "settings.promise_nodes"},
      {"settings { usage_half_life { seconds: 1 } }", "POLICY_INVALID", "settings.usage_half_life"},
      {"settings { programmes { programme: 'call' } }", "FIELD_REQUIRED",
       "settings.programmes[0].gpus_max"},
  };
  for (const auto& row : rows) {
    const auto status = Ask(row.question);
    EXPECT_EQ(ReasonOf(status), row.reason) << row.question.substr(0, 200);
    const auto metadata = InfoOf(status).metadata();
    const auto field = metadata.find("field");
    EXPECT_EQ(field == metadata.end() ? "" : field->second, row.field);
  }
  EXPECT_EQ(
      ReasonOf(Ask("changes { drain: 'providers/prov/clusters/c' }", nullptr, MemberKey("snu"))),
      "ROLE_INSUFFICIENT");
}

TEST_F(OperatorsTest, UrgencyIsSetWithAReason) {
  const std::string name = "name: 'institutes/snu/projects/p/allocations/first' ";
  const auto set = [&](const std::string& rest, v1::Allocation* changed = nullptr) {
    return Call<v1::OperatorService>(operator_key_, &Operators::SetUrgency, name + rest, changed);
  };
  auto status = set("reason: 'outbreak'");
  EXPECT_EQ(ReasonOf(status), "FIELD_REQUIRED");
  EXPECT_EQ(InfoOf(status).metadata().at("field"), "urgent");
  status = set("urgent: true");
  EXPECT_EQ(ReasonOf(status), "FIELD_REQUIRED");
  EXPECT_EQ(InfoOf(status).metadata().at("field"), "reason");
  EXPECT_EQ(ReasonOf(set("urgent: true reason: 'outbreak' etag: 'x'")), "ETAG_STALE");
  v1::Allocation changed;
  ASSERT_EQ(ReasonOf(set("urgent: true reason: 'outbreak'", &changed)), "OK");
  EXPECT_TRUE(changed.urgent());
  Schedule();
  v1::ExplainAllocationResponse why;
  ASSERT_EQ(ReasonOf(Call<v1::AllocationService>(operator_key_, &Allocations::ExplainAllocation,
                                                 name, &why)),
            "OK");
  EXPECT_TRUE(why.allocation().urgent());
  ASSERT_GE(why.estimates_size(), 1);
  EXPECT_TRUE(why.estimates(0).has_planned_start_time());
  EXPECT_TRUE(why.allocation().has_told_start_time());
}

TEST_F(OperatorsTest, RoomIsMadeWithAReasonAndWhereItHelps) {
  const std::string name = "name: 'institutes/snu/projects/p/allocations/first' ";
  const auto set = [&](const std::string& rest) {
    return Call<v1::OperatorService>(operator_key_, &Operators::SetConsolidation, name + rest);
  };
  auto status = set("reason: 'review'");
  EXPECT_EQ(ReasonOf(status), "FIELD_REQUIRED");
  EXPECT_EQ(InfoOf(status).metadata().at("field"), "consolidate");
  status = set("consolidate: true");
  EXPECT_EQ(ReasonOf(status), "FIELD_REQUIRED");
  EXPECT_EQ(InfoOf(status).metadata().at("field"), "reason");
  EXPECT_EQ(ReasonOf(set("consolidate: true reason: 'review' etag: 'x'")), "ETAG_STALE");
  EXPECT_EQ(ReasonOf(set("consolidate: true reason: 'review'")), "CONSOLIDATION_IMPOSSIBLE")
      << "nothing runs";
  EXPECT_EQ(ReasonOf(set("consolidate: false reason: 'review'")), "OK") << "as it was";
}

}  // namespace
}  // namespace allot::rpc
