#pragma once

#include <chrono>
#include <pqxx/pqxx>
#include <string>

#include "allot/base/result.h"
#include "store/failure.h"
#include "store/postgres/failure.h"

namespace allot::store {

/// The URL with one of libpq's parameters, unless it has it.
inline std::string WithParameter(const std::string& url, const std::string& name, int64_t value) {
  if (url.find(name + "=") != std::string::npos) return url;
  const bool is_url = url.starts_with("postgresql://") || url.starts_with("postgres://");
  const char* separator = !is_url ? " " : url.find('?') == std::string::npos ? "?" : "&";
  return url + separator + name + "=" + std::to_string(value);
}

/// With a bound on how long connecting may take; with `patience` also on how long it goes unnoticed
/// that the connection is cut.
inline std::string WithTimeouts(const std::string& url, std::chrono::seconds patience) {
  constexpr int64_t kConnectSeconds = 5;
  if (patience.count() == 0) return WithParameter(url, "connect_timeout", kConnectSeconds);
  const std::string connects = WithParameter(url, "connect_timeout", patience.count());
  return WithParameter(connects, "tcp_user_timeout", std::chrono::milliseconds(patience).count());
}

/// What `look` finds in a transaction of its own, through a connection made as `url` says and none
/// of the sessions that serve: with its role and without their limits. Commits what it changed.
/// `patience`: for each statement; 0: as long as it takes.
template <class T, class Look>
Result<T> Inspect(const std::string& url, Look look, std::chrono::seconds patience = {}) {
  ALLOT_RETURN_IF_ERROR(CheckDatabaseUrl(url));
  try {
    pqxx::connection connection(WithTimeouts(url, patience));
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
