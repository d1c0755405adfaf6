#include <algorithm>

#include "store/memory/memory_tx.h"

namespace allot::store {

Result<std::optional<Proposal>> MemoryTx::FindProposal(const ProposalId& id) {
  return FindOne(state_.proposals, id);
}

Result<Page<Proposal>> MemoryTx::ListProposals(const std::optional<Instant>& pending_at,
                                               const PageRequest& page) {
  return FindPage(state_.proposals, page, [&](const Proposal& proposal) {
    return !pending_at || StateOf(proposal, *pending_at) == ProposalState::kPending;
  });
}

Result<std::vector<Proposal>> MemoryTx::LockProposalsOf(const std::string& digest) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  std::vector<Proposal> open;
  for (const auto& [id, proposal] : state_.proposals.rows()) {
    if (proposal->digest == digest && !proposal->done_time) open.push_back(*proposal);
  }
  return open;
}

Status MemoryTx::InsertProposal(const Proposal& proposal) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  ALLOT_RETURN_IF_ERROR(CheckText(proposal.request));
  if (proposal.decision || proposal.done_time || proposal.expire_time <= proposal.create_time ||
      proposal.request.size() > kProposalRequestMax) {
    return Refuse();
  }
  const auto& rows = state_.proposals.rows();
  const bool waits_already = std::any_of(rows.begin(), rows.end(), [&](const auto& row) {
    const Proposal& other = *row.second;
    return other.digest == proposal.digest && !other.decision &&
           other.create_time < proposal.expire_time && proposal.create_time < other.expire_time;
  });
  if (waits_already) return Fail(AlreadyThere(run_));
  return Insert(state_.proposals, proposal.id, proposal);
}

Status MemoryTx::UpdateProposal(Proposal& proposal) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  const Proposal* const before = state_.proposals.Find(proposal.id);
  const bool decided_by_another = proposal.decision && proposal.decision->key != proposal.proposer;
  const bool decided_once =
      before == nullptr || !before->decision || before->decision == proposal.decision;
  const bool done_as_approved =
      !proposal.done_time || (decided_by_another && proposal.decision->approved);
  if (before != nullptr && before->version == proposal.version &&
      ((proposal.decision && !decided_by_another) || !decided_once || !done_as_approved)) {
    return Refuse();
  }
  return Update(state_.proposals, proposal.id, proposal);
}

}  // namespace allot::store
