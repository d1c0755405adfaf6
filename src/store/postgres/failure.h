#pragma once

#include <string>
#include <string_view>

#include "allot/base/result.h"

namespace allot::store {

/// Why a statement, a connection or a commit failed, and what the store does about it.
struct Failure {
  enum class Remedy {
    kReport,              ///< the caller is told
    kRerun,               ///< the transaction is run again
    kRerunOnFreshServer,  ///< … on a new connection: this one is lost
  };
  Error error;
  Remedy remedy = Remedy::kReport;
};

/// Of the exception being handled. PostgreSQL's words go to `own_words`, for the log only: they can
/// name another tenant's nodes, so they never reach the Error.
Failure FailureOfCurrentException(std::string& own_words);

/// Whether libpq can read it; config_invalid when not.
Status CheckDatabaseUrl(const std::string& url);

Error StoreConflict();
Error StoreUnavailable(std::string_view what);

}  // namespace allot::store
