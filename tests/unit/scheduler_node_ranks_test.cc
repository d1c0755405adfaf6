#include "scheduler/node_ranks.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "support/snapshot_builder.h"

namespace allot::scheduler {
namespace {

using testing::SnapshotBuilder;

/// The numbers of free GPUs in the order in which they go first for `gpus`: "3 2 4 …".
std::string Order(const NodeRanks& ranks, int gpus) {
  std::vector<std::pair<int, int>> order;
  for (int free = gpus; free <= kGpusPerNode; ++free) {
    order.emplace_back(ranks.For(gpus)[static_cast<std::size_t>(free)], free);
  }
  std::sort(order.begin(), order.end());
  std::string text;
  for (const auto& [rank, free] : order) text += (text.empty() ? "" : " ") + std::to_string(free);
  return text;
}

TEST(NodeRanks, WithoutDemandTheFewestFreeGoFirst) {
  const NodeRanks ranks(Demand{});
  EXPECT_EQ(Order(ranks, 1), "1 2 3 4 5 6 7 8");
  EXPECT_EQ(Order(ranks, 5), "5 6 7 8");
  EXPECT_EQ(Order(ranks, 8), "8");
}

TEST(NodeRanks, WhatOthersAskForIsBrokenLast) {
  struct Case {
    Demand demand;
    int gpus;
    const char* order;
    const char* why;
  };
  const Case cases[] = {
      {{0, 0, 0, 0, 0, 0, 0, 0, 9},
       1,
       "1 2 3 4 5 6 7 8",
       "whole nodes: only a whole one is broken"},
      {{0, 0, 9}, 1, "1 3 5 7 2 4 6 8", "pairs: the odd one first"},
      {{0, 0, 0, 0, 9}, 2, "2 3 6 7 4 5 8", "fours: what is left of one first"},
      {{0, 0, 1, 0, 0, 0, 0, 0, 9}, 1, "1 3 5 7 2 4 6 8", "mostly whole nodes, some pairs"},
      {{0, 9}, 1, "1 2 3 4 5 6 7 8", "singles find room anywhere"},
  };
  for (const Case& c : cases) EXPECT_EQ(Order(NodeRanks(c.demand), c.gpus), c.order) << c.why;
}

TEST(NodeRanks, ARemainderLeavesTheOthersTheirNodes) {
  // Threes are asked for: of five free GPUs two are of no use, so those would go first.
  const NodeRanks ranks(Demand{0, 0, 0, 9});
  EXPECT_EQ(Order(ranks, 2), "2 5 8 3 4 6 7");
  const NodeRanks::Ranks remainder = ranks.ForRemainder(2, 5);
  EXPECT_LT(remainder[3], remainder[5]) << "two nodes with five each, and two on one more";
  EXPECT_LT(remainder[4], remainder[8]);
  EXPECT_LT(remainder[2], remainder[4]);
}

TEST(NodeRanks, DemandIsWhatWaitsByWhatItTakesOfTheModel) {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 1);
  builder.Project("p");
  builder.Pending("p/1", "p", {2, 8, 3}, Hours(1));
  SnapshotPending& either = builder.Pending("p/2", "p", {1, 8, 0}, Hours(1));
  either.request.models = {GpuModel::kH200, GpuModel::kB200};
  either.request.exchanged = ExchangedShape{GpuModel::kB200, {1, 4, 0}};
  const Snapshot snapshot = builder.Build();
  EXPECT_EQ(DemandFor(snapshot, GpuModel::kH200), (Demand{0, 0, 0, 3, 0, 0, 0, 0, 24}));
  EXPECT_EQ(DemandFor(snapshot, GpuModel::kB200), (Demand{0, 0, 0, 0, 4, 0, 0, 0, 0}));
}

}  // namespace
}  // namespace allot::scheduler
