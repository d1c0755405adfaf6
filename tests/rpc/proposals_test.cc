// Two persons over the wire.
#include <gmock/gmock.h>

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
      " paths: 'concurrent_gpus.h200' }";
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

}  // namespace
}  // namespace allot::rpc
