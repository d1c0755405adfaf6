#include "scheduler/node_ranks.h"

#include <algorithm>
#include <tuple>
#include <utility>
#include <vector>

namespace allot::scheduler {
namespace {

constexpr auto kMost = static_cast<std::size_t>(kGpusPerNode);

}  // namespace

Demand DemandFor(const Snapshot& snapshot, GpuModel model) {
  Demand demand{};
  for (const SnapshotPending& pending : snapshot.pending) {
    const Request& request = pending.request;
    if (std::find(request.models.begin(), request.models.end(), model) == request.models.end()) {
      continue;
    }
    const Shape& shape = request.ShapeOn(model);
    demand[static_cast<std::size_t>(shape.gpus_per_node)] += shape.nodes * shape.gpus_per_node;
    demand[static_cast<std::size_t>(shape.remainder_gpus)] += shape.remainder_gpus;
  }
  return demand;
}

std::array<NodeRanks, kGpuModelCount> RanksByModel(const Snapshot& snapshot) {
  static_assert(kGpuModels.size() == 2);
  return {NodeRanks(DemandFor(snapshot, kGpuModels[0])),
          NodeRanks(DemandFor(snapshot, kGpuModels[1]))};
}

NodeRanks::NodeRanks(const Demand& demand) {
  std::array<int64_t, kMost + 1> of_no_use{};
  for (std::size_t free = 0; free <= kMost; ++free) {
    for (std::size_t part = 1; part <= kMost; ++part) {
      of_no_use[free] += demand[part] * static_cast<int64_t>(free % part);
    }
  }
  for (std::size_t gpus = 1; gpus <= kMost; ++gpus) {
    std::vector<std::pair<int64_t, std::size_t>> order;
    for (std::size_t free = gpus; free <= kMost; ++free) {
      order.emplace_back(of_no_use[free - gpus] - of_no_use[free], free);
    }
    std::sort(order.begin(), order.end());
    for (std::size_t rank = 0; rank < order.size(); ++rank) {
      ranks_[gpus][order[rank].second] = static_cast<uint8_t>(rank);
    }
  }
}

NodeRanks::Ranks NodeRanks::ForRemainder(int gpus, int whole) const {
  std::vector<std::tuple<bool, int, std::size_t>> order;
  for (int free = gpus; free <= kGpusPerNode; ++free) {
    const auto count = static_cast<std::size_t>(free);
    order.emplace_back(free >= whole, For(gpus)[count], count);
  }
  std::sort(order.begin(), order.end());
  Ranks ranks{};
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    ranks[std::get<std::size_t>(order[rank])] = static_cast<uint8_t>(rank);
  }
  return ranks;
}

}  // namespace allot::scheduler
