#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "allot/base/result.h"
#include "allot/model/event.h"

namespace allot::store {

/// What one check found in a database.
struct Finding {
  /// Its stable name: "gpu_booked_once".
  std::string check;
  /// What must hold, in a sentence.
  std::string rule;
  /// How many rows break it.
  int64_t violations = 0;
  /// What is wrong with the first of them, one sentence each, in the order of their names.
  std::vector<std::string> examples;
};

struct Verification {
  /// Of all checks, in the order they are made.
  std::vector<Finding> findings;
  Revision revision = 0;
  /// Number and hash (hexadecimal) of the newest audit entry.
  int64_t audit_number = 0;
  std::string audit_hash;

  bool clean() const;
  /// Of one check; 0 when there is no such check.
  int64_t ViolationsOf(std::string_view check) const;
};

/// Looks at the tables of one moment whether every invariant holds that can be seen in them
/// (docs/invariants.md), without trusting the constraints and indexes that guard it. Reads all of
/// them: seconds for a million rows. Needs a role that sees every row, the owner's; changes
/// nothing. store_unavailable, database_newer or database_older when it cannot be looked at.
Result<Verification> Verify(const std::string& url);

}  // namespace allot::store
