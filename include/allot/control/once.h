#pragma once

#include <functional>
#include <optional>
#include <string>

#include "allot/control/context.h"
#include "allot/control/proposals.h"
#include "allot/store/tx.h"

namespace allot::control {

/// Its request_id belongs to a call with another body.
Error RequestIdReused(const Call& call);
/// The record of an earlier call with the same request_id; request_id_reused when its body differs.
Result<std::optional<store::RequestRecord>> FindEarlier(store::Tx& tx, const Call& call);
Status Remember(store::Tx& tx, const Call& call, Instant now, const std::string& response);

/// Runs a mutation at most once for a request_id, in one transaction with the record of it.
/// `work` makes the change and returns the resource, `id_of` names it for the record, and `read`
/// finds it again for a repeat, which answers with its present state. With validate_only the work
/// is rolled back. Two at the same time: the second finds the record of the first, if not before
/// its work, then after it was refused, or put before a second person, for what the first one did.
/// An unknown commit outcome is settled by running again; it is that second one then, as the first
/// may become durable meanwhile. Without a request_id it is reported. A call that takes two persons
/// is checked as if it were done, and put before the second one: second_person_required until that
/// one approved it.
template <class T>
Result<T> Once(const Context& context, const Call& call, Instant now,
               const std::function<Result<T>(store::Tx&)>& work,
               const std::function<std::string(const T&)>& id_of,
               const std::function<Result<T>(store::Tx&, const std::string&)>& read) {
  const bool has_name = !call.request_id.empty();
  std::optional<T> validated;
  const std::function<Result<T>(store::Tx&)> attempt = [&](store::Tx& tx) -> Result<T> {
    validated.reset();
    if (has_name) {
      ALLOT_ASSIGN_OR_RETURN(auto earlier, FindEarlier(tx, call));
      if (earlier) return read(tx, earlier->response);
    }
    ALLOT_ASSIGN_OR_RETURN(const bool may_go_through, TakeApproval(context, tx, call, now));
    ALLOT_ASSIGN_OR_RETURN(T made, work(tx));
    if (call.validate_only || !may_go_through) {
      validated = std::move(made);
      // Any error rolls the transaction back; this one never leaves the function.
      return StateError(Reason::kInternal, "validated only");
    }
    if (has_name) ALLOT_RETURN_IF_ERROR(Remember(tx, call, now, id_of(made)));
    return made;
  };
  const auto transact = [&](const std::function<Result<T>(store::Tx&)>& in) {
    return context.store.Transact<T>(store::Access::kWrite, store::Scope::For(call.principal), in);
  };
  Result<T> outcome = transact(attempt);
  if (!outcome.ok() && has_name && outcome.error().reason == Reason::kCommitOutcomeUnknown) {
    Result<T> settled = transact(attempt);
    // Without the store nobody knows: "nothing was changed" might be untrue.
    if (!settled.ok() && settled.error().reason == Reason::kStoreUnavailable) return outcome;
    outcome = std::move(settled);
  }
  if (validated && call.validate_only) return *std::move(validated);
  if (outcome.ok()) return outcome;
  const Reason reason = outcome.error().reason;
  const bool nobody_knows =
      reason == Reason::kStoreUnavailable || reason == Reason::kCommitOutcomeUnknown;
  if (has_name && !nobody_knows && reason != Reason::kRequestIdReused) {
    // What refused it may be what the same call did meanwhile: it is answered as that one was.
    Result<T> answered = transact([&](store::Tx& tx) -> Result<T> {
      ALLOT_ASSIGN_OR_RETURN(auto earlier, FindEarlier(tx, call));
      if (!earlier) return outcome.error();
      return read(tx, earlier->response);
    });
    if (answered.ok() || answered.error().reason == Reason::kRequestIdReused) return answered;
  }
  if (!validated) return outcome;
  if (const auto waits = Propose(context, call, now)) return *waits;
  return Once<T>(context, call, now, work, id_of, read);
}

}  // namespace allot::control
