#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "allot/base/result.h"
#include "allot/store/scope.h"
#include "allot/store/tx.h"

namespace allot::store {

enum class Access {
  kRead,
  /// One verb that reads, without a transaction around it: it sees a single moment by itself.
  kGlance,
  kWrite,
};

/// Where the truth is kept. Thread safe: each call uses a connection of a bounded pool.
class Store {
 public:
  virtual ~Store() = default;

  /// Runs `work` in one serialisable-enough transaction (read committed with row locks for writes,
  /// repeatable read for reads) and commits when it succeeds. Reruns it, a bounded number of times,
  /// on store_conflict, a serialisation failure or a deadlock: so `work` must be safe to rerun,
  /// with ids and times fixed before the call. When the commit's outcome cannot be known the answer
  /// is commit_outcome_unknown, and the caller looks its request id up. Rows beyond `scope` are not
  /// there for it.
  template <class T>
  Result<T> Transact(Access access, const Scope& scope, const std::function<Result<T>(Tx&)>& work) {
    std::optional<Result<T>> outcome;
    Status committed = Run(access, scope, [&](Tx& tx) -> Status {
      outcome.emplace(work(tx));
      if (!outcome->ok()) return outcome->error();
      return Ok{};
    });
    if (!committed.ok()) return committed.error();
    return std::move(*outcome);
  }

  /// Of the newest transaction this process committed; wakes those who wait for changes.
  /// Called after every commit that changed something, on the committing thread; must not block,
  /// and must not call the store. Several callbacks may be added; all live as long as the store.
  virtual void OnCommit(std::function<void(Revision)> callback) = 0;

 protected:
  virtual Status Run(Access access, const Scope& scope, const std::function<Status(Tx&)>& work) = 0;
};

struct PostgresOptions {
  std::string url;
  /// Also the bound on transactions at the same time.
  int connections = 8;
  /// A connection that cannot be had within this time: store_unavailable.
  int connect_timeout_s = 5;
  /// Told of every failure in PostgreSQL's own words, for the server's log and nobody else: they
  /// can name another tenant's nodes. Called on any thread; must not throw.
  std::function<void(const std::string& own_words)> report = nullptr;
};

/// Fails with store_unavailable, database_newer or database_older.
Result<std::unique_ptr<Store>> OpenPostgres(const PostgresOptions& options);

/// Applies the migrations that are missing, under a lock, each in its own transaction. Returns the
/// schema's number. Safe to run from several servers at once.
Result<int> Migrate(const std::string& url);

}  // namespace allot::store
