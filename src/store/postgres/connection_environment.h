#pragma once

#include <string>
#include <vector>

#include "allot/base/result.h"

namespace allot::store {

/// The variables by which PostgreSQL's own programs connect as `url` says, "PGHOST=…": unlike a
/// command line, nobody else can read them. What the URL leaves open is as in our own environment.
/// config_invalid when libpq cannot read it.
Result<std::vector<std::string>> ConnectionEnvironment(const std::string& url);

}  // namespace allot::store
