#include "chaos/faulty_store.h"

#include "chaos/faulty_tx.h"

namespace allot::chaos {
namespace {

Error Unavailable(const char* why) { return StateError(Reason::kStoreUnavailable, why); }

/// As often as a store runs a transaction that conflicts.
constexpr int kRunsMax = 8;
/// More than that.
constexpr int64_t kConflictsMax = 10;
/// Most transactions have fewer.
constexpr int64_t kVerbsMax = 12;

}  // namespace

std::optional<Error> FaultyStore::Hindrance(store::Access access) const {
  if (cut_) return Unavailable("The server is dead.");
  if (database_.out) return Unavailable("The connection to the database was lost.");
  if (access == store::Access::kWrite && database_.full) {
    return Unavailable("The database is out of resources.");
  }
  return std::nullopt;
}

Status FaultyStore::Run(store::Access access, const store::Scope& scope,
                        const std::function<Status(store::Tx&)>& work) {
  world_.Interleave();
  if (cut_at_ > 0 && --cut_at_ == 0) {
    // Half of the deaths come before the commit, half between it and the answer.
    const bool commits = world_.Chance(500);
    world_.CountFault("server_died_at_a_transaction");
    world_.Probe("server_died_within_a_call");
    if (commits) static_cast<void>(RunToEnd(access, scope, work));
    cut_ = true;
  }
  const Status done = RunToEnd(access, scope, work);
  if (access != store::Access::kWrite || !done.ok()) return done;
  if (world_.Strikes(world_.rates.commit_unheard, "commit_unheard")) {
    return StateError(Reason::kCommitOutcomeUnknown, "The connection was lost after the commit.");
  }
  return done;
}

FaultyStore::Trial FaultyStore::Draw(store::Access access, int64_t& conflicts) {
  Trial trial;
  if (world_.Strikes(world_.rates.connection_lost, "connection_lost")) {
    trial.fails_at_verb = static_cast<int>(world_.random.Between(1, kVerbsMax));
    trial.failure = Unavailable("The connection was lost.");
    return trial;
  }
  if (access != store::Access::kWrite) return trial;
  if (conflicts > 0) {
    --conflicts;
    trial.fails_at_verb = static_cast<int>(world_.random.Between(0, kVerbsMax));
    trial.fails_at_commit = true;
    trial.failure = StateError(Reason::kStoreConflict, "Somebody else was first.");
    return trial;
  }
  if (world_.Strikes(world_.rates.commit_lost, "commit_lost")) {
    trial.fails_at_commit = true;
    trial.failure =
        StateError(Reason::kCommitOutcomeUnknown, "The connection was lost, and the change.");
  }
  return trial;
}

Status FaultyStore::RunToEnd(store::Access access, const store::Scope& scope,
                             const std::function<Status(store::Tx&)>& work) {
  int64_t conflicts = 0;
  if (access == store::Access::kWrite && world_.Strikes(world_.rates.conflict, "conflict")) {
    conflicts = world_.random.Between(1, kConflictsMax);
  }
  for (int run = 1;; ++run) {
    if (const auto hindrance = Hindrance(access)) return *hindrance;
    const Trial trial = Draw(access, conflicts);
    bool failed = false;
    const Status done = RunOnce(access, scope, work, trial, failed);
    if (!failed || !trial.is_conflict()) return done;
    ++conflicts_;
    if (run == kRunsMax) {
      world_.Probe("commit_conflicted_to_the_end");
      return trial.failure;
    }
    world_.LetOthersGoOn();
  }
}

Status FaultyStore::RunOnce(store::Access access, const store::Scope& scope,
                            const std::function<Status(store::Tx&)>& work, const Trial& trial,
                            bool& failed) {
  const bool writes = access == store::Access::kWrite;
  Epochs::Commit commit{.writer = owner_,
                        .in_turn = !turns_.empty() && turns_.back(),
                        .wrote = false,
                        .given = {},
                        .row = {}};
  const Revision before = database_.newest;
  Status worked = Ok{};
  const Status done = database_.store.Transact<Ok>(access, scope, [&](store::Tx& inner) -> Status {
    FaultyTx tx(inner, trial.fails_at_verb, trial.failure);
    worked = work(tx);
    failed = tx.lost() || (worked.ok() && trial.fails_at_commit);
    // Rolled back, and not run again by the store itself: others are to go on first.
    if (failed) return Unavailable("The connection was lost.");
    ALLOT_RETURN_IF_ERROR(worked);
    if (!writes) return Ok{};
    commit.wrote = tx.wrote();
    commit.given = tx.given();
    ALLOT_ASSIGN_OR_RETURN(commit.row, inner.FindLeadership());
    return Ok{};
  });
  // What the work makes of a lost connection is what its caller is told.
  if (failed) return worked.ok() ? Status(trial.failure) : worked;
  if (!done.ok() || !writes) return done;
  database_.epochs.Began(commit);
  database_.committed();
  database_.epochs.Ended();
  if (database_.newest == before) return done;
  for (const auto& callback : callbacks_) callback(database_.newest);
  return done;
}

}  // namespace allot::chaos
