#include "rpc/api_fixture.h"

namespace allot::rpc {
namespace {

class AllocationsTest : public Api {
 protected:
  void SetUp() override {
    Api::SetUp();
    Serve();
    AddPool();
    AddTenant("snu");
    AddTenant("kist");
    member_ = MemberKey("snu");
    stranger_ = MemberKey("kist");
  }

  grpc::Status Create(const std::string& key, const std::string& request,
                      v1::Allocation* made = nullptr) {
    return Call<v1::AllocationService>(key, &Allocations::CreateAllocation, request, made);
  }
  v1::Allocation Get(const std::string& name) {
    v1::Allocation found;
    EXPECT_EQ(ReasonOf(Call<v1::AllocationService>(operator_key_, &Allocations::GetAllocation,
                                                   "name: '" + name + "'", &found)),
              "OK");
    return found;
  }
  v1::ListAllocationsResponse List(const std::string& key, const std::string& request) {
    v1::ListAllocationsResponse list;
    EXPECT_EQ(
        ReasonOf(Call<v1::AllocationService>(key, &Allocations::ListAllocations, request, &list)),
        "OK");
    return list;
  }
  static std::string Name(const std::string& id) {
    return "institutes/snu/projects/p/allocations/" + id;
  }

  std::string member_;
  std::string stranger_;
};

TEST_F(AllocationsTest, ARequestIsPendingAndShownAsItWasAsked) {
  v1::Allocation made;
  ASSERT_EQ(ReasonOf(Create(
                member_,
                "parent: 'institutes/snu/projects/p' allocation_id: 'a1' allocation { "
                "display_name: '학습' request { node_shape { nodes: 2 gpus_per_node: 4 } "
                "models: GPU_MODEL_H200 duration { seconds: 7200 } preemptible: true borrow: true "
                "same_leaf_wait { seconds: 3600 } } }",
                &made)),
            "OK");
  EXPECT_EQ(made.name(), Name("a1"));
  EXPECT_EQ(made.state(), v1::Allocation::STATE_PENDING);
  EXPECT_EQ(made.display_name(), "학습");
  EXPECT_EQ(made.request().node_shape().nodes(), 2);
  EXPECT_EQ(made.request().node_shape().gpus_per_node(), 4);
  EXPECT_EQ(made.request().duration().seconds(), 7200);
  EXPECT_TRUE(made.request().preemptible());
  EXPECT_TRUE(made.request().borrow());
  EXPECT_EQ(made.request().same_leaf_wait().seconds(), 3600);
  EXPECT_FALSE(made.etag().empty());
  EXPECT_EQ(Get(made.name()).SerializeAsString(), made.SerializeAsString());
}

TEST_F(AllocationsTest, WhatIsExchangedIsShownForEachModel) {
  v1::Allocation made;
  ASSERT_EQ(ReasonOf(Create(member_,
                            "parent: 'institutes/snu/projects/p' allocation_id: 'x1' allocation { "
                            "request { gpus: 6 models: [GPU_MODEL_B200, GPU_MODEL_H200] duration { "
                            "seconds: 7200 } exchange: true } }",
                            &made)),
            "OK");
  EXPECT_TRUE(made.request().exchange());
  EXPECT_EQ(made.request().node_shape().gpus_per_node(), 6);
  EXPECT_EQ(made.request().exchanged_size().model(), v1::GPU_MODEL_H200);
  EXPECT_EQ(made.request().exchanged_size().gpus(), 12) << "a node and a half";
  EXPECT_EQ(ReasonOf(Create(member_,
                            "parent: 'institutes/snu/projects/p' allocation { request { gpus: 6 "
                            "models: GPU_MODEL_B200 duration { seconds: 7200 } exchange: true } }",
                            &made)),
            "FIELD_NOT_ALLOWED");
}

TEST_F(AllocationsTest, WhatGrowsShowsItsSteps) {
  v1::Allocation made;
  ASSERT_EQ(ReasonOf(Create(member_,
                            "parent: 'institutes/snu/projects/p' allocation_id: 'e1' allocation { "
                            "request { gpus: 4 gpus_max: 10 models: GPU_MODEL_H200 duration { "
                            "seconds: 7200 } } }",
                            &made)),
            "OK");
  EXPECT_EQ(made.request().gpus_max(), 10);
  const v1::Allocation shown = Get(Name("e1"));
  ASSERT_EQ(shown.growths_size(), 2);
  EXPECT_EQ(shown.growths(0).allocation(), Name("e1-g1"));
  EXPECT_EQ(shown.growths(0).gpus(), 4);
  EXPECT_EQ(shown.growths(1).gpus(), 2);
  EXPECT_EQ(shown.growths(1).state(), v1::Allocation::STATE_PENDING);
  EXPECT_EQ(Get(Name("e1-g2")).grows(), Name("e1"));
  EXPECT_EQ(ReasonOf(Create(member_,
                            "parent: 'institutes/snu/projects/p' allocation { request { gpus: 4 "
                            "nodes_max: 2 models: GPU_MODEL_H200 duration { seconds: 7200 } } }",
                            &made)),
            "FIELD_NOT_ALLOWED");
}

TEST_F(AllocationsTest, ItStartsAfterAnotherOfItsProjectOnly) {
  ASSERT_EQ(ReasonOf(Create(member_, CreateText("snu", "a1"))), "OK");
  const auto after = [&](const std::string& id, const std::string& name) {
    v1::Allocation made;
    const grpc::Status status =
        Create(member_, CreateText("snu", id, "gpus: 8 after: '" + name + "'"), &made);
    return ReasonOf(status) + " " + made.request().after();
  };
  EXPECT_EQ(after("a2", Name("a1")), "OK " + Name("a1"));
  EXPECT_EQ(after("a3", Name("none")), "NOT_FOUND ");
  EXPECT_EQ(after("a3", Name("a3")), "NOT_FOUND ") << "itself";
  EXPECT_EQ(after("a3", "institutes/kist/projects/p/allocations/a1"), "NOT_FOUND ");
  EXPECT_EQ(after("a3", "a1"), "RESOURCE_NAME_INVALID ");
  EXPECT_EQ(after("a3", "institutes/snu/projects/p"), "RESOURCE_NAME_INVALID ");
  EXPECT_EQ(List(member_, "parent: 'institutes/snu/projects/p'").allocations_size(), 2);
}

TEST_F(AllocationsTest, SeveralAreSubmittedAllOrNone) {
  const auto batch = [&](const std::string& key, const std::string& requests,
                         v1::BatchCreateAllocationsResponse* made = nullptr) {
    return Call<v1::AllocationService>(key, &Allocations::BatchCreateAllocations,
                                       "parent: 'institutes/snu/projects/p' " + requests, made);
  };
  const auto one = [](const std::string& fields, const std::string& size = "gpus: 8") {
    return "requests { " + fields + " allocation { request { " + size +
           " duration { seconds: 3600 } } } } ";
  };
  v1::BatchCreateAllocationsResponse made;
  ASSERT_EQ(
      ReasonOf(batch(member_,
                     one("allocation_id: 'a'") +
                         one("allocation_id: 'b'", "gpus: 8 after: '" + Name("a") + "'") + one(""),
                     &made)),
      "OK");
  ASSERT_EQ(made.allocations_size(), 3);
  EXPECT_EQ(made.allocations(0).name(), Name("a"));
  EXPECT_EQ(made.allocations(1).request().after(), Name("a"));
  const auto refused = [&](const std::string& requests) {
    const grpc::Status status = batch(member_, requests);
    return ReasonOf(status) + " " + InfoOf(status).metadata().at("field");
  };
  const std::string good = one("allocation_id: 'c'");
  EXPECT_EQ(refused(""), "FIELD_REQUIRED requests");
  EXPECT_EQ(refused(good + one("", "gpus: 0")),
            "GPUS_OUT_OF_RANGE requests[1].allocation.request.gpus");
  EXPECT_EQ(refused(good + one("allocation_id: 'C'")), "NAME_INVALID requests[1].allocation_id");
  EXPECT_EQ(refused(good + good), "ALREADY_EXISTS requests[1].allocation_id");
  EXPECT_EQ(refused(good + one("request_id: 'x'")), "FIELD_NOT_ALLOWED requests[1].request_id");
  EXPECT_EQ(refused(good + one("validate_only: true")),
            "FIELD_NOT_ALLOWED requests[1].validate_only");
  EXPECT_EQ(refused(good + one("parent: 'institutes/kist/projects/p'")),
            "FIELD_NOT_ALLOWED requests[1].parent");
  std::string many;
  for (int i = 0; i < 101; ++i) many += one("");
  EXPECT_EQ(refused(many), "REQUEST_TOO_LARGE requests");
  EXPECT_EQ(ReasonOf(batch(stranger_, good)), "NOT_FOUND");
  EXPECT_EQ(ReasonOf(batch(member_, good + " validate_only: true")), "OK");
  EXPECT_EQ(List(member_, "parent: 'institutes/snu/projects/p'").allocations_size(), 3);
}

TEST_F(AllocationsTest, ANameIsMintedWhenNoneIsGiven) {
  v1::Allocation made;
  ASSERT_EQ(ReasonOf(Create(member_, CreateText("snu", ""), &made)), "OK");
  EXPECT_TRUE(made.name().starts_with("institutes/snu/projects/p/allocations/"));
  EXPECT_EQ(Get(made.name()).name(), made.name());
}

TEST_F(AllocationsTest, TheSameRequestIdIsTheSameAllocation) {
  v1::Allocation first;
  v1::Allocation again;
  const std::string request = CreateText("snu", "") + " request_id: 'r-1'";
  ASSERT_EQ(ReasonOf(Create(member_, request, &first)), "OK");
  ASSERT_EQ(ReasonOf(Create(member_, request, &again)), "OK");
  EXPECT_EQ(again.name(), first.name());
  EXPECT_EQ(List(member_, "parent: 'institutes/snu/projects/p'").allocations_size(), 1);
  EXPECT_EQ(ReasonOf(Create(member_, CreateText("snu", "other") + " request_id: 'r-1'")),
            "REQUEST_ID_REUSED");
}

TEST_F(AllocationsTest, ValidateOnlyChecksEverythingAndChangesNothing) {
  v1::Allocation made;
  EXPECT_EQ(ReasonOf(Create(member_, CreateText("snu", "a1") + " validate_only: true", &made)),
            "OK");
  EXPECT_TRUE(made.has_start_time()) << "what it would get: " << made.message();
  EXPECT_EQ(ReasonOf(Create(member_, CreateText("snu", "a1", "gpus: 65") + " validate_only: true")),
            "PROGRAMME_CAP_EXCEEDED");
  EXPECT_EQ(List(member_, "parent: 'institutes/snu/projects/p'").allocations_size(), 0);
}

TEST_F(AllocationsTest, AnotherInstitutesAllocationsDoNotExist) {
  ASSERT_EQ(ReasonOf(Create(member_, CreateText("snu", "a1"))), "OK");
  const std::string name = "name: '" + Name("a1") + "'";
  EXPECT_EQ(ReasonOf(Call<v1::AllocationService>(stranger_, &Allocations::GetAllocation, name)),
            "NOT_FOUND");
  EXPECT_EQ(ReasonOf(Call<v1::AllocationService>(stranger_, &Allocations::CancelAllocation, name)),
            "NOT_FOUND");
  EXPECT_EQ(ReasonOf(Call<v1::AllocationService>(stranger_, &Allocations::ExplainAllocation, name)),
            "NOT_FOUND");
  EXPECT_EQ(ReasonOf(Create(stranger_, CreateText("snu", "a2"))), "NOT_FOUND");
  EXPECT_EQ(List(stranger_, "parent: 'institutes/snu/projects/-'").allocations_size(), 0);
  EXPECT_EQ(List(stranger_, "parent: 'institutes/-/projects/-'").allocations_size(), 0);
  EXPECT_EQ(List(operator_key_, "parent: 'institutes/-/projects/-'").allocations_size(), 1);
}

TEST_F(AllocationsTest, ListsPageThroughEverythingOnceAndInOrder) {
  for (const char* id : {"a5", "a3", "a1", "a4", "a2"}) {
    ASSERT_EQ(ReasonOf(Create(member_, CreateText("snu", id))), "OK");
  }
  std::vector<std::string> names;
  std::string token;
  int64_t revision = 0;
  do {
    const auto page = List(
        member_, "parent: 'institutes/snu/projects/p' page_size: 2 page_token: '" + token + "'");
    EXPECT_LE(page.allocations_size(), 2);
    if (revision != 0) {
      EXPECT_EQ(page.revision(), revision);
    }
    revision = page.revision();
    for (const auto& allocation : page.allocations()) names.push_back(allocation.name());
    token = page.next_page_token();
  } while (!token.empty());
  EXPECT_EQ(names, (std::vector{Name("a1"), Name("a2"), Name("a3"), Name("a4"), Name("a5")}));
  EXPECT_GT(revision, 0);
}

TEST_F(AllocationsTest, FiltersByStateAndCluster) {
  ASSERT_EQ(ReasonOf(Create(member_, CreateText("snu", "a1"))), "OK");
  ASSERT_EQ(ReasonOf(Create(member_, CreateText("snu", "a2"))), "OK");
  ASSERT_EQ(ReasonOf(Call<v1::AllocationService>(member_, &Allocations::CancelAllocation,
                                                 "name: '" + Name("a2") + "'")),
            "OK");
  Schedule();
  const std::string parent = "parent: 'institutes/snu/projects/p' ";
  EXPECT_EQ(List(member_, parent + "states: STATE_CANCELLED").allocations(0).name(), Name("a2"));
  EXPECT_EQ(List(member_, parent + "states: STATE_CANCELLED states: STATE_PROVISIONING")
                .allocations_size(),
            2);
  EXPECT_EQ(List(member_, parent + "cluster: 'providers/prov/clusters/c'").allocations(0).name(),
            Name("a1"));
}

TEST_F(AllocationsTest, ExplainSaysWhyItWaits) {
  // 40 of the cluster's 32 GPUs: the second has to wait for the first.
  ASSERT_EQ(ReasonOf(Create(member_, CreateText("snu", "a1", "gpus: 32"))), "OK");
  ASSERT_EQ(ReasonOf(Create(member_, CreateText("snu", "a2", "gpus: 8"))), "OK");
  Schedule();
  v1::ExplainAllocationResponse why;
  ASSERT_EQ(ReasonOf(Call<v1::AllocationService>(member_, &Allocations::ExplainAllocation,
                                                 "name: '" + Name("a2") + "'", &why)),
            "OK");
  EXPECT_EQ(why.allocation().name(), Name("a2"));
  EXPECT_EQ(why.rank(), 1);
  EXPECT_EQ(why.clusters(0).cluster(), "providers/prov/clusters/c");
  EXPECT_EQ(why.clusters(0).nodes(), 4);
  EXPECT_EQ(why.clusters(0).gpus_free_now(), 0);
  EXPECT_TRUE(why.has_planned_start_time());
  EXPECT_EQ(why.quota_limit_gpus(), 64);
  EXPECT_FALSE(why.message().empty());
}

TEST_F(AllocationsTest, ExplainSaysWhatWouldStartSooner) {
  ASSERT_EQ(ReasonOf(Create(member_, CreateText("snu", "a1", "gpus: 24"))), "OK");
  ASSERT_EQ(ReasonOf(Create(member_, CreateText("snu", "a2", "gpus: 16"))), "OK");
  Schedule();
  v1::ExplainAllocationResponse why;
  ASSERT_EQ(ReasonOf(Call<v1::AllocationService>(member_, &Allocations::ExplainAllocation,
                                                 "name: '" + Name("a2") + "'", &why)),
            "OK");
  ASSERT_EQ(why.alternatives_size(), 1);
  const v1::Alternative& smaller = why.alternatives(0);
  EXPECT_EQ(smaller.change(), v1::Alternative::CHANGE_SMALLER);
  EXPECT_EQ(smaller.request().node_shape().nodes(), 1);
  EXPECT_EQ(smaller.message(),
            "with 1 node x 8 GPUs instead of 2 nodes x 8 GPUs it would start now");
  EXPECT_TRUE(smaller.has_start_time());
}

TEST_F(AllocationsTest, AStaleEtagStopsACancelThatWasDecidedOnOldNews) {
  v1::Allocation made;
  ASSERT_EQ(ReasonOf(Create(member_, CreateText("snu", "a1"), &made)), "OK");
  Schedule();
  const std::string name = "name: '" + Name("a1") + "' ";
  EXPECT_EQ(ReasonOf(Call<v1::AllocationService>(member_, &Allocations::CancelAllocation,
                                                 name + "etag: '" + made.etag() + "'")),
            "ETAG_STALE");
  EXPECT_EQ(Get(Name("a1")).state(), v1::Allocation::STATE_PROVISIONING);
  EXPECT_EQ(ReasonOf(Call<v1::AllocationService>(
                member_, &Allocations::CancelAllocation,
                name + "etag: '" + Get(Name("a1")).etag() + "' reason: 'not needed'")),
            "OK");
  EXPECT_TRUE(Get(Name("a1")).cancel_requested());
}

struct BadRequest {
  const char* what;
  std::string allocation;
  const char* reason;
  const char* field;
};

TEST_F(AllocationsTest, EveryBadRequestHasItsOwnReasonAndChangesNothing) {
  const std::string hour = " duration { seconds: 3600 }";
  const std::string path = "allocation.request.";
  const std::vector<BadRequest> cases = {
      {"no size", "request {" + hour + "}", "FIELD_REQUIRED", "allocation.request.gpus"},
      {"0 GPUs", "request { gpus: 0" + hour + "}", "GPUS_OUT_OF_RANGE", "allocation.request.gpus"},
      {"negative", "request { gpus: -1" + hour + "}", "GPUS_OUT_OF_RANGE",
       "allocation.request.gpus"},
      {"overflow", "request { gpus: 2147483647" + hour + "}", "GPUS_OUT_OF_RANGE",
       "allocation.request.gpus"},
      {"9 GPUs a node", "request { node_shape { nodes: 1 gpus_per_node: 9 }" + hour + "}",
       "GPUS_PER_NODE_OUT_OF_RANGE", "allocation.request.node_shape.gpus_per_node"},
      {"0 nodes", "request { node_shape { gpus_per_node: 8 }" + hour + "}", "NODES_OUT_OF_RANGE",
       "allocation.request.node_shape.nodes"},
      {"no duration", "request { gpus: 8 }", "FIELD_REQUIRED", "allocation.request.duration"},
      {"half a second", "request { gpus: 8 duration { seconds: 60 nanos: 500000000 } }",
       "DURATION_OUT_OF_RANGE", "allocation.request.duration"},
      {"negative duration", "request { gpus: 8 duration { seconds: -60 } }",
       "DURATION_OUT_OF_RANGE", "allocation.request.duration"},
      {"10 years", "request { gpus: 8 duration { seconds: 315360000 } }", "DURATION_OUT_OF_RANGE",
       "allocation.request.duration"},
      {"unknown model", "request { gpus: 8 models: GPU_MODEL_UNSPECIFIED" + hour + "}",
       "GPU_MODEL_UNKNOWN", "allocation.request.models[0]"},
      {"a model twice",
       "request { gpus: 8 models: GPU_MODEL_H200 models: GPU_MODEL_H200" + hour + "}",
       "GPU_MODEL_REPEATED", "allocation.request.models[1]"},
      {"a start in the past", "request { gpus: 8 earliest_start { seconds: 1000 }" + hour + "}",
       "EARLIEST_START_OUT_OF_RANGE", "allocation.request.earliest_start"},
      {"a start before 1970", "request { gpus: 8 earliest_start { seconds: -1 }" + hour + "}",
       "TIME_OUT_OF_RANGE", "allocation.request.earliest_start"},
      {"a deadline before the end",
       "request { gpus: 8 deadline { seconds: 1772323260 }" + hour + "}", "DEADLINE_TOO_EARLY",
       "allocation.request.deadline"},
      {"a control character", "display_name: 'a\\nb' request { gpus: 8" + hour + "}",
       "TEXT_INVALID", "allocation.display_name"},
      {"1 MB of name",
       "display_name: '" + std::string(1 << 20, 'x') + "' request { gpus: 8" + hour + "}",
       "TEXT_TOO_LONG", "allocation.display_name"},
      {"more than the pool", "request { node_shape { nodes: 5 gpus_per_node: 8 }" + hour + "}",
       "LARGER_THAN_POOL", nullptr},
  };
  for (const BadRequest& bad : cases) {
    const auto status = Create(
        member_, "parent: 'institutes/snu/projects/p' allocation { " + bad.allocation + " }");
    EXPECT_EQ(ReasonOf(status), bad.reason) << bad.what;
    if (bad.field == nullptr) continue;
    const auto info = InfoOf(status);
    EXPECT_EQ(info.metadata().at("field"), bad.field) << bad.what;
    EXPECT_FALSE(info.metadata().at("limit").empty()) << bad.what;
    EXPECT_LE(info.metadata().at("value").size(), 140U) << bad.what;
  }
  EXPECT_EQ(List(member_, "parent: 'institutes/snu/projects/p'").allocations_size(), 0);
}

}  // namespace
}  // namespace allot::rpc
