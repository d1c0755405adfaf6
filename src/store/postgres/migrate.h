#pragma once

#include "allot/base/result.h"
#include "store/postgres/session.h"

namespace allot::store {

/// The number of the schema this binary was built with.
int SchemaOfThisBinary();
/// database_newer or database_older unless the database has exactly that schema.
/// Throws pqxx's exceptions.
Status RequireSchemaOfThisBinary(Session& session);

}  // namespace allot::store
