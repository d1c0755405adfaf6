#include "scheduler/leaves.h"

#include <algorithm>
#include <array>
#include <bit>
#include <numeric>
#include <tuple>

#include "allot/base/check.h"

namespace allot::scheduler {
namespace {

// Plain x86-64 has no instruction for it, and a call would cost more than a look-up.
constexpr std::array<uint8_t, 256> kGpusInMask = [] {
  std::array<uint8_t, 256> counts{};
  for (unsigned mask = 0; mask < counts.size(); ++mask) {
    counts[mask] = static_cast<uint8_t>(std::popcount(mask));
  }
  return counts;
}();

/// The fewest GPUs that it takes on any node.
int LeastOf(const Shape& shape) {
  return shape.remainder_gpus > 0 ? shape.remainder_gpus : shape.gpus_per_node;
}

template <class Histogram>
int AtLeast(const Histogram& histogram, int gpus) {
  return std::accumulate(histogram.begin() + gpus, histogram.end(), 0);
}

/// Whole nodes and the remainder, of a gang or of what is left of it.
struct Rest {
  int nodes = 0;
  int gpus_per_node = 0;
  /// 0 when there is none, or it has a place already.
  int remainder_gpus = 0;
};

template <class Histogram>
bool Holds(const Histogram& histogram, const Rest& rest) {
  if (AtLeast(histogram, rest.gpus_per_node) < rest.nodes) return false;
  return rest.remainder_gpus == 0 || AtLeast(histogram, rest.remainder_gpus) > rest.nodes;
}

/// GPUs that stay free on the tightest nodes, once they are taken.
template <class Histogram>
int LeftOver(const Histogram& histogram, int nodes, int gpus_per_node) {
  int left_over = 0;
  for (int free = gpus_per_node; nodes > 0; ++free) {
    const int taken = std::min(nodes, histogram[static_cast<std::size_t>(free)]);
    left_over += taken * (free - gpus_per_node);
    nodes -= taken;
  }
  return left_over;
}

}  // namespace

Leaves::Leaves(const std::vector<int>& by_node) {
  for (int node = 0; node < static_cast<int>(by_node.size()); ++node) {
    const int leaf = by_node[static_cast<std::size_t>(node)];
    if (leaf == kUnknown) {
      unknown_.push_back(node);
      continue;
    }
    const auto at = static_cast<std::size_t>(leaf);
    if (at >= nodes_of_.size()) nodes_of_.resize(at + 1);
    nodes_of_[at].push_back(node);
  }
}

Leaves::Histogram Leaves::Count(const std::vector<int>& nodes, const MaskRow& free, int least) {
  const uint8_t* const masks = free.front().masks.data();
  Histogram histogram{};
  if (least == kGpusPerNode) {
    // Gangs of whole nodes, which most are: no counter waits for the one before.
    int whole = 0;
    for (const int node : nodes) whole += masks[node] == 0xff ? 1 : 0;
    histogram[kGpusPerNode] = whole;
    return histogram;
  }
  for (const int node : nodes) ++histogram[kGpusInMask[masks[node]]];
  return histogram;
}

bool Leaves::OneHolds(const Shape& shape, const MaskRow& free) const {
  const Rest all{shape.nodes, shape.gpus_per_node, shape.remainder_gpus};
  return std::any_of(nodes_of_.begin(), nodes_of_.end(), [&](const std::vector<int>& nodes) {
    return Holds(Count(nodes, free, LeastOf(shape)), all);
  });
}

std::vector<Leaves::Share> Leaves::Divide(const Shape& shape, const MaskRow& free) const {
  std::vector<Histogram> leaves;
  leaves.reserve(nodes_of_.size());
  const int least = LeastOf(shape);
  for (const std::vector<int>& nodes : nodes_of_) leaves.push_back(Count(nodes, free, least));
  const Histogram unknown = Count(unknown_, free, least);

  std::vector<Share> shares;
  Rest rest{shape.nodes, shape.gpus_per_node, shape.remainder_gpus};
  while (rest.nodes > 0 || rest.remainder_gpus > 0) {
    std::size_t best = leaves.size();
    std::tuple<int, int> best_fit;
    for (std::size_t leaf = 0; leaf < leaves.size(); ++leaf) {
      if (!Holds(leaves[leaf], rest)) continue;
      const std::tuple fit(LeftOver(leaves[leaf], rest.nodes, rest.gpus_per_node),
                           AtLeast(leaves[leaf], rest.gpus_per_node));
      if (best < leaves.size() && best_fit <= fit) continue;
      best = leaf;
      best_fit = fit;
    }
    if (best < leaves.size()) {
      shares.push_back({&nodes_of_[best], rest.nodes, rest.remainder_gpus > 0});
      return shares;
    }
    // None holds the rest: the one with most of it goes first, so that the fewest are needed.
    const auto most =
        std::max_element(leaves.begin(), leaves.end(), [&](const Histogram& a, const Histogram& b) {
          return AtLeast(a, rest.gpus_per_node) < AtLeast(b, rest.gpus_per_node);
        });
    // No leaf has a whole part of it: what is left hangs from leaves that are not known.
    const int most_held = AtLeast(*most, rest.gpus_per_node);
    const bool is_known = most_held > 0;
    const int count = is_known ? std::min(rest.nodes, most_held) : rest.nodes;
    const int with_remainder =
        rest.remainder_gpus == 0 ? 0 : AtLeast(is_known ? *most : unknown, rest.remainder_gpus);
    const bool remainder = with_remainder > count;
    ALLOT_CHECK(count > 0 || remainder);
    shares.push_back(
        {is_known ? &nodes_of_[static_cast<std::size_t>(most - leaves.begin())] : &unknown_, count,
         remainder});
    rest.nodes -= count;
    if (remainder) rest.remainder_gpus = 0;
    if (is_known) *most = {};
  }
  return shares;
}

}  // namespace allot::scheduler
