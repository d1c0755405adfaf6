#pragma once

#include <chrono>
#include <pqxx/pqxx>
#include <string>

#include "allot/base/result.h"
#include "store/failure.h"
#include "store/postgres/conninfo.h"
#include "store/postgres/failure.h"

namespace allot::store {

/// For libpq, with a bound on how long connecting may take; with `patience` also on how long it
/// goes unnoticed that the connection is cut.
inline std::string WithTimeouts(Conninfo database, std::chrono::seconds patience) {
  constexpr std::chrono::seconds kConnect{5};
  const std::chrono::seconds connect = patience.count() == 0 ? kConnect : patience;
  database.Default("connect_timeout", std::to_string(connect.count()));
  if (patience.count() != 0) {
    database.Default("tcp_user_timeout",
                     std::to_string(std::chrono::milliseconds(patience).count()));
  }
  return database.str();
}

/// What `look` finds in a transaction of its own, through a connection made as `url` says and none
/// of the sessions that serve: with its role and without their limits. Commits what it changed.
/// `patience`: for each statement; 0: as long as it takes.
template <class T, class Look>
Result<T> Inspect(const std::string& url, Look look, std::chrono::seconds patience = {}) {
  ALLOT_ASSIGN_OR_RETURN(const Conninfo database, Conninfo::Parse(url));
  try {
    pqxx::connection connection(WithTimeouts(database, patience));
    const pqxx::quiet_errorhandler quiet(connection);
    pqxx::nontransaction(connection)
        .exec(
            "SET client_min_messages = error; SET timezone = 'UTC'; "
            "SET statement_timeout = '" +
            std::to_string(patience.count()) +
            "s';"
            // The owner of a table is held to its policies, too, and an inspection is of all rows.
            "SELECT set_config('allot.everything', 'on', false)");
    pqxx::work transaction(connection);
    Result<T> found = look(transaction);
    if (found.ok()) transaction.commit();
    return found;
  } catch (...) {
    std::string own_words;
    return FailureOfCurrentException(own_words).error;
  }
}

}  // namespace allot::store
