#pragma once

#include <string>

#include "allot/base/result.h"
#include "store/failure.h"

namespace allot::store {

/// Of the exception being handled. PostgreSQL's words go to `own_words`, for the log only: they can
/// name another tenant's nodes, so they never reach the Error.
Failure FailureOfCurrentException(std::string& own_words);

}  // namespace allot::store
