#include <utility>

#include "allot/control/proposals.h"
#include "allot/v1/proposal_service.pb.h"
#include "rpc/fields.h"
#include "rpc/handlers.h"
#include "rpc/render.h"
#include "rpc/resource_name.h"

namespace allot::rpc {
namespace {

v1::Proposal::State Render(ProposalState state) {
  switch (state) {
    case ProposalState::kPending:
      return v1::Proposal::STATE_PENDING;
    case ProposalState::kApproved:
      return v1::Proposal::STATE_APPROVED;
    case ProposalState::kRejected:
      return v1::Proposal::STATE_REJECTED;
    case ProposalState::kDone:
      return v1::Proposal::STATE_DONE;
    case ProposalState::kExpired:
      return v1::Proposal::STATE_EXPIRED;
  }
  return v1::Proposal::STATE_UNSPECIFIED;
}

/// A member's by that name, everybody else's by the key.
std::string NameOfCaller(const KeyId& key) {
  const auto member = MemberOf(key);
  return member ? NameOf(*member) : NameOf(key);
}

class Handlers {
 public:
  explicit Handlers(const Services& services) : s_(services) {}

  Result<v1::Proposal> GetProposal(const Caller& caller, const v1::GetProposalRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto id, ParseProposalName(request.name(), "name"));
    ALLOT_ASSIGN_OR_RETURN(const auto found,
                           control::GetProposal(s_.context, caller.principal, id));
    return Show(found);
  }

  Result<v1::ListProposalsResponse> ListProposals(const Caller& caller,
                                                  const v1::ListProposalsRequest& request) {
    ALLOT_ASSIGN_OR_RETURN(const auto query, ParsePage(request));
    ALLOT_ASSIGN_OR_RETURN(const auto page,
                           control::ListProposals(s_.context, caller.principal,
                                                  request.pending_only(), ToPageRequest(query)));
    v1::ListProposalsResponse response;
    for (const Proposal& item : page.items) *response.add_proposals() = Show(item);
    response.set_next_page_token(NextPageToken(query, page));
    return response;
  }

  Result<v1::Proposal> ApproveProposal(const Caller& caller,
                                       const v1::ApproveProposalRequest& request) {
    return Decide(caller, request, /*approved=*/true);
  }

  Result<v1::Proposal> RejectProposal(const Caller& caller,
                                      const v1::RejectProposalRequest& request) {
    return Decide(caller, request, /*approved=*/false);
  }

 private:
  template <class Request>
  Result<v1::Proposal> Decide(const Caller& caller, const Request& request, bool approved) {
    ALLOT_ASSIGN_OR_RETURN(const auto id, ParseProposalName(request.name(), "name"));
    ALLOT_ASSIGN_OR_RETURN(const auto reason, ParseRequiredText(request.reason(), "reason"));
    ALLOT_ASSIGN_OR_RETURN(const auto call, ParseCall(caller, request));
    ALLOT_ASSIGN_OR_RETURN(const auto decided,
                           control::DecideProposal(s_.context, call, id, approved, reason));
    return Show(decided);
  }

  v1::Proposal Show(const Proposal& proposal) const {
    v1::Proposal shown;
    shown.set_name(NameOf(proposal.id));
    shown.set_method(proposal.method);
    shown.set_request(proposal.request);
    shown.set_proposer(NameOfCaller(proposal.proposer));
    shown.set_state(Render(StateOf(proposal, s_.context.clock.Now())));
    *shown.mutable_create_time() = rpc::Render(proposal.create_time);
    *shown.mutable_expire_time() = rpc::Render(proposal.expire_time);
    if (const auto& decision = proposal.decision) {
      shown.set_decider(NameOfCaller(decision->key));
      *shown.mutable_decide_time() = rpc::Render(decision->time);
      shown.set_decide_reason(decision->reason);
    }
    if (proposal.done_time) *shown.mutable_done_time() = rpc::Render(*proposal.done_time);
    return shown;
  }

  const Services s_;
};

}  // namespace

ServiceMethods ProposalMethods(const Services& services) {
  auto handlers = std::make_shared<Handlers>(services);
  MethodTable table(
      v1::GetProposalRequest::descriptor()->file()->FindServiceByName("ProposalService"));
  table.Unary(handlers.get(), &Handlers::GetProposal);
  table.Unary(handlers.get(), &Handlers::ListProposals);
  table.Unary(handlers.get(), &Handlers::ApproveProposal);
  table.Unary(handlers.get(), &Handlers::RejectProposal);
  return {std::move(handlers), std::move(table)};
}

}  // namespace allot::rpc
