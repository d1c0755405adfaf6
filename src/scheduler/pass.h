#pragma once

#include <array>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "allot/scheduler/plan.h"
#include "scheduler/chains.h"
#include "scheduler/cluster_calendar.h"
#include "scheduler/quota_calendar.h"
#include "scheduler/start_bounds.h"
#include "scheduler/time_grid.h"

namespace allot::scheduler {

/// How long a release that is overdue is expected to take still, from now: its GPUs count as taken
/// until then, so that nothing starts on them in this pass and forecasts stay honest.
inline constexpr Seconds kOverdueReleaseGrace = Minutes(15);

/// The calendars of one pass: what was promised is booked first; then one pending allocation after
/// the other is placed. None is moved but those with a promise, at their turn.
class Pass {
 public:
  /// `demand_of`: whose waiting allocations say which nodes are worth keeping whole (NodeRanks);
  /// null: the snapshot's.
  Pass(const Snapshot& snapshot, const Policy& policy, const Snapshot* demand_of = nullptr);

  /// One more waits, at the end of Snapshot::pending, and may be placed. See Chains::Append.
  void Append();
  /// The last of those goes again, with its placement if it has one; its row is still there.
  void RemoveLast(const Placement* placement);

  /// Books what was promised as it was promised; or books nothing and says what is gone. Requires:
  /// nothing was placed yet.
  std::optional<SlipCause> Keep(int pending);
  /// Moves what is kept to the earliest start that all others leave, on whichever GPUs; never
  /// later. Who waits for one leaf may move to one at the same time. Requires: kept.
  Placement MoveUp(int pending);

  /// Books the earliest start there is, or says why there is none.
  std::variant<Placement, Deferral> Place(int pending);

  /// Books a start at `now`, or nothing: for disciplines that look no further. Ignores the
  /// deadline.
  std::optional<Placement> PlaceNow(int pending);

  /// Books the earliest start up to `latest`, or nothing. Whether it may be placed at all was
  /// decided before, but for what its project has left.
  std::optional<Placement> PlaceBy(int pending, Instant latest);

  /// Books what an earlier pass over the same snapshot decided, without a search.
  void Adopt(const Placement& placement);
  /// Takes back what was booked.
  void Withdraw(const Placement& placement);

  /// The window a pending allocation would get if it were `row`, after nobody; nothing is booked.
  /// Nothing when it would be deferred.
  std::optional<TimeWindow> Probe(const SnapshotPending& row);

 private:
  // A cluster; or the nodes of one that are set aside for a project, with a calendar of their own
  // in which they are free in the reservation's windows alone.
  struct Cluster {
    int position = 0;
    GpuModel model = GpuModel::kH200;
    int nodes = 0;
    int schedulable = 0;
    // Its nodes' positions in the snapshot, by position in the calendar.
    std::vector<int> node_positions;
    // By position in the calendar, as Leaves takes them.
    std::vector<int> leaves;
    std::unique_ptr<ClusterCalendar> calendar;
    // Its place in the bounds.
    std::size_t number = 0;
    // Position in Snapshot::reservations.
    std::optional<int> reservation;
  };
  // The clusters open to a programme, by model, in the order in which equal starts are decided.
  using OpenClusters = std::array<std::vector<Cluster*>, kGpuModelCount>;
  // Where a search for one pending allocation got to.
  struct Found {
    Cluster* cluster = nullptr;
    int slot = 0;
    // Where in the slot it starts.
    Span span;
    Spread spread = Spread::kAnyNodes;
  };

  using NodeMasks = std::vector<std::pair<int, GpuMask>>;

  // A window in one cluster's calendar, as it is booked there.
  struct Booking {
    Cluster* cluster = nullptr;
    NodeMasks nodes;
    int first_slot = 0;
    int last_slot = 0;
  };

  // One pending allocation under search.
  struct Wanted {
    const SnapshotPending& row;
    Span span;
    // And on the model that takes something else.
    StartBounds::Ask ask;
    std::optional<StartBounds::Ask> exchanged_ask;
    Spread spread = Spread::kAnyNodes;

    const StartBounds::Ask& AskOn(GpuModel model) const {
      return exchanged_ask && model == row.request.exchanged->model ? *exchanged_ask : ask;
    }
  };

  const SnapshotPending& Pending(int pending) const;
  const SnapshotProject& ProjectOf(const SnapshotPending& pending) const;
  /// What it counts against.
  QuotaCalendar& QuotaOf(const SnapshotPending& pending);
  const std::vector<Cluster*>& OpenTo(const SnapshotPending& pending);

  using Holds = std::vector<std::vector<Hold>>;

  void BuildClusters();
  void HoldForDates(Holds& holds) const;
  void SetAside(Holds& holds);
  Cluster CalendarOf(int reservation, const std::vector<Hold>& holds) const;
  void FindClustersByProgramme();
  void NumberAsks();
  void BookQuotas();
  const NodeRanks& RanksOn(GpuModel model) const { return ranks_[static_cast<std::size_t>(model)]; }
  int LastHeldBy(const SnapshotClaim& claim) const;

  const std::vector<Cluster*>& Fitting(const std::vector<Cluster*>& open,
                                       const SnapshotPending& row);
  bool IsWithinBudget(const SnapshotPending& row, GpuModel model) const;
  Found Search(const Wanted& wanted, const std::vector<Cluster*>& clusters, int last);
  Found SearchOnce(const Wanted& wanted, const std::vector<Cluster*>& clusters, int last);
  static bool IsOnOneLeaf(const Booking& booking);
  bool IsBetter(const Found& found, const Booking& promised, const TimeWindow& window,
                const Request& request) const;
  std::optional<Instant> NotBefore(int pending) const;
  Wanted Want(int pending, Instant not_before) const;
  static Wanted Want(const SnapshotPending& row, const Span& span, int number,
                     int exchanged_number);
  int EarliestIn(Cluster& cluster, const Wanted& wanted, int last);
  Found EarliestInWindows(Cluster& cluster, const Wanted& wanted, int last);
  Booking BookingOf(const SnapshotPending& row, const TimeWindow& window,
                    const std::vector<PlacedNode>& nodes);
  Cluster& CalendarFor(const SnapshotPending& row, const TimeWindow& window,
                       const std::vector<PlacedNode>& nodes);
  SlipCause WhatTook(const SnapshotPromise& promise, const SnapshotReservation* own) const;
  void Book(const SnapshotPending& row, const Booking& booking);
  void Unbook(const SnapshotPending& row, const Booking& booking);
  Placement Book(int pending, const Found& found);
  bool IsOpenNow(const Cluster& cluster) const;
  std::variant<Placement, Deferral> PlaceBeside(int pending);
  Deferral Defer(int pending, DeferralReason reason, const std::string& why) const;
  Deferral DeferOverBudget(int pending, GpuSeconds cost) const;
  Deferral DeferTooLarge(int pending, const std::vector<Cluster*>& open) const;
  Deferral DeferBehindPredecessor(int pending) const;
  Deferral DeferWithoutStart(int pending, const std::vector<Cluster*>& fitting, const Span& span);

  const Snapshot& snapshot_;
  const Policy& policy_;
  TimeGrid grid_;
  Chains chains_;
  // By model.
  std::array<NodeRanks, kGpuModelCount> ranks_;
  std::vector<Cluster> clusters_;
  // Nodes set aside for projects; those of a project, in the order of the reservations.
  std::vector<Cluster> set_aside_;
  std::vector<std::vector<Cluster*>> set_aside_for_;
  std::unique_ptr<StartBounds> bounds_;
  std::vector<OpenClusters> open_;
  // By project: its programme's place in `open_`.
  std::vector<int> programmes_;
  std::vector<QuotaCalendar> quotas_;
  // And what it holds beyond that.
  std::vector<QuotaCalendar> borrowed_;
  // Of the pending allocation at hand; kept for their memory.
  std::vector<Cluster*> open_to_;
  std::vector<Cluster*> fitting_;
  // (no start before this slot, position in the order of clusters)
  std::vector<std::pair<int, std::size_t>> turns_;
  // By project: what is left of its GPU time after all that was placed.
  std::vector<GpuSeconds> gpu_time_left_;
  // By node of the snapshot: its position in its cluster.
  std::vector<int> position_in_cluster_;
  // By pending: which (shape, duration) it asks for, and what it does where that differs by model.
  std::vector<int> asks_;
  std::vector<int> exchanged_asks_;
  std::size_t ask_count_ = 0;
  // Of the search under way, and of its best start so far.
  SearchRows rows_;
  SearchRows best_rows_;
  // Of the best start on any nodes, while one on one leaf is looked for.
  SearchRows any_rows_;
};

}  // namespace allot::scheduler
