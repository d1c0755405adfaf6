#pragma once

#include <string>

#include "allot/base/result.h"
#include "allot/control/context.h"
#include "apps/allotd/data_folder.h"

namespace allot::allotd {

/// The first key of a new installation goes to the data folder, for its owner alone to read.
/// Requires: the folder's lock is held.
Status EnsureOperatorKey(const control::Context& context, const DataFolder& folder);

/// A new ministry admin's key for a database that others look after: whoever can reach the database
/// may make one. Returns the secret, which is not kept.
Result<std::string> CreateOperatorKey(const std::string& database_url);

}  // namespace allot::allotd
