#pragma once

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

#include "allot/model/request.h"
#include "allot/scheduler/plan.h"
#include "scheduler/leaves.h"
#include "scheduler/mask_rows.h"
#include "scheduler/node_ranks.h"
#include "scheduler/time_grid.h"

namespace allot::scheduler {

/// GPUs of one node taken over slots, both included.
struct Hold {
  int node = 0;
  GpuMask gpus = 0;
  int first_slot = 0;
  int last_slot = 0;
};

/// Where in its cluster a gang may lie.
enum class Spread : uint8_t { kAnyNodes, kOneLeaf };

/// Working memory of searches; belongs to one pass and is reused.
struct SearchRows {
  /// After a search that found a start: GPUs free over its whole window, by node.
  MaskRow free;
  MaskRow other;
  /// Of the window at hand, whole blocks as one.
  std::vector<const MaskLine*> of_window;

  void Resize(std::size_t lines) {
    free.resize(lines);
    other.resize(lines);
  }
};

/// One cluster's free GPUs over all slots. Nodes are positions within the cluster. Whatever is
/// booked is rounded outward to whole slots, so two bookings never meet in reality either.
class ClusterCalendar {
 public:
  /// All nodes free but for `holds`. A node that takes no new work is held in every slot. `leaves`:
  /// by node, as Leaves takes it. `ranks`: which nodes go first.
  ClusterCalendar(const TimeGrid& grid, const std::vector<int>& leaves, std::vector<Hold> holds,
                  const NodeRanks& ranks);

  std::size_t lines() const { return lines_; }

  /// The first slot in [from, last] in which a window of the shape can start on the same GPUs to
  /// its end; last + 1 when there is none. Then rows.free holds what is free over that window.
  int EarliestStart(const Shape& shape, Spread spread, const Span& span, int from, int last,
                    SearchRows& rows) const;

  /// Nodes and GPUs for a shape that fits `rows.free`: a gang under the fewest leaves (see Leaves);
  /// then by what it breaks (NodeRanks), then by fit in time, then by position. Sorted by node.
  /// Scores are written to `rows.other`.
  std::vector<std::pair<int, GpuMask>> ChooseNodes(const Shape& shape, int first_slot,
                                                   int last_slot, SearchRows& rows) const;

  void Book(const std::vector<std::pair<int, GpuMask>>& nodes, int first_slot, int last_slot);
  /// Takes back what was booked like that.
  void Unbook(const std::vector<std::pair<int, GpuMask>>& nodes, int first_slot, int last_slot);
  /// Whether all of it is free in all of these slots.
  bool IsFree(const std::vector<std::pair<int, GpuMask>>& nodes, int first_slot,
              int last_slot) const;

 private:
  // For g = 1..8 at [g - 1]: how many nodes have at least g GPUs free.
  using Counts = uint16_t __attribute__((vector_size(16)));

  // Rows with their counts: one a slot, and one a block of slots with what is free in all of them.
  struct Level {
    MaskRow lines;
    std::vector<Counts> counts;
  };

  const MaskLine* Row(const Level& level, int row) const {
    return level.lines.data() + static_cast<std::size_t>(row) * lines_;
  }
  MaskLine* Row(Level& level, int row) {
    return level.lines.data() + static_cast<std::size_t>(row) * lines_;
  }
  static Counts CountsOf(GpuMask mask);
  static bool MayFit(const Counts& counts, const Shape& shape);

  void Take(Level& level, const std::vector<std::pair<int, GpuMask>>& nodes, int first_row,
            int last_row);
  void Release(MaskLine* row, Counts& counts, int node, GpuMask gpus) const;
  void FillBlocks();
  int ObstacleByCounts(const Shape& shape, int first, int last) const;
  bool Fits(const Shape& shape, Spread spread, int first, int last, SearchRows& rows) const;
  int ObstacleByRows(const Shape& shape, Spread spread, int first, int last,
                     SearchRows& rows) const;

  const TimeGrid& grid_;
  Leaves leaves_;
  NodeRanks ranks_;
  std::size_t lines_ = 0;
  Level slots_;
  Level blocks_;
  // A side of the calendar beyond which nothing is known counts as all free.
  MaskRow outside_;
};

}  // namespace allot::scheduler
