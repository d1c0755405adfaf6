#include "scheduler/preempt.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "scheduler/at.h"
#include "scheduler/clearing.h"
#include "scheduler/pass.h"

namespace allot::scheduler {
namespace {

constexpr GpuMask kAllGpus = 0xff;
// A release that is late puts off whom it is for by less than this: no more work is stopped for
// that, pass after pass.
constexpr Seconds kNamedGain = Minutes(45);
static_assert(kNamedGain > kOverdueReleaseGrace + Minutes(15) + Minutes(10));
// Bounds what a pass costs; a count and not a time, so that it replays.
constexpr int kPlansMax = 8;
// Of those, for what is to be moved.
constexpr int kMovingPlansMax = 4;

/// What these hold ends sooner; but not what an earlier attempt lost with a node.
void EndClaims(Snapshot& snapshot, const std::map<AllocationId, Instant>& stops) {
  for (SnapshotClaim& claim : snapshot.claims) {
    const auto stop = stops.find(claim.allocation);
    if (stop != stops.end() && claim.counts_against_quota) {
      claim.until = std::min(claim.until, stop->second);
    }
  }
}

/// Of what is stopped, and of what was added to it: when.
void AddStops(const SnapshotPreemptible& row, Instant stop,
              std::map<AllocationId, Instant>& stops) {
  stops.insert_or_assign(row.id, stop);
  for (const AllocationId& growth : row.growths) stops.insert_or_assign(growth, stop);
}

using Starts = std::vector<std::optional<Instant>>;

Starts StartsOf(const Plan& plan, std::size_t pending) {
  Starts starts(pending);
  for (const Placement& placement : plan.placements) {
    // Due now, whenever it was promised.
    At(starts, placement.pending) = std::max(placement.window.start(), plan.now);
  }
  return starts;
}

class Preempter {
 public:
  Preempter(const Snapshot& snapshot, const Policy& policy, Plan plan)
      : original_(snapshot),
        policy_(policy),
        stop_(snapshot.now + policy.preemption_grace),
        world_(snapshot),
        plan_(std::move(plan)) {
    for (int i = 0; i < static_cast<int>(snapshot.preemptible.size()); ++i) {
      const SnapshotPreemptible& row = At(snapshot.preemptible, i);
      if (MayBeStopped(row, snapshot.now, policy)) {
        stoppable_.push_back(
            {.row = i, .borrowed = row.request.borrow, .start = row.start, .nodes = {}});
      }
    }
    for (const SnapshotClaim& claim : snapshot.claims) {
      Stoppable* held = Holder(claim);
      if (held == nullptr) continue;
      held->nodes.push_back({claim.node, claim.gpus});
      held->gpus += CountGpus(claim.gpus);
      held->gpus_in_all += CountGpus(claim.gpus);
    }
    AddUpGrowths();
    std::erase_if(stoppable_, [](const Stoppable& one) { return one.nodes.empty(); });
    std::sort(stoppable_.begin(), stoppable_.end(), GoesFirst);
    starts_ = StartsOf(plan_, world_.pending.size());
  }

  Plan Run() {
    // Those an operator named go first: what a pass may try is bounded.
    std::vector<int> order = plan_.order;
    std::stable_partition(order.begin(), order.end(),
                          [&](int pending) { return At(original_.pending, pending).consolidate; });
    for (const int pending : order) {
      if (stoppable_.empty() || plans_ == kPlansMax ||
          static_cast<int>(whom_.size()) == policy_.preemptions_per_pass) {
        break;
      }
      // What cannot be made room for must not keep others from having work stopped.
      if (At(original_.pending, pending).consolidate && plans_ >= kMovingPlansMax) continue;
      if (IsCandidate(pending)) Try(pending);
    }
    return OfTheOriginal();
  }

 private:
  /// Whose stopping would make room.
  struct Choice {
    /// Empty when none would do.
    std::vector<const Stoppable*> stopped;
    bool is_final = true;
  };
  /// What goes on elsewhere.
  struct Moved {
    /// Where the rest of it waits.
    int pending = 0;
    /// Position in Snapshot::preemptible.
    int row = 0;
  };
  /// What came of one.
  struct Attempt {
    /// For good, in this pass and for all like it, until others are stopped.
    bool is_refused = false;
    /// Rows of what was to be moved and would not go on at once.
    std::set<int> not_moved;
  };

  /// Of GPUs that its present attempt holds. Requires: in the order of the rows.
  Stoppable* Holder(const SnapshotClaim& claim) {
    if (!claim.counts_against_quota) return nullptr;
    const auto id_of = [&](const Stoppable& one) -> const AllocationId& {
      return At(original_.preemptible, one.row).id;
    };
    const auto found = std::lower_bound(
        stoppable_.begin(), stoppable_.end(), claim.allocation,
        [&](const Stoppable& one, const AllocationId& id) { return id_of(one) < id; });
    return found == stoppable_.end() || id_of(*found) != claim.allocation ? nullptr : &*found;
  }

  /// What it was added to, if to anything.
  const std::optional<AllocationId>& BaseOf(const Stoppable& one) const {
    return At(original_.preemptible, one.row).grows;
  }

  void AddUpGrowths() {
    std::map<AllocationId, int> held;
    for (const SnapshotClaim& claim : original_.claims) {
      if (claim.counts_against_quota) held[claim.allocation] += CountGpus(claim.gpus);
    }
    for (Stoppable& one : stoppable_) {
      for (const AllocationId& growth : At(original_.preemptible, one.row).growths) {
        one.gpus_in_all += held[growth];
      }
    }
  }

  /// It does not borrow, and would gain enough if it could start at once. What may be stopped
  /// itself has what is borrowed stopped, and nothing else.
  bool IsCandidate(int pending) const {
    const SnapshotPending& row = At(world_.pending, pending);
    if (row.request.borrow || row.after || row.grows || EarliestStart(row, policy_) > stop_)
      return false;
    if (row.request.preemptible && row.consolidate) return false;
    const auto start = At(starts_, pending);
    if (start) return *start > stop_ && *start >= stop_ + GainFor(row);
    const auto deferral =
        std::lower_bound(plan_.deferrals.begin(), plan_.deferrals.end(), pending,
                         [](const Deferral& one, int wanted) { return one.pending < wanted; });
    return deferral->reason == DeferralReason::kNoCapacity;
  }

  void Try(int pending) {
    if (!At(world_.pending, pending).consolidate) {
      // What was refused to a shorter one like it is refused to it.
      const Seconds duration = At(world_.pending, pending).request.duration;
      const auto refused = refused_.find(KeyOf(pending));
      if (refused != refused_.end() && refused->second <= duration) return;
      Attempt attempt = TryWith(pending, WhomToStop(pending, {}));
      if (attempt.is_refused) refused_.insert_or_assign(KeyOf(pending), duration);
      return;
    }
    // Again and again without those that would not go on at once.
    std::set<int> staying;
    while (plans_ < kMovingPlansMax) {
      Attempt attempt = TryWith(pending, WhomToStop(pending, staying));
      if (attempt.not_moved.empty()) return;
      staying.merge(attempt.not_moved);
    }
  }

  Attempt TryWith(int pending, const Choice& choice) {
    const std::vector<const Stoppable*>& stopped = choice.stopped;
    if (stopped.empty()) return {.is_refused = choice.is_final};
    if (!WouldGainEnough(pending, stop_, stopped)) return {};
    ++plans_;
    Snapshot changed = Without(stopped);
    // It is what others are stopped for: nobody else may have it, those least of all.
    whom_.push_back(pending);
    // What is moved ranks right behind, in this plan and in all after it.
    std::vector<Moved> moved = moved_;
    for (std::size_t i = 0; i < stopped.size(); ++i) {
      if (At(world_.pending, pending).consolidate && !stopped[i]->borrowed &&
          !BaseOf(*stopped[i])) {
        moved.push_back({static_cast<int>(world_.pending.size() + i), stopped[i]->row});
      }
    }
    std::vector<int> first = whom_;
    for (const Moved& one : moved) first.push_back(one.pending);
    Plan plan = PlanAround(changed, policy_, first);
    std::set<int> not_moved = NotMoved(plan, moved, changed.pending.size());
    if (!not_moved.empty() || !IsBetter(pending, plan, stopped)) {
      whom_.pop_back();
      return {.is_refused = true, .not_moved = std::move(not_moved)};
    }
    moved_ = std::move(moved);
    for (Placement& placement : plan.placements) {
      if (std::find(whom_.begin(), whom_.end(), placement.pending) != whom_.end()) {
        placement.promised = true;
      }
    }
    for (const Stoppable* one : stopped) preemptions_.push_back({one->row, pending, stop_, stop_});
    std::erase_if(stoppable_, [&](const Stoppable& one) {
      return std::any_of(preemptions_.begin(), preemptions_.end(),
                         [&](const auto& made) { return made.preemptible == one.row; });
    });
    world_ = std::move(changed);
    plan_ = std::move(plan);
    starts_ = StartsOf(plan_, world_.pending.size());
    refused_.clear();
    return {};
  }

  /// Rows of what would not go on at once.
  std::set<int> NotMoved(const Plan& plan, const std::vector<Moved>& moved,
                         std::size_t pending) const {
    const Starts starts = StartsOf(plan, pending);
    const Instant latest = MovedBy(stop_, world_.now, policy_);
    std::set<int> rows;
    for (const Moved& one : moved) {
      if (At(starts, one.pending).value_or(kEndOfTime) > latest) rows.insert(one.row);
    }
    return rows;
  }

  /// In the cluster where it costs the least. `staying`: rows of what is not stopped.
  Choice WhomToStop(int pending, const std::set<int>& staying) {
    const SnapshotPending& row = At(world_.pending, pending);
    const std::vector<GpuMask> usable = UsableFor(pending);
    std::vector<GpuMask> free = usable;
    for (const Stoppable& one : stoppable_) {
      for (const PlacedNode& placed : one.nodes) {
        At(free, placed.node) = static_cast<GpuMask>(At(free, placed.node) & ~placed.gpus);
      }
    }
    std::vector<const Stoppable*> best;
    // Were it asked again, the answer would be the same.
    bool is_final = true;
    for (int cluster = 0; cluster < static_cast<int>(world_.clusters.size()); ++cluster) {
      if (!IsOpen(row, cluster)) continue;
      if (!QuotaAllows(row, cluster)) {
        is_final = false;
        continue;
      }
      std::vector<const Stoppable*> here = StoppableIn(cluster, row, staying);
      if (here.empty()) continue;
      std::vector<int> nodes;
      for (int node = 0; node < static_cast<int>(world_.nodes.size()); ++node) {
        if (At(world_.nodes, node).cluster == cluster) nodes.push_back(node);
      }
      const Shape& shape = row.request.ShapeOn(At(world_.clusters, cluster).model);
      auto found = Clearing(usable, free, nodes, here, shape).Find();
      // Without those beyond their project's budget there may be others.
      for (auto beyond = BeyondBudget(found); !beyond.empty(); beyond = BeyondBudget(found)) {
        std::erase_if(here, [&](const Stoppable* one) { return beyond.contains(one->row); });
        found = Clearing(usable, free, nodes, here, shape).Find();
      }
      if (!found.empty() && (best.empty() || Cost(found) < Cost(best))) best = std::move(found);
    }
    AddGrowths(best);
    return {std::move(best), is_final};
  }
  /// What was added to others is stopped with them.
  void AddGrowths(std::vector<const Stoppable*>& found) const {
    std::set<AllocationId> bases;
    std::set<int> rows;
    for (const Stoppable* one : found) {
      bases.insert(At(original_.preemptible, one->row).id);
      rows.insert(one->row);
    }
    for (const Stoppable& one : stoppable_) {
      const auto& base = BaseOf(one);
      if (base && bases.contains(*base) && !rows.contains(one.row)) found.push_back(&one);
    }
  }
  /// Rows of those that are more of their project than may be stopped; in the order given.
  std::set<int> BeyondBudget(const std::vector<const Stoppable*>& found) const {
    std::set<AllocationId> ids;
    for (const Preemption& made : preemptions_) {
      ids.insert(At(original_.preemptible, made.preemptible).id);
    }
    for (const Stoppable* one : found) ids.insert(At(original_.preemptible, one->row).id);
    // What is stopped with what it was added to is one with it.
    const auto counts = [&](int row) {
      const auto& grows = At(original_.preemptible, row).grows;
      return !grows || !ids.contains(*grows);
    };
    std::map<int, int> stopped_of;
    for (const Preemption& made : preemptions_) {
      if (counts(made.preemptible))
        ++stopped_of[At(original_.preemptible, made.preemptible).project];
    }
    std::set<int> beyond;
    for (const Stoppable* one : found) {
      if (!counts(one->row)) continue;
      const int project = At(original_.preemptible, one->row).project;
      const int lately = At(original_.projects, project).stopped_lately;
      if (lately + ++stopped_of[project] > policy_.preemptions_per_project) beyond.insert(one->row);
    }
    return beyond;
  }
  /// In the order of GoesFirst: what would go on for so long that stopping it gains something.
  std::vector<const Stoppable*> StoppableIn(int cluster, const SnapshotPending& whom,
                                            const std::set<int>& staying) const {
    std::vector<const Stoppable*> here;
    for (const Stoppable& one : stoppable_) {
      if (staying.contains(one.row)) continue;
      if (At(world_.nodes, one.nodes.front().node).cluster != cluster) continue;
      if (whom.request.preemptible && !one.borrowed) continue;
      // What was added to others has nowhere to be moved to.
      if (whom.consolidate && !one.borrowed && BaseOf(one)) continue;
      if (At(original_.preemptible, one.row).until < stop_ + GainFor(whom)) continue;
      here.push_back(&one);
    }
    return here;
  }
  static int64_t Cost(const std::vector<const Stoppable*>& stopped) {
    return std::accumulate(stopped.begin(), stopped.end(), int64_t{0},
                           [](int64_t sum, const Stoppable* one) { return sum + CostOf(*one); });
  }
  /// Those that somebody has a right to. What is borrowed weighs nothing.
  static int64_t OwnGpus(const std::vector<const Stoppable*>& stopped) {
    return std::accumulate(
        stopped.begin(), stopped.end(), int64_t{0},
        [](int64_t sum, const Stoppable* one) { return sum + (one->borrowed ? 0 : one->gpus); });
  }

  /// Who is alike in all that decides where room can be made, but for how long.
  using Key =
      std::tuple<ProgrammeId, std::vector<GpuModel>, Shape, std::optional<ExchangedShape>, bool>;
  Key KeyOf(int pending) const {
    const SnapshotPending& row = At(world_.pending, pending);
    return {At(world_.projects, row.project).programme, row.request.models, row.request.shape,
            row.request.exchanged, row.request.preemptible};
  }

  /// What its project holds then leaves room for it.
  bool QuotaAllows(const SnapshotPending& row, int cluster) const {
    const GpuModel model = At(world_.clusters, cluster).model;
    int left = allot::At(At(world_.projects, row.project).concurrent_gpus, model) -
               row.request.ShapeOn(model).gpus();
    for (const SnapshotClaim& claim : world_.claims) {
      const int at = At(world_.nodes, claim.node).cluster;
      if (claim.project == row.project && claim.counts_against_quota && !claim.borrowed &&
          claim.until > stop_ && At(world_.clusters, at).model == model) {
        left -= CountGpus(claim.gpus);
      }
    }
    return left >= 0;
  }

  bool IsOpen(const SnapshotPending& row, int cluster) const {
    const SnapshotCluster& one = At(world_.clusters, cluster);
    const auto& models = row.request.models;
    return std::find(models.begin(), models.end(), one.model) != models.end() &&
           std::binary_search(one.programmes.begin(), one.programmes.end(),
                              At(world_.projects, row.project).programme);
  }

  /// By node, from `stop_` for as long as it asks: what nobody holds who cannot be stopped. What is
  /// planned but not promised may be moved. A first look: the plan made afterwards decides.
  std::vector<GpuMask> UsableFor(int pending) const {
    const SnapshotPending& row = At(world_.pending, pending);
    const TimeWindow window = *TimeWindow::Make(stop_, stop_ + row.request.duration);
    std::vector<GpuMask> usable;
    usable.reserve(world_.nodes.size());
    for (const SnapshotNode& node : world_.nodes) {
      const SnapshotCluster& cluster = At(world_.clusters, node.cluster);
      const bool is_there = (!cluster.join_time || *cluster.join_time <= stop_) &&
                            (!cluster.leave_time || *cluster.leave_time >= window.end());
      usable.push_back(node.schedulable && is_there ? kAllGpus : GpuMask{0});
    }
    const auto take = [&](int node, GpuMask gpus) {
      At(usable, node) = static_cast<GpuMask>(At(usable, node) & ~gpus);
    };
    std::set<AllocationId> may_be_stopped;
    for (const Stoppable& one : stoppable_) {
      may_be_stopped.insert(At(original_.preemptible, one.row).id);
    }
    for (const SnapshotClaim& claim : world_.claims) {
      const bool is_overdue = claim.until <= world_.now;
      if (claim.counts_against_quota && may_be_stopped.contains(claim.allocation)) continue;
      if (claim.until > stop_ || is_overdue) take(claim.node, claim.gpus);
    }
    for (const SnapshotReservation& reservation : world_.reservations) {
      const bool meets =
          std::any_of(reservation.windows.begin(), reservation.windows.end(),
                      [&](const TimeWindow& reserved) { return reserved.Overlaps(window); });
      for (const int node : reservation.nodes) {
        if (meets) take(node, kAllGpus);
      }
    }
    for (const Placement& placement : plan_.placements) {
      if (!placement.promised || placement.pending == pending) continue;
      if (!placement.window.Overlaps(window)) continue;
      for (const PlacedNode& placed : placement.nodes) take(placed.node, placed.gpus);
    }
    return usable;
  }

  /// The same with their windows ending at `stop_`, and what is left of them waiting.
  Snapshot Without(const std::vector<const Stoppable*>& stopped) const {
    Snapshot changed = world_;
    std::map<AllocationId, Instant> stops;
    for (const Stoppable* one : stopped) {
      const SnapshotPreemptible& row = At(original_.preemptible, one->row);
      SnapshotPending again;
      again.id = row.id;
      again.project = row.project;
      again.request = row.request;
      again.request.earliest_start = std::max(stop_, row.request.earliest_start.value_or(stop_));
      again.request.duration = Between(stop_, row.until);
      again.create_time = row.create_time;
      again.grows = row.grows;
      AddStops(row, stop_, stops);
      // What it does not use now is there for the rest of it, and for nobody else: so no more than
      // that takes at the least. What was added goes on when nobody knows.
      GpuSeconds& left = At(changed.projects, row.project).gpu_time_left;
      if (!row.grows) left = left.Plus(*LowestCost(again.request)).value_or(left);
      changed.pending.push_back(std::move(again));
    }
    // Nothing is added to what is stopped.
    for (SnapshotPending& pending : changed.pending) {
      if (pending.grows && stops.contains(*pending.grows)) pending.beside.reset();
    }
    EndClaims(changed, stops);
    return changed;
  }

  /// From starting later for `whom`: who may not be stopped; or does not borrow, for one that may
  /// be stopped.
  static bool IsProtected(const SnapshotPending& row, const SnapshotPending& whom) {
    // What would be added to another takes what is left.
    if (row.grows) return false;
    return !row.request.preemptible || (whom.request.preemptible && !row.request.borrow);
  }

  bool IsBetter(int pending, const Plan& plan, const std::vector<const Stoppable*>& stopped) const {
    if (plan.slips != plan_.slips) return false;
    const Starts after = StartsOf(plan, world_.pending.size() + stopped.size());
    const auto waiting = static_cast<int>(original_.pending.size());
    for (int i = 0; i < static_cast<int>(after.size()); ++i) {
      // What is stopped has a start again …
      if (i >= waiting && !At(after, i) && !IsGrowth(i, stopped)) return false;
      if (i >= waiting || !IsProtected(At(world_.pending, i), At(world_.pending, pending)))
        continue;
      // … and who is protected starts no later.
      if (At(after, i).value_or(kEndOfTime) > At(starts_, i).value_or(kEndOfTime)) return false;
    }
    // Not sooner than by stopping others, which their place in the order alone would do.
    const bool by_stopping = std::all_of(whom_.begin(), whom_.end(), [&](int whom) {
      return At(after, whom) && *At(after, whom) >= stop_;
    });
    return by_stopping && WouldGainEnough(pending, *At(after, pending), stopped);
  }

  /// Of a row behind those of the original: it was added to another.
  bool IsGrowth(int i, const std::vector<const Stoppable*>& stopped) const {
    const auto row = static_cast<std::size_t>(i);
    if (row < world_.pending.size()) return world_.pending[row].grows.has_value();
    return BaseOf(*stopped[row - world_.pending.size()]).has_value();
  }

  /// If it started then: by itself, and for the GPUs that are taken back.
  bool WouldGainEnough(int pending, Instant start,
                       const std::vector<const Stoppable*>& stopped) const {
    const Instant never = world_.now + policy_.planning_horizon;
    const Seconds sooner = Between(start, At(starts_, pending).value_or(never));
    const SnapshotPending& row = At(world_.pending, pending);
    return sooner.count > 0 && sooner >= GainFor(row) &&
           (IsNamed(row) || sooner.count * row.request.shape.gpus() >
                                OwnGpus(stopped) * policy_.preemption_gain.count);
  }
  /// What an operator named is worth any work that may be stopped.
  static bool IsNamed(const SnapshotPending& row) { return row.urgent || row.consolidate; }
  Seconds GainFor(const SnapshotPending& row) const {
    return IsNamed(row) ? kNamedGain : policy_.preemption_gain;
  }

  /// Without the rows that were added, and with what was stopped for whom.
  Plan OfTheOriginal() {
    const int waiting = static_cast<int>(original_.pending.size());
    // What was stopped waits in the order in which it was.
    for (std::size_t i = 0; i < preemptions_.size(); ++i) {
      preemptions_[i].restart = starts_[original_.pending.size() + i].value_or(stop_);
    }
    const auto is_added = [&](const auto& row) { return row.pending >= waiting; };
    std::erase_if(plan_.placements, is_added);
    std::erase_if(plan_.deferrals, is_added);
    std::erase_if(plan_.order, [&](int pending) { return pending >= waiting; });
    std::sort(preemptions_.begin(), preemptions_.end(),
              [](const auto& a, const auto& b) { return a.preemptible < b.preemptible; });
    plan_.preemptions = std::move(preemptions_);
    return std::move(plan_);
  }

  const Snapshot& original_;
  const Policy& policy_;
  const Instant stop_;
  // What was stopped so far waits behind the rows of the original.
  Snapshot world_;
  Plan plan_;
  Starts starts_;
  // In the order of GoesFirst.
  std::vector<Stoppable> stoppable_;
  std::vector<Preemption> preemptions_;
  // The shortest for whom stopping others makes no room, or none that is worth it.
  std::map<Key, Seconds> refused_;
  // Those for whom others are stopped.
  std::vector<int> whom_;
  std::vector<Moved> moved_;
  int plans_ = 0;
};

}  // namespace

bool MayBeStopped(const SnapshotPreemptible& running, Instant now, const Policy& policy) {
  return running.start + policy.preemption_min_run <= now &&
         (running.request.borrow || running.preemptions < policy.preemptions_max) &&
         running.until > now + policy.preemption_grace;
}

Instant MovedBy(Instant stop, Instant now, const Policy& policy) {
  return stop + policy.release_time + CoarsenessAt(now, stop);
}

Snapshot AfterPreemptions(const Snapshot& snapshot, const Plan& plan) {
  Snapshot after = snapshot;
  std::map<AllocationId, Instant> stops;
  for (const Preemption& preemption : plan.preemptions) {
    AddStops(At(snapshot.preemptible, preemption.preemptible), preemption.stop, stops);
  }
  EndClaims(after, stops);
  return after;
}

Plan WithPreemptions(const Snapshot& snapshot, const Policy& policy, Plan plan) {
  const bool may_stop =
      policy.preemptions_per_pass > 0 &&
      std::any_of(snapshot.preemptible.begin(), snapshot.preemptible.end(),
                  [&](const auto& row) { return MayBeStopped(row, snapshot.now, policy); });
  if (!may_stop) return plan;
  return Preempter(snapshot, policy, std::move(plan)).Run();
}

}  // namespace allot::scheduler
