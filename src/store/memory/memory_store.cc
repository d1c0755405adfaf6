#include <mutex>
#include <utility>

#include "allot/store/memory.h"
#include "store/commit_listeners.h"
#include "store/memory/memory_tx.h"

namespace allot::store {
namespace {

class MemoryStore final : public Store {
 public:
  MemoryStore(const Clock& clock, Locking locking) : clock_(clock), locking_(locking) {}

  void OnCommit(std::function<void(Revision)> callback) override {
    listeners_.Add(std::move(callback));
  }

 protected:
  // Scopes are PostgreSQL's to hold to: what the use cases let through by themselves shows here.
  Status Run(Access access, const Scope& /*scope*/,
             const std::function<Status(Tx&)>& work) override {
    for (int run = 0;; ++run) {
      const auto failure = access == Access::kWrite ? WriteOnce(work, run) : ReadOnce(work, run);
      if (!failure) return Ok{};
      if (failure->remedy == Failure::Remedy::kReport || run + 1 == kRunsMax) return failure->error;
    }
  }

 private:
  std::optional<Failure> ReadOnce(const std::function<Status(Tx&)>& work, int run) {
    std::unique_lock lock(mutex_);
    State moment = state_;
    lock.unlock();
    MemoryTx tx(moment, Access::kRead, locking_, run, clock_.Now());
    const Status done = work(tx);
    return Judge(done, tx.failure());
  }

  std::optional<Failure> WriteOnce(const std::function<Status(Tx&)>& work, int run) {
    Revision revision = 0;
    {
      const std::lock_guard lock(mutex_);
      MemoryTx tx(state_, Access::kWrite, locking_, run, clock_.Now());
      const Status done = work(tx);
      auto failure = Judge(done, tx.failure());
      if (!failure) failure = tx.Finish(revision);
      if (failure) {
        tx.Rollback();
        return failure;
      }
    }
    if (revision > 0) listeners_.Tell(revision);
    return std::nullopt;
  }

  const Clock& clock_;
  const Locking locking_;
  std::mutex mutex_;
  State state_;
  CommitListeners listeners_;
};

}  // namespace

std::unique_ptr<Store> OpenMemory(const Clock& clock, Locking locking) {
  return std::make_unique<MemoryStore>(clock, locking);
}

}  // namespace allot::store
