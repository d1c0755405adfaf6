#include "control/free_gpus.h"

#include <algorithm>

namespace allot::control {

FreeGpus::FreeGpus(const PoolView& view, Instant now, Seconds step, int points)
    : now_(now), step_(step), points_(points) {
  for (const auto& [id, cluster] : view.clusters()) {
    positions_.emplace(id, clusters_.size());
    clusters_.push_back(cluster);
  }
  ReadNodes(view);
  ReadReservations(view);
  ReadClaims(view);
  ReadPlanned(view);
}

int FreeGpus::PointFrom(Instant time) const {
  if (time <= now_) return 0;
  const int64_t step = step_.count * 1'000'000;
  const int64_t point = (time.micros - now_.micros + step - 1) / step;
  return static_cast<int>(std::min<int64_t>(point, points_));
}

std::size_t FreeGpus::RowOf(const ProjectId& project, const ClusterId& cluster) {
  const auto [found, is_new] = own_rows_.try_emplace({project, cluster}, own_.size());
  if (is_new) own_.push_back({.cluster = positions_.at(cluster)});
  return found->second;
}

template <class Change, class Number>
void FreeGpus::Between(std::vector<Change>& changes, int first, int end, std::size_t row,
                       Number number, int more) {
  if (first >= end) return;
  changes.push_back({.point = first, .row = row, .number = number, .more = more});
  if (end < points_) {
    changes.push_back({.point = end, .row = row, .number = number, .more = -more});
  }
}

void FreeGpus::ReadNodes(const PoolView& view) {
  for (const auto& [id, node] : view.nodes()) {
    node_rows_.emplace(id, nodes_.size());
    nodes_.push_back({.cluster = positions_.at(node.cluster),
                      .may_take_work = Schedulable(view.clusters().at(node.cluster), node, now_)});
  }
}

void FreeGpus::ReadReservations(const PoolView& view) {
  for (const auto& [id, reservation] : view.reservations()) {
    for (const TimeWindow& window : WindowsFrom(reservation, now_)) {
      const int first = PointFrom(window.start());
      const int end = PointFrom(window.end());
      for (const NodeId& node : reservation.nodes) {
        const auto row = node_rows_.find(node);
        if (row == node_rows_.end()) continue;
        Between(node_changes_, first, end, row->second, &NodeRow::set_aside, 1);
      }
      if (reservation.project.empty()) continue;
      Between(own_changes_, first, end, RowOf(reservation.project, reservation.cluster),
              &OwnRow::set_aside, static_cast<int>(reservation.nodes.size()) * kGpusPerNode);
    }
  }
}

void FreeGpus::ReadClaims(const PoolView& view) {
  for (const auto& [id, claims] : view.claims()) {
    for (const Claim& claim : claims) {
      const std::size_t row = node_rows_.at(claim.node);
      const int gpus = CountGpus(claim.gpus);
      // Overdue ones are held now, whatever their window says.
      Between(node_changes_, 0, 1, row, &NodeRow::held, gpus);
      Between(node_changes_, std::max(1, PointFrom(claim.window.start())),
              PointFrom(claim.window.end()), row, &NodeRow::held, gpus);
    }
  }
}

void FreeGpus::ReadPlanned(const PoolView& view) {
  for (const auto& [id, allocation] : view.allocations()) {
    if (allocation->state != AllocationState::kPlanned) continue;
    Between(own_changes_, PointFrom(allocation->window->start()),
            PointFrom(allocation->window->end()), RowOf(allocation->project, allocation->cluster),
            &OwnRow::planned, allocation->request.shape.gpus());
  }
}

std::vector<CapacityPoint> FreeGpus::Draw() && {
  const auto by_point = [](const auto& a, const auto& b) { return a.point < b.point; };
  std::sort(node_changes_.begin(), node_changes_.end(), by_point);
  std::sort(own_changes_.begin(), own_changes_.end(), by_point);
  std::vector<int> free_on_nodes(clusters_.size(), 0);
  std::vector<int> planned_beyond(clusters_.size(), 0);
  for (const NodeRow& node : nodes_) free_on_nodes[node.cluster] += node.free();

  std::vector<CapacityPoint> drawn;
  auto next_node = node_changes_.begin();
  auto next_own = own_changes_.begin();
  for (int point = 0; point < points_; ++point) {
    for (; next_node != node_changes_.end() && next_node->point == point; ++next_node) {
      NodeRow& node = nodes_[next_node->row];
      free_on_nodes[node.cluster] -= node.free();
      node.*next_node->number += next_node->more;
      free_on_nodes[node.cluster] += node.free();
    }
    for (; next_own != own_changes_.end() && next_own->point == point; ++next_own) {
      OwnRow& own = own_[next_own->row];
      planned_beyond[own.cluster] -= own.beyond();
      own.*next_own->number += next_own->more;
      planned_beyond[own.cluster] += own.beyond();
    }
    const Instant time = now_ + Seconds{point * step_.count};
    std::vector<int> free(clusters_.size(), 0);
    for (std::size_t i = 0; i < free.size(); ++i) {
      if (IsInService(clusters_[i], time)) free[i] = free_on_nodes[i];
      free[i] -= planned_beyond[i];
    }
    drawn.push_back({.time = time, .gpus_free = std::move(free)});
  }
  return drawn;
}

}  // namespace allot::control
