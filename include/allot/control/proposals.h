#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

#include "allot/control/context.h"
#include "allot/model/proposal.h"
#include "allot/store/tx.h"

namespace allot::control {

/// The methods that an installation may ask a second person for, of staff: what takes from others,
/// changes the rules, or makes who may do so.
inline constexpr std::array<std::string_view, 21> kMethodsForTwo = {
    "CancelAllocation",  "CancelReservation", "CreateApiKey",  "CreateMember",  "CreatePolicy",
    "CreateProject",     "CreateReservation", "DrainCluster",  "DrainNode",     "RejectAllocation",
    "ReleaseAllocation", "RemoveMember",      "RevokeApiKey",  "RotateApiKey",  "SetConsolidation",
    "SetMerit",          "SetUrgency",        "UpdateCluster", "UpdateProject", "UpdateQuota",
    "WithdrawPolicy"};
/// Whoever can do one of these alone can make himself a second person.
inline constexpr std::array<std::string_view, 3> kMethodsThatMakePersons = {
    "CreateApiKey", "CreateMember", "RotateApiKey"};
bool IsMethodForTwo(std::string_view method);

/// Whether the call may go through: it needs nobody else, only validates, or another person, who
/// may still come in, approved it, which is used up by this transaction and stands in the audit
/// beside what it does.
Result<bool> TakeApproval(const Context& context, store::Tx& tx, const Call& call, Instant now);
/// Puts the call before a second person, or finds that it is already: second_person_required, which
/// names the proposal; text_too_long for a call that is too large to be read by anyone, and
/// request_malformed for one that cannot be shown. Nothing when it has been approved since
/// TakeApproval looked: it may go through.
std::optional<Error> Propose(const Context& context, const Call& call, Instant now);

Result<Proposal> GetProposal(const Context& context, const Principal& principal,
                             const ProposalId& id);
Result<store::Page<Proposal>> ListProposals(const Context& context, const Principal& principal,
                                            bool pending_only, const store::PageRequest& page);
/// By another person than the one who asked, whose exchanged keys are the same person:
/// second_person_is_the_first otherwise;
/// proposal_not_pending when it was decided or has expired.
Result<Proposal> DecideProposal(const Context& context, const Call& call, const ProposalId& id,
                                bool approved, const std::string& reason);

}  // namespace allot::control
