#include "scheduler/cluster_calendar.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "allot/base/check.h"

namespace allot::scheduler {
namespace {

constexpr int kSlotsPerBlock = 16;
constexpr GpuMask kAllGpus = 0xff;
// Scores and counts are kept in bytes and 16-bit words.
constexpr int kNodesPerClusterMax = 16'384;

struct alignas(16) CountRow {
  std::array<uint16_t, kGpusPerNode> at_least{};
};
constexpr std::array<CountRow, 256> MakeCountRows() {
  std::array<CountRow, 256> rows{};
  for (std::size_t mask = 0; mask < rows.size(); ++mask) {
    for (int g = 0; g < std::popcount(mask); ++g)
      rows[mask].at_least[static_cast<std::size_t>(g)] = 1;
  }
  return rows;
}
constexpr std::array<CountRow, 256> kCountRows = MakeCountRows();

GpuMask& MaskAt(MaskLine* row, int node) {
  return row[node / 64].masks[static_cast<std::size_t>(node % 64)];
}
GpuMask MaskAt(const MaskLine* row, int node) {
  return row[node / 64].masks[static_cast<std::size_t>(node % 64)];
}

// `count` GPUs of `free`: first those that are taken before and after the window, then those taken
// on one side, so that the GPUs of a node come free together; then the lowest.
GpuMask ChooseGpus(GpuMask free, GpuMask before, GpuMask after, int count) {
  const auto both_taken = static_cast<GpuMask>(free & ~before & ~after);
  const auto one_taken = static_cast<GpuMask>(free & (before ^ after));
  const auto none_taken = static_cast<GpuMask>(free & before & after);
  GpuMask chosen = 0;
  for (unsigned candidates : {both_taken, one_taken, none_taken}) {
    for (; candidates != 0 && count > 0; candidates &= candidates - 1, --count) {
      chosen = static_cast<GpuMask>(chosen | (candidates & (0U - candidates)));
    }
  }
  ALLOT_CHECK(count == 0);
  return chosen;
}

}  // namespace

ClusterCalendar::Counts ClusterCalendar::CountsOf(GpuMask mask) {
  Counts counts;
  std::memcpy(&counts, &kCountRows[mask], sizeof(counts));
  return counts;
}

bool ClusterCalendar::MayFit(const Counts& counts, const Shape& shape) {
  if (counts[shape.gpus_per_node - 1] < shape.nodes) return false;
  return shape.remainder_gpus == 0 || counts[shape.remainder_gpus - 1] > shape.nodes;
}

ClusterCalendar::ClusterCalendar(const TimeGrid& grid, const std::vector<int>& leaves,
                                 std::vector<Hold> holds, const NodeRanks& ranks)
    : grid_(grid), leaves_(leaves), ranks_(ranks), lines_((leaves.size() + 63) / 64) {
  const int nodes = static_cast<int>(leaves.size());
  ALLOT_CHECK(nodes <= kNodesPerClusterMax);
  const int slots = grid.slots();
  slots_.lines.resize(static_cast<std::size_t>(slots) * lines_);
  slots_.counts.resize(static_cast<std::size_t>(slots));
  outside_.resize(lines_);
  for (int node = 0; node < nodes; ++node) MaskAt(outside_.data(), node) = kAllGpus;
  Counts counts = Counts{} + static_cast<uint16_t>(nodes);

  // Almost all holds run from now on, so rows are made from the last slot to the first: each is the
  // row after it less what ends in it. The few holds that begin later are booked afterwards.
  const auto begins_now = [](const Hold& hold) { return hold.first_slot == 0; };
  const auto later = std::partition(holds.begin(), holds.end(), begins_now);
  std::sort(holds.begin(), later,
            [](const Hold& a, const Hold& b) { return a.last_slot > b.last_slot; });
  MaskRow row = outside_;
  auto hold = holds.begin();
  for (int slot = slots - 1; slot >= 0; --slot) {
    for (; hold != later && hold->last_slot == slot; ++hold) {
      Release(row.data(), counts, hold->node, hold->gpus);
    }
    std::copy(row.begin(), row.end(), Row(slots_, slot));
    slots_.counts[static_cast<std::size_t>(slot)] = counts;
  }
  FillBlocks();
  for (; hold != holds.end(); ++hold) {
    Book({{hold->node, hold->gpus}}, hold->first_slot, hold->last_slot);
  }
}

void ClusterCalendar::FillBlocks() {
  const int slots = grid_.slots();
  const int blocks = (slots + kSlotsPerBlock - 1) / kSlotsPerBlock;
  blocks_.lines.resize(static_cast<std::size_t>(blocks) * lines_);
  blocks_.counts.resize(static_cast<std::size_t>(blocks));
  for (int block = 0; block < blocks; ++block) {
    MaskLine* row = Row(blocks_, block);
    std::copy(outside_.begin(), outside_.end(), row);
    const int end = std::min((block + 1) * kSlotsPerBlock, slots);
    for (int slot = block * kSlotsPerBlock; slot < end; ++slot) {
      AndCount(row, Row(slots_, slot), row, lines_, kGpusPerNode);
    }
    for (int g = 1; g <= kGpusPerNode; ++g) {
      blocks_.counts[static_cast<std::size_t>(block)][g - 1] =
          static_cast<uint16_t>(CountAtLeast(row, lines_, g));
    }
  }
}

void ClusterCalendar::Release(MaskLine* row, Counts& counts, int node, GpuMask gpus) const {
  const GpuMask old = MaskAt(row, node);
  const auto left = static_cast<GpuMask>(old & ~gpus);
  MaskAt(row, node) = left;
  counts += CountsOf(left) - CountsOf(old);
}

void ClusterCalendar::Take(Level& level, const std::vector<std::pair<int, GpuMask>>& nodes,
                           int first_row, int last_row) {
  for (int row = first_row; row <= last_row; ++row) {
    MaskLine* masks = Row(level, row);
    Counts counts = level.counts[static_cast<std::size_t>(row)];
    for (const auto& [node, gpus] : nodes) {
      if (gpus == kAllGpus && MaskAt(masks, node) == kAllGpus) {
        MaskAt(masks, node) = 0;
        counts -= 1;
      } else {
        Release(masks, counts, node, gpus);
      }
    }
    level.counts[static_cast<std::size_t>(row)] = counts;
  }
}

void ClusterCalendar::Book(const std::vector<std::pair<int, GpuMask>>& nodes, int first_slot,
                           int last_slot) {
  Take(slots_, nodes, first_slot, last_slot);
  Take(blocks_, nodes, first_slot / kSlotsPerBlock, last_slot / kSlotsPerBlock);
}

void ClusterCalendar::Unbook(const std::vector<std::pair<int, GpuMask>>& nodes, int first_slot,
                             int last_slot) {
  const auto set = [&](Level& level, int row, int node, GpuMask to) {
    GpuMask& mask = MaskAt(Row(level, row), node);
    level.counts[static_cast<std::size_t>(row)] += CountsOf(to) - CountsOf(mask);
    mask = to;
  };
  for (int slot = first_slot; slot <= last_slot; ++slot) {
    for (const auto& [node, gpus] : nodes) {
      set(slots_, slot, node, static_cast<GpuMask>(MaskAt(Row(slots_, slot), node) | gpus));
    }
  }
  for (int block = first_slot / kSlotsPerBlock; block <= last_slot / kSlotsPerBlock; ++block) {
    const int end = std::min((block + 1) * kSlotsPerBlock, grid_.slots());
    for (const auto& [node, gpus] : nodes) {
      GpuMask free = kAllGpus;
      for (int slot = block * kSlotsPerBlock; slot < end; ++slot) {
        free = static_cast<GpuMask>(free & MaskAt(Row(slots_, slot), node));
      }
      set(blocks_, block, node, free);
    }
  }
}

bool ClusterCalendar::IsFree(const std::vector<std::pair<int, GpuMask>>& nodes, int first_slot,
                             int last_slot) const {
  for (int slot = first_slot; slot <= last_slot; ++slot) {
    const MaskLine* row = Row(slots_, slot);
    for (const auto& [node, gpus] : nodes) {
      if ((gpus & ~MaskAt(row, node)) != 0) return false;
    }
  }
  return true;
}

// Windows that start later never end earlier. So when what is free from `slot` to the end of the
// window is too little, every start up to `slot` fails too, and the search goes on behind it: it
// never looks at a start twice.
int ClusterCalendar::EarliestStart(const Shape& shape, Spread spread, const Span& span, int from,
                                   int last, SearchRows& rows) const {
  int slot = from;
  while (slot <= last) {
    const int window_last = grid_.LastSlot(slot, span);
    int obstacle = ObstacleByCounts(shape, slot, window_last);
    if (obstacle < slot) {
      // Mostly it fits: what does not is looked at again, for where.
      if (Fits(shape, spread, slot, window_last, rows)) return slot;
      obstacle = ObstacleByRows(shape, spread, slot, window_last, rows);
    }
    slot = obstacle + 1;
  }
  return last + 1;
}

// A slot in [first, last] up to which no window can start, judged by counts alone; first - 1 when
// they refuse nothing.
int ClusterCalendar::ObstacleByCounts(const Shape& shape, int first, int last) const {
  for (int slot = last; slot >= first;) {
    const int block = slot / kSlotsPerBlock;
    const bool whole =
        slot % kSlotsPerBlock == kSlotsPerBlock - 1 && slot - (kSlotsPerBlock - 1) >= first;
    if (whole) {
      slot = block * kSlotsPerBlock;
      if (!MayFit(blocks_.counts[static_cast<std::size_t>(block)], shape)) return slot;
    } else if (!MayFit(slots_.counts[static_cast<std::size_t>(slot)], shape)) {
      return slot;
    }
    --slot;
  }
  return first - 1;
}

// Exactly, by the nodes themselves. Then rows.free holds what is free over the window.
bool ClusterCalendar::Fits(const Shape& shape, Spread spread, int first, int last,
                           SearchRows& rows) const {
  rows.of_window.clear();
  for (int slot = first; slot <= last;) {
    const bool whole = slot % kSlotsPerBlock == 0 && slot + (kSlotsPerBlock - 1) <= last;
    rows.of_window.push_back(whole ? Row(blocks_, slot / kSlotsPerBlock) : Row(slots_, slot));
    slot += whole ? kSlotsPerBlock : 1;
  }
  AndAll(rows.of_window, rows.free.data(), lines_);
  if (CountAtLeast(rows.free.data(), lines_, shape.gpus_per_node) < shape.nodes) return false;
  if (shape.remainder_gpus > 0 &&
      CountAtLeast(rows.free.data(), lines_, shape.remainder_gpus) <= shape.nodes) {
    return false;
  }
  return spread == Spread::kAnyNodes || leaves_.OneHolds(shape, rows.free);
}

// The highest slot in [first, last] up to which no window can start. Requires: it does not fit.
int ClusterCalendar::ObstacleByRows(const Shape& shape, Spread spread, int first, int last,
                                    SearchRows& rows) const {
  std::copy(outside_.begin(), outside_.end(), rows.free.begin());
  const auto narrow = [&](const MaskLine* row) {
    const int count =
        AndCount(rows.free.data(), row, rows.other.data(), lines_, shape.gpus_per_node);
    if (count < shape.nodes) return false;
    if (shape.remainder_gpus > 0 &&
        CountAtLeast(rows.other.data(), lines_, shape.remainder_gpus) <= shape.nodes) {
      return false;
    }
    if (spread == Spread::kOneLeaf && !leaves_.OneHolds(shape, rows.other)) return false;
    rows.free.swap(rows.other);
    return true;
  };
  for (int slot = last; slot >= first;) {
    const bool whole =
        slot % kSlotsPerBlock == kSlotsPerBlock - 1 && slot - (kSlotsPerBlock - 1) >= first;
    if (whole && narrow(Row(blocks_, slot / kSlotsPerBlock))) {
      slot -= kSlotsPerBlock;
      continue;
    }
    // Not a whole block, or one that holds the obstacle: find the slot.
    const int stop = whole ? slot - (kSlotsPerBlock - 1) : slot;
    for (; slot >= stop; --slot) {
      if (!narrow(Row(slots_, slot))) return slot;
    }
    ALLOT_CHECK(!whole);
  }
  return first - 1;
}

std::vector<std::pair<int, GpuMask>> ClusterCalendar::ChooseNodes(const Shape& shape,
                                                                  int first_slot, int last_slot,
                                                                  SearchRows& rows) const {
  const MaskLine* before = first_slot > 0 ? Row(slots_, first_slot - 1) : outside_.data();
  const MaskLine* after =
      last_slot + 1 < grid_.slots() ? Row(slots_, last_slot + 1) : outside_.data();
  std::vector<std::pair<int, GpuMask>> chosen;
  chosen.reserve(static_cast<std::size_t>(shape.node_count()));

  const auto take = [&](int node, int gpus) {
    chosen.emplace_back(node, ChooseGpus(MaskAt(rows.free.data(), node), MaskAt(before, node),
                                         MaskAt(after, node), gpus));
    MaskAt(rows.free.data(), node) = 0;
  };
  const auto choose_among = [&](const std::vector<int>& nodes, int count, int gpus,
                                const NodeRanks::Ranks& ranks) {
    if (count == 0) return;
    ScoreFit(rows.free.data(), before, after, rows.other.data(), lines_, gpus, ranks);
    std::vector<std::pair<uint8_t, int>> by_score;
    by_score.reserve(nodes.size());
    for (const int node : nodes) by_score.emplace_back(MaskAt(rows.other.data(), node), node);
    const auto end = by_score.begin() + count;
    std::partial_sort(by_score.begin(), end, by_score.end());
    ALLOT_CHECK(std::prev(end)->first != kScoreNone);
    for (auto node = by_score.begin(); node != end; ++node) take(node->second, gpus);
  };
  const auto choose = [&](int count, int gpus, const NodeRanks::Ranks& ranks) {
    ScoreFit(rows.free.data(), before, after, rows.other.data(), lines_, gpus, ranks);
    const uint8_t* scores = rows.other.front().masks.data();
    const std::size_t bytes = lines_ * sizeof(MaskLine);
    for (uint8_t score = 0; count > 0; ++score) {
      score = LowestScore(rows.other.data(), lines_, score);
      ALLOT_CHECK(score != kScoreNone);
      const uint8_t* at = scores;
      while (count > 0) {
        const auto* hit = static_cast<const uint8_t*>(
            std::memchr(at, score, static_cast<std::size_t>(scores + bytes - at)));
        if (hit == nullptr) break;
        take(static_cast<int>(hit - scores), gpus);
        at = hit + 1;
        --count;
      }
    }
  };
  // The remainder first, on a node that has too few GPUs free for the others, wherever there is
  // such a node; otherwise there is one more of those than needed.
  const NodeRanks::Ranks& whole = ranks_.For(shape.gpus_per_node);
  NodeRanks::Ranks remainder{};
  if (shape.remainder_gpus > 0) {
    remainder = ranks_.ForRemainder(shape.remainder_gpus, shape.gpus_per_node);
  }
  if (leaves_.known() && shape.node_count() > 1) {
    for (const Leaves::Share& share : leaves_.Divide(shape, rows.free)) {
      choose_among(*share.nodes, share.remainder ? 1 : 0, shape.remainder_gpus, remainder);
      choose_among(*share.nodes, share.count, shape.gpus_per_node, whole);
    }
  } else {
    if (shape.remainder_gpus > 0) choose(1, shape.remainder_gpus, remainder);
    choose(shape.nodes, shape.gpus_per_node, whole);
  }
  std::sort(chosen.begin(), chosen.end());
  return chosen;
}

}  // namespace allot::scheduler
