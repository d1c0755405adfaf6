#include "store/memory/memory_tx.h"

#include "allot/base/text.h"

namespace allot::store {

Error MemoryTx::Fail(Failure failure) {
  failure_ = std::move(failure);
  return failure_->error;
}

Error MemoryTx::Refuse() {
  return Fail(
      {StateError(Reason::kInternal, "The store refused a change."), Failure::Remedy::kReport});
}

Status MemoryTx::MayWrite() {
  if (failure_) return failure_->error;
  if (access_ != Access::kWrite) return Refuse();
  return Ok{};
}

Status MemoryTx::RequireHeld(Lock lock, const std::string& id) {
  if (locking_ != Locking::kRequired || held_.contains({lock, id})) return Ok{};
  return Fail({StateError(Reason::kInternal, id + " was written without its lock."),
               Failure::Remedy::kReport});
}

Status MemoryTx::CheckText(std::string_view text) {
  if (text.find('\0') != std::string_view::npos) return Fail(ZeroByte());
  if (!IsUtf8(text)) return Fail(NotUtf8());
  return Ok{};
}

void MemoryTx::Rollback() {
  undo_.Rollback();
  state_.counters = counters_before_;
}

std::optional<Failure> MemoryTx::Finish(Revision& revision) {
  // Between its verbs a transaction may break this; never at its end.
  for (const auto& [kind, resource] : changed_) {
    if (kind != ResourceKind::kAllocation) continue;
    const AllocationId id(resource);
    const Allocation* const row = state_.allocations.Find(id);
    if (row != nullptr && row->promised) continue;
    const auto promises = Promises(std::span(&id, 1));
    if (promises.ok() && !promises->empty()) return RefersToNothing();
  }
  WriteAudit();
  revision = WriteEvents();
  return std::nullopt;
}

}  // namespace allot::store
