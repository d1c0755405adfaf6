#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "allot/model/gpu.h"

namespace allot::scheduler {

/// Free GPUs of 64 nodes, one mask a node. A row is a cluster's nodes in lines; the nodes that fill
/// its last line up have no GPUs, so no kernel needs to know where the cluster ends.
struct alignas(64) MaskLine {
  std::array<GpuMask, 64> masks{};
};
using MaskRow = std::vector<MaskLine>;
/// A score a node, in the same lines.
using ScoreRow = std::vector<MaskLine>;
inline constexpr uint8_t kScoreNone = 255;

// Vector code in portable form: compiled for plain x86-64 and for AVX2, chosen at start. All of it
// is integer, so every machine gives the same plan.

/// out = a & b; returns how many nodes then have at least `gpus` free.
int AndCount(const MaskLine* a, const MaskLine* b, MaskLine* out, std::size_t lines, int gpus);
/// out = all of `rows`, one or more. Reads each line once and keeps nothing in between.
void AndAll(const std::vector<const MaskLine*>& rows, MaskLine* out, std::size_t lines);
/// How many nodes have at least `gpus` free.
int CountAtLeast(const MaskLine* row, std::size_t lines, int gpus);
/// For every node with at least `gpus` free in `free`: the rank of that number × 17 + GPUs free in
/// `before` + GPUs free in `after`; kScoreNone for the others. `ranks`: by GPUs free, at most 7.
/// Lower is a better fit.
void ScoreFit(const MaskLine* free, const MaskLine* before, const MaskLine* after, MaskLine* scores,
              std::size_t lines, int gpus, const std::array<uint8_t, kGpusPerNode + 1>& ranks);
/// The lowest score that is at least `floor`; kScoreNone when there is none.
uint8_t LowestScore(const MaskLine* scores, std::size_t lines, uint8_t floor);

}  // namespace allot::scheduler
