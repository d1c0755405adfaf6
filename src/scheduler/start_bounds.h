#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "allot/base/time.h"
#include "allot/model/request.h"

namespace allot::scheduler {

/// What one pass learned about the earliest starts in one cluster. Availability only shrinks within
/// a pass, so a start found for a shape bounds that shape, and every shape that asks for as much or
/// more in GPUs a node, nodes and duration, for the rest of the pass.
class StartBounds {
 public:
  /// `asks`: how many different (shape, duration) the pass has; they are numbered from 0.
  explicit StartBounds(std::size_t asks) : exact_(asks, 0) {}

  /// No start before this slot exists.
  int Get(int ask, const Shape& shape, Seconds duration) const;
  /// No start before `slot` exists for this ask, whoever asks.
  void Raise(int ask, const Shape& shape, Seconds duration, int slot);

 private:
  // Nodes and durations in classes; the table is monotone along each axis.
  static constexpr std::size_t kNodeClasses = 20;
  static constexpr std::size_t kDurationClasses = 32;

  std::vector<int> exact_;
  std::array<std::array<std::array<int, kDurationClasses>, kNodeClasses>, kGpusPerNode> table_{};

  int Look(int gpus, int nodes, Seconds duration) const;
  void Record(int gpus, int nodes, Seconds duration, int slot);
};

}  // namespace allot::scheduler
