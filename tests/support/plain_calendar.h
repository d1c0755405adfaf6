#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "allot/model/policy.h"
#include "allot/scheduler/plan.h"
#include "allot/scheduler/snapshot.h"
#include "scheduler/time_grid.h"

namespace allot::scheduler {

/// The calendar told plainly: every GPU of every slot, every quota of every slot, every start
/// tried. The oracle that the planner's shortcuts are held against.
class PlainCalendar {
 public:
  PlainCalendar(const Snapshot& snapshot, const Policy& policy)
      : snapshot_(snapshot),
        grid_(snapshot.now, policy.planning_horizon, policy.release_time),
        free_(snapshot.nodes.size(), Slots<GpuMask>(0xff)),
        held_(snapshot.projects.size(), {Slots<int>(0), Slots<int>(0)}) {
    for (const SnapshotProject& project : snapshot.projects) {
      gpu_seconds_left_.push_back(project.gpu_time_left.count());
    }
    for (const SnapshotClaim& claim : snapshot.claims) {
      const int first = grid_.SlotOf(claim.start);
      const int last = claim.until > snapshot.now ? grid_.LastHeld(claim.until)
                                                  : grid_.SlotBefore(snapshot.now + Minutes(15));
      Take(claim.node, claim.gpus, first, last);
      if (claim.counts_against_quota) {
        Hold(claim.project, claim.node, CountGpus(claim.gpus), first, last);
      }
    }
  }

  struct Start {
    TimeWindow window;
    GpuModel model = GpuModel::kH200;
  };
  /// The earliest start and the model it would be on; nothing when there is none.
  std::optional<Start> Earliest(const SnapshotPending& pending) const {
    if (!ProjectOf(pending).open || !HasTimeLeft(pending)) return std::nullopt;
    const Span span = SpanOf(pending);
    for (int slot = grid_.SlotOf(span.not_before); slot <= grid_.last_start_slot(); ++slot) {
      const TimeWindow window = grid_.WindowFrom(slot, span);
      if (window.start() >= grid_.horizon_end()) break;
      for (const GpuModel model : pending.request.models) {
        if (Fits(pending, model, slot)) return Start{window, model};
      }
    }
    return std::nullopt;
  }
  /// Whether a window on these GPUs can be booked as it is.
  bool IsFree(const SnapshotPending& pending, const TimeWindow& window,
              const std::vector<PlacedNode>& nodes) const {
    if (!ProjectOf(pending).open || !HasTimeLeft(pending)) return false;
    const int first = grid_.SlotOf(window.start());
    const int last = grid_.LastHeld(window.end());
    for (const PlacedNode& placed : nodes) {
      const SnapshotNode& node = snapshot_.nodes[static_cast<std::size_t>(placed.node)];
      if (!node.schedulable || !Serves(node.cluster, pending)) return false;
      for (int slot = first; slot <= last; ++slot) {
        const GpuMask free =
            free_[static_cast<std::size_t>(placed.node)][static_cast<std::size_t>(slot)];
        if ((placed.gpus & ~free) != 0) return false;
      }
    }
    return WithinQuota(pending, ModelOf(nodes.front().node), first, last);
  }
  void Book(const SnapshotPending& pending, const TimeWindow& window,
            const std::vector<PlacedNode>& nodes) {
    const int first = grid_.SlotOf(window.start());
    const int last = grid_.LastHeld(window.end());
    gpu_seconds_left_[static_cast<std::size_t>(pending.project)] -=
        CostOf(pending.request)->count();
    for (const PlacedNode& placed : nodes) {
      Take(placed.node, placed.gpus, first, last);
      Hold(pending.project, placed.node, CountGpus(placed.gpus), first, last);
    }
  }
  void Unbook(const SnapshotPending& pending, const TimeWindow& window,
              const std::vector<PlacedNode>& nodes) {
    const int first = grid_.SlotOf(window.start());
    const int last = grid_.LastHeld(window.end());
    gpu_seconds_left_[static_cast<std::size_t>(pending.project)] +=
        CostOf(pending.request)->count();
    for (const PlacedNode& placed : nodes) {
      Give(placed.node, placed.gpus, first, last);
      Hold(pending.project, placed.node, -CountGpus(placed.gpus), first, last);
    }
  }

 private:
  template <class T>
  std::vector<T> Slots(T value) const {
    return std::vector<T>(static_cast<std::size_t>(grid_.slots()), value);
  }
  Span SpanOf(const SnapshotPending& pending) const {
    return {pending.request.duration,
            std::max(snapshot_.now, pending.request.earliest_start.value_or(snapshot_.now))};
  }
  void Take(int node, GpuMask gpus, int first, int last) {
    for (int slot = first; slot <= last; ++slot) {
      GpuMask& free = free_[static_cast<std::size_t>(node)][static_cast<std::size_t>(slot)];
      free = static_cast<GpuMask>(free & ~gpus);
    }
  }
  void Give(int node, GpuMask gpus, int first, int last) {
    for (int slot = first; slot <= last; ++slot) {
      GpuMask& free = free_[static_cast<std::size_t>(node)][static_cast<std::size_t>(slot)];
      free = static_cast<GpuMask>(free | gpus);
    }
  }
  void Hold(int project, int node, int gpus, int first, int last) {
    auto& held = held_[static_cast<std::size_t>(project)][static_cast<std::size_t>(ModelOf(node))];
    for (int slot = first; slot <= last; ++slot) {
      held[static_cast<std::size_t>(slot)] += gpus;
    }
  }
  const SnapshotProject& ProjectOf(const SnapshotPending& pending) const {
    return snapshot_.projects[static_cast<std::size_t>(pending.project)];
  }
  GpuModel ModelOf(int node) const {
    const int cluster = snapshot_.nodes[static_cast<std::size_t>(node)].cluster;
    return snapshot_.clusters[static_cast<std::size_t>(cluster)].model;
  }
  bool HasTimeLeft(const SnapshotPending& pending) const {
    return CostOf(pending.request)->count() <=
           gpu_seconds_left_[static_cast<std::size_t>(pending.project)];
  }
  bool Serves(int cluster, const SnapshotPending& pending) const {
    const auto& programmes = snapshot_.clusters[static_cast<std::size_t>(cluster)].programmes;
    return std::find(programmes.begin(), programmes.end(), ProjectOf(pending).programme) !=
           programmes.end();
  }
  bool WithinQuota(const SnapshotPending& pending, GpuModel model, int first, int last) const {
    const auto& held =
        held_[static_cast<std::size_t>(pending.project)][static_cast<std::size_t>(model)];
    for (int slot = first; slot <= last; ++slot) {
      if (held[static_cast<std::size_t>(slot)] + pending.request.shape.gpus() >
          At(ProjectOf(pending).concurrent_gpus, model)) {
        return false;
      }
    }
    return true;
  }
  bool Fits(const SnapshotPending& pending, GpuModel model, int slot) const {
    const Shape& shape = pending.request.shape;
    const int last = grid_.LastSlot(slot, SpanOf(pending));
    if (!WithinQuota(pending, model, slot, last)) return false;
    for (std::size_t c = 0; c < snapshot_.clusters.size(); ++c) {
      if (snapshot_.clusters[c].model != model || !Serves(static_cast<int>(c), pending)) continue;
      int whole = 0;
      int remainder = 0;
      for (std::size_t n = 0; n < snapshot_.nodes.size(); ++n) {
        const SnapshotNode& node = snapshot_.nodes[n];
        if (node.cluster != static_cast<int>(c) || !node.schedulable) continue;
        GpuMask free = 0xff;
        for (int s = slot; s <= last && free != 0; ++s) {
          free = static_cast<GpuMask>(free & free_[n][static_cast<std::size_t>(s)]);
        }
        if (CountGpus(free) >= shape.gpus_per_node) {
          ++whole;
        } else if (shape.remainder_gpus > 0 && CountGpus(free) >= shape.remainder_gpus) {
          ++remainder;
        }
      }
      if (whole >= shape.nodes && whole + remainder >= shape.node_count()) return true;
    }
    return false;
  }

  const Snapshot& snapshot_;
  TimeGrid grid_;
  std::vector<std::vector<GpuMask>> free_;
  std::vector<std::array<std::vector<int>, kGpuModelCount>> held_;
  std::vector<int64_t> gpu_seconds_left_;
};

}  // namespace allot::scheduler
