#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "allot/base/result.h"
#include "allot/model/policy.h"
#include "allot/scheduler/plan.h"
#include "allot/scheduler/snapshot.h"

namespace allot::replay {

/// A folder of recordings of passes that the checker refused, REVISION.json each. What was refused
/// once is mostly refused again with every pass: of those in a row the first is recorded, the
/// second, the fourth, the eighth and so on, and of all recordings the oldest and the newest stay.
/// Not thread safe.
class RefusedPasses {
 public:
  static constexpr std::size_t kOldestKept = 8;
  static constexpr std::size_t kNewestKept = 8;

  /// The folder is made when it is needed. Empty: nothing is recorded.
  explicit RefusedPasses(std::string folder) : folder_(std::move(folder)) {}

  /// The file that it was recorded in, if it was; store_unavailable when it could not be.
  Result<std::optional<std::string>> Keep(const scheduler::Snapshot& snapshot, const Policy& policy,
                                          const scheduler::Plan& plan);
  /// A pass was not refused.
  void EndRow() { in_a_row_ = 0; }
  int64_t in_a_row() const { return in_a_row_; }

 private:
  const std::string folder_;
  int64_t in_a_row_ = 0;
};

}  // namespace allot::replay
