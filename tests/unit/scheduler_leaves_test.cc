#include "scheduler/leaves.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <numeric>
#include <string>

#include "allot/base/random.h"

namespace allot::scheduler {
namespace {

constexpr GpuMask kNone = 0;
constexpr GpuMask kHalf = 0x0f;
constexpr GpuMask kAll = 0xff;

MaskRow RowOf(const std::vector<GpuMask>& free) {
  MaskRow row((free.size() + 63) / 64);
  for (std::size_t i = 0; i < free.size(); ++i) row[i / 64].masks[i % 64] = free[i];
  return row;
}

// "0-2 x2, 5 x1 + rest": the nodes of each share and how many of them are taken.
std::string Tell(const std::vector<Leaves::Share>& shares) {
  std::string text;
  for (const Leaves::Share& share : shares) {
    if (!text.empty()) text += ", ";
    text += std::to_string(share.nodes->front()) + "-" + std::to_string(share.nodes->back()) +
            " x" + std::to_string(share.count) + (share.remainder ? " + rest" : "");
  }
  return text;
}

TEST(Leaves, NothingIsKnownWithoutNames) {
  EXPECT_FALSE(Leaves({-1, -1}).known());
  EXPECT_FALSE(Leaves(std::vector<int>()).known());
  EXPECT_TRUE(Leaves({-1, 0}).known());
}

TEST(Leaves, OneHoldsAGangOnlyWithAllOfIt) {
  const Leaves leaves({0, 0, 1, 1, -1, -1, -1});
  const MaskRow free = RowOf({kAll, kAll, kAll, kHalf, kAll, kAll, kAll});
  EXPECT_TRUE(leaves.OneHolds({2, 8, 0}, free));
  EXPECT_FALSE(leaves.OneHolds({3, 8, 0}, free)) << "those whose leaf is not known are not one";
  EXPECT_TRUE(leaves.OneHolds({1, 8, 4}, free));
  EXPECT_FALSE(leaves.OneHolds({2, 8, 4}, free));
}

TEST(Leaves, AGangGoesUnderTheFewest) {
  struct Case {
    const char* why;
    Shape shape;
    std::vector<GpuMask> free;
    const char* shares;
  };
  const std::vector<int> by_node = {0, 0, 0, 1, 1, 1, 2, 2, 2, 2, -1, -1};
  const std::vector<Case> cases = {
      {"the leaf that is left with the least",
       {2, 8, 0},
       {kAll, kAll, kAll, kAll, kAll, kNone, kAll, kAll, kAll, kAll, kAll, kAll},
       "3-5 x2"},
      {"half-taken nodes before whole ones, however many there are",
       {2, 4, 0},
       {kAll, kAll, kNone, kAll, kAll, kAll, kHalf, kHalf, kAll, kAll, kNone, kNone},
       "6-9 x2"},
      {"no leaf holds it: the one with most of it, then the tightest for the rest",
       {6, 8, 0},
       {kAll, kAll, kAll, kAll, kAll, kNone, kAll, kAll, kAll, kAll, kAll, kAll},
       "6-9 x4, 3-5 x2"},
      {"nodes whose leaf is not known come last",
       {5, 8, 0},
       {kAll, kNone, kNone, kAll, kAll, kNone, kNone, kNone, kNone, kNone, kAll, kAll},
       "3-5 x2, 0-2 x1, 10-11 x2"},
      {"the remainder stays with the others",
       {2, 8, 4},
       {kAll, kAll, kNone, kAll, kAll, kHalf, kNone, kNone, kNone, kAll, kNone, kNone},
       "3-5 x2 + rest"},
      {"the remainder beside whole nodes that are not enough",
       {3, 8, 4},
       {kAll, kAll, kHalf, kAll, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone},
       "0-2 x2 + rest, 3-5 x1"},
      {"the remainder alone",
       {3, 8, 4},
       {kAll, kAll, kAll, kHalf, kNone, kNone, kNone, kNone, kNone, kNone, kNone, kNone},
       "0-2 x3, 3-5 x0 + rest"},
      {"whole nodes where nothing is known, the remainder where they are not",
       {1, 8, 4},
       {kNone, kNone, kNone, kHalf, kNone, kNone, kNone, kNone, kNone, kNone, kAll, kNone},
       "10-11 x1, 3-5 x0 + rest"},
      {"of equal ones the first",
       {1, 8, 0},
       {kAll, kAll, kAll, kAll, kAll, kAll, kNone, kNone, kNone, kNone, kNone, kNone},
       "0-2 x1"},
  };
  const Leaves leaves(by_node);
  for (const Case& c : cases) {
    EXPECT_EQ(Tell(leaves.Divide(c.shape, RowOf(c.free))), c.shares) << c.why;
  }
}

// How few leaves would do, by trying every set of them.
std::size_t Fewest(int nodes, const std::vector<int>& whole) {
  std::size_t fewest = whole.size() + 1;
  for (unsigned set = 1; set < 1U << whole.size(); ++set) {
    int held = 0;
    for (std::size_t leaf = 0; leaf < whole.size(); ++leaf) {
      if ((set >> leaf & 1) != 0) held += whole[leaf];
    }
    if (held >= nodes) fewest = std::min<std::size_t>(fewest, std::popcount(set));
  }
  return fewest;
}

TEST(Leaves, TryingEverySetOfLeavesFindsNoFewer) {
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    SeededRandom random(seed);
    std::vector<int> by_node;
    std::vector<GpuMask> free;
    std::vector<int> whole(static_cast<std::size_t>(random.Between(1, 6)));
    for (int i = 0; i < 70; ++i) {
      by_node.push_back(static_cast<int>(random.Below(whole.size())));
      free.push_back(random.Below(2) == 0 ? kAll : kHalf);
      if (free.back() == kAll) ++whole[static_cast<std::size_t>(by_node.back())];
    }
    const int all = std::accumulate(whole.begin(), whole.end(), 0);
    const Shape shape{static_cast<int>(random.Between(1, all)), 8, 0};
    const auto shares = Leaves(by_node).Divide(shape, RowOf(free));
    EXPECT_EQ(shares.size(), Fewest(shape.nodes, whole)) << "seed " << seed;
    int placed = 0;
    for (const Leaves::Share& share : shares) placed += share.count;
    EXPECT_EQ(placed, shape.nodes) << "seed " << seed;
  }
}

}  // namespace
}  // namespace allot::scheduler
