#pragma once

#include <map>
#include <vector>

#include "allot/base/time.h"
#include "allot/model/request.h"
#include "allot/scheduler/snapshot.h"

namespace allot::scheduler {

/// Running work that may be stopped, with what it holds.
struct Stoppable {
  /// Position in Snapshot::preemptible.
  int row = 0;
  int gpus = 0;
  /// With what was added to it, and would be stopped with it.
  int gpus_in_all = 0;
  /// Beyond its project's quota: it goes before all that is not.
  bool borrowed = false;
  Instant start;
  std::vector<PlacedNode> nodes;
};

/// Of two the one to stop first: what is borrowed, then the smaller, then the one that ran less,
/// then by id.
bool GoesFirst(const Stoppable& a, const Stoppable& b);
/// What is to be least: GPUs that are not borrowed, then all.
int64_t CostOf(const Stoppable& stoppable);

/// What stopping could free in one cluster for one shape.
class Clearing {
 public:
  /// By node of the snapshot, `usable`: what nobody holds who cannot be stopped; `free`: of that
  /// what is free without stopping anybody. `here`: the cluster's nodes. `stoppable`: with nodes of
  /// it only, in the order of GoesFirst; outlives this.
  Clearing(std::vector<GpuMask> usable, std::vector<GpuMask> free, std::vector<int> here,
           const std::vector<const Stoppable*>& stoppable, const Shape& shape);

  /// The few that make it fit, greedily: most nodes for the least cost first, and then without
  /// those that turned out to be of no use. Nothing when all of them would not do.
  std::vector<const Stoppable*> Find();

 private:
  bool Fits() const;
  int NodesWith(int gpus) const;
  void Set(int i, bool chosen);
  std::vector<int> BestBundle();
  std::vector<int> BundleFor(int node, int wanted) const;
  int NodesGained(const std::vector<int>& bundle, int wanted);

  std::vector<GpuMask> usable_;
  std::vector<GpuMask> free_;
  std::vector<int> here_;
  const std::vector<const Stoppable*>& stoppable_;
  std::vector<bool> chosen_;
  Shape shape_;
  // By node: positions in stoppable_.
  std::map<int, std::vector<int>> on_node_;
};

}  // namespace allot::scheduler
