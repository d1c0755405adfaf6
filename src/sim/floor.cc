#include "sim/floor.h"

#include <algorithm>
#include <tuple>

namespace allot::sim {
namespace {

/// As many nodes with as many GPUs as the shape has, and nothing else.
bool HasShape(const scheduler::Placement& placement, const Shape& shape) {
  int whole = 0;
  int remainder = 0;
  for (const scheduler::PlacedNode& placed : placement.nodes) {
    const int gpus = CountGpus(placed.gpus);
    if (gpus == shape.gpus_per_node) {
      ++whole;
    } else if (gpus == shape.remainder_gpus) {
      ++remainder;
    } else {
      return false;
    }
  }
  return whole == shape.nodes && remainder == (shape.remainder_gpus > 0 ? 1 : 0);
}

}  // namespace

AllocationId IdOf(std::size_t job) {
  const std::string digits = std::to_string(job);
  return AllocationId("job/p/" + std::string(9 - std::min<std::size_t>(digits.size(), 8), '0') +
                      digits);
}

std::optional<std::string> Floor::Take(std::size_t job, const Job& asked, const Shape& held,
                                       const scheduler::Placement& placement) {
  const std::string who = "job " + std::to_string(job) + " ";
  const auto& models = asked.request.models;
  std::optional<std::string> problem;
  if (!HasShape(placement, held)) problem = who + "was not given what it asked for";
  for (const scheduler::PlacedNode& placed : placement.nodes) {
    const auto node = static_cast<std::size_t>(placed.node);
    const auto cluster = static_cast<std::size_t>(pool_.nodes[node].cluster);
    const scheduler::SnapshotCluster& row = pool_.clusters[cluster];
    const ProgrammeId& programme =
        pool_.projects[static_cast<std::size_t>(asked.project)].programme;
    if (std::find(models.begin(), models.end(), row.model) == models.end() ||
        !std::binary_search(row.programmes.begin(), row.programmes.end(), programme)) {
      problem = who + "is on " + pool_.nodes[node].id.str() + ", which is not open to it";
    }
    if (pool_.nodes[node].cluster !=
        pool_.nodes[static_cast<std::size_t>(placement.nodes.front().node)].cluster) {
      problem = who + "is spread over two clusters";
    }
    if ((free_[node] & placed.gpus) != placed.gpus) {
      problem = who + "was given GPUs of " + pool_.nodes[node].id.str() + " that are taken";
    }
    free_[node] = static_cast<GpuMask>(free_[node] & ~placed.gpus);
  }
  if (holdings_.contains(job)) problem = who + "runs already";
  holdings_[job] = {asked.project, placement.window, placement.nodes};
  return problem;
}

void Floor::Cut(std::size_t job, Instant end) {
  TimeWindow& window = holdings_.at(job).window;
  window = *TimeWindow::Make(window.start(), end);
}

void Floor::Free(std::size_t job) {
  const auto found = holdings_.find(job);
  for (const scheduler::PlacedNode& placed : found->second.nodes) {
    GpuMask& free = free_[static_cast<std::size_t>(placed.node)];
    free = static_cast<GpuMask>(free | placed.gpus);
  }
  holdings_.erase(found);
}

std::vector<scheduler::SnapshotClaim> Floor::Claims() const {
  std::vector<scheduler::SnapshotClaim> claims;
  for (const auto& [job, holding] : holdings_) {
    const AllocationId id = IdOf(job);
    for (const scheduler::PlacedNode& placed : holding.nodes) {
      scheduler::SnapshotClaim claim;
      claim.allocation = id;
      claim.project = holding.project;
      claim.node = placed.node;
      claim.gpus = placed.gpus;
      claim.start = holding.window.start();
      claim.until = holding.window.end();
      claims.push_back(std::move(claim));
    }
  }
  std::stable_sort(claims.begin(), claims.end(),
                   [](const auto& a, const auto& b) { return a.node < b.node; });
  return claims;
}

int Floor::StrandedGpus() const {
  int stranded = 0;
  for (const GpuMask free : free_) {
    if (free != kAllFree) stranded += CountGpus(free);
  }
  return stranded;
}

}  // namespace allot::sim
