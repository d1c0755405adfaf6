#include <algorithm>
#include <map>
#include <tuple>

#include "allot/base/check.h"
#include "scheduler/at.h"
#include "scheduler/pass.h"

// The calendars of a pass as the snapshot leaves them: what runs, what is set aside, what is not
// there yet.

namespace allot::scheduler {
namespace {

constexpr GpuMask kAllGpus = 0xff;

}  // namespace

void Pass::NumberAsks() {
  // One number holds an ask: sorting those is half the work of sorting rows.
  std::vector<std::pair<uint64_t, int*>> by_ask;
  by_ask.reserve(snapshot_.pending.size());
  asks_.resize(snapshot_.pending.size(), StartBounds::kUnnumbered);
  exchanged_asks_.resize(snapshot_.pending.size(), StartBounds::kUnnumbered);
  const auto add = [&](const Shape& shape, Seconds duration, int& number) {
    uint64_t ask = static_cast<uint64_t>(shape.nodes);
    ask = ask << 4 | static_cast<uint64_t>(shape.gpus_per_node);
    ask = ask << 4 | static_cast<uint64_t>(shape.remainder_gpus);
    by_ask.emplace_back(ask << 40 | static_cast<uint64_t>(duration.count), &number);
  };
  for (int i = 0; i < static_cast<int>(snapshot_.pending.size()); ++i) {
    const Request& request = Pending(i).request;
    add(request.shape, request.duration, At(asks_, i));
    if (request.exchanged) add(request.exchanged->shape, request.duration, At(exchanged_asks_, i));
  }
  std::sort(by_ask.begin(), by_ask.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  for (std::size_t i = 0; i < by_ask.size(); ++i) {
    if (i == 0 || by_ask[i - 1].first < by_ask[i].first) ++ask_count_;
    *by_ask[i].second = static_cast<int>(ask_count_) - 1;
  }
}

void Pass::BuildClusters() {
  clusters_.resize(snapshot_.clusters.size());
  position_in_cluster_.resize(snapshot_.nodes.size());
  std::vector<std::map<std::string_view, int>> leaf_numbers(clusters_.size());
  Holds holds(clusters_.size());
  const int last_slot = grid_.slots() - 1;
  for (std::size_t i = 0; i < snapshot_.nodes.size(); ++i) {
    const SnapshotNode& node = snapshot_.nodes[i];
    Cluster& cluster = At(clusters_, node.cluster);
    position_in_cluster_[i] = cluster.nodes++;
    cluster.node_positions.push_back(static_cast<int>(i));
    auto& numbers = At(leaf_numbers, node.cluster);
    cluster.leaves.push_back(
        node.leaf.empty()
            ? Leaves::kUnknown
            : numbers.emplace(node.leaf, static_cast<int>(numbers.size())).first->second);
    if (node.schedulable) {
      ++cluster.schedulable;
    } else {
      At(holds, node.cluster).push_back({position_in_cluster_[i], kAllGpus, 0, last_slot});
    }
  }
  for (const SnapshotClaim& claim : snapshot_.claims) {
    const SnapshotNode& node = At(snapshot_.nodes, claim.node);
    if (!node.schedulable) continue;
    At(holds, node.cluster)
        .push_back({At(position_in_cluster_, claim.node), claim.gpus, grid_.SlotOf(claim.start),
                    LastHeldBy(claim)});
  }
  HoldForDates(holds);
  SetAside(holds);
  for (std::size_t i = 0; i < clusters_.size(); ++i) {
    Cluster& cluster = clusters_[i];
    cluster.position = static_cast<int>(i);
    cluster.model = snapshot_.clusters[i].model;
    cluster.calendar = std::make_unique<ClusterCalendar>(grid_, cluster.leaves, std::move(holds[i]),
                                                         RanksOn(cluster.model));
    cluster.number = i;
  }
  bounds_ = std::make_unique<StartBounds>(ask_count_, clusters_.size() + set_aside_.size());
}

// A cluster is taken until it joins and from when it leaves, in whole slots.
void Pass::HoldForDates(Holds& holds) const {
  for (std::size_t i = 0; i < clusters_.size(); ++i) {
    const auto hold = [&](int first_slot, int last_slot) {
      for (int node = 0; node < clusters_[i].nodes; ++node) {
        holds[i].push_back({node, kAllGpus, first_slot, last_slot});
      }
    };
    const SnapshotCluster& cluster = snapshot_.clusters[i];
    if (cluster.join_time && *cluster.join_time > snapshot_.now) {
      hold(0, grid_.SlotBefore(*cluster.join_time));
    }
    if (cluster.leave_time) hold(grid_.SlotOf(*cluster.leave_time), grid_.slots() - 1);
  }
}

// In its windows nobody plans on what is set aside; whose it is plans in a calendar of its own.
void Pass::SetAside(Holds& holds) {
  set_aside_.reserve(snapshot_.reservations.size());
  set_aside_for_.resize(snapshot_.projects.size());
  Holds closed(holds.size());
  for (std::size_t i = 0; i < snapshot_.reservations.size(); ++i) {
    const SnapshotReservation& reservation = snapshot_.reservations[i];
    const int cluster = At(snapshot_.nodes, reservation.nodes.front()).cluster;
    if (reservation.project) {
      set_aside_.push_back(CalendarOf(static_cast<int>(i), At(holds, cluster)));
      set_aside_.back().number = clusters_.size() + set_aside_.size() - 1;
      At(set_aside_for_, *reservation.project).push_back(&set_aside_.back());
    }
    for (const TimeWindow& window : reservation.windows) {
      const int first_slot = grid_.SlotOf(window.start());
      const int last_slot = grid_.LastHeld(window.end());
      for (const int node : reservation.nodes) {
        At(closed, cluster)
            .push_back({At(position_in_cluster_, node), kAllGpus, first_slot, last_slot});
      }
    }
  }
  for (std::size_t i = 0; i < holds.size(); ++i) {
    holds[i].insert(holds[i].end(), closed[i].begin(), closed[i].end());
  }
}

// `holds`: what is taken on the whole cluster, by the cluster's positions.
Pass::Cluster Pass::CalendarOf(int reservation, const std::vector<Hold>& holds) const {
  const SnapshotReservation& row = At(snapshot_.reservations, reservation);
  Cluster cluster;
  cluster.position = At(snapshot_.nodes, row.nodes.front()).cluster;
  cluster.model = At(snapshot_.clusters, cluster.position).model;
  cluster.reservation = reservation;
  cluster.nodes = static_cast<int>(row.nodes.size());
  cluster.node_positions = row.nodes;
  // By position in the cluster: the position here, or none.
  std::vector<int> here(static_cast<std::size_t>(At(clusters_, cluster.position).nodes), -1);
  for (int i = 0; i < cluster.nodes; ++i) {
    const int node = At(row.nodes, i);
    At(here, At(position_in_cluster_, node)) = i;
    cluster.leaves.push_back(
        At(At(clusters_, cluster.position).leaves, At(position_in_cluster_, node)));
    if (At(snapshot_.nodes, node).schedulable) ++cluster.schedulable;
  }
  std::vector<Hold> holds_here;
  for (Hold hold : holds) {
    hold.node = At(here, hold.node);
    if (hold.node >= 0) holds_here.push_back(hold);
  }
  const auto close = [&](int first_slot, int last_slot) {
    for (int i = 0; i < cluster.nodes && first_slot <= last_slot; ++i) {
      holds_here.push_back({i, kAllGpus, first_slot, last_slot});
    }
  };
  int open_until = -1;
  for (const TimeWindow& window : row.windows) {
    close(open_until + 1, grid_.SlotOf(window.start()) - 1);
    open_until = grid_.LastHeld(window.end());
  }
  close(open_until + 1, grid_.slots() - 1);
  cluster.calendar = std::make_unique<ClusterCalendar>(grid_, cluster.leaves, std::move(holds_here),
                                                       RanksOn(cluster.model));
  return cluster;
}

int Pass::LastHeldBy(const SnapshotClaim& claim) const {
  // Within the release time it is not late.
  if (claim.until + policy_.release_time > snapshot_.now) return grid_.LastHeld(claim.until);
  return grid_.SlotBefore(snapshot_.now + kOverdueReleaseGrace);
}

// Of one model the smallest cluster comes first, which leaves the large ones to large gangs; then
// the id decides.
void Pass::FindClustersByProgramme() {
  std::map<ProgrammeId, int> programmes;
  for (const SnapshotProject& project : snapshot_.projects) {
    const auto [found, is_new] =
        programmes.emplace(project.programme, static_cast<int>(open_.size()));
    programmes_.push_back(found->second);
    if (!is_new) continue;
    OpenClusters& by_model = open_.emplace_back();
    for (Cluster& cluster : clusters_) {
      const auto& served = At(snapshot_.clusters, cluster.position).programmes;
      if (std::binary_search(served.begin(), served.end(), project.programme)) {
        by_model[static_cast<std::size_t>(cluster.model)].push_back(&cluster);
      }
    }
    for (std::vector<Cluster*>& of_model : by_model) {
      std::sort(of_model.begin(), of_model.end(), [](const Cluster* a, const Cluster* b) {
        return std::tuple(a->schedulable, a->position) < std::tuple(b->schedulable, b->position);
      });
    }
  }
}

void Pass::BookQuotas() {
  quotas_.reserve(snapshot_.projects.size());
  gpu_time_left_.reserve(snapshot_.projects.size());
  GpusByModel borrowed_max{};
  borrowed_max.fill(policy_.borrowed_gpus_max);
  borrowed_.reserve(snapshot_.projects.size());
  for (const SnapshotProject& project : snapshot_.projects) {
    quotas_.emplace_back(grid_, project.concurrent_gpus);
    borrowed_.emplace_back(grid_, borrowed_max);
    gpu_time_left_.push_back(project.gpu_time_left);
  }
  for (const SnapshotClaim& claim : snapshot_.claims) {
    if (!claim.counts_against_quota) continue;
    const GpuModel model = At(clusters_, At(snapshot_.nodes, claim.node).cluster).model;
    At(claim.borrowed ? borrowed_ : quotas_, claim.project)
        .Book(model, CountGpus(claim.gpus), grid_.SlotOf(claim.start), LastHeldBy(claim));
  }
}

}  // namespace allot::scheduler
