#include "allot/control/retention.h"

namespace allot::control {
namespace {

constexpr int kRevisionsPerStep = 200;
constexpr int kRequestsPerStep = 1000;

}  // namespace

Result<Removed> RemoveExpired(const Context& context, int64_t epoch) {
  const Instant now = context.clock.Now();
  const auto policy = context.policies.At(now);
  return context.store.Transact<Removed>(
      store::Access::kWrite, store::Scope::Everything(), [&](store::Tx& tx) -> Result<Removed> {
        ALLOT_RETURN_IF_ERROR(tx.AssertLeader(epoch));
        Removed removed;
        ALLOT_ASSIGN_OR_RETURN(
            removed.requests, tx.RemoveRequests(now - policy->request_retention, kRequestsPerStep));
        // Last: it holds up every writer until the commit.
        ALLOT_ASSIGN_OR_RETURN(removed.events,
                               tx.RemoveEvents(now - policy->event_retention, kRevisionsPerStep));
        removed.more = removed.requests == kRequestsPerStep || removed.events == kRevisionsPerStep;
        return removed;
      });
}

}  // namespace allot::control
