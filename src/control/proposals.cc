#include "allot/control/proposals.h"

#include <algorithm>

#include "allot/control/identity.h"
#include "allot/control/once.h"
#include "control/record.h"

namespace allot::control {
namespace {

constexpr int kProposalIdLength = 12;

/// What an institute does with its own is its own to decide.
bool NeedsSecondPerson(const Context& context, const Call& call) {
  return !call.validate_only && call.method && IsStaff(call.principal.role) &&
         context.for_two.contains(call.method->name);
}

/// The same call by the same person, whatever its request_id.
std::string DigestOf(const Call& call) {
  return Sha256Hex(call.principal.key.str() + '\0' + call.method->digest());
}

Error SecondPersonRequired(const Call& call, const Proposal& proposal) {
  Error error =
      FieldError(Reason::kSecondPersonRequired, "proposal", "proposals/" + proposal.id.str(),
                 "approved by another person before " + FormatRfc3339(proposal.expire_time));
  error.message = call.method->name + " takes two persons here: it waits as proposals/" +
                  proposal.id.str() + " until " + FormatRfc3339(proposal.expire_time);
  return error;
}

Result<Proposal> ReadProposal(store::Tx& tx, const std::string& id) {
  ALLOT_ASSIGN_OR_RETURN(auto found, tx.FindProposal(ProposalId(id)));
  if (!found) return NotFound("name", id);
  return *std::move(found);
}

/// A person is named in the call: as the issuer knows it, or as whoever holds the key.
bool NamesAPerson(std::string_view method) {
  return method == "CreateMember" || method == "CreateApiKey";
}

Status RecordLook(store::Tx& tx, const Principal& principal, Instant now,
                  const Proposal& proposal) {
  if (!NamesAPerson(proposal.method)) return Ok{};
  return tx.Audit(Record({.principal = principal}, now, "proposal.read", proposal.id.str(), {},
                         proposal.method));
}

/// Whether a decision still counts: nobody decides who may not come in any more.
Result<bool> MayStillDecide(store::Tx& tx, const KeyId& decider, Instant now) {
  if (const auto id = MemberOf(decider)) {
    ALLOT_ASSIGN_OR_RETURN(const auto member, tx.FindMember(*id));
    return member && !member->remove_time;
  }
  ALLOT_ASSIGN_OR_RETURN(const auto key, tx.FindApiKey(decider));
  return key && WorksAt(*key, now);
}

/// Whose key it is, as far as keys tell: those that were exchanged for each other are one person's.
Result<KeyId> LineOf(store::Tx& tx, const KeyId& key) {
  if (MemberOf(key)) return key;
  ALLOT_ASSIGN_OR_RETURN(const auto found, tx.FindApiKey(key));
  return found ? allot::LineOf(*found) : key;
}

/// The one by which the call may go through now, or nothing.
Result<std::optional<Proposal>> FindApproved(store::Tx& tx, const std::vector<Proposal>& proposals,
                                             Instant now) {
  for (const Proposal& proposal : proposals) {
    if (StateOf(proposal, now) != ProposalState::kApproved) continue;
    ALLOT_ASSIGN_OR_RETURN(const bool counts, MayStillDecide(tx, proposal.decision->key, now));
    if (counts) return std::optional(proposal);
  }
  return std::optional<Proposal>();
}

/// Of several of these calls at once the store takes one (Tx::InsertProposal): whoever comes second
/// runs again, and finds it.
Result<Proposal> EnterOnce(store::Tx& tx, const Call& call, Instant now, const Proposal& proposal) {
  ALLOT_ASSIGN_OR_RETURN(const auto open, tx.LockProposalsOf(proposal.digest));
  ALLOT_ASSIGN_OR_RETURN(auto approved, FindApproved(tx, open, now));
  if (approved) return *std::move(approved);
  for (const Proposal& earlier : open) {
    if (StateOf(earlier, now) == ProposalState::kPending) return earlier;
  }
  ALLOT_RETURN_IF_ERROR(tx.InsertProposal(proposal));
  ALLOT_RETURN_IF_ERROR(
      tx.Audit(Record(call, now, "proposal.create", proposal.id.str(), {}, proposal.method)));
  return proposal;
}

}  // namespace

bool IsMethodForTwo(std::string_view method) {
  return std::ranges::find(kMethodsForTwo, method) != kMethodsForTwo.end();
}

Result<bool> TakeApproval(const Context& context, store::Tx& tx, const Call& call, Instant now) {
  if (!NeedsSecondPerson(context, call)) return true;
  ALLOT_ASSIGN_OR_RETURN(const auto open, tx.LockProposalsOf(DigestOf(call)));
  ALLOT_ASSIGN_OR_RETURN(auto proposal, FindApproved(tx, open, now));
  if (!proposal) return false;
  proposal->done_time = now;
  ALLOT_RETURN_IF_ERROR(tx.UpdateProposal(*proposal));
  ALLOT_RETURN_IF_ERROR(
      tx.Audit(Record(call, now, "proposal.done", proposal->id.str(), {},
                      call.method->name + ", approved by key " + proposal->decision->key.str())));
  return true;
}

std::optional<Error> Propose(const Context& context, const Call& call, Instant now) {
  auto request = call.method->text();
  if (!request.ok()) return request.error();
  const Proposal proposal{.id = ProposalId("p" + context.ids.Mint(kProposalIdLength)),
                          .method = call.method->name,
                          .digest = DigestOf(call),
                          .request = *std::move(request),
                          .proposer = call.principal.key,
                          .create_time = now,
                          .expire_time = now + context.for_two.at(call.method->name)};
  if (proposal.request.size() > kProposalRequestMax) {
    return FieldError(Reason::kTextTooLong, "request", std::to_string(proposal.request.size()),
                      "at most " + std::to_string(kProposalRequestMax) +
                          " bytes as JSON, for a second person to read");
  }
  const auto waits = context.store.Transact<Proposal>(
      store::Access::kWrite, store::Scope::For(call.principal),
      [&](store::Tx& tx) { return EnterOnce(tx, call, now, proposal); });
  if (!waits.ok()) return waits.error();
  if (StateOf(*waits, now) == ProposalState::kApproved) return std::nullopt;
  return SecondPersonRequired(call, *waits);
}

Result<Proposal> GetProposal(const Context& context, const Principal& principal,
                             const ProposalId& id) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadAudit));
  const Instant now = context.clock.Now();
  return context.store.Transact<Proposal>(
      store::Access::kWrite, store::Scope::For(principal), [&](store::Tx& tx) -> Result<Proposal> {
        ALLOT_ASSIGN_OR_RETURN(auto proposal, ReadProposal(tx, id.str()));
        ALLOT_RETURN_IF_ERROR(RecordLook(tx, principal, now, proposal));
        return proposal;
      });
}

Result<store::Page<Proposal>> ListProposals(const Context& context, const Principal& principal,
                                            bool pending_only, const store::PageRequest& page) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadAudit));
  const Instant now = context.clock.Now();
  const auto pending_at = pending_only ? std::optional(now) : std::nullopt;
  return context.store.Transact<store::Page<Proposal>>(
      store::Access::kWrite, store::Scope::For(principal),
      [&](store::Tx& tx) -> Result<store::Page<Proposal>> {
        ALLOT_ASSIGN_OR_RETURN(auto found, tx.ListProposals(pending_at, page));
        for (const Proposal& proposal : found.items) {
          ALLOT_RETURN_IF_ERROR(RecordLook(tx, principal, now, proposal));
        }
        return found;
      });
}

Result<Proposal> DecideProposal(const Context& context, const Call& call, const ProposalId& id,
                                bool approved, const std::string& reason) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kDecideProposals));
  const Instant now = context.clock.Now();
  return Once<Proposal>(
      context, call, now,
      [&](store::Tx& tx) -> Result<Proposal> {
        ALLOT_ASSIGN_OR_RETURN(Proposal proposal, ReadProposal(tx, id.str()));
        ALLOT_ASSIGN_OR_RETURN(const KeyId proposer, LineOf(tx, proposal.proposer));
        ALLOT_ASSIGN_OR_RETURN(const KeyId decider, LineOf(tx, call.principal.key));
        if (proposer == decider) {
          return FieldError(Reason::kSecondPersonIsTheFirst, "name", id.str(),
                            "a proposal of another person");
        }
        if (const auto state = StateOf(proposal, now); state != ProposalState::kPending) {
          return FieldError(Reason::kProposalNotPending, "name", id.str(),
                            "a proposal that is pending; this one is " + std::string(Name(state)));
        }
        proposal.decision = {
            .approved = approved, .key = call.principal.key, .time = now, .reason = reason};
        ALLOT_RETURN_IF_ERROR(tx.UpdateProposal(proposal));
        ALLOT_RETURN_IF_ERROR(
            tx.Audit(Record(call, now, approved ? "proposal.approve" : "proposal.reject", id.str(),
                            {}, proposal.method + ": " + reason)));
        return proposal;
      },
      [](const Proposal& p) { return p.id.str(); }, ReadProposal);
}

}  // namespace allot::control
