#pragma once

#include <memory>
#include <string>

#include "allot/store/store.h"

namespace allot::testing {

/// A real PostgreSQL of this test binary's own: started by the first call in a temporary folder,
/// stopped and removed when the binary ends, also when it crashes or is killed.

/// The URL of an empty database with the current schema, made for this call.
std::string FreshDatabase();
/// The URL of a database without any schema, for tests of migrations.
std::string EmptyDatabase();

/// How many transactions on that database wait for a lock just now.
int WaitingForLocks(const std::string& url);

/// A store on a fresh database, or on one that exists. Fails the running test when it cannot be
/// had. PostgreSQL's own words about failures go to stderr when ALLOT_TEST_SQL_ERRORS is set.
std::unique_ptr<store::Store> OpenTestStore(int connections = 8);
std::unique_ptr<store::Store> OpenTestStore(const std::string& url, int connections = 8);

}  // namespace allot::testing
