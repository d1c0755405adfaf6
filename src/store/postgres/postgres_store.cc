#include <algorithm>
#include <chrono>
#include <pqxx/pqxx>
#include <thread>
#include <utility>
#include <vector>

#include "allot/store/store.h"
#include "store/commit_listeners.h"
#include "store/postgres/failure.h"
#include "store/postgres/migrate.h"
#include "store/postgres/postgres_tx.h"
#include "store/postgres/session_pool.h"

namespace allot::store {
namespace {

using Remedy = Failure::Remedy;

// Without randomness: whoever was first commits while we sleep, and the others wait in its queue.
void BackOff(int run) {
  std::this_thread::sleep_for(std::chrono::milliseconds(std::min(1 << run, 32)));
}

std::unique_ptr<pqxx::transaction_base> Begin(Session& session, Access access, const Scope& scope) {
  const Session::Awaited awaited(session);
  session.Enter(scope);
  if (access == Access::kRead) {
    return std::make_unique<pqxx::transaction<pqxx::repeatable_read, pqxx::read_only>>(
        session.connection());
  }
  if (access == Access::kGlance) {
    return std::make_unique<pqxx::nontransaction>(session.connection());
  }
  return std::make_unique<pqxx::transaction<pqxx::read_committed>>(session.connection());
}

class PostgresStore final : public Store {
 public:
  PostgresStore(const PostgresOptions& options, const Conninfo& database)
      : options_(options),
        report_(options.report ? options.report : [](const std::string&) {}),
        sessions_(database, options.connections, options.connect_timeout_s, report_) {}

  /// Of this release, and the login may act as a server's role.
  Status RequireDatabase(const Conninfo& database) const {
    try {
      // As the login: an older schema has no such role yet.
      Session session(database, options_.connect_timeout_s, Rights::kOfTheLogin);
      ALLOT_RETURN_IF_ERROR(RequireSchemaOfThisBinary(session));
      const Session acting(database, options_.connect_timeout_s, Rights::kOfAServer);
      return Ok{};
    } catch (const pqxx::broken_connection& e) {
      report_(e.what());
      return StoreUnavailable("The database cannot be reached.");
    } catch (const pqxx::insufficient_privilege& e) {
      report_(e.what());
      return StateError(Reason::kDatabaseRightsMissing,
                        "The login may not act as the role allot_server.");
    } catch (...) {
      return FailureNow().error;
    }
  }

  void OnCommit(std::function<void(Revision)> callback) override {
    listeners_.Add(std::move(callback));
  }

 protected:
  Status Run(Access access, const Scope& scope, const std::function<Status(Tx&)>& work) override {
    for (int run = 0;; ++run) {
      const std::optional<Failure> failure = RunOnce(access, scope, work, run);
      if (!failure) return Ok{};
      if (failure->remedy == Remedy::kReport || run + 1 == kRunsMax) return failure->error;
      BackOff(run);
    }
  }

 private:
  Failure FailureNow() const {
    std::string own_words;
    Failure failure = FailureOfCurrentException(own_words);
    report_(own_words);
    return failure;
  }

  std::optional<Failure> RunOnce(Access access, const Scope& scope,
                                 const std::function<Status(Tx&)>& work, int run) {
    Result<SessionPool::Lease> lease = sessions_.Acquire(scope);
    if (!lease.ok()) return Failure{lease.error(), Remedy::kReport};
    Session& session = lease->session();
    std::optional<Failure> failure;
    Revision revision = 0;
    {
      std::unique_ptr<pqxx::transaction_base> transaction;
      try {
        transaction = Begin(session, access, scope);
        PostgresTx tx(session, *transaction, run, report_);
        failure = Work(tx, work, revision);
      } catch (const pqxx::failure&) {
        failure = FailureNow();
      }
      if (transaction && !failure) failure = Commit(session, *transaction);
      const Session::Awaited awaited(session);
      transaction.reset();  // Rolls back what was not committed.
    }
    if (!session.connection().is_open() ||
        (failure && failure->remedy == Remedy::kRerunOnFreshServer)) {
      lease->Discard();
    }
    if (!failure && revision > 0) listeners_.Tell(revision);
    return failure;
  }

  static std::optional<Failure> Work(PostgresTx& tx, const std::function<Status(Tx&)>& work,
                                     Revision& revision) {
    const Status done = work(tx);
    if (auto failure = Judge(done, tx.failure())) return failure;
    if (!tx.WriteAudit().ok()) return tx.failure();
    const Result<Revision> written = tx.WriteEvents();
    if (!written.ok()) return tx.failure();
    revision = *written;
    return std::nullopt;
  }

  std::optional<Failure> Commit(Session& session, pqxx::transaction_base& transaction) const {
    try {
      const Session::Awaited awaited(session);
      transaction.commit();
      return std::nullopt;
    } catch (...) {
      Failure failure = FailureNow();
      // Lost on the way: the server may have committed before it went.
      if (failure.remedy == Remedy::kRerunOnFreshServer) {
        failure = {StateError(Reason::kCommitOutcomeUnknown,
                              "The connection was lost while the change was being made durable."),
                   Remedy::kReport};
      }
      return failure;
    }
  }

  const PostgresOptions options_;
  const std::function<void(const std::string&)> report_;
  SessionPool sessions_;
  CommitListeners listeners_;
};

}  // namespace

Result<std::unique_ptr<Store>> OpenPostgres(const PostgresOptions& options) {
  if (options.connections < 1 || options.connect_timeout_s < 1) {
    return StateError(Reason::kConfigInvalid,
                      "A store needs at least one connection and one second to connect.");
  }
  ALLOT_ASSIGN_OR_RETURN(const Conninfo database, Conninfo::Parse(options.url));
  auto store = std::make_unique<PostgresStore>(options, database);
  ALLOT_RETURN_IF_ERROR(store->RequireDatabase(database));
  return Result<std::unique_ptr<Store>>(std::move(store));
}

}  // namespace allot::store
