#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "allot/model/request.h"
#include "scheduler/mask_rows.h"

namespace allot::scheduler {

/// The lowest level of a cluster's network: which leaf each of its nodes hangs from. Nodes are
/// positions within the cluster; a few hundred nanoseconds a call and 255 nodes.
class Leaves {
 public:
  static constexpr int kUnknown = -1;
  /// By node: the number of its leaf, from 0, or kUnknown.
  explicit Leaves(const std::vector<int>& by_node);

  /// Some are known.
  bool known() const { return !nodes_of_.empty(); }

  /// Whether one leaf has all of the shape free.
  bool OneHolds(const Shape& shape, const MaskRow& free) const;

  /// A part of a gang under one leaf.
  struct Share {
    /// Positions; those of unknown leaves together when it is the last resort.
    const std::vector<int>* nodes = nullptr;
    /// How many of them the gang takes.
    int count = 0;
    /// Whether its remainder comes to this leaf, too.
    bool remainder = false;
  };
  /// The fewest leaves that hold the shape. Of those that hold the rest alone the one whose nodes
  /// have the fewest GPUs left over afterwards, then the one with the fewest nodes to spare, so
  /// that the others stay whole; then the first. Requires: known(), and the shape fits `free`.
  std::vector<Share> Divide(const Shape& shape, const MaskRow& free) const;

 private:
  /// Of one leaf: nodes with exactly so many GPUs free; those with fewer than are asked for may be
  /// left out.
  using Histogram = std::array<int, kGpusPerNode + 1>;
  static Histogram Count(const std::vector<int>& nodes, const MaskRow& free, int least);

  std::vector<std::vector<int>> nodes_of_;
  std::vector<int> unknown_;
};

}  // namespace allot::scheduler
