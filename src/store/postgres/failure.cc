#include "store/postgres/failure.h"

#include <libpq-fe.h>
#include <exception>
#include <memory>
#include <pqxx/pqxx>

#include "store/postgres/sql_text.h"

namespace allot::store {
namespace {

using Remedy = Failure::Remedy;

Failure Unavailable(std::string_view what) {
  return {StoreUnavailable(what), Remedy::kRerunOnFreshServer};
}

Failure Internal(const std::string& sqlstate) {
  return {StateError(Reason::kInternal, "The database refused a change (SQLSTATE " +
                                            (sqlstate.empty() ? "unknown" : sqlstate) + ")."),
          Remedy::kReport};
}

Failure OfSqlstate(const std::string& code) {
  // Exclusion, and a unique key that no verb expects: somebody else was first.
  if (code == "23P01" || code == "23505") return {StoreConflict(), Remedy::kRerun};
  if (code == "40001" || code == "40P01") return {StoreConflict(), Remedy::kRerun};
  if (code == "23503") return RefersToNothing();
  if (code == "AL001") return IllegalTransition();
  if (code == "22021") return NotUtf8();
  // Waited for a lock, or ran, for longer than the session allows; nothing was changed.
  if (code == "55P03" || code == "57014") {
    return {StoreUnavailable("The database is too busy."), Remedy::kReport};
  }
  // Connection, resources, an operator's shutdown, a crash, the system underneath.
  const std::string_view group = std::string_view(code).substr(0, 2);
  if (group == "08" || group == "57" || code == "25P03") {
    return Unavailable("The connection to the database was lost.");
  }
  // A primary that was made a standby, or that somebody keeps from writing: another may take them.
  if (code == "25006") return Unavailable("The database takes no writes.");
  if (group == "53" || group == "58") {
    return {StoreUnavailable("The database is out of resources."), Remedy::kReport};
  }
  return Internal(code);
}

}  // namespace

Failure FailureOfCurrentException(std::string& own_words) {
  try {
    throw;
  } catch (const pqxx::in_doubt_error& e) {
    own_words = e.what();
    return {StateError(Reason::kCommitOutcomeUnknown,
                       "The connection was lost while the change was being made durable."),
            Remedy::kReport};
  } catch (const pqxx::serialization_failure& e) {
    own_words = e.what();
    return {StoreConflict(), Remedy::kRerun};
  } catch (const pqxx::deadlock_detected& e) {
    own_words = e.what();
    return {StoreConflict(), Remedy::kRerun};
  } catch (const pqxx::broken_connection& e) {
    own_words = e.what();
    return Unavailable("The connection to the database was lost.");
  } catch (const pqxx::sql_error& e) {
    own_words = e.sqlstate() + ": " + e.what();
    return OfSqlstate(e.sqlstate());
  } catch (const UnexpectedRow& e) {
    own_words = e.what();
    return {StateError(Reason::kInternal, "The database holds something unexpected."),
            Remedy::kReport};
  } catch (const UnstorableText& e) {
    own_words = e.what();
    return ZeroByte();
  } catch (const std::exception& e) {
    own_words = e.what();
    return {StateError(Reason::kInternal, "The store failed unexpectedly."), Remedy::kReport};
  }
}

}  // namespace allot::store
