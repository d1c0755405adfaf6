#include "chaos/faulty_store.h"

namespace allot::chaos {
namespace {

Error Unavailable(const char* why) { return StateError(Reason::kStoreUnavailable, why); }

/// More than a store tries.
constexpr int kConflictsMax = 10;

}  // namespace

Status FaultyStore::Run(store::Access access, const store::Scope& scope,
                        const std::function<Status(store::Tx&)>& work) {
  world_.Interleave();
  if (cut_at_ > 0 && --cut_at_ == 0) {
    // Half of the deaths come before the commit, half between it and the answer.
    const bool commits = world_.Chance(500);
    world_.CountFault("server_died_at_a_transaction");
    world_.Probe("server_died_within_a_call");
    if (commits) static_cast<void>(RunInner(access, scope, work));
    cut_ = true;
  }
  if (cut_) return Unavailable("The server is dead.");
  if (database_.out) return Unavailable("The connection to the database was lost.");
  if (access != store::Access::kWrite) return RunInner(access, scope, work);
  if (database_.full) return Unavailable("The database is out of resources.");
  if (world_.Strikes(world_.rates.commit_lost, "commit_lost")) {
    static_cast<void>(database_.store.Transact<Ok>(access, scope, [&](store::Tx& tx) -> Status {
      ALLOT_RETURN_IF_ERROR(work(tx));
      return Unavailable("The connection was lost.");
    }));
    return StateError(Reason::kCommitOutcomeUnknown, "The connection was lost, and the change.");
  }
  const Status done = RunInner(access, scope, work);
  if (done.ok() && world_.Strikes(world_.rates.commit_unheard, "commit_unheard")) {
    return StateError(Reason::kCommitOutcomeUnknown, "The connection was lost after the commit.");
  }
  return done;
}

Status FaultyStore::RunInner(store::Access access, const store::Scope& scope,
                             const std::function<Status(store::Tx&)>& work) {
  int conflicts = 0;
  if (access == store::Access::kWrite && world_.Strikes(world_.rates.conflict, "conflict")) {
    conflicts = static_cast<int>(world_.random.Between(1, kConflictsMax));
  }
  const Status done = database_.store.Transact<Ok>(access, scope, [&](store::Tx& tx) -> Status {
    ALLOT_RETURN_IF_ERROR(work(tx));
    if (conflicts-- > 0) return StateError(Reason::kStoreConflict, "Somebody else was first.");
    return Ok{};
  });
  if (conflicts > 0 && !done.ok()) world_.Probe("commit_conflicted_to_the_end");
  if (!done.ok() || access != store::Access::kWrite) return done;
  const Revision before = database_.newest;
  database_.committed();
  if (database_.newest == before) return done;
  for (const auto& callback : callbacks_) callback(database_.newest);
  return done;
}

}  // namespace allot::chaos
