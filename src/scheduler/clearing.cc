#include "scheduler/clearing.h"

#include <algorithm>
#include <set>
#include <tuple>

#include "scheduler/at.h"

namespace allot::scheduler {

bool GoesFirst(const Stoppable& a, const Stoppable& b) {
  return std::tuple(CostOf(a), b.start, a.row) < std::tuple(CostOf(b), a.start, b.row);
}

int64_t CostOf(const Stoppable& stoppable) {
  // No sum of borrowed ones comes near a single GPU that is not.
  constexpr int64_t kNotBorrowed = int64_t{1} << 20;
  return stoppable.gpus_in_all * (stoppable.borrowed ? 1 : kNotBorrowed);
}

Clearing::Clearing(std::vector<GpuMask> usable, std::vector<GpuMask> free, std::vector<int> here,
                   const std::vector<const Stoppable*>& stoppable, const Shape& shape)
    : usable_(std::move(usable)),
      free_(std::move(free)),
      here_(std::move(here)),
      stoppable_(stoppable),
      chosen_(stoppable.size(), false),
      shape_(shape) {
  for (int i = 0; i < static_cast<int>(stoppable_.size()); ++i) {
    for (const PlacedNode& placed : At(stoppable_, i)->nodes) on_node_[placed.node].push_back(i);
  }
}

std::vector<const Stoppable*> Clearing::Find() {
  const int all = static_cast<int>(stoppable_.size());
  for (int i = 0; i < all; ++i) Set(i, true);
  const bool all_would_do = Fits();
  for (int i = 0; i < all; ++i) Set(i, false);
  if (!all_would_do) return {};
  while (!Fits()) {
    const std::vector<int> bundle = BestBundle();
    if (bundle.empty()) return {};
    for (const int i : bundle) Set(i, true);
  }
  // The first chosen may be of no use any more beside the later ones; the largest goes first.
  for (int i = all - 1; i >= 0; --i) {
    if (!At(chosen_, i)) continue;
    Set(i, false);
    if (!Fits()) Set(i, true);
  }
  std::vector<const Stoppable*> found;
  for (int i = 0; i < all; ++i) {
    if (At(chosen_, i)) found.push_back(At(stoppable_, i));
  }
  return found;
}

int Clearing::NodesWith(int gpus) const {
  return static_cast<int>(std::count_if(
      here_.begin(), here_.end(), [&](int node) { return CountGpus(At(free_, node)) >= gpus; }));
}

bool Clearing::Fits() const {
  return NodesWith(shape_.gpus_per_node) >= shape_.nodes &&
         (shape_.remainder_gpus == 0 || NodesWith(shape_.remainder_gpus) > shape_.nodes);
}

void Clearing::Set(int i, bool chosen) {
  At(chosen_, i) = chosen;
  for (const PlacedNode& placed : At(stoppable_, i)->nodes) {
    GpuMask& free = At(free_, placed.node);
    free = static_cast<GpuMask>(chosen ? free | (placed.gpus & At(usable_, placed.node))
                                       : free & ~placed.gpus);
  }
}

// Those to stop so that one more node has enough: most nodes for the least cost.
std::vector<int> Clearing::BestBundle() {
  const int wanted =
      NodesWith(shape_.gpus_per_node) < shape_.nodes ? shape_.gpus_per_node : shape_.remainder_gpus;
  std::vector<int> best;
  int64_t best_gain = 0;
  int64_t best_cost = 1;
  for (const int node : here_) {
    const std::vector<int> bundle = BundleFor(node, wanted);
    if (bundle.empty()) continue;
    int64_t cost = 0;
    for (const int i : bundle) cost += CostOf(*At(stoppable_, i));
    const int64_t gain = NodesGained(bundle, wanted);
    const int64_t better = gain * best_cost - best_gain * cost;
    if (better > 0 || (better == 0 && cost < best_cost)) {
      best = bundle;
      best_gain = gain;
      best_cost = cost;
    }
  }
  return best;
}

// How many nodes have enough with these stopped that have not now.
int Clearing::NodesGained(const std::vector<int>& bundle, int wanted) {
  std::set<int> nodes;
  for (const int i : bundle) {
    for (const PlacedNode& placed : At(stoppable_, i)->nodes) {
      if (CountGpus(At(free_, placed.node)) < wanted) nodes.insert(placed.node);
    }
  }
  for (const int i : bundle) Set(i, true);
  const auto gained = std::count_if(nodes.begin(), nodes.end(),
                                    [&](int node) { return CountGpus(At(free_, node)) >= wanted; });
  for (const int i : bundle) Set(i, false);
  return static_cast<int>(gained);
}

std::vector<int> Clearing::BundleFor(int node, int wanted) const {
  GpuMask free = At(free_, node);
  std::vector<int> bundle;
  if (CountGpus(free) >= wanted) return bundle;
  const auto there = on_node_.find(node);
  if (there == on_node_.end()) return bundle;
  for (const int i : there->second) {
    if (At(chosen_, i)) continue;
    const GpuMask before = free;
    for (const PlacedNode& placed : At(stoppable_, i)->nodes) {
      if (placed.node != node) continue;
      free = static_cast<GpuMask>(free | (placed.gpus & At(usable_, node)));
    }
    if (free != before) bundle.push_back(i);
    if (CountGpus(free) >= wanted) return bundle;
  }
  return {};
}

}  // namespace allot::scheduler
