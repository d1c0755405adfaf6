#pragma once

#include <span>
#include <string>
#include <string_view>

namespace allot::store {

/// Everything in the schema that refuses what must not be: triggers, constraints, unique indexes,
/// policies and row-level security, by their names ("trigger claims_paired of claims"), in the
/// order of their bytes. Written down here, as what was taken out of a database is not in its
/// catalogue; `store_tests` `Guards.AreThoseThatTheMigrationsMake` says what to change.
std::span<const std::string_view> Guards();

/// A query that gives those that a database has.
std::string GuardsThere();
/// A query that gives those that it lacks.
std::string GuardsGone();

}  // namespace allot::store
