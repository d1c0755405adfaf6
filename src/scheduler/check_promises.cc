#include "scheduler/check_promises.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "scheduler/at.h"

namespace allot::scheduler {
namespace {

class PromiseChecker {
 public:
  PromiseChecker(const Snapshot& snapshot, const Policy& policy, const Plan& plan,
                 std::vector<std::string>& violations)
      : snapshot_(snapshot), policy_(policy), plan_(plan), violations_(violations) {}

  void Run() {
    CheckPromises();
    CheckPreemptions();
  }

 private:
  const SnapshotPending& PendingAt(int i) const {
    return snapshot_.pending[static_cast<std::size_t>(i)];
  }
  const SnapshotNode& NodeAt(int i) const { return snapshot_.nodes[static_cast<std::size_t>(i)]; }
  const SnapshotCluster& ClusterOf(const PlacedNode& placed) const {
    return snapshot_.clusters[static_cast<std::size_t>(NodeAt(placed.node).cluster)];
  }
  const SnapshotPreemptible& PreemptibleAt(int i) const {
    return snapshot_.preemptible[static_cast<std::size_t>(i)];
  }
  void Violate(std::string text) { violations_.push_back(std::move(text)); }
  void Violate(int pending, const std::string& text) {
    Violate(NameOf(snapshot_, pending) + ": " + text);
  }

  // A promise is kept or said to have slipped, and slips only where something is in its way.
  void CheckPromises() {
    std::vector<const Placement*> placed(snapshot_.pending.size(), nullptr);
    for (const Placement& placement : plan_.placements) {
      placed[static_cast<std::size_t>(placement.pending)] = &placement;
    }
    std::vector<bool> slipped(snapshot_.pending.size(), false);
    for (const Slip& slip : plan_.slips) {
      const bool was_promised = Within(slip.pending, slipped.size()) &&
                                PendingAt(slip.pending).promise &&
                                PendingAt(slip.pending).promise->window.start() == slip.promised;
      if (was_promised) {
        slipped[static_cast<std::size_t>(slip.pending)] = true;
      } else {
        Violate(slip.pending, "is said to have lost a promise it did not have");
      }
    }
    for (std::size_t i = 0; i < placed.size(); ++i) {
      const auto& promise = snapshot_.pending[i].promise;
      if (!promise) continue;
      const bool kept =
          placed[i] != nullptr && placed[i]->window.start() <= promise->window.start();
      if (kept == slipped[i]) {
        Violate(static_cast<int>(i), kept ? "keeps its promise and is said to have lost it"
                                          : "loses its promise without a word");
      }
    }
    for (const Slip& slip : plan_.slips) {
      if (Within(slip.pending, slipped.size()) && !InTheWay(slip)) {
        Violate(slip.pending, "loses its promise though nothing is in the way");
      }
    }
  }

  bool InTheWay(const Slip& slip) const {
    const SnapshotPending& row = PendingAt(slip.pending);
    if (!row.promise) return true;
    const SnapshotProject& project = snapshot_.projects[static_cast<std::size_t>(row.project)];
    switch (slip.cause) {
      case SlipCause::kProjectClosed:
        return !project.open;
      case SlipCause::kMissed:
        return slip.promised + kPromiseGrace < snapshot_.now ||
               row.promise->window.end() <= snapshot_.now;
      case SlipCause::kNodeLost:
      case SlipCause::kNodeDraining:
        return std::any_of(
            row.promise->nodes.begin(), row.promise->nodes.end(),
            [&](const PlacedNode& placed) { return !NodeAt(placed.node).schedulable; });
      case SlipCause::kClusterClosed: {
        // The planner's slots are a day long at the most.
        const Seconds vicinity = Days(1) + policy_.release_time;
        const SnapshotCluster& cluster = ClusterOf(row.promise->nodes.front());
        const auto& programmes = cluster.programmes;
        return std::find(programmes.begin(), programmes.end(), project.programme) ==
                   programmes.end() ||
               (cluster.join_time && slip.promised < *cluster.join_time + vicinity) ||
               (cluster.leave_time && row.promise->window.end() + vicinity > *cluster.leave_time);
      }
      case SlipCause::kReserved:
        return SomethingIsSetAside(row);
      case SlipCause::kReleaseOverdue:
        return SomethingHolds(row);
      case SlipCause::kQuotaExhausted:
      case SlipCause::kGpuHoursExhausted:
        // How much of either the promises before this one took is the planner's affair.
        return true;
    }
    return false;
  }

  // A reservation on one of its nodes in the vicinity of its window: the planner's slots are a day
  // long at the most.
  bool SomethingIsSetAside(const SnapshotPending& row) const {
    const Seconds vicinity = Days(1) + policy_.release_time;
    const TimeWindow& promised = row.promise->window;
    return std::any_of(
        snapshot_.reservations.begin(), snapshot_.reservations.end(),
        [&](const SnapshotReservation& reservation) {
          const bool on_its_nodes = std::any_of(
              row.promise->nodes.begin(), row.promise->nodes.end(), [&](const PlacedNode& placed) {
                return std::find(reservation.nodes.begin(), reservation.nodes.end(), placed.node) !=
                       reservation.nodes.end();
              });
          const bool meets = std::any_of(reservation.windows.begin(), reservation.windows.end(),
                                         [&](const TimeWindow& window) {
                                           return window.start() < promised.end() + vicinity &&
                                                  promised.start() < window.end() + vicinity;
                                         });
          return on_its_nodes && meets;
        });
  }

  // Only what may be stopped is stopped, late enough and not too often, for somebody who gets a
  // promise from it and may not be stopped in turn.
  void CheckPreemptions() {
    int last = -1;
    std::map<int, int> stopped_of;
    std::set<AllocationId> stopped;
    for (const Preemption& preemption : plan_.preemptions) {
      if (!Within(preemption.preemptible, snapshot_.preemptible.size())) continue;
      stopped.insert(PreemptibleAt(preemption.preemptible).id);
    }
    for (const Preemption& preemption : plan_.preemptions) {
      if (!Within(preemption.preemptible, snapshot_.preemptible.size()) ||
          !Within(preemption.pending, snapshot_.pending.size())) {
        Violate("a preemption of what does not run, or for whom does not wait");
        continue;
      }
      const SnapshotPreemptible& row = PreemptibleAt(preemption.preemptible);
      const std::string who = row.id.str() + ": ";
      if (preemption.preemptible <= last) Violate(who + "is out of order among the preemptions");
      last = preemption.preemptible;
      if (!row.request.preemptible) Violate(who + "is stopped, and may not be");
      if (row.start + policy_.preemption_min_run > snapshot_.now) {
        Violate(who + "is stopped before it ran for preemption_min_run");
      }
      if (!row.request.borrow && row.preemptions >= policy_.preemptions_max) {
        Violate(who + "is stopped more than preemptions_max times");
      }
      const int lately = snapshot_.projects[static_cast<std::size_t>(row.project)].stopped_lately;
      // What is stopped with what it was added to is one with it.
      const bool counts = !row.grows || !stopped.contains(*row.grows);
      if (counts && lately + ++stopped_of[row.project] > policy_.preemptions_per_project) {
        Violate(who + "is stopped, one more of its project than preemptions_per_project");
      }
      if (preemption.stop != snapshot_.now + policy_.preemption_grace ||
          preemption.stop >= row.until) {
        Violate(who + "is not stopped preemption_grace from now and before its end");
      }
      if (preemption.restart < preemption.stop) Violate(who + "goes on before it is stopped");
      if (PendingAt(preemption.pending).consolidate && !row.request.borrow &&
          preemption.restart > preemption.stop + policy_.release_time +
                                   CoarsenessAt(snapshot_.now, preemption.stop)) {
        Violate(who + "is to be moved and does not go on at once");
      }
      const Request& whom = PendingAt(preemption.pending).request;
      if (whom.borrow || (whom.preemptible && !row.request.borrow)) {
        Violate(preemption.pending, "may be stopped, and others are stopped for it");
      }
      const bool gains = std::any_of(
          plan_.placements.begin(), plan_.placements.end(), [&](const Placement& placement) {
            return placement.pending == preemption.pending && placement.promised &&
                   placement.window.start() >= preemption.stop;
          });
      if (!gains) Violate(preemption.pending, "is promised nothing, and others are stopped for it");
    }
  }

  // A claim or another promise on the same GPUs that ends in the vicinity of the promised start, or
  // after it: the planner's slots are a day long at the most.
  bool SomethingHolds(const SnapshotPending& row) const {
    const Instant from = row.promise->window.start() - Days(1) - policy_.release_time;
    const auto meets = [&](int node, GpuMask gpus, Instant until) {
      return until > from && std::any_of(row.promise->nodes.begin(), row.promise->nodes.end(),
                                         [&](const PlacedNode& placed) {
                                           return placed.node == node && (placed.gpus & gpus) != 0;
                                         });
    };
    for (const SnapshotClaim& claim : snapshot_.claims) {
      if (meets(claim.node, claim.gpus, HeldUntil(plan_, snapshot_, claim))) return true;
    }
    for (const SnapshotPending& other : snapshot_.pending) {
      if (!other.promise || other.id == row.id) continue;
      for (const PlacedNode& placed : other.promise->nodes) {
        if (meets(placed.node, placed.gpus, other.promise->window.end())) return true;
      }
    }
    return false;
  }

  const Snapshot& snapshot_;
  const Policy& policy_;
  const Plan& plan_;
  std::vector<std::string>& violations_;
};

}  // namespace

std::string NameOf(const Snapshot& snapshot, int pending) {
  if (Within(pending, snapshot.pending.size())) return At(snapshot.pending, pending).id.str();
  return "pending allocation " + std::to_string(pending);
}

Instant HeldUntil(const Plan& plan, const Snapshot& snapshot, const SnapshotClaim& claim) {
  Instant until = claim.until;
  for (const Preemption& preemption : plan.preemptions) {
    if (!Within(preemption.preemptible, snapshot.preemptible.size())) continue;
    const auto& stopped = snapshot.preemptible[static_cast<std::size_t>(preemption.preemptible)];
    // What an earlier attempt lost with a node is not given back sooner.
    const bool is_its =
        stopped.id == claim.allocation || std::find(stopped.growths.begin(), stopped.growths.end(),
                                                    claim.allocation) != stopped.growths.end();
    if (is_its && claim.counts_against_quota) until = std::min(until, preemption.stop);
  }
  return std::max(until, Instant{snapshot.now.micros + 1});
}

void CheckPromises(const Snapshot& snapshot, const Policy& policy, const Plan& plan,
                   std::vector<std::string>& violations) {
  PromiseChecker(snapshot, policy, plan, violations).Run();
}

}  // namespace allot::scheduler
