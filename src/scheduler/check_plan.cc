#include "allot/scheduler/check_plan.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <tuple>

#include "scheduler/at.h"
#include "scheduler/check_promises.h"

namespace allot::scheduler {
namespace {

// Nothing of the planner's is used here: times are exact instants, GPUs are counted one by one.

struct Booking {
  int node = 0;
  Instant start;
  Instant end;
  GpuMask gpus = 0;
  /// Position in Snapshot::pending; -1 for a claim.
  int pending = -1;
};

struct QuotaChange {
  int project = 0;
  bool borrowed = false;
  GpuModel model = GpuModel::kH200;
  Instant time;
  int gpus = 0;
  bool planned = false;
};

class Checker {
 public:
  Checker(const Snapshot& snapshot, const Policy& policy, const Plan& plan)
      : snapshot_(snapshot), policy_(policy), plan_(plan) {}

  std::vector<std::string> Run() {
    if (plan_.now != snapshot_.now || plan_.revision != snapshot_.revision) {
      Violate("the plan was made at another time or revision than the snapshot");
    }
    CheckEveryoneOnce();
    CheckOrder();
    CheckOverdue();
    for (const Placement& placement : plan_.placements) {
      if (CheckPositions(placement)) CheckPlacement(placement);
    }
    // What names rows that do not exist cannot be swept.
    if (positions_exist_) {
      CheckDoubleBooking();
      CheckReservations();
      CheckQuotas();
      CheckGpuTime();
      CheckChains();
      CheckGrowths();
      CheckPromises(snapshot_, policy_, plan_, violations_);
    }
    return std::move(violations_);
  }

 private:
  const SnapshotPending& PendingAt(int i) const {
    return snapshot_.pending[static_cast<std::size_t>(i)];
  }
  const SnapshotNode& NodeAt(int i) const { return snapshot_.nodes[static_cast<std::size_t>(i)]; }
  void Violate(std::string text) { violations_.push_back(std::move(text)); }
  void Violate(int pending, const std::string& text) {
    Violate(NameOf(snapshot_, pending) + ": " + text);
  }

  void CheckEveryoneOnce() {
    std::vector<int> seen(snapshot_.pending.size(), 0);
    const auto see = [&](int pending) {
      if (Within(pending, seen.size())) {
        ++seen[static_cast<std::size_t>(pending)];
      } else {
        Violate(pending, "does not exist");
        positions_exist_ = false;
      }
    };
    for (const Placement& placement : plan_.placements) see(placement.pending);
    for (std::size_t i = 0; i < plan_.deferrals.size(); ++i) {
      const Deferral& deferral = plan_.deferrals[i];
      see(deferral.pending);
      if (deferral.message.empty()) Violate(deferral.pending, "is deferred without a message");
      if (i > 0 && plan_.deferrals[i - 1].pending >= deferral.pending) {
        Violate(deferral.pending, "is out of order among the deferrals");
      }
    }
    for (std::size_t i = 0; i < seen.size(); ++i) {
      if (seen[i] != 1) {
        Violate(static_cast<int>(i),
                "is placed or deferred " + std::to_string(seen[i]) + " times, not once");
      }
    }
  }

  // Everyone has one rank, and placements follow the ranks.
  void CheckOrder() {
    std::vector<int> rank(snapshot_.pending.size(), -1);
    for (std::size_t i = 0; i < plan_.order.size(); ++i) {
      const int pending = plan_.order[i];
      if (!Within(pending, rank.size())) {
        Violate(pending, "has a rank but does not exist");
      } else if (rank[static_cast<std::size_t>(pending)] >= 0) {
        Violate(pending, "has two ranks");
      } else {
        rank[static_cast<std::size_t>(pending)] = static_cast<int>(i);
      }
    }
    for (std::size_t i = 0; i < rank.size(); ++i) {
      if (rank[i] < 0) Violate(static_cast<int>(i), "has no rank");
    }
    CheckWhoGoesAhead();
    CheckBorrowersLast();
    int last = -1;
    for (const Placement& placement : plan_.placements) {
      if (!Within(placement.pending, rank.size())) continue;
      const int mine = rank[static_cast<std::size_t>(placement.pending)];
      if (mine < last) Violate(placement.pending, "was placed before one of a lower rank number");
      last = std::max(last, mine);
    }
  }

  /// By its row alone: it has a right to go before all who are ranked by shares.
  bool GoesAheadByItself(const SnapshotPending& row) const {
    const Instant since =
        std::max(row.create_time, row.request.earliest_start.value_or(Instant{0}));
    return !row.after && !row.grows && !row.request.borrow &&
           (row.urgent || row.requeued || row.overdue ||
            since + policy_.starvation_bound < snapshot_.now);
  }

  // Nobody without a right to it ranks before one that has it. Whoever lost a promise, has work
  // stopped for it or turned out to be overdue may be anywhere.
  void CheckWhoGoesAhead() {
    std::set<int> exempt(plan_.overdue.begin(), plan_.overdue.end());
    for (const Preemption& preemption : plan_.preemptions) exempt.insert(preemption.pending);
    bool others = false;
    for (const int pending : plan_.order) {
      if (!Within(pending, snapshot_.pending.size()) || exempt.contains(pending)) continue;
      const SnapshotPending& row = PendingAt(pending);
      if (GoesAheadByItself(row)) {
        if (others) Violate(pending, "goes before others and is ranked behind them");
      } else if (!row.promise) {
        others = true;
      }
    }
  }

  // Nobody who borrows ranks before one within its quota. What is stopped ranks first where it is
  // moved, and is not here.
  void CheckBorrowersLast() {
    bool borrows = false;
    for (const int pending : plan_.order) {
      if (!Within(pending, snapshot_.pending.size())) continue;
      const SnapshotPending& row = PendingAt(pending);
      if (row.request.borrow && row.promise) Violate(pending, "is promised what it borrows");
      if (borrows && !row.request.borrow) Violate(pending, "is ranked behind one that borrows");
      borrows = borrows || row.request.borrow;
    }
    for (const Placement& placement : plan_.placements) {
      if (Within(placement.pending, snapshot_.pending.size()) && placement.promised &&
          PendingAt(placement.pending).request.borrow) {
        Violate(placement.pending, "is promised what it borrows");
      }
    }
  }

  // Whoever starts later than what it was told may move is marked, and nobody else is.
  void CheckOverdue() {
    std::set<int> late;
    const auto look = [&](int pending, Instant start) {
      if (!Within(pending, snapshot_.pending.size())) return;
      const SnapshotPending& row = PendingAt(pending);
      if (!row.told_start || row.overdue || row.after || row.grows || row.request.borrow) return;
      if (start > *row.told_start + policy_.planned_slip_max) late.insert(pending);
    };
    for (const Placement& placement : plan_.placements) {
      look(placement.pending, placement.window.start());
    }
    for (const Deferral& deferral : plan_.deferrals) {
      if (deferral.reason == DeferralReason::kNoCapacity) look(deferral.pending, kEndOfTime);
    }
    const std::set<int> marked(plan_.overdue.begin(), plan_.overdue.end());
    if (!std::is_sorted(plan_.overdue.begin(), plan_.overdue.end()) ||
        marked.size() != plan_.overdue.size()) {
      Violate("those that are overdue are not in order, each once");
    }
    for (const int pending : late) {
      if (!marked.contains(pending)) Violate(pending, "starts later than told and is not marked");
    }
    for (const int pending : marked) {
      if (!Within(pending, snapshot_.pending.size()) || !PendingAt(pending).told_start ||
          PendingAt(pending).overdue || PendingAt(pending).after) {
        Violate(pending, "is marked overdue and was told nothing");
      }
    }
  }

  bool CheckPositions(const Placement& placement) {
    bool exist = Within(placement.pending, snapshot_.pending.size());
    if (!Within(placement.cluster, snapshot_.clusters.size())) {
      Violate(placement.pending, "is placed in a cluster that does not exist");
      exist = false;
    }
    for (const PlacedNode& placed : placement.nodes) {
      if (!Within(placed.node, snapshot_.nodes.size())) {
        Violate(placement.pending, "is placed on a node that does not exist");
        exist = false;
      }
    }
    positions_exist_ = positions_exist_ && exist;
    return exist;
  }

  void CheckPlacement(const Placement& placement) {
    CheckWhere(placement);
    CheckShape(placement);
    CheckWhen(placement);
  }

  void CheckWhere(const Placement& placement) {
    const SnapshotPending& pending = PendingAt(placement.pending);
    const SnapshotProject& project = snapshot_.projects[static_cast<std::size_t>(pending.project)];
    const SnapshotCluster& cluster =
        snapshot_.clusters[static_cast<std::size_t>(placement.cluster)];
    if (!project.open) Violate(placement.pending, "is placed but its project is closed");
    if (cluster.model != placement.model) {
      Violate(placement.pending, "is placed as another model than its cluster has");
    }
    const auto& models = pending.request.models;
    if (std::find(models.begin(), models.end(), placement.model) == models.end()) {
      Violate(placement.pending, "is placed on a model it does not accept");
    }
    if (std::find(cluster.programmes.begin(), cluster.programmes.end(), project.programme) ==
        cluster.programmes.end()) {
      Violate(placement.pending, "is placed in a cluster that does not serve its programme");
    }
    for (std::size_t i = 0; i < placement.nodes.size(); ++i) {
      const SnapshotNode& node = NodeAt(placement.nodes[i].node);
      if (node.cluster != placement.cluster) {
        Violate(placement.pending, "is placed on a node of another cluster, " + node.id.str());
      }
      if (!node.schedulable) {
        Violate(placement.pending, "is placed on a node that takes no new work, " + node.id.str());
      }
      if (i > 0 && placement.nodes[i - 1].node >= placement.nodes[i].node) {
        Violate(placement.pending, "has its nodes out of order or twice");
      }
    }
  }

  // As many nodes with exactly so many GPUs as were asked; the whole gang, no more and no less.
  void CheckShape(const Placement& placement) {
    const Shape& shape = PendingAt(placement.pending).request.ShapeOn(placement.model);
    std::array<int, kGpusPerNode + 1> nodes_with{};
    for (const PlacedNode& placed : placement.nodes) {
      ++nodes_with[static_cast<std::size_t>(CountGpus(placed.gpus))];
    }
    std::array<int, kGpusPerNode + 1> asked{};
    asked[static_cast<std::size_t>(shape.gpus_per_node)] += shape.nodes;
    if (shape.remainder_gpus > 0) ++asked[static_cast<std::size_t>(shape.remainder_gpus)];
    if (nodes_with != asked) {
      Violate(placement.pending, "does not have the shape it asked for, " + Describe(shape));
    }
  }

  void CheckWhen(const Placement& placement) {
    const Request& request = PendingAt(placement.pending).request;
    const TimeWindow& window = placement.window;
    if (window.end() != window.start() + request.duration) {
      Violate(placement.pending, "has a window of another duration than it asked for");
    }
    if (request.earliest_start && window.start() < *request.earliest_start) {
      Violate(placement.pending, "starts before its earliest start");
    }
    // A promise outlives the policy it was made under, and a pass that comes a little late.
    const auto& promise = PendingAt(placement.pending).promise;
    const bool kept = promise && window == promise->window;
    if (window.start() < (kept ? snapshot_.now - kPromiseGrace : snapshot_.now)) {
      Violate(placement.pending, "starts before now");
    }
    if (!kept &&
        window.start() < PendingAt(placement.pending).create_time + policy_.gathering_time) {
      Violate(placement.pending, "starts before its gathering time has passed");
    }
    if (!kept && window.start() >= snapshot_.now + policy_.planning_horizon) {
      Violate(placement.pending, "starts behind the planning horizon");
    }
    if (request.deadline && window.end() > *request.deadline) {
      Violate(placement.pending, "ends after its deadline");
    }
    const SnapshotCluster& cluster =
        snapshot_.clusters[static_cast<std::size_t>(placement.cluster)];
    if (cluster.join_time && window.start() < *cluster.join_time) {
      Violate(placement.pending, "starts before its cluster joins");
    }
    if (cluster.leave_time && window.end() > *cluster.leave_time) {
      Violate(placement.pending, "ends after its cluster leaves");
    }
  }

  // Nobody but its project meets a reservation on its nodes in its windows; what is said to run in
  // one lies in one window of it, on its nodes.
  void CheckReservations() {
    std::vector<std::vector<const SnapshotReservation*>> on_node(snapshot_.nodes.size());
    for (const SnapshotReservation& reservation : snapshot_.reservations) {
      for (const int node : reservation.nodes) {
        on_node[static_cast<std::size_t>(node)].push_back(&reservation);
      }
    }
    for (const Placement& placement : plan_.placements) {
      const SnapshotReservation* own = nullptr;
      if (placement.reservation) {
        if (!Within(*placement.reservation, snapshot_.reservations.size())) {
          Violate(placement.pending, "is placed in a reservation that does not exist");
          continue;
        }
        own = &snapshot_.reservations[static_cast<std::size_t>(*placement.reservation)];
        CheckWithin(placement, *own);
      }
      for (const PlacedNode& placed : placement.nodes) {
        for (const SnapshotReservation* reservation :
             on_node[static_cast<std::size_t>(placed.node)]) {
          const bool meets = std::any_of(
              reservation->windows.begin(), reservation->windows.end(),
              [&](const TimeWindow& window) { return window.Overlaps(placement.window); });
          if (reservation != own && meets) {
            Violate(placement.pending, "is placed on " + NodeAt(placed.node).id.str() +
                                           ", which is set aside by " + reservation->id.str());
          }
        }
      }
    }
  }

  void CheckWithin(const Placement& placement, const SnapshotReservation& reservation) {
    if (reservation.project != PendingAt(placement.pending).project) {
      Violate(placement.pending, "is placed in a reservation that is not its project's");
    }
    const bool in_a_window =
        std::any_of(reservation.windows.begin(), reservation.windows.end(),
                    [&](const TimeWindow& window) { return window.Encloses(placement.window); });
    const bool on_its_nodes =
        std::all_of(placement.nodes.begin(), placement.nodes.end(), [&](const PlacedNode& placed) {
          return std::find(reservation.nodes.begin(), reservation.nodes.end(), placed.node) !=
                 reservation.nodes.end();
        });
    if (!in_a_window || !on_its_nodes) {
      Violate(placement.pending, "does not lie within its reservation, " + reservation.id.str());
    }
  }

  // Sweeps each node through time: what ends at an instant is gone before what starts at it.
  void CheckDoubleBooking() {
    std::vector<Booking> bookings;
    for (const SnapshotClaim& claim : snapshot_.claims) {
      bookings.push_back(
          {claim.node, claim.start, HeldUntil(plan_, snapshot_, claim), claim.gpus, -1});
    }
    for (const Placement& placement : plan_.placements) {
      for (const PlacedNode& placed : placement.nodes) {
        bookings.push_back({placed.node, placement.window.start(), placement.window.end(),
                            placed.gpus, placement.pending});
      }
    }
    std::sort(bookings.begin(), bookings.end(), [](const Booking& a, const Booking& b) {
      return std::tie(a.node, a.start, a.pending, a.end, a.gpus) <
             std::tie(b.node, b.start, b.pending, b.end, b.gpus);
    });
    // By GPU of the node at hand: until when it is taken, and whether a placement took it.
    std::array<Instant, kGpusPerNode> taken_until{};
    std::array<bool, kGpusPerNode> by_placement{};
    int node = -1;
    for (const Booking& booking : bookings) {
      if (booking.node != node) {
        node = booking.node;
        taken_until.fill(Instant{INT64_MIN});
        by_placement.fill(false);
      }
      for (std::size_t gpu = 0; gpu < taken_until.size(); ++gpu) {
        if ((booking.gpus >> gpu & 1) == 0) continue;
        // Two claims are the store's affair; a placement may meet neither.
        const bool planned = booking.pending >= 0;
        if (booking.start < taken_until[gpu] && (planned || by_placement[gpu])) {
          Violate("GPU " + std::to_string(gpu) + " of " + NodeAt(node).id.str() +
                  " is given twice at " + FormatRfc3339(booking.start));
        }
        if (booking.end > taken_until[gpu]) {
          taken_until[gpu] = booking.end;
          by_placement[gpu] = planned;
        }
      }
    }
  }

  // Sweeps each project and model through time, what is borrowed apart. A quota may be lower than
  // what is held already; what is planned may not add to that.
  void CheckQuotas() {
    std::vector<QuotaChange> changes;
    const auto hold = [&](int project, bool borrowed, GpuModel model, Instant start, Instant end,
                          int gpus, bool planned) {
      changes.push_back({project, borrowed, model, start, gpus, planned});
      changes.push_back({project, borrowed, model, end, -gpus, planned});
    };
    for (const SnapshotClaim& claim : snapshot_.claims) {
      if (!claim.counts_against_quota) continue;
      const int cluster = NodeAt(claim.node).cluster;
      hold(claim.project, claim.borrowed,
           snapshot_.clusters[static_cast<std::size_t>(cluster)].model, claim.start,
           HeldUntil(plan_, snapshot_, claim), CountGpus(claim.gpus), false);
    }
    for (const Placement& placement : plan_.placements) {
      int gpus = 0;
      for (const PlacedNode& placed : placement.nodes) gpus += CountGpus(placed.gpus);
      const SnapshotPending& row = PendingAt(placement.pending);
      hold(row.project, row.request.borrow, placement.model, placement.window.start(),
           placement.window.end(), gpus, true);
    }
    std::sort(changes.begin(), changes.end(), [](const QuotaChange& a, const QuotaChange& b) {
      return std::tie(a.project, a.borrowed, a.model, a.time, a.gpus, a.planned) <
             std::tie(b.project, b.borrowed, b.model, b.time, b.gpus, b.planned);
    });
    int held = 0;
    int planned = 0;
    for (std::size_t i = 0; i < changes.size(); ++i) {
      const QuotaChange& change = changes[i];
      if (i == 0 || changes[i - 1].project != change.project ||
          changes[i - 1].borrowed != change.borrowed || changes[i - 1].model != change.model) {
        held = 0;
        planned = 0;
      }
      held += change.gpus;
      if (change.planned) planned += change.gpus;
      const SnapshotProject& project = snapshot_.projects[static_cast<std::size_t>(change.project)];
      const int limit =
          change.borrowed ? policy_.borrowed_gpus_max : At(project.concurrent_gpus, change.model);
      if (change.gpus > 0 && planned > 0 && held > limit) {
        Violate(project.id.str() + " would hold " + std::to_string(held) + " " +
                std::string(Name(change.model)) + (change.borrowed ? " borrowed" : "") + " at " +
                FormatRfc3339(change.time) + "; its quota is " + std::to_string(limit));
      }
    }
  }

  // What a project is given in this plan costs no more than it has left.
  void CheckGpuTime() {
    std::vector<int64_t> left;
    for (const SnapshotProject& project : snapshot_.projects) {
      left.push_back(project.gpu_time_left.count());
    }
    std::vector<bool> told(left.size(), false);
    for (const Placement& placement : plan_.placements) {
      int gpus = 0;
      for (const PlacedNode& placed : placement.nodes) gpus += CountGpus(placed.gpus);
      const auto project = static_cast<std::size_t>(PendingAt(placement.pending).project);
      const int64_t cost = placement.window.length().count * gpus;
      if (cost > left[project] && !told[project]) {
        Violate(snapshot_.projects[project].id.str() +
                " is given more GPU time than it has left, " +
                FormatGpuHours(snapshot_.projects[project].gpu_time_left));
        told[project] = true;
      }
      left[project] -= cost;
    }
  }

  // Nobody starts before the end of the one it starts after, nor at once while that one holds GPUs.
  void CheckChains() {
    if (std::none_of(snapshot_.pending.begin(), snapshot_.pending.end(),
                     [](const SnapshotPending& row) { return row.after.has_value(); })) {
      return;
    }
    std::map<AllocationId, Instant> ends;
    std::set<AllocationId> waiting;
    for (const SnapshotPending& row : snapshot_.pending) waiting.insert(row.id);
    for (const SnapshotClaim& claim : snapshot_.claims) {
      if (!claim.counts_against_quota || waiting.contains(claim.allocation)) continue;
      const Instant until = HeldUntil(plan_, snapshot_, claim);
      Instant& end = ends.emplace(claim.allocation, until).first->second;
      end = std::max(end, until);
    }
    for (const Placement& placement : plan_.placements) {
      ends.emplace(PendingAt(placement.pending).id, placement.window.end());
    }
    for (const Placement& placement : plan_.placements) {
      const auto& after = PendingAt(placement.pending).after;
      if (!after) continue;
      const auto end = ends.find(*after);
      if (end == ends.end()) {
        Violate(placement.pending, "is placed though what it starts after has no start");
      } else if (placement.window.start() < end->second) {
        Violate(placement.pending, "starts before the end of " + after->str());
      }
      if (placement.promised) Violate(placement.pending, "is promised a start after another's end");
    }
  }

  // What adds to another starts now, where that one runs, and does not outlive it.
  void CheckGrowths() {
    for (const Placement& placement : plan_.placements) {
      const SnapshotPending& row = PendingAt(placement.pending);
      if (!row.grows) continue;
      const auto base = std::find_if(
          snapshot_.claims.begin(), snapshot_.claims.end(), [&](const SnapshotClaim& claim) {
            return claim.allocation == *row.grows && claim.counts_against_quota &&
                   claim.start <= snapshot_.now && claim.project == row.project;
          });
      if (base == snapshot_.claims.end()) {
        Violate(placement.pending, "is added to " + row.grows->str() + ", which does not run");
        continue;
      }
      if (NodeAt(base->node).cluster != placement.cluster) {
        Violate(placement.pending, "is not in the cluster of what it is added to");
      }
      if (placement.window.start() != snapshot_.now ||
          placement.window.end() > HeldUntil(plan_, snapshot_, *base) ||
          placement.window.length() < policy_.growth_min) {
        Violate(placement.pending, "does not run from now on while what it is added to does");
      }
      if (placement.promised) Violate(placement.pending, "is promised what is left by others");
    }
  }

  const Snapshot& snapshot_;
  const Policy& policy_;
  const Plan& plan_;
  bool positions_exist_ = true;
  std::vector<std::string> violations_;
};

}  // namespace

std::vector<std::string> CheckPlan(const Snapshot& snapshot, const Policy& policy,
                                   const Plan& plan) {
  return Checker(snapshot, policy, plan).Run();
}

}  // namespace allot::scheduler
