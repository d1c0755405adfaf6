#include "scheduler/cluster_calendar.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "allot/base/random.h"
#include "support/manual_clock.h"

namespace allot::scheduler {
namespace {

constexpr Instant kNow = testing::ManualClock::kStart + Minutes(7);

std::vector<int> NoLeaves(std::size_t nodes) { return std::vector<int>(nodes, Leaves::kUnknown); }

// What the calendar must equal, told as plainly as possible.
class PlainCalendar {
 public:
  PlainCalendar(const TimeGrid& grid, std::vector<int> leaves)
      : grid_(grid),
        leaves_(std::move(leaves)),
        free_(static_cast<std::size_t>(grid.slots()), std::vector<GpuMask>(leaves_.size(), 0xff)) {}

  void Take(int node, GpuMask gpus, int first, int last) {
    for (int slot = first; slot <= last; ++slot) {
      GpuMask& mask = free_[static_cast<std::size_t>(slot)][static_cast<std::size_t>(node)];
      mask = static_cast<GpuMask>(mask & ~gpus);
    }
  }
  std::vector<GpuMask> FreeOver(int first, int last) const {
    std::vector<GpuMask> free = free_[static_cast<std::size_t>(first)];
    for (int slot = first + 1; slot <= last; ++slot) {
      for (std::size_t node = 0; node < free.size(); ++node) {
        free[node] = static_cast<GpuMask>(free[node] & free_[static_cast<std::size_t>(slot)][node]);
      }
    }
    return free;
  }
  bool Fits(const Shape& shape, Spread spread, int first, int last) const {
    const std::vector<GpuMask> free = FreeOver(first, last);
    if (spread == Spread::kAnyNodes) return Holds(shape, free);
    for (int leaf = 0; leaf <= *std::max_element(leaves_.begin(), leaves_.end()); ++leaf) {
      std::vector<GpuMask> under_it;
      for (std::size_t node = 0; node < free.size(); ++node) {
        if (leaves_[node] == leaf) under_it.push_back(free[node]);
      }
      if (Holds(shape, under_it)) return true;
    }
    return false;
  }
  static bool Holds(const Shape& shape, const std::vector<GpuMask>& free) {
    int whole = 0;
    int remainder = 0;
    for (const GpuMask mask : free) {
      if (CountGpus(mask) >= shape.gpus_per_node) {
        ++whole;
      } else if (shape.remainder_gpus > 0 && CountGpus(mask) >= shape.remainder_gpus) {
        ++remainder;
      }
    }
    return whole >= shape.nodes && whole + remainder >= shape.node_count();
  }
  int EarliestStart(const Shape& shape, Spread spread, const Span& span, int from, int last) const {
    for (int slot = from; slot <= last; ++slot) {
      if (Fits(shape, spread, slot, grid_.LastSlot(slot, span))) return slot;
    }
    return last + 1;
  }

 private:
  const TimeGrid& grid_;
  std::vector<int> leaves_;
  std::vector<std::vector<GpuMask>> free_;
};

Shape RandomShape(SeededRandom& random, int nodes) {
  if (random.Below(4) == 0) return ShapeForGpus(static_cast<int>(random.Between(1, nodes * 6)));
  const int gpus = random.Below(2) == 0 ? 8 : static_cast<int>(random.Between(1, 7));
  return {static_cast<int>(random.Between(1, nodes)), gpus, 0};
}

TEST(ClusterCalendar, FindsTheStartThatLookingAtEverySlotFinds) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SeededRandom random(seed);
    const TimeGrid grid(kNow, Days(20));
    const int nodes = static_cast<int>(random.Between(1, seed % 5 == 0 ? 70 : 9));
    std::vector<int> leaves = NoLeaves(static_cast<std::size_t>(nodes));
    if (seed % 2 == 0) {
      for (int& leaf : leaves) leaf = static_cast<int>(random.Between(-1, 3));
    }
    PlainCalendar plain(grid, leaves);
    std::vector<Hold> holds;
    for (int i = 0; i < nodes * 3; ++i) {
      const int first = random.Below(3) == 0 ? static_cast<int>(random.Between(0, 300)) : 0;
      const int last = static_cast<int>(random.Between(first, grid.slots() - 1));
      holds.push_back({static_cast<int>(random.Between(0, nodes - 1)),
                       static_cast<GpuMask>(random.Below(256) & random.Below(256)), first, last});
      plain.Take(holds.back().node, holds.back().gpus, first, last);
    }
    Demand demand{};
    for (int64_t& asked : demand) asked = random.Below(3) == 0 ? random.Between(0, 100) : 0;
    ClusterCalendar calendar(grid, leaves, holds, NodeRanks(demand));
    SearchRows rows;
    rows.Resize(calendar.lines());

    for (int i = 0; i < 40; ++i) {
      const Shape shape = RandomShape(random, nodes);
      const Span span{Minutes(random.Between(1, 6'000)),
                      kNow + Minutes(random.Below(2) == 0 ? 0 : random.Between(0, 10'000))};
      const int from = grid.SlotOf(span.not_before);
      const int last = grid.last_start_slot();
      const Spread spread = random.Below(3) == 0 ? Spread::kOneLeaf : Spread::kAnyNodes;
      const int slot = calendar.EarliestStart(shape, spread, span, from, last, rows);
      ASSERT_EQ(slot, plain.EarliestStart(shape, spread, span, from, last)) << "seed " << seed;
      if (slot > last) continue;

      const int window_last = grid.LastSlot(slot, span);
      const std::vector<GpuMask> free = plain.FreeOver(slot, window_last);
      const auto chosen = calendar.ChooseNodes(shape, slot, window_last, rows);
      ASSERT_EQ(static_cast<int>(chosen.size()), shape.node_count());
      int gpus = 0;
      for (const auto& [node, mask] : chosen) {
        EXPECT_EQ(mask & ~free[static_cast<std::size_t>(node)], 0) << "seed " << seed;
        gpus += CountGpus(mask);
        plain.Take(node, mask, slot, window_last);
      }
      EXPECT_EQ(gpus, shape.gpus());
      if (spread == Spread::kOneLeaf && shape.node_count() > 1) {
        const int leaf = leaves[static_cast<std::size_t>(chosen.front().first)];
        for (const auto& [node, mask] : chosen) {
          EXPECT_EQ(leaves[static_cast<std::size_t>(node)], leaf) << "seed " << seed;
        }
      }
      calendar.Book(chosen, slot, window_last);
    }
  }
}

TEST(ClusterCalendar, PrefersTheNodeThatIsLeftWithTheFewestGpus) {
  const TimeGrid grid(kNow, Days(1));
  const int last = grid.slots() - 1;
  const ClusterCalendar calendar(grid, NoLeaves(3), {{0, 0x0f, 0, last}, {1, 0x3f, 0, last}},
                                 NodeRanks(Demand{}));
  SearchRows rows;
  rows.Resize(calendar.lines());
  ASSERT_EQ(calendar.EarliestStart({1, 2, 0}, Spread::kAnyNodes, {Hours(1), kNow}, 0, 10, rows), 0);
  const std::vector<std::pair<int, GpuMask>> tightest = {{1, 0xc0}};
  EXPECT_EQ(calendar.ChooseNodes({1, 2, 0}, 0, 3, rows), tightest);
}

TEST(ClusterCalendar, PrefersTheNodeWhereItBreaksTheLeastOfWhatOthersAskFor) {
  const TimeGrid grid(kNow, Days(1));
  const int last = grid.slots() - 1;
  // Two GPUs free on the first node, three on the second; others ask for pairs.
  Demand pairs{};
  pairs[2] = 100;
  const ClusterCalendar calendar(grid, NoLeaves(2), {{0, 0x3f, 0, last}, {1, 0x1f, 0, last}},
                                 NodeRanks(pairs));
  SearchRows rows;
  rows.Resize(calendar.lines());
  ASSERT_EQ(calendar.EarliestStart({1, 1, 0}, Spread::kAnyNodes, {Hours(1), kNow}, 0, 10, rows), 0);
  const std::vector<std::pair<int, GpuMask>> odd_one = {{1, 0x20}};
  EXPECT_EQ(calendar.ChooseNodes({1, 1, 0}, 0, 3, rows), odd_one);
}

TEST(ClusterCalendar, OfEqualNodesPrefersTheOneThatIsBusyNextToTheWindow) {
  const TimeGrid grid(kNow, Days(1));
  // Node 1 is busy before the window, node 2 before and after it.
  const ClusterCalendar calendar(grid, NoLeaves(3),
                                 {{1, 0xff, 0, 3}, {2, 0xff, 0, 3}, {2, 0xff, 8, grid.slots() - 1}},
                                 NodeRanks(Demand{}));
  SearchRows rows;
  rows.Resize(calendar.lines());
  const Span span{Hours(1), kNow};
  ASSERT_EQ(calendar.EarliestStart({1, 8, 0}, Spread::kAnyNodes, span, 4, 10, rows), 4);
  const std::vector<std::pair<int, GpuMask>> between = {{2, 0xff}};
  EXPECT_EQ(calendar.ChooseNodes({1, 8, 0}, 4, 7, rows), between);
}

TEST(ClusterCalendar, OfANodesGpusPrefersThoseThatAreTakenNextToTheWindow) {
  const TimeGrid grid(kNow, Days(1));
  // GPUs 4 to 7 are taken before the window, 7 after it too.
  const ClusterCalendar calendar(
      grid, NoLeaves(1), {{0, 0xf0, 0, 3}, {0, 0x80, 8, grid.slots() - 1}}, NodeRanks(Demand{}));
  SearchRows rows;
  rows.Resize(calendar.lines());
  ASSERT_EQ(calendar.EarliestStart({1, 2, 0}, Spread::kAnyNodes, {Hours(1), kNow}, 4, 10, rows), 4);
  const std::vector<std::pair<int, GpuMask>> aligned = {{0, 0x90}};
  EXPECT_EQ(calendar.ChooseNodes({1, 2, 0}, 4, 7, rows), aligned);
}

TEST(ClusterCalendar, TakesTheRemainderFromANodeThatIsOfNoUseToTheWholeOnes) {
  const TimeGrid grid(kNow, Days(1));
  const ClusterCalendar calendar(grid, NoLeaves(3), {{1, 0x07, 0, grid.slots() - 1}},
                                 NodeRanks(Demand{}));
  SearchRows rows;
  rows.Resize(calendar.lines());
  ASSERT_EQ(calendar.EarliestStart({2, 8, 3}, Spread::kAnyNodes, {Hours(1), kNow}, 0, 10, rows), 0);
  const std::vector<std::pair<int, GpuMask>> chosen = {{0, 0xff}, {1, 0x38}, {2, 0xff}};
  EXPECT_EQ(calendar.ChooseNodes({2, 8, 3}, 0, 3, rows), chosen);
}

}  // namespace
}  // namespace allot::scheduler
