// The schema this binary was built with. migrations/*.sql are compiled in, so a binary can never be
// started against files of another version.
#pragma once

#include <span>
#include <string_view>

namespace allot::store {

struct EmbeddedMigration {
  int number;             // 1, 2, 3 …: the file's leading digits
  std::string_view name;  // the file's name without .sql, such as "0001_nodes"
  std::string_view sql;
};

/// In ascending order of number; numbers are unique (the build checks both).
std::span<const EmbeddedMigration> EmbeddedMigrations();

/// The oldest schema whose servers may go on after this migration. 0 of one that expands only, as
/// nearly all do: whoever knew the schema before goes on. One that takes something away says in its
/// first line since when nobody uses it: "-- Contract: servers from schema 25 on". See
/// docs/how-to-add-a-migration.md.
int OldestServed(const EmbeddedMigration& migration);

}  // namespace allot::store
