#include "sim/entitlement.h"

#include <algorithm>
#include <numeric>

#include "scheduler/fair_order.h"

namespace allot::sim {

Entitlement::Entitlement(const scheduler::Snapshot& pool)
    : capacity_(static_cast<int64_t>(pool.nodes.size()) * kGpusPerNode),
      wanted_(pool.projects.size(), 0),
      held_(pool.projects.size(), 0) {
  for (const scheduler::SnapshotProject& project : pool.projects) {
    weights_.push_back(scheduler::Weight(project));
  }
}

int64_t Entitlement::HeldInAll() const {
  return std::accumulate(held_.begin(), held_.end(), int64_t{0});
}

// Water rises at a speed by weight; whoever is full stops it for itself. Taking the projects by the
// level at which they are full, one pass finds the last level.
std::vector<int64_t> Entitlement::Shares() const {
  std::vector<std::size_t> order;
  __extension__ using Wide = __int128;
  Wide weight_left = 0;
  for (std::size_t p = 0; p < wanted_.size(); ++p) {
    if (wanted_[p] == 0) continue;
    order.push_back(p);
    weight_left += weights_[p];
  }
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    const Wide mine = Wide{wanted_[a]} * weights_[b];
    const Wide theirs = Wide{wanted_[b]} * weights_[a];
    return mine != theirs ? mine < theirs : a < b;
  });
  std::vector<int64_t> shares(wanted_.size(), 0);
  Wide left = capacity_;
  for (const std::size_t p : order) {
    const auto by_weight = static_cast<int64_t>(left * weights_[p] / weight_left);
    shares[p] = std::min(wanted_[p], by_weight);
    left -= shares[p];
    weight_left -= weights_[p];
  }
  return shares;
}

}  // namespace allot::sim
