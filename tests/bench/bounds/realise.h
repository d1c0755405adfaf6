#pragma once

#include <array>
#include <optional>
#include <vector>

#include "allot/model/gpu.h"
#include "allot/model/request.h"

namespace allot::bounds {

/// One node: until which slot each of its GPUs is held; 0 for those that are free.
struct NodeHolds {
  int pool = 0;
  std::array<int, kGpusPerNode> until{};
};

/// A job with its pool and its slots, [start, end).
struct Timed {
  Shape shape;
  int pool = 0;
  int start = 0;
  int end = 0;
};

struct NodeGpus {
  /// Position among the nodes.
  int node = 0;
  GpuMask gpus = 0;
};

/// GPUs for every job, the same ones for all of its slots: by job; or nothing, when none were found
/// in `steps_max` steps of a search that tries all choices that differ.
std::optional<std::vector<std::vector<NodeGpus>>> Realise(const std::vector<NodeHolds>& nodes,
                                                          const std::vector<Timed>& jobs,
                                                          int steps_max);

}  // namespace allot::bounds
