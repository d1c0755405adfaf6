#pragma once

#include <cstddef>
#include <vector>

#include "allot/base/time.h"
#include "allot/model/request.h"

namespace allot::scheduler {

/// What one pass learned about the earliest starts in each cluster. Availability only shrinks
/// within a pass, so a start found for a shape bounds that shape, and every shape that asks for as
/// much or more in GPUs a node, nodes and duration, for the rest of the pass. Whoever asks looks at
/// all clusters: what is known of them for one ask lies side by side.
class StartBounds {
 public:
  /// `asks`: how many different (shape, duration) the pass has; they and the clusters are numbered
  /// from 0.
  StartBounds(std::size_t asks, std::size_t clusters)
      : clusters_(clusters),
        exact_(asks * clusters, 0),
        table_(kGpusPerNode * kNodeClasses * kDurationClasses * clusters, 0) {}

  static constexpr int kUnnumbered = -1;

  /// A (shape, duration) with its places in the table: worked out once, used for every cluster.
  struct Ask {
    /// kUnnumbered for one that nobody else asks: then nothing is kept for it alone.
    int number = kUnnumbered;
    int gpus = 0;
    /// 0 without a remainder.
    int remainder_gpus = 0;
    /// Classes of the whole nodes, and of all nodes, rounded down for reading …
    std::size_t nodes_below = 0;
    std::size_t all_nodes_below = 0;
    /// … and up for writing.
    std::size_t all_nodes_above = 0;
    /// kDurationClasses for a duration too short to read a class for, or too long to write one.
    std::size_t duration_below = 0;
    std::size_t duration_above = 0;
  };
  static Ask MakeAsk(int number, const Shape& shape, Seconds duration);

  /// No start before this slot exists there.
  int Get(const Ask& ask, std::size_t cluster) const;
  /// No start before `slot` exists there for this ask, whoever asks.
  void Raise(const Ask& ask, std::size_t cluster, int slot);
  /// Something came free there: nothing is known any more.
  void Clear(std::size_t cluster);

 private:
  // Nodes and durations in classes; a cluster's table is monotone along each axis.
  static constexpr std::size_t kNodeClasses = 20;
  static constexpr std::size_t kDurationClasses = 32;

  static std::size_t Place(std::size_t gpus, std::size_t nodes, std::size_t duration) {
    return ((gpus - 1) * kNodeClasses + nodes) * kDurationClasses + duration;
  }

  std::size_t clusters_;
  // By ask, then cluster.
  std::vector<int> exact_;
  // By place, then cluster.
  std::vector<int> table_;
};

}  // namespace allot::scheduler
