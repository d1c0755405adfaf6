#pragma once

#include <cstdint>
#include <vector>

#include "allot/scheduler/snapshot.h"

namespace allot::sim {

/// What each project should hold at an instant: weighted max-min of the pool among those that want
/// something, by the weights the scheduler uses (quota × merit), nobody more than it wants.
class Entitlement {
 public:
  explicit Entitlement(const scheduler::Snapshot& pool);

  void Want(int project, int gpus) { At(wanted_, project) += gpus; }
  void Hold(int project, int gpus) { At(held_, project) += gpus; }
  /// Ends both the wish and the holding.
  void Release(int project, int gpus) {
    At(wanted_, project) -= gpus;
    At(held_, project) -= gpus;
  }
  int64_t Held(std::size_t project) const { return held_[project]; }
  int64_t HeldInAll() const;

  /// GPUs by project, rounded down; the sum is the pool's GPUs or all that is wanted.
  std::vector<int64_t> Shares() const;

 private:
  static int64_t& At(std::vector<int64_t>& values, int position) {
    return values[static_cast<std::size_t>(position)];
  }

  int64_t capacity_ = 0;
  std::vector<int64_t> weights_;
  std::vector<int64_t> wanted_;
  std::vector<int64_t> held_;
};

}  // namespace allot::sim
