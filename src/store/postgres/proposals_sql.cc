#include "store/postgres/postgres_tx.h"
#include "store/postgres/rows.h"

namespace allot::store {
namespace {

const std::string kSelectProposal =
    "SELECT id, method, digest, request, proposer_key_id, micros(create_time),"
    " micros(expire_time), decider_key_id, approved, micros(decide_time), decide_reason,"
    " micros(done_time), version FROM proposals";
const Statement kFindProposal{"find_proposal", kSelectProposal + " WHERE id = $1"};
const Statement kLockProposalsOf{
    "lock_proposals_of",
    kSelectProposal + " WHERE digest = $1 AND done_time IS NULL ORDER BY id FOR NO KEY UPDATE"};
const Statement kInsertProposal{
    "insert_proposal",
    "INSERT INTO proposals (id, method, digest, request, proposer_key_id, create_time, expire_time,"
    " decide_reason, version) VALUES ($1, $2, $3, $4, $5, instant($6), instant($7), '', $8)"
    " ON CONFLICT DO NOTHING"};
const Statement kUpdateProposal{
    "update_proposal",
    "UPDATE proposals SET decider_key_id = $2, approved = $3, decide_time = instant($4),"
    " decide_reason = $5, done_time = instant($6), version = version + 1"
    " WHERE id = $1 AND version = $7"};

Proposal ReadProposal(RowReader& row) {
  Proposal proposal{.id = row.AsId<ProposalId>(),
                    .method = row.Text(),
                    .digest = row.Text(),
                    .request = row.Text(),
                    .proposer = row.AsId<KeyId>(),
                    .create_time = row.Time(),
                    .expire_time = row.Time()};
  ProposalDecision decision{.key = row.AsId<KeyId>()};
  if (!decision.key.empty()) {
    decision.approved = row.Bool();
    decision.time = row.Time();
    decision.reason = row.Text();
    proposal.decision = std::move(decision);
  } else {
    row.SkipNull();  // approved
    row.SkipNull();  // decide_time
    row.Text();      // decide_reason
  }
  proposal.done_time = row.OptionalTime();
  proposal.version = row.Int64();
  return proposal;
}

}  // namespace

Result<std::optional<Proposal>> PostgresTx::FindProposal(const ProposalId& id) {
  return FindOne(ReadProposal, kFindProposal, Arguments(id));
}

Result<Page<Proposal>> PostgresTx::ListProposals(const std::optional<Instant>& pending_at,
                                                 const PageRequest& page) {
  ListQuery query(kSelectProposal, "id", page);
  if (pending_at) {
    query.Where("done_time IS NULL AND decider_key_id IS NULL AND micros(expire_time) > ",
                pending_at);
  }
  return FindPage(ReadProposal, query);
}

Result<std::vector<Proposal>> PostgresTx::LockProposalsOf(const std::string& digest) {
  return FindAll(ReadProposal, kLockProposalsOf, Arguments(digest));
}

Status PostgresTx::InsertProposal(const Proposal& proposal) {
  return Insert(
      kInsertProposal,
      Arguments(proposal.id, proposal.method, proposal.digest, proposal.request, proposal.proposer,
                proposal.create_time, proposal.expire_time, proposal.version));
}

Status PostgresTx::UpdateProposal(Proposal& proposal) {
  const auto& decision = proposal.decision;
  const auto part = [&](auto member) {
    return decision ? std::optional((*decision).*member) : std::nullopt;
  };
  ALLOT_RETURN_IF_ERROR(
      Update(kUpdateProposal,
             Arguments(proposal.id, part(&ProposalDecision::key), part(&ProposalDecision::approved),
                       part(&ProposalDecision::time), decision ? decision->reason : "",
                       proposal.done_time, proposal.version)));
  ++proposal.version;
  return Ok{};
}

}  // namespace allot::store
