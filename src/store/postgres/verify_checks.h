#pragma once

#include <span>
#include <string>

namespace allot::store {

/// One invariant that can be seen in the tables.
struct Check {
  const char* name;
  const char* rule;
  /// One row with one text for each violation: a sentence that names what is wrong.
  std::string sql;
  /// `sql` gives queries instead, each of which gives such rows: for what is read off the schema.
  bool gives_queries = false;
};

/// All of them, in the order in which they are made. See docs/invariants.md.
std::span<const Check> Checks();

}  // namespace allot::store
