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

}  // namespace allot::store
