#pragma once

#include "allot/base/result.h"
#include "store/postgres/session.h"

namespace allot::store {

/// The number of the schema this binary was built with.
int SchemaOfThisBinary();
/// database_older for an older one; database_newer for a newer one that this binary cannot serve on
/// any more.
/// Throws pqxx's exceptions.
Status RequireSchemaOfThisBinary(Session& session);

}  // namespace allot::store
