#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
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
        set_aside_(snapshot.nodes.size(), Slots<bool>(false)),
        borrowed_gpus_max_(policy.borrowed_gpus_max),
        growth_min_(policy.growth_min),
        held_(snapshot.projects.size(), {Slots<int>(0), Slots<int>(0)}),
        borrowed_(held_) {
    for (const SnapshotProject& project : snapshot.projects) {
      gpu_seconds_left_.push_back(project.gpu_time_left.count());
    }
    for (const SnapshotClaim& claim : snapshot.claims) {
      const int first = grid_.SlotOf(claim.start);
      const int last = claim.until + policy.release_time > snapshot.now
                           ? grid_.LastHeld(claim.until)
                           : grid_.SlotBefore(snapshot.now + Minutes(15));
      Take(claim.node, claim.gpus, first, last);
      if (claim.counts_against_quota) {
        Hold(claim.project, claim.borrowed, claim.node, CountGpus(claim.gpus), first, last);
      }
    }
    for (std::size_t n = 0; n < snapshot.nodes.size(); ++n) {
      const SnapshotCluster& cluster =
          snapshot.clusters[static_cast<std::size_t>(snapshot.nodes[n].cluster)];
      const int node = static_cast<int>(n);
      if (cluster.join_time && *cluster.join_time > snapshot.now) {
        Take(node, 0xff, 0, grid_.SlotBefore(*cluster.join_time));
      }
      if (cluster.leave_time) {
        Take(node, 0xff, grid_.SlotOf(*cluster.leave_time), grid_.slots() - 1);
      }
    }
    for (const SnapshotReservation& reservation : snapshot.reservations) {
      for (const int node : reservation.nodes) {
        for (const TimeWindow& window : reservation.windows) {
          for (int slot = grid_.SlotOf(window.start()); slot <= grid_.LastHeld(window.end());
               ++slot) {
            set_aside_[static_cast<std::size_t>(node)][static_cast<std::size_t>(slot)] = true;
          }
        }
      }
    }
  }

  struct Start {
    TimeWindow window;
    GpuModel model = GpuModel::kH200;
    bool on_one_leaf = false;
  };
  /// The earliest start and the model it would be on, a later one on one leaf where it waits for
  /// that, but not beyond `latest`; nothing when there is none.
  std::optional<Start> Earliest(const SnapshotPending& pending,
                                std::optional<Instant> latest = std::nullopt) const {
    const auto any = Earliest(pending, /*on_one_leaf=*/false);
    if (!any || !IsGangOn(pending.request, any->model)) return any;
    const auto on_one_leaf = Earliest(pending, /*on_one_leaf=*/true);
    const Seconds wait = pending.request.same_leaf_wait;
    const auto& deadline = pending.request.deadline;
    const bool is_worth_it = wait.count > 0 && on_one_leaf &&
                             on_one_leaf->window.start() <= any->window.start() + wait &&
                             (!latest || on_one_leaf->window.start() <= *latest) &&
                             (!deadline || on_one_leaf->window.end() <= *deadline);
    return is_worth_it ? on_one_leaf : any;
  }
  /// Whether its promise is what it would rather keep: it is earlier, or as early and no worse, or
  /// later on one leaf and worth the wait.
  bool WouldRatherKeep(const SnapshotPending& pending, const Start& other) const {
    std::set<std::string> leaves;
    for (const PlacedNode& placed : pending.promise->nodes) {
      leaves.insert(snapshot_.nodes[static_cast<std::size_t>(placed.node)].leaf);
    }
    const bool on_one_leaf =
        pending.promise->nodes.size() == 1 || (leaves.size() == 1 && !leaves.begin()->empty());
    const Instant promised = pending.promise->window.start();
    const Seconds wait = pending.request.same_leaf_wait;
    if (other.window.start() > promised) return true;
    if (other.window.start() == promised) return on_one_leaf || !other.on_one_leaf;
    return IsGangOn(pending.request, other.model) && wait.count > 0 && !other.on_one_leaf &&
           on_one_leaf && promised <= other.window.start() + wait;
  }
  std::optional<Start> Earliest(const SnapshotPending& pending, bool on_one_leaf) const {
    if (!ProjectOf(pending).open) return std::nullopt;
    const Span span = SpanOf(pending);
    if (span.not_before >= grid_.horizon_end()) return std::nullopt;
    int last_start = grid_.last_start_slot();
    if (pending.grows) {
      const bool has_room_in_time = pending.beside && pending.request.duration >= growth_min_ &&
                                    span.not_before == snapshot_.now;
      if (!has_room_in_time) return std::nullopt;
      last_start = 0;
    }
    for (int slot = grid_.SlotOf(span.not_before); slot <= last_start; ++slot) {
      for (const SnapshotReservation& reservation : snapshot_.reservations) {
        if (const auto start = WithinReservation(pending, reservation, slot, on_one_leaf)) {
          return start;
        }
      }
      const TimeWindow window = grid_.WindowFrom(slot, span);
      for (const GpuModel model : pending.request.models) {
        if (Fits(pending, model, slot, on_one_leaf)) return Start{window, model, on_one_leaf};
      }
    }
    return std::nullopt;
  }
  /// Whether a window on these GPUs can be booked as it is.
  bool IsFree(const SnapshotPending& pending, const TimeWindow& window,
              const std::vector<PlacedNode>& nodes) const {
    const GpuModel on = ModelOf(nodes.front().node);
    if (!ProjectOf(pending).open || !HasTimeLeft(pending, on)) return false;
    const int first = grid_.SlotOf(window.start());
    const int last = grid_.LastHeld(window.end());
    const bool is_own = std::any_of(
        snapshot_.reservations.begin(), snapshot_.reservations.end(),
        [&](const SnapshotReservation& reservation) {
          return reservation.project == pending.project &&
                 std::all_of(nodes.begin(), nodes.end(),
                             [&](const PlacedNode& placed) {
                               return std::count(reservation.nodes.begin(), reservation.nodes.end(),
                                                 placed.node) > 0;
                             }) &&
                 std::any_of(reservation.windows.begin(), reservation.windows.end(),
                             [&](const TimeWindow& whole) { return whole.Encloses(window); });
        });
    for (const PlacedNode& placed : nodes) {
      const SnapshotNode& node = snapshot_.nodes[static_cast<std::size_t>(placed.node)];
      if (!node.schedulable || !Serves(node.cluster, pending)) return false;
      const auto& set_aside = set_aside_[static_cast<std::size_t>(placed.node)];
      if (!is_own && std::any_of(set_aside.begin() + first, set_aside.begin() + last + 1,
                                 [](bool taken) { return taken; })) {
        return false;
      }
      for (int slot = first; slot <= last; ++slot) {
        const GpuMask free =
            free_[static_cast<std::size_t>(placed.node)][static_cast<std::size_t>(slot)];
        if ((placed.gpus & ~free) != 0) return false;
      }
    }
    return WithinQuota(pending, on, first, last);
  }
  void Book(const SnapshotPending& pending, const TimeWindow& window,
            const std::vector<PlacedNode>& nodes) {
    const int first = grid_.SlotOf(window.start());
    const int last = grid_.LastHeld(window.end());
    gpu_seconds_left_[static_cast<std::size_t>(pending.project)] -=
        CostOn(pending.request, ModelOf(nodes.front().node))->count();
    for (const PlacedNode& placed : nodes) {
      Take(placed.node, placed.gpus, first, last);
      Hold(pending.project, pending.request.borrow, placed.node, CountGpus(placed.gpus), first,
           last);
    }
  }
  void Unbook(const SnapshotPending& pending, const TimeWindow& window,
              const std::vector<PlacedNode>& nodes) {
    const int first = grid_.SlotOf(window.start());
    const int last = grid_.LastHeld(window.end());
    gpu_seconds_left_[static_cast<std::size_t>(pending.project)] +=
        CostOn(pending.request, ModelOf(nodes.front().node))->count();
    for (const PlacedNode& placed : nodes) {
      Give(placed.node, placed.gpus, first, last);
      Hold(pending.project, pending.request.borrow, placed.node, -CountGpus(placed.gpus), first,
           last);
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
  void Hold(int project, bool borrowed, int node, int gpus, int first, int last) {
    auto& of_project = (borrowed ? borrowed_ : held_)[static_cast<std::size_t>(project)];
    auto& held = of_project[static_cast<std::size_t>(ModelOf(node))];
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
  static bool IsGangOn(const Request& request, GpuModel model) {
    return request.ShapeOn(model).node_count() > 1;
  }
  bool HasTimeLeft(const SnapshotPending& pending, GpuModel model) const {
    return CostOn(pending.request, model)->count() <=
           gpu_seconds_left_[static_cast<std::size_t>(pending.project)];
  }
  bool Serves(int cluster, const SnapshotPending& pending) const {
    const auto& programmes = snapshot_.clusters[static_cast<std::size_t>(cluster)].programmes;
    return std::find(programmes.begin(), programmes.end(), ProjectOf(pending).programme) !=
           programmes.end();
  }
  bool WithinQuota(const SnapshotPending& pending, GpuModel model, int first, int last) const {
    const auto& held =
        (pending.request.borrow
             ? borrowed_
             : held_)[static_cast<std::size_t>(pending.project)][static_cast<std::size_t>(model)];
    const int limit =
        pending.request.borrow ? borrowed_gpus_max_ : At(ProjectOf(pending).concurrent_gpus, model);
    for (int slot = first; slot <= last; ++slot) {
      if (held[static_cast<std::size_t>(slot)] + pending.request.ShapeOn(model).gpus() > limit)
        return false;
    }
    return true;
  }
  bool Fits(const SnapshotPending& pending, GpuModel model, int slot, bool on_one_leaf) const {
    const int last = grid_.LastSlot(slot, SpanOf(pending));
    if (!HasTimeLeft(pending, model) || !WithinQuota(pending, model, slot, last)) return false;
    for (std::size_t c = 0; c < snapshot_.clusters.size(); ++c) {
      if (pending.beside && static_cast<int>(c) != *pending.beside) continue;
      if (snapshot_.clusters[c].model != model || !Serves(static_cast<int>(c), pending)) continue;
      FreeByLeaf free;
      for (std::size_t n = 0; n < snapshot_.nodes.size(); ++n) {
        if (snapshot_.nodes[n].cluster != static_cast<int>(c)) continue;
        const auto& set_aside = set_aside_[n];
        const bool taken = std::any_of(set_aside.begin() + slot, set_aside.begin() + last + 1,
                                       [](bool is) { return is; });
        free[snapshot_.nodes[n].leaf].push_back(taken ? 0
                                                      : FreeOver(static_cast<int>(n), slot, last));
      }
      const bool is_to_be_on_one = on_one_leaf && IsGangOn(pending.request, model);
      if (Holds(pending.request.ShapeOn(model), free, is_to_be_on_one)) return true;
    }
    return false;
  }
  /// GPUs free in all of these slots, on a node that takes work.
  GpuMask FreeOver(int node, int first, int last) const {
    if (!snapshot_.nodes[static_cast<std::size_t>(node)].schedulable) return 0;
    GpuMask free = 0xff;
    for (int slot = first; slot <= last && free != 0; ++slot) {
      free = static_cast<GpuMask>(
          free & free_[static_cast<std::size_t>(node)][static_cast<std::size_t>(slot)]);
    }
    return free;
  }
  /// What is free on each node, by leaf; under "" those whose leaf is not known.
  using FreeByLeaf = std::map<std::string, std::vector<GpuMask>>;
  static bool Holds(const Shape& shape, const FreeByLeaf& free, bool on_one_leaf) {
    std::vector<GpuMask> all;
    for (const auto& [leaf, nodes] : free) {
      if (on_one_leaf && !leaf.empty() && Holds(shape, nodes)) return true;
      all.insert(all.end(), nodes.begin(), nodes.end());
    }
    return !on_one_leaf && Holds(shape, all);
  }
  static bool Holds(const Shape& shape, const std::vector<GpuMask>& nodes) {
    int whole = 0;
    int remainder = 0;
    for (const GpuMask free : nodes) {
      if (CountGpus(free) >= shape.gpus_per_node) {
        ++whole;
      } else if (shape.remainder_gpus > 0 && CountGpus(free) >= shape.remainder_gpus) {
        ++remainder;
      }
    }
    return whole >= shape.nodes && whole + remainder >= shape.node_count();
  }
  /// A start in this slot on what is set aside for its project, all of it within one window.
  std::optional<Start> WithinReservation(const SnapshotPending& pending,
                                         const SnapshotReservation& reservation, int slot,
                                         bool on_one_leaf) const {
    if (reservation.project != pending.project) return std::nullopt;
    const int cluster = snapshot_.nodes[static_cast<std::size_t>(reservation.nodes[0])].cluster;
    const GpuModel model = snapshot_.clusters[static_cast<std::size_t>(cluster)].model;
    if (pending.beside && cluster != *pending.beside) return std::nullopt;
    const auto& models = pending.request.models;
    if (!Serves(cluster, pending) || std::count(models.begin(), models.end(), model) == 0 ||
        !HasTimeLeft(pending, model)) {
      return std::nullopt;
    }
    for (const TimeWindow& whole : reservation.windows) {
      Span span = SpanOf(pending);
      span.not_before = std::max(span.not_before, whole.start());
      const TimeWindow window = grid_.WindowFrom(slot, span);
      const int last = grid_.LastHeld(window.end());
      if (grid_.SlotOf(window.start()) != slot || window.end() > whole.end()) continue;
      if (!WithinQuota(pending, model, slot, last)) continue;
      FreeByLeaf free;
      for (const int node : reservation.nodes) {
        free[snapshot_.nodes[static_cast<std::size_t>(node)].leaf].push_back(
            FreeOver(node, slot, last));
      }
      const bool is_to_be_on_one = on_one_leaf && IsGangOn(pending.request, model);
      if (Holds(pending.request.ShapeOn(model), free, is_to_be_on_one)) {
        return Start{window, model, on_one_leaf};
      }
    }
    return std::nullopt;
  }

  const Snapshot& snapshot_;
  TimeGrid grid_;
  std::vector<std::vector<GpuMask>> free_;
  // By node and slot: in a reservation's window.
  std::vector<std::vector<bool>> set_aside_;
  int borrowed_gpus_max_ = 0;
  Seconds growth_min_;
  std::vector<std::array<std::vector<int>, kGpuModelCount>> held_;
  std::vector<std::array<std::vector<int>, kGpuModelCount>> borrowed_;
  std::vector<int64_t> gpu_seconds_left_;
};

}  // namespace allot::scheduler
