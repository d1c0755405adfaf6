#include "allot/model/proposal.h"

#include "model/name_table.h"

namespace allot {
namespace {

constexpr NameTable<ProposalState, 5> kStates = {
    {"pending", "approved", "rejected", "done", "expired"}};

}  // namespace

std::string_view Name(ProposalState state) { return kStates.NameOf(state); }

ProposalState StateOf(const Proposal& proposal, Instant now) {
  if (proposal.done_time) return ProposalState::kDone;
  if (proposal.decision && !proposal.decision->approved) return ProposalState::kRejected;
  if (now >= proposal.expire_time) return ProposalState::kExpired;
  return proposal.decision ? ProposalState::kApproved : ProposalState::kPending;
}

}  // namespace allot
