#pragma once

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "allot/control/pool.h"
#include "allot/control/pool_view.h"

namespace allot::control {

/// How many GPUs are free at evenly spaced moments, by claims, reservations and planned starts.
/// Made from a view quickly; drawn without it.
class FreeGpus {
 public:
  /// At `now` and, every `step`, at `points` - 1 moments after it.
  FreeGpus(const PoolView& view, Instant now, Seconds step, int points);

  std::vector<CapacityPoint> Draw() &&;

 private:
  /// Nodes set aside are nobody's to take, whoever runs on them.
  struct NodeRow {
    std::size_t cluster = 0;
    bool may_take_work = false;
    int set_aside = 0;
    int held = 0;
    int free() const { return may_take_work && set_aside == 0 ? kGpusPerNode - held : 0; }
  };
  /// Of a project in a cluster. A plan does not say on which nodes: what is set aside for its
  /// project comes first.
  struct OwnRow {
    std::size_t cluster = 0;
    int set_aside = 0;
    int planned = 0;
    int beyond() const { return std::max(0, planned - set_aside); }
  };
  /// From a point on, a number of a row is so much more.
  struct NodeChange {
    int point = 0;
    std::size_t row = 0;
    int NodeRow::*number = nullptr;
    int more = 0;
  };
  struct OwnChange {
    int point = 0;
    std::size_t row = 0;
    int OwnRow::*number = nullptr;
    int more = 0;
  };

  /// The first at or after it; behind the last when there is none.
  int PointFrom(Instant time) const;
  std::size_t RowOf(const ProjectId& project, const ClusterId& cluster);
  /// At the points from `first` to before `end`.
  template <class Change, class Number>
  void Between(std::vector<Change>& changes, int first, int end, std::size_t row, Number number,
               int more);
  void ReadNodes(const PoolView& view);
  void ReadReservations(const PoolView& view);
  void ReadClaims(const PoolView& view);
  void ReadPlanned(const PoolView& view);

  const Instant now_;
  const Seconds step_;
  const int points_;
  std::vector<Cluster> clusters_;
  std::map<ClusterId, std::size_t> positions_;
  std::vector<NodeRow> nodes_;
  std::map<NodeId, std::size_t> node_rows_;
  std::vector<OwnRow> own_;
  std::map<std::pair<ProjectId, ClusterId>, std::size_t> own_rows_;
  std::vector<NodeChange> node_changes_;
  std::vector<OwnChange> own_changes_;
};

}  // namespace allot::control
