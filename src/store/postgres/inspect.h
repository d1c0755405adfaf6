#pragma once

#include <pqxx/pqxx>
#include <string>

#include "allot/base/result.h"
#include "store/failure.h"
#include "store/postgres/failure.h"

namespace allot::store {

/// The URL with a bound on how long connecting may take, unless it has one.
inline std::string WithConnectTimeout(const std::string& url) {
  if (url.find("connect_timeout=") != std::string::npos) return url;
  const bool is_url = url.starts_with("postgresql://") || url.starts_with("postgres://");
  const char* separator = !is_url ? " " : url.find('?') == std::string::npos ? "?" : "&";
  return url + separator + "connect_timeout=5";
}

/// What `look` finds in a transaction of its own, through a connection made as `url` says and none
/// of the sessions that serve: with its role and without their limits. Commits what it changed.
template <class T, class Look>
Result<T> Inspect(const std::string& url, Look look) {
  ALLOT_RETURN_IF_ERROR(CheckDatabaseUrl(url));
  try {
    pqxx::connection connection(WithConnectTimeout(url));
    const pqxx::quiet_errorhandler quiet(connection);
    pqxx::nontransaction(connection)
        .exec(
            "SET client_min_messages = error; SET timezone = 'UTC'; SET statement_timeout = 0;"
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
