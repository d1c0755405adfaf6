#include "allot/control/retention.h"

#include "control/record.h"

namespace allot::control {
namespace {

constexpr int kRevisionsPerStep = 200;
constexpr int kRequestsPerStep = 1000;
constexpr int kAuditEntriesPerStep = 1000;

AuditCheckpoint Sign(const AuditSigner& signer, AuditCheckpoint::Kind kind, const AuditMark& mark,
                     Instant now) {
  AuditCheckpoint checkpoint{
      .kind = kind, .mark = mark, .sign_time = now, .signer = signer.id(), .signature = {}};
  checkpoint.signature = signer.Sign(SignedText(checkpoint));
  return checkpoint;
}

Status RequireStillThere(store::Tx& tx, const AuditMark& mark) {
  if (mark.number == 0) return Ok{};
  ALLOT_ASSIGN_OR_RETURN(const AuditChain chain, tx.AuditAfter(mark.number - 1, 1));
  const bool removed = mark.number < chain.base.number || mark == chain.base;
  const bool there = !chain.entries.empty() && chain.entries[0].entry.number == mark.number &&
                     chain.entries[0].hash == mark.hash;
  if (removed || there) return Ok{};
  return StateError(Reason::kInternal, "entry " + std::to_string(mark.number) +
                                           " of the audit was signed, and is not there any more");
}

Result<std::optional<AuditMark>> RemoveOldAudit(store::Tx& tx, const Context& context, Instant now,
                                                Seconds kept) {
  if (context.audit_signer == nullptr) return std::optional<AuditMark>();
  ALLOT_ASSIGN_OR_RETURN(const auto through, tx.AuditToRemove(now - kept, kAuditEntriesPerStep));
  if (!through) return through;
  ALLOT_RETURN_IF_ERROR(tx.InsertAuditCheckpoint(
      Sign(*context.audit_signer, AuditCheckpoint::Kind::kRemoved, *through, now)));
  ALLOT_RETURN_IF_ERROR(tx.RemoveAudit(*through));
  ALLOT_RETURN_IF_ERROR(tx.Audit(RecordSystem(now, "audit.remove", "audit", {},
                                              "entries up to " + std::to_string(through->number) +
                                                  ", older than " + FormatDuration(kept))));
  return through;
}

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
        ALLOT_ASSIGN_OR_RETURN(const auto audit,
                               RemoveOldAudit(tx, context, now, policy->audit_retention));
        // Last: it holds up every writer until the commit.
        ALLOT_ASSIGN_OR_RETURN(removed.events,
                               tx.RemoveEvents(now - policy->event_retention, kRevisionsPerStep));
        removed.more =
            removed.requests == kRequestsPerStep || audit || removed.events == kRevisionsPerStep;
        return removed;
      });
}

Result<std::optional<AuditSigned>> SignAudit(const Context& context, int64_t epoch,
                                             const AuditMark& before) {
  if (context.audit_signer == nullptr) return std::optional<AuditSigned>();
  const Instant now = context.clock.Now();
  return context.store.Transact<std::optional<AuditSigned>>(
      store::Access::kWrite, store::Scope::Everything(),
      [&](store::Tx& tx) -> Result<std::optional<AuditSigned>> {
        ALLOT_RETURN_IF_ERROR(tx.AssertLeader(epoch));
        ALLOT_ASSIGN_OR_RETURN(const AuditMark head, tx.AuditHead());
        ALLOT_ASSIGN_OR_RETURN(const auto newest, tx.NewestAuditCheckpoint());
        ALLOT_RETURN_IF_ERROR(RequireStillThere(tx, before));
        if (newest) ALLOT_RETURN_IF_ERROR(RequireStillThere(tx, newest->mark));
        if (head.number == 0) return std::optional<AuditSigned>();
        if (!newest || newest->mark.number < head.number) {
          ALLOT_RETURN_IF_ERROR(tx.InsertAuditCheckpoint(
              Sign(*context.audit_signer, AuditCheckpoint::Kind::kReached, head, now)));
        }
        return std::optional(AuditSigned{.time = now, .mark = head});
      });
}

}  // namespace allot::control
