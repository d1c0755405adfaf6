#include "bench/bounds/realise.h"

#include <algorithm>
#include <cstdlib>
#include <numeric>
#include <set>
#include <tuple>
#include <utility>

namespace allot::bounds {
namespace {

/// One piece of a job, on one node.
struct Piece {
  int job = 0;
  int gpus = 0;
};

// Jobs are placed in the order of their starts, so that what a GPU is held until says all about it.
class Search {
 public:
  Search(const std::vector<NodeHolds>& nodes, const std::vector<Timed>& jobs, int steps_max)
      : nodes_(nodes), jobs_(jobs), placed_(jobs.size()), steps_left_(steps_max) {
    for (const int job : ByStart()) {
      const Shape& shape = jobs[static_cast<std::size_t>(job)].shape;
      for (int i = 0; i < shape.nodes; ++i) pieces_.push_back({job, shape.gpus_per_node});
      if (shape.remainder_gpus > 0) pieces_.push_back({job, shape.remainder_gpus});
    }
  }

  std::optional<std::vector<std::vector<NodeGpus>>> Run() {
    if (!PlaceFrom(0)) return std::nullopt;
    for (auto& nodes : placed_) {
      std::sort(nodes.begin(), nodes.end(),
                [](const NodeGpus& a, const NodeGpus& b) { return a.node < b.node; });
    }
    return std::move(placed_);
  }

 private:
  /// Of those that start together the larger pieces first, which leave the fewest choices.
  std::vector<int> ByStart() const {
    std::vector<int> order(jobs_.size());
    std::iota(order.begin(), order.end(), 0);
    const auto turn = [&](int i) {
      const Timed& job = jobs_[static_cast<std::size_t>(i)];
      return std::tuple(job.start, -job.shape.gpus_per_node, -job.end, i);
    };
    std::sort(order.begin(), order.end(), [&](int a, int b) { return turn(a) < turn(b); });
    return order;
  }

  bool PlaceFrom(std::size_t next) {
    if (next == pieces_.size()) return true;
    if (steps_left_-- <= 0) return false;
    const Piece& piece = pieces_[next];
    const Timed& job = jobs_[static_cast<std::size_t>(piece.job)];
    auto& placed = placed_[static_cast<std::size_t>(piece.job)];
    for (const int node : Candidates(piece, job, placed)) {
      const NodeHolds before = nodes_[static_cast<std::size_t>(node)];
      placed.push_back({node, Take(node, piece.gpus, job)});
      if (PlaceFrom(next + 1)) return true;
      placed.pop_back();
      nodes_[static_cast<std::size_t>(node)] = before;
    }
    return false;
  }

  /// Nodes that differ in what matters from `start` on. First those whose GPUs come free again when
  /// this job's do, then the fullest.
  std::vector<int> Candidates(const Piece& piece, const Timed& job,
                              const std::vector<NodeGpus>& placed) const {
    std::vector<std::tuple<int, int, int>> ranked;
    std::set<std::array<int, kGpusPerNode>> seen;
    for (int i = 0; i < static_cast<int>(nodes_.size()); ++i) {
      const NodeHolds& node = nodes_[static_cast<std::size_t>(i)];
      const bool taken = std::any_of(placed.begin(), placed.end(),
                                     [&](const NodeGpus& other) { return other.node == i; });
      if (node.pool != job.pool || taken) continue;
      std::array<int, kGpusPerNode> until = node.until;
      for (int& slot : until) slot = std::max(slot, job.start);
      std::sort(until.begin(), until.end());
      const auto free = static_cast<int>(std::count(until.begin(), until.end(), job.start));
      if (free < piece.gpus || !seen.insert(until).second) continue;
      ranked.emplace_back(std::abs(until.back() - job.end), free, i);
    }
    std::sort(ranked.begin(), ranked.end());
    std::vector<int> candidates;
    for (const auto& [misfit, free, node] : ranked) candidates.push_back(node);
    return candidates;
  }

  GpuMask Take(int node, int gpus, const Timed& job) {
    GpuMask mask = 0;
    auto& until = nodes_[static_cast<std::size_t>(node)].until;
    for (std::size_t gpu = 0; gpu < until.size() && gpus > 0; ++gpu) {
      if (until[gpu] > job.start) continue;
      until[gpu] = job.end;
      mask = static_cast<GpuMask>(mask | 1U << gpu);
      --gpus;
    }
    return mask;
  }

  std::vector<NodeHolds> nodes_;
  const std::vector<Timed>& jobs_;
  std::vector<Piece> pieces_;
  std::vector<std::vector<NodeGpus>> placed_;
  int steps_left_;
};

}  // namespace

std::optional<std::vector<std::vector<NodeGpus>>> Realise(const std::vector<NodeHolds>& nodes,
                                                          const std::vector<Timed>& jobs,
                                                          int steps_max) {
  return Search(nodes, jobs, steps_max).Run();
}

}  // namespace allot::bounds
