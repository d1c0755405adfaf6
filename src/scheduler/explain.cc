#include "allot/scheduler/explain.h"

#include <algorithm>
#include <array>
#include <numeric>

#include "scheduler/alternatives.h"
#include "scheduler/describe.h"
#include "scheduler/fair_order.h"
#include "scheduler/pass.h"

namespace allot::scheduler {
namespace {

// Behind every horizon.
constexpr Seconds kForEver = Days(100'000);

// By GPU: from when on no claim holds it any more.
using FreeFrom = std::array<Instant, kGpusPerNode>;

class Explainer {
 public:
  Explainer(const Snapshot& snapshot, const Policy& policy, const Plan& plan, int pending)
      : snapshot_(snapshot),
        policy_(policy),
        plan_(plan),
        position_(pending),
        pending_(snapshot.pending[static_cast<std::size_t>(pending)]),
        project_(ProjectOf(pending_)) {}

  Explanation Run() {
    Rank();
    Shares();
    Quota();
    Clusters();
    Outcome();
    result_.alternatives =
        FindAlternatives(snapshot_, policy_, plan_, position_, result_.planned_start);
    return std::move(result_);
  }

 private:
  const SnapshotProject& ProjectOf(const SnapshotPending& pending) const {
    return snapshot_.projects[static_cast<std::size_t>(pending.project)];
  }
  const SnapshotCluster& ClusterAt(int position) const {
    return snapshot_.clusters[static_cast<std::size_t>(position)];
  }
  const Request& request() const { return pending_.request; }
  const Shape& ShapeIn(int cluster) const { return request().ShapeOn(ClusterAt(cluster).model); }
  bool Accepts(GpuModel model) const {
    const auto& models = request().models;
    return std::find(models.begin(), models.end(), model) != models.end();
  }
  bool IsOpen(const SnapshotCluster& cluster) const {
    return Accepts(cluster.model) &&
           std::binary_search(cluster.programmes.begin(), cluster.programmes.end(),
                              project_.programme);
  }

  void Rank() {
    for (const int pending : plan_.order) {
      const SnapshotPending& other = snapshot_.pending[static_cast<std::size_t>(pending)];
      if (ProjectOf(other).programme != project_.programme) continue;
      ++result_.rank_of;
      if (pending == position_) result_.rank = result_.rank_of;
    }
  }

  // Closed projects claim nothing any more, but what they used was used.
  void Shares() {
    const std::vector<Charge> charges = ChargesAtStart(snapshot_, policy_);
    Charge charged = 0;
    Charge weights = 0;
    for (std::size_t i = 0; i < charges.size(); ++i) {
      const SnapshotProject& project = snapshot_.projects[i];
      if (project.programme != project_.programme) continue;
      charged += charges[i];
      if (project.open) weights += Weight(project);
    }
    const auto permille = [](Charge part, Charge whole) {
      return whole == 0 ? 0 : static_cast<int>(part * 1000 / whole);
    };
    result_.used_share_permille =
        permille(charges[static_cast<std::size_t>(pending_.project)], charged);
    result_.entitled_share_permille = project_.open ? permille(Weight(project_), weights) : 0;
  }

  void Quota() {
    for (const SnapshotClaim& claim : snapshot_.claims) {
      if (claim.project != pending_.project || claim.start > snapshot_.now ||
          !claim.counts_against_quota || claim.borrowed != request().borrow) {
        continue;
      }
      const int cluster = snapshot_.nodes[static_cast<std::size_t>(claim.node)].cluster;
      held_[static_cast<std::size_t>(ClusterAt(cluster).model)] += CountGpus(claim.gpus);
    }
    for (const GpuModel model : request().models) {
      result_.quota_held += At(held_, model);
      result_.quota_limit += Limit(model);
    }
  }
  int Limit(GpuModel model) const {
    return request().borrow ? policy_.borrowed_gpus_max : At(project_.concurrent_gpus, model);
  }
  bool QuotaAllowsNow(GpuModel model) const {
    return At(held_, model) + request().ShapeOn(model).gpus() <= Limit(model);
  }

  void Clusters() {
    std::vector<FreeFrom> free_from(snapshot_.nodes.size());
    for (FreeFrom& node : free_from) node.fill(snapshot_.now);
    for (const SnapshotClaim& claim : snapshot_.claims) {
      const Instant until = claim.until > snapshot_.now ? claim.until
                            : claim.until + policy_.release_time > snapshot_.now
                                ? claim.until + policy_.release_time
                                : snapshot_.now + kOverdueReleaseGrace;
      FreeFrom& node = free_from[static_cast<std::size_t>(claim.node)];
      for (std::size_t gpu = 0; gpu < node.size(); ++gpu) {
        if ((claim.gpus >> gpu & 1) != 0) node[gpu] = std::max(node[gpu], until);
      }
    }
    const std::vector<bool> set_aside = WaitForOthers(free_from);
    std::vector<std::vector<FreeFrom>> schedulable(snapshot_.clusters.size());
    std::vector<ClusterOutlook> outlooks(snapshot_.clusters.size());
    for (std::size_t i = 0; i < snapshot_.nodes.size(); ++i) {
      const SnapshotNode& node = snapshot_.nodes[i];
      if (node.health == NodeHealth::kRemoved) continue;
      const auto cluster = static_cast<std::size_t>(node.cluster);
      ++outlooks[cluster].nodes;
      if (!node.schedulable) {
        ++outlooks[cluster].unschedulable;
        continue;
      }
      if (set_aside[i]) ++outlooks[cluster].set_aside;
      std::sort(free_from[i].begin(), free_from[i].end());
      schedulable[cluster].push_back(free_from[i]);
    }
    for (std::size_t i = 0; i < outlooks.size(); ++i) {
      if (!IsOpen(snapshot_.clusters[i])) continue;
      // What it adds to runs in one of them.
      if (pending_.beside && *pending_.beside != static_cast<int>(i)) continue;
      outlooks[i].cluster = static_cast<int>(i);
      LookAt(schedulable[i], outlooks[i]);
      result_.clusters.push_back(outlooks[i]);
    }
  }

  // Nodes are taken until their cluster joins, and until the request would be over before somebody
  // else's window on them begins. Returns which are set aside now.
  std::vector<bool> WaitForOthers(std::vector<FreeFrom>& free_from) {
    std::vector<std::vector<TimeWindow>> windows(snapshot_.nodes.size());
    for (const SnapshotReservation& reservation : snapshot_.reservations) {
      if (reservation.project == pending_.project) continue;
      for (const int node : reservation.nodes) {
        auto& of_node = windows[static_cast<std::size_t>(node)];
        of_node.insert(of_node.end(), reservation.windows.begin(), reservation.windows.end());
      }
    }
    std::vector<bool> set_aside(snapshot_.nodes.size(), false);
    waits_for_others_.assign(snapshot_.clusters.size(), false);
    const Seconds held = request().duration + policy_.release_time;
    for (std::size_t i = 0; i < snapshot_.nodes.size(); ++i) {
      const int cluster = snapshot_.nodes[i].cluster;
      const Instant joins = ClusterAt(cluster).join_time.value_or(snapshot_.now);
      for (Instant& from : free_from[i]) from = std::max(from, joins);
      if (const auto& leaves = ClusterAt(cluster).leave_time) {
        windows[i].push_back(*TimeWindow::Make(*leaves, *leaves + kForEver));
      }
      std::sort(windows[i].begin(), windows[i].end());
      for (const TimeWindow& window : windows[i]) {
        if (window.Contains(snapshot_.now)) set_aside[i] = true;
        for (Instant& from : free_from[i]) {
          if (from >= window.end() || from + held <= window.start()) continue;
          from = window.end();
          waits_for_others_[static_cast<std::size_t>(cluster)] = true;
        }
      }
    }
    return set_aside;
  }

  // `nodes`: each with its GPUs sorted by when they come free, so that entry g - 1 says from when
  // on g of them are free together.
  void LookAt(const std::vector<FreeFrom>& nodes, ClusterOutlook& outlook) const {
    const Shape& shape = ShapeIn(outlook.cluster);
    const auto from_when = [&](int gpus) {
      std::vector<Instant> times;
      times.reserve(nodes.size());
      for (const FreeFrom& node : nodes) times.push_back(node[static_cast<std::size_t>(gpus - 1)]);
      std::sort(times.begin(), times.end());
      return times;
    };
    for (const FreeFrom& node : nodes) {
      outlook.gpus_free_now += static_cast<int>(
          std::count_if(node.begin(), node.end(), [&](Instant t) { return t <= snapshot_.now; }));
    }
    const std::vector<Instant> whole = from_when(shape.gpus_per_node);
    outlook.nodes_fitting_now = static_cast<int>(
        std::upper_bound(whole.begin(), whole.end(), snapshot_.now) - whole.begin());
    if (shape.node_count() > static_cast<int>(nodes.size())) return;
    Instant earliest = whole[static_cast<std::size_t>(shape.nodes - 1)];
    if (shape.remainder_gpus > 0) {
      // One node more than the whole ones must have the remainder.
      earliest = std::max(
          earliest,
          from_when(shape.remainder_gpus)[static_cast<std::size_t>(shape.node_count() - 1)]);
    }
    if (earliest < snapshot_.now + policy_.planning_horizon) outlook.earliest_by_claims = earliest;
  }

  void Outcome() {
    std::string found = Found();
    const auto deferral = std::find_if(plan_.deferrals.begin(), plan_.deferrals.end(),
                                       [&](const Deferral& d) { return d.pending == position_; });
    if (deferral != plan_.deferrals.end()) {
      result_.reason = Name(deferral->reason);
      result_.message = deferral->message + found;
      return;
    }
    const auto placement = std::find_if(plan_.placements.begin(), plan_.placements.end(),
                                        [&](const Placement& p) { return p.pending == position_; });
    if (placement == plan_.placements.end()) return;
    result_.planned_start = placement->window.start();
    result_.promised = placement->promised;
    result_.reason = WhyNotNow(placement->window.start());
    result_.message = DescribeAsk(request());
    if (result_.reason == "quota_exhausted") {
      const std::string how = request().borrow ? "borrow" : "hold";
      result_.message += "; its project " + how + "s " + std::to_string(result_.quota_held) +
                         " of " + Count(result_.quota_limit, "GPU") + " it may " + how +
                         " at the same time";
    }
    if (pending_.after) {
      const Instant end = PredecessorEnd();
      result_.message += "; starts after " + pending_.after->str() + ", which " +
                         (end > snapshot_.now ? "ends " + FormatRfc3339(end) + " at the earliest"
                                              : "has not given its GPUs back");
    }
    result_.message += found + "; rank " + std::to_string(result_.rank) + " of " +
                       std::to_string(result_.rank_of) +
                       (placement->promised ? "; promised to start " : "; planned to start ") +
                       FormatRfc3339(placement->window.start());
  }

  // Of one that is placed: the one it starts after is placed, or holds its GPUs.
  Instant PredecessorEnd() const {
    for (const Placement& placement : plan_.placements) {
      const auto pending = static_cast<std::size_t>(placement.pending);
      if (snapshot_.pending[pending].id == *pending_.after) return placement.window.end();
    }
    Instant end = snapshot_.now;
    for (const SnapshotClaim& claim : snapshot_.claims) {
      if (claim.allocation == *pending_.after && claim.counts_against_quota) {
        end = std::max(end, claim.until);
      }
    }
    return end;
  }

  // The first that holds: each is enough on its own to keep it from starting now.
  std::string WhyNotNow(Instant start) const {
    if (start <= snapshot_.now) return "starts_now";
    if (pending_.after) return "predecessor_unfinished";
    // Where something else keeps it for longer, its own wish is not why.
    if (start <= EarliestStart(pending_, policy_)) {
      const Instant gathered = pending_.create_time + policy_.gathering_time;
      return request().earliest_start.value_or(gathered) > gathered ? "earliest_start"
                                                                    : "gathering";
    }
    const auto& models = request().models;
    if (std::none_of(models.begin(), models.end(),
                     [&](GpuModel model) { return QuotaAllowsNow(model); })) {
      return "quota_exhausted";
    }
    for (const ClusterOutlook& outlook : result_.clusters) {
      if (outlook.earliest_by_claims && *outlook.earliest_by_claims <= snapshot_.now &&
          QuotaAllowsNow(ClusterAt(outlook.cluster).model)) {
        return "ahead_in_rank";
      }
    }
    return "no_capacity";
  }

  // "; naver-a: 255 nodes, 3 unschedulable, 2 with 8 GPUs free now, 35 GPUs free in all, enough by
  // …".
  std::string Found() const {
    std::string text;
    for (const ClusterOutlook& outlook : result_.clusters) {
      text += "; " + ClusterAt(outlook.cluster).id.str() + ": " + Count(outlook.nodes, "node");
      if (outlook.unschedulable > 0) {
        text += ", " + std::to_string(outlook.unschedulable) + " unschedulable";
      }
      if (outlook.set_aside > 0) {
        text += ", " + std::to_string(outlook.set_aside) + " set aside";
      }
      text += ", " + std::to_string(outlook.nodes_fitting_now) + " with " +
              Count(ShapeIn(outlook.cluster).gpus_per_node, "GPU") + " free now, " +
              Count(outlook.gpus_free_now, "GPU") + " free in all";
      if (outlook.nodes - outlook.unschedulable < ShapeIn(outlook.cluster).node_count()) {
        text += ", too few schedulable nodes";
      } else if (!outlook.earliest_by_claims) {
        text += ", never enough within the planning horizon";
      } else if (*outlook.earliest_by_claims > snapshot_.now) {
        text += waits_for_others_[static_cast<std::size_t>(outlook.cluster)]
                    ? ", running work and what is set aside leave enough by "
                    : ", running work leaves enough by ";
        text += FormatRfc3339(*outlook.earliest_by_claims);
      } else {
        text += ", enough free now";
      }
    }
    return text;
  }

  const Snapshot& snapshot_;
  const Policy& policy_;
  const Plan& plan_;
  const int position_;
  const SnapshotPending& pending_;
  const SnapshotProject& project_;
  GpusByModel held_{};
  // By cluster: whether something set aside for others keeps the request from nodes of it.
  std::vector<bool> waits_for_others_;
  Explanation result_;
};

}  // namespace

Explanation Explain(const Snapshot& snapshot, const Policy& policy, const Plan& plan, int pending) {
  if (plan.preemptions.empty()) return Explainer(snapshot, policy, plan, pending).Run();
  return Explainer(AfterPreemptions(snapshot, plan), policy, plan, pending).Run();
}

}  // namespace allot::scheduler
