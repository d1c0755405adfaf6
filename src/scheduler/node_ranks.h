#pragma once

#include <array>
#include <cstdint>

#include "allot/scheduler/snapshot.h"

namespace allot::scheduler {

/// How many GPUs are asked for in parts of so many on a node.
using Demand = std::array<int64_t, kGpusPerNode + 1>;
/// Of what waits and accepts the model.
Demand DemandFor(const Snapshot& snapshot, GpuModel model);

/// Which nodes go first by what taking GPUs of them would break. Of a node with f GPUs free, f mod
/// k cannot be used in parts of k; over the demand that gives the GPUs which are expected to be of
/// no use, and a placement goes where it adds the least to them (the gradient of fragmentation,
/// Weng et al., USENIX ATC 2023, for GPUs that are not divided), where that is equal on the node
/// with the fewest free. Without demand: simply there.
class NodeRanks {
 public:
  explicit NodeRanks(const Demand& demand);

  using Ranks = std::array<uint8_t, kGpusPerNode + 1>;
  /// By GPUs free: the place among all numbers of free GPUs that are enough for `gpus`, from 0.
  const Ranks& For(int gpus) const { return ranks_[static_cast<std::size_t>(gpus)]; }
  /// The same for what a gang with `whole` GPUs on each of its other nodes has on one more: those
  /// that are of no use to the others go before all that are.
  Ranks ForRemainder(int gpus, int whole) const;

 private:
  std::array<Ranks, kGpusPerNode + 1> ranks_{};
};

std::array<NodeRanks, kGpuModelCount> RanksByModel(const Snapshot& snapshot);

}  // namespace allot::scheduler
