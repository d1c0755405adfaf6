// Two persons over the wire.
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>

#include "rpc/api_fixture.h"

namespace allot::rpc {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ProposalsTest : public Api {
 protected:
  void SetUp() override {
    Api::SetUp();
    Serve();
    AddTenant("snu");
  }
};

TEST_F(ProposalsTest, FromTheCallToTheSameCall) {
  const std::string quota =
      "quota { name: 'institutes/snu/projects/p/quota' concurrent_gpus { h200: 16 } } update_mask {"
      " paths: 'concurrent_gpus.h200' } reason: 'call'";
  const std::string second = KeyFor("role: ROLE_OPERATOR");
  context_->for_two = {{"UpdateQuota", Days(1)}};

  const auto refused =
      Call<v1::QuotaService>(operator_key_, &Quotas::UpdateQuota, quota + " request_id: 'first'");
  EXPECT_EQ(ReasonOf(refused), "SECOND_PERSON_REQUIRED");
  v1::ListProposalsResponse waiting;
  ASSERT_EQ(ReasonOf(Call<v1::ProposalService>(second, &Proposals::ListProposals,
                                               "pending_only: true", &waiting)),
            "OK");
  ASSERT_EQ(waiting.proposals_size(), 1);
  const v1::Proposal& proposal = waiting.proposals(0);
  EXPECT_THAT(refused.error_message(), HasSubstr(proposal.name()));
  EXPECT_EQ(proposal.method(), "UpdateQuota");
  EXPECT_EQ(proposal.state(), v1::Proposal::STATE_PENDING);
  EXPECT_THAT(proposal.request(), HasSubstr("\"h200\": \"16\""));
  EXPECT_THAT(proposal.request(), Not(HasSubstr("first")));
  const std::string decision = "name: '" + proposal.name() + "' reason: 'as agreed'";
  EXPECT_EQ(
      ReasonOf(Call<v1::ProposalService>(operator_key_, &Proposals::ApproveProposal, decision)),
      "SECOND_PERSON_IS_THE_FIRST");
  v1::Proposal approved;
  ASSERT_EQ(
      ReasonOf(Call<v1::ProposalService>(second, &Proposals::ApproveProposal, decision, &approved)),
      "OK");
  EXPECT_EQ(approved.state(), v1::Proposal::STATE_APPROVED);
  EXPECT_EQ(approved.decide_reason(), "as agreed");

  EXPECT_EQ(ReasonOf(Call<v1::QuotaService>(operator_key_, &Quotas::UpdateQuota,
                                            quota + " request_id: 'second'")),
            "OK");
  EXPECT_EQ(ReasonOf(Call<v1::ProposalService>(second, &Proposals::RejectProposal, decision)),
            "PROPOSAL_NOT_PENDING");
  v1::Proposal done;
  ASSERT_EQ(ReasonOf(Call<v1::ProposalService>(second, &Proposals::GetProposal,
                                               "name: '" + proposal.name() + "'", &done)),
            "OK");
  EXPECT_EQ(done.state(), v1::Proposal::STATE_DONE);
}

// A time that JSON has no words for, in a field that nobody reads, and a field of a later release:
// what the second person would not be shown.
TEST_F(ProposalsTest, WhatASecondPersonCannotBeShownIsRefused) {
  context_->for_two = {{"CreateProject", Days(1)}};
  const std::string project =
      "parent: 'institutes/snu' project_id: 'q' project { programme: 'call' display_name: 'q' "
      "merit: 500 sector: SECTOR_ACADEMIA ";
  v1::CreateProjectRequest later;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(project + "}", &later));
  later.GetReflection()->MutableUnknownFields(&later)->AddVarint(9999, 1);
  v1::Project made;
  const auto context = As(operator_key_);
  EXPECT_EQ(ReasonOf(v1::ProjectService::Stub(channel_).CreateProject(context.get(), later, &made)),
            "REQUEST_MALFORMED");
  for (const char* time : {"seconds: 1000000000000000000", "nanos: -1"}) {
    EXPECT_EQ(ReasonOf(Call<v1::ProjectService>(operator_key_, &Projects::CreateProject,
                                                project + "create_time { " + time + " } }")),
              "REQUEST_MALFORMED")
        << time;
  }
  EXPECT_EQ(
      ReasonOf(Call<v1::ProjectService>(operator_key_, &Projects::CreateProject, project + "}")),
      "SECOND_PERSON_REQUIRED");
}

}  // namespace
}  // namespace allot::rpc
