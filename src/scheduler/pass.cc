#include "scheduler/pass.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <string>
#include <tuple>

#include "allot/base/check.h"
#include "scheduler/at.h"
#include "scheduler/describe.h"

namespace allot::scheduler {
namespace {

constexpr GpuMask kAllGpus = 0xff;
constexpr GpuSeconds kMoreThanAnybodyHas =
    GpuSeconds::FromCount(std::numeric_limits<int64_t>::max());

/// One node is on one leaf, whichever that is.
bool WaitsForOneLeaf(const Request& request, GpuModel model) {
  return request.ShapeOn(model).node_count() > 1 && request.same_leaf_wait.count > 0;
}

}  // namespace

Pass::Pass(const Snapshot& snapshot, const Policy& policy, const Snapshot* demand_of)
    : snapshot_(snapshot),
      policy_(policy),
      grid_(snapshot.now, policy.planning_horizon, policy.release_time),
      chains_(snapshot),
      ranks_(RanksByModel(demand_of != nullptr ? *demand_of : snapshot)) {
  NumberAsks();
  BuildClusters();
  FindClustersByProgramme();
  BookQuotas();
}

void Pass::Append() {
  asks_.push_back(StartBounds::kUnnumbered);
  exchanged_asks_.push_back(StartBounds::kUnnumbered);
  chains_.Append();
}

void Pass::RemoveLast(const Placement* placement) {
  if (placement != nullptr) Withdraw(*placement);
  asks_.pop_back();
  exchanged_asks_.pop_back();
  chains_.RemoveLast();
}

const SnapshotPending& Pass::Pending(int pending) const { return At(snapshot_.pending, pending); }
const SnapshotProject& Pass::ProjectOf(const SnapshotPending& pending) const {
  return At(snapshot_.projects, pending.project);
}
QuotaCalendar& Pass::QuotaOf(const SnapshotPending& pending) {
  return At(pending.request.borrow ? borrowed_ : quotas_, pending.project);
}

// ---- What was promised
// -----------------------------------------------------------------------------

std::optional<SlipCause> Pass::Keep(int pending) {
  const SnapshotPending& row = Pending(pending);
  const SnapshotPromise& promise = *row.promise;
  const SnapshotProject& project = ProjectOf(row);
  if (!project.open) return SlipCause::kProjectClosed;
  const bool due_long_ago = promise.window.start() + kPromiseGrace < snapshot_.now;
  if (due_long_ago || promise.window.end() <= snapshot_.now) return SlipCause::kMissed;
  for (const PlacedNode& placed : promise.nodes) {
    const SnapshotNode& node = At(snapshot_.nodes, placed.node);
    if (node.schedulable) continue;
    return node.health != NodeHealth::kReady ? SlipCause::kNodeLost : SlipCause::kNodeDraining;
  }
  const Booking booking = BookingOf(row, promise.window, promise.nodes);
  const std::vector<Cluster*>& open = OpenTo(row);
  if (std::find(open.begin(), open.end(), booking.cluster) == open.end()) {
    return SlipCause::kClusterClosed;
  }
  if (!booking.cluster->calendar->IsFree(booking.nodes, booking.first_slot, booking.last_slot)) {
    return WhatTook(promise, booking.cluster->reservation
                                 ? &At(snapshot_.reservations, *booking.cluster->reservation)
                                 : nullptr);
  }
  const GpuModel model = booking.cluster->model;
  if (!QuotaOf(row).Allows(model, row.request.ShapeOn(model).gpus(), booking.first_slot,
                           booking.last_slot)) {
    return SlipCause::kQuotaExhausted;
  }
  if (!IsWithinBudget(row, model)) return SlipCause::kGpuHoursExhausted;
  Book(row, booking);
  return std::nullopt;
}

// Of GPUs that are not free any more: an operator's decision goes before a provider's delay.
SlipCause Pass::WhatTook(const SnapshotPromise& promise, const SnapshotReservation* own) const {
  const int cluster = At(snapshot_.nodes, promise.nodes.front().node).cluster;
  const SnapshotCluster& dates = At(snapshot_.clusters, cluster);
  const int first = grid_.SlotOf(promise.window.start());
  const int last = grid_.LastHeld(promise.window.end());
  if ((dates.join_time && *dates.join_time > snapshot_.now &&
       first <= grid_.SlotBefore(*dates.join_time)) ||
      (dates.leave_time && last >= grid_.SlotOf(*dates.leave_time))) {
    return SlipCause::kClusterClosed;
  }
  for (const SnapshotReservation& reservation : snapshot_.reservations) {
    if (&reservation == own) continue;
    const bool on_its_nodes =
        std::any_of(promise.nodes.begin(), promise.nodes.end(), [&](const PlacedNode& placed) {
          return std::binary_search(reservation.nodes.begin(), reservation.nodes.end(),
                                    placed.node);
        });
    const bool in_its_windows = std::any_of(
        reservation.windows.begin(), reservation.windows.end(), [&](const TimeWindow& window) {
          return grid_.SlotOf(window.start()) <= last && first <= grid_.LastHeld(window.end());
        });
    if (on_its_nodes && in_its_windows) return SlipCause::kReserved;
  }
  return SlipCause::kReleaseOverdue;
}

Placement Pass::MoveUp(int pending) {
  const SnapshotPending& row = Pending(pending);
  const SnapshotPromise& promise = *row.promise;
  const Booking booking = BookingOf(row, promise.window, promise.nodes);
  const std::optional<Instant> not_before = NotBefore(pending);
  if (not_before && booking.first_slot > grid_.SlotOf(*not_before)) {
    const Wanted wanted = Want(pending, *not_before);
    Unbook(row, booking);
    // Who wants one leaf takes it at the promised time, too, rather than several before.
    const bool wants_a_leaf =
        WaitsForOneLeaf(row.request, booking.cluster->model) && !IsOnOneLeaf(booking);
    const Found found =
        Search(wanted, Fitting(OpenTo(row), row), booking.first_slot - (wants_a_leaf ? 0 : 1));
    if (found.cluster != nullptr && IsBetter(found, booking, promise.window, row.request)) {
      return Book(pending, found);
    }
    Book(row, booking);
  }
  chains_.SetEnd(pending, promise.window.end());
  return {.pending = pending,
          .model = booking.cluster->model,
          .cluster = booking.cluster->position,
          .window = promise.window,
          .nodes = promise.nodes,
          .reservation = booking.cluster->reservation};
}

bool Pass::IsOnOneLeaf(const Booking& booking) {
  if (booking.nodes.size() == 1) return true;
  const std::vector<int>& leaves = booking.cluster->leaves;
  const int leaf = At(leaves, booking.nodes.front().first);
  return leaf != Leaves::kUnknown &&
         std::all_of(booking.nodes.begin(), booking.nodes.end(),
                     [&](const auto& node) { return At(leaves, node.first) == leaf; });
}

// Than what it was promised: an earlier start, unless that is under several leaves and what it has
// under one is worth the wait; or one leaf at the same time.
bool Pass::IsBetter(const Found& found, const Booking& promised, const TimeWindow& window,
                    const Request& request) const {
  const Instant start = grid_.WindowFrom(found.slot, found.span).start();
  if (start >= window.start()) {
    return start == window.start() && found.spread == Spread::kOneLeaf && !IsOnOneLeaf(promised);
  }
  const bool waits_for_its_leaf = WaitsForOneLeaf(request, found.cluster->model) &&
                                  found.spread != Spread::kOneLeaf && IsOnOneLeaf(promised) &&
                                  window.start() <= start + request.same_leaf_wait;
  return !waits_for_its_leaf;
}

Pass::Booking Pass::BookingOf(const SnapshotPending& row, const TimeWindow& window,
                              const std::vector<PlacedNode>& nodes) {
  Booking booking;
  booking.cluster = &CalendarFor(row, window, nodes);
  booking.first_slot = grid_.SlotOf(window.start());
  booking.last_slot = grid_.LastHeld(window.end());
  booking.nodes.reserve(nodes.size());
  const std::vector<int>& positions = booking.cluster->node_positions;
  for (const PlacedNode& placed : nodes) {
    const int position =
        booking.cluster->reservation
            ? static_cast<int>(std::lower_bound(positions.begin(), positions.end(), placed.node) -
                               positions.begin())
            : At(position_in_cluster_, placed.node);
    booking.nodes.emplace_back(position, placed.gpus);
  }
  return booking;
}

// What is set aside for its project, when all of the booking lies within; else the cluster.
Pass::Cluster& Pass::CalendarFor(const SnapshotPending& row, const TimeWindow& window,
                                 const std::vector<PlacedNode>& nodes) {
  for (Cluster* cluster : At(set_aside_for_, row.project)) {
    const SnapshotReservation& reservation = At(snapshot_.reservations, *cluster->reservation);
    const bool in_a_window =
        std::any_of(reservation.windows.begin(), reservation.windows.end(),
                    [&](const TimeWindow& whole) { return whole.Encloses(window); });
    const bool on_its_nodes =
        std::all_of(nodes.begin(), nodes.end(), [&](const PlacedNode& placed) {
          return std::binary_search(reservation.nodes.begin(), reservation.nodes.end(),
                                    placed.node);
        });
    if (in_a_window && on_its_nodes) return *cluster;
  }
  return At(clusters_, At(snapshot_.nodes, nodes.front().node).cluster);
}

void Pass::Book(const SnapshotPending& row, const Booking& booking) {
  booking.cluster->calendar->Book(booking.nodes, booking.first_slot, booking.last_slot);
  const GpuModel model = booking.cluster->model;
  QuotaOf(row).Book(model, row.request.ShapeOn(model).gpus(), booking.first_slot,
                    booking.last_slot);
  GpuSeconds& left = At(gpu_time_left_, row.project);
  left = *left.Minus(*CostOn(row.request, model));
}

void Pass::Unbook(const SnapshotPending& row, const Booking& booking) {
  booking.cluster->calendar->Unbook(booking.nodes, booking.first_slot, booking.last_slot);
  bounds_->Clear(booking.cluster->number);
  const GpuModel model = booking.cluster->model;
  QuotaOf(row).Unbook(model, row.request.ShapeOn(model).gpus(), booking.first_slot,
                      booking.last_slot);
  GpuSeconds& left = At(gpu_time_left_, row.project);
  left = *left.Plus(*CostOn(row.request, model));
}

// ---- One pending allocation
// ------------------------------------------------------------------------

std::variant<Placement, Deferral> Pass::Place(int pending) {
  const SnapshotPending& row = Pending(pending);
  if (row.grows) return PlaceBeside(pending);
  const Request& request = row.request;
  if (!ProjectOf(row).open) {
    return Defer(pending, DeferralReason::kProjectClosed, "the project is closed");
  }
  const GpuSeconds cost = LowestCost(request).value_or(kMoreThanAnybodyHas);
  if (cost > At(gpu_time_left_, row.project)) return DeferOverBudget(pending, cost);
  const std::vector<Cluster*>& open = OpenTo(row);
  const std::vector<Cluster*>& fitting = Fitting(open, row);
  if (fitting.empty()) {
    const bool is_large_enough = std::any_of(open.begin(), open.end(), [&](const Cluster* cluster) {
      return cluster->schedulable >= request.ShapeOn(cluster->model).node_count();
    });
    if (!is_large_enough) return DeferTooLarge(pending, open);
    return DeferOverBudget(pending, HighestCost(request).value_or(kMoreThanAnybodyHas));
  }

  const std::optional<Instant> not_before = NotBefore(pending);
  if (!not_before) return DeferBehindPredecessor(pending);
  const Wanted wanted = Want(pending, *not_before);
  const Found found = Search(wanted, fitting, grid_.last_start_slot());
  if (found.cluster == nullptr) return DeferWithoutStart(pending, fitting, wanted.span);
  const Instant end = grid_.WindowFrom(found.slot, found.span).end();
  if (request.deadline && end > *request.deadline) {
    return Defer(pending, DeferralReason::kDeadlineUnreachable,
                 "the earliest end is " + FormatRfc3339(end) + ", after the deadline " +
                     FormatRfc3339(*request.deadline));
  }
  return Book(pending, found);
}

// Not set aside, or for its project from now on already.
bool Pass::IsOpenNow(const Cluster& cluster) const {
  if (!cluster.reservation) return true;
  const auto& windows = At(snapshot_.reservations, *cluster.reservation).windows;
  return std::any_of(windows.begin(), windows.end(),
                     [&](const TimeWindow& window) { return window.Contains(snapshot_.now); });
}

// Now or not in this pass. The reasons name no time: they would be others with every pass.
std::variant<Placement, Deferral> Pass::PlaceBeside(int pending) {
  const SnapshotPending& row = Pending(pending);
  const Shape& shape = row.request.shape;
  const auto defer = [&](DeferralReason reason, const std::string& why) {
    return Deferral{pending, reason,
                    "adds " + Describe(shape) + " to " + row.grows->str() + " " + why};
  };
  if (!ProjectOf(row).open) {
    return defer(DeferralReason::kProjectClosed, "and its project is closed");
  }
  if (!row.beside) {
    return defer(DeferralReason::kBaseNotRunning, "as soon as that runs and there is room");
  }
  if (row.request.duration < policy_.growth_min) {
    return defer(
        DeferralReason::kNoRoomToGrow,
        "unless less than " + FormatDuration(policy_.growth_min) + " is left for it, as now");
  }
  if (!IsWithinBudget(row, At(clusters_, *row.beside).model)) {
    return defer(DeferralReason::kGpuHoursExhausted,
                 "as soon as its project's GPU time covers that");
  }
  const std::string where = At(snapshot_.clusters, *row.beside).id.str();
  const Instant not_before = std::max(snapshot_.now, EarliestStart(row, policy_));
  if (not_before == snapshot_.now) {
    const std::vector<Cluster*>& fitting = Fitting(OpenTo(row), row);
    std::vector<Cluster*> there;
    std::copy_if(fitting.begin(), fitting.end(), std::back_inserter(there),
                 [&](const Cluster* cluster) {
                   return cluster->position == *row.beside && IsOpenNow(*cluster);
                 });
    const Found found = Search(Want(pending, not_before), there, 0);
    if (found.cluster != nullptr) return Book(pending, found);
  }
  return defer(DeferralReason::kNoRoomToGrow,
               "as soon as there is room for it on " + where + ", within its project's quota");
}

std::optional<Placement> Pass::PlaceNow(int pending) {
  const SnapshotPending& row = Pending(pending);
  const GpuSeconds cost = LowestCost(row.request).value_or(kMoreThanAnybodyHas);
  const std::optional<Instant> not_before = NotBefore(pending);
  if (!ProjectOf(row).open || cost > At(gpu_time_left_, row.project) || !not_before ||
      *not_before > snapshot_.now) {
    return std::nullopt;
  }
  const Wanted wanted = Want(pending, *not_before);
  const Found found = Search(wanted, Fitting(OpenTo(row), row), 0);
  if (found.cluster == nullptr) return std::nullopt;
  return Book(pending, found);
}

std::optional<Placement> Pass::PlaceBy(int pending, Instant latest) {
  const SnapshotPending& row = Pending(pending);
  const std::optional<Instant> not_before = NotBefore(pending);
  // Another of its project may have been put on GPUs that cost more.
  const GpuSeconds cost = LowestCost(row.request).value_or(kMoreThanAnybodyHas);
  if (!not_before || *not_before > latest || cost > At(gpu_time_left_, row.project)) {
    return std::nullopt;
  }
  const Found found =
      Search(Want(pending, *not_before), Fitting(OpenTo(row), row), grid_.SlotOf(latest));
  if (found.cluster == nullptr || grid_.WindowFrom(found.slot, found.span).start() > latest) {
    return std::nullopt;
  }
  return Book(pending, found);
}

void Pass::Adopt(const Placement& placement) {
  const SnapshotPending& row = Pending(placement.pending);
  Book(row, BookingOf(row, placement.window, placement.nodes));
  chains_.SetEnd(placement.pending, placement.window.end());
}

void Pass::Withdraw(const Placement& placement) {
  const SnapshotPending& row = Pending(placement.pending);
  Unbook(row, BookingOf(row, placement.window, placement.nodes));
}

std::optional<TimeWindow> Pass::Probe(const SnapshotPending& row) {
  const GpuSeconds cost = LowestCost(row.request).value_or(kMoreThanAnybodyHas);
  if (!ProjectOf(row).open || cost > At(gpu_time_left_, row.project)) return std::nullopt;
  const Span span{row.request.duration, std::max(snapshot_.now, EarliestStart(row, policy_))};
  const Wanted wanted = Want(row, span, StartBounds::kUnnumbered, StartBounds::kUnnumbered);
  const Found found = Search(wanted, Fitting(OpenTo(row), row), grid_.last_start_slot());
  if (found.cluster == nullptr) return std::nullopt;
  const TimeWindow window = grid_.WindowFrom(found.slot, found.span);
  if (row.request.deadline && window.end() > *row.request.deadline) return std::nullopt;
  return window;
}

// Nothing when it starts after one that has no end yet. GPUs are back some time after their window;
// when that was long ago, who knows.
std::optional<Instant> Pass::NotBefore(int pending) const {
  const SnapshotPending& row = Pending(pending);
  const Instant by_itself = std::max(snapshot_.now, EarliestStart(row, policy_));
  if (!row.after) return by_itself;
  const std::optional<Instant> end = chains_.PredecessorEnd(pending);
  if (!end) return std::nullopt;
  const Instant back = *end + policy_.release_time;
  return std::max(by_itself, back > snapshot_.now ? back : snapshot_.now + kOverdueReleaseGrace);
}

Pass::Wanted Pass::Want(int pending, Instant not_before) const {
  const SnapshotPending& row = Pending(pending);
  return Want(row, {row.request.duration, not_before}, At(asks_, pending),
              At(exchanged_asks_, pending));
}

Pass::Wanted Pass::Want(const SnapshotPending& row, const Span& span, int number,
                        int exchanged_number) {
  Wanted wanted{.row = row,
                .span = span,
                .ask = StartBounds::MakeAsk(number, row.request.shape, span.duration)};
  if (row.request.exchanged) {
    wanted.exchanged_ask =
        StartBounds::MakeAsk(exchanged_number, row.request.exchanged->shape, span.duration);
  }
  return wanted;
}

// Where enough nodes take work, and what it takes there is within its project's GPU time.
const std::vector<Pass::Cluster*>& Pass::Fitting(const std::vector<Cluster*>& open,
                                                 const SnapshotPending& row) {
  fitting_.clear();
  for (Cluster* cluster : open) {
    if (cluster->schedulable < row.request.ShapeOn(cluster->model).node_count()) continue;
    // Who takes as much of every model was looked at as a whole.
    if (row.request.exchanged && !IsWithinBudget(row, cluster->model)) continue;
    fitting_.push_back(cluster);
  }
  return fitting_;
}

bool Pass::IsWithinBudget(const SnapshotPending& row, GpuModel model) const {
  const GpuSeconds cost = CostOn(row.request, model).value_or(kMoreThanAnybodyHas);
  return cost <= At(gpu_time_left_, row.project);
}

// In the order in which equal starts are decided: what is set aside for its project, then the
// preferred model.
const std::vector<Pass::Cluster*>& Pass::OpenTo(const SnapshotPending& pending) {
  const OpenClusters& by_model = At(open_, At(programmes_, pending.project));
  open_to_.clear();
  for (Cluster* cluster : At(set_aside_for_, pending.project)) {
    const auto& models = pending.request.models;
    const auto& in = by_model[static_cast<std::size_t>(cluster->model)];
    const bool is_open =
        std::find(in.begin(), in.end(), &At(clusters_, cluster->position)) != in.end();
    if (is_open && std::find(models.begin(), models.end(), cluster->model) != models.end()) {
      open_to_.push_back(cluster);
    }
  }
  for (const GpuModel model : pending.request.models) {
    const auto& of_model = by_model[static_cast<std::size_t>(model)];
    open_to_.insert(open_to_.end(), of_model.begin(), of_model.end());
  }
  return open_to_;
}

// The earliest start; a later one on one leaf where the request waits so long for that.
Pass::Found Pass::Search(const Wanted& wanted, const std::vector<Cluster*>& clusters, int last) {
  const Found any = SearchOnce(wanted, clusters, last);
  const Request& request = wanted.row.request;
  if (any.cluster == nullptr || !WaitsForOneLeaf(request, any.cluster->model)) return any;
  const TimeWindow window = grid_.WindowFrom(any.slot, any.span);
  Instant latest = window.start() + request.same_leaf_wait;
  // Nobody waits for a leaf beyond the deadline.
  if (request.deadline && window.end() > *request.deadline) return any;
  if (request.deadline) latest = std::min(latest, *request.deadline - request.duration);
  std::swap(best_rows_, any_rows_);
  Wanted on_one_leaf = wanted;
  on_one_leaf.spread = Spread::kOneLeaf;
  const int latest_slot = latest < grid_.horizon_end() ? grid_.SlotOf(latest) : last;
  const Found found = SearchOnce(on_one_leaf, clusters, std::min(last, latest_slot));
  if (found.cluster != nullptr && grid_.WindowFrom(found.slot, found.span).start() <= latest) {
    return found;
  }
  std::swap(best_rows_, any_rows_);
  return any;
}

// The earliest start over all clusters; of equal ones the first in their order.
Pass::Found Pass::SearchOnce(const Wanted& wanted, const std::vector<Cluster*>& clusters,
                             int last) {
  Found best;
  if (wanted.span.not_before >= grid_.horizon_end()) return best;
  // Where the start may be earliest comes first: what it finds cuts the other searches short.
  // Whoever precedes the best so far in the order of clusters wins a tie, all others must be
  // earlier.
  turns_.clear();
  for (std::size_t i = 0; i < clusters.size(); ++i) {
    turns_.emplace_back(bounds_->Get(wanted.AskOn(clusters[i]->model), clusters[i]->number), i);
  }
  // Of many clusters few have their turn: a heap costs less than an order.
  const auto later = std::greater<>();
  std::make_heap(turns_.begin(), turns_.end(), later);
  std::size_t best_turn = 0;
  while (!turns_.empty()) {
    const auto [bound, i] = turns_.front();
    if (best.cluster != nullptr && bound > best.slot) break;
    std::pop_heap(turns_.begin(), turns_.end(), later);
    turns_.pop_back();
    const int limit = best.cluster == nullptr ? last : i < best_turn ? best.slot : best.slot - 1;
    if (bound > limit) continue;
    Found found{clusters[i], limit + 1, wanted.span, wanted.spread};
    if (clusters[i]->reservation) {
      found = EarliestInWindows(*clusters[i], wanted, limit);
    } else {
      found.slot = EarliestIn(*clusters[i], wanted, limit);
    }
    if (found.slot > limit) continue;
    best = found;
    best_turn = i;
    std::swap(rows_, best_rows_);
  }
  return best;
}

// The first slot up to `last` in which both the cluster and the project's quota allow it.
int Pass::EarliestIn(Cluster& cluster, const Wanted& wanted, int last) {
  const Shape& shape = wanted.row.request.ShapeOn(cluster.model);
  const StartBounds::Ask& ask = wanted.AskOn(cluster.model);
  const Spread spread = shape.node_count() == 1 ? Spread::kAnyNodes : wanted.spread;
  const Span& span = wanted.span;
  const QuotaCalendar& quota = QuotaOf(wanted.row);
  const int first = grid_.SlotOf(span.not_before);
  rows_.Resize(cluster.calendar->lines());

  // What the calendar answered last: asking it again there would give the same rows.
  int found = -1;
  for (int slot = first; slot <= last;) {
    const int within_quota = quota.EarliestStart(cluster.model, shape.gpus(), span, slot, last);
    if (within_quota == found) return found;
    if (within_quota > last) break;
    const int bound = bounds_->Get(ask, cluster.number);
    const int from = std::max(within_quota, bound);
    slot = cluster.calendar->EarliestStart(shape, spread, span, from, last, rows_);
    // What was found holds for others only if nothing but the calendar pushed it back.
    const bool by_calendar_alone =
        spread == Spread::kAnyNodes && from == bound && span.not_before <= grid_.Start(from);
    if (by_calendar_alone) bounds_->Raise(ask, cluster.number, slot);
    if (slot == within_quota) return slot;
    found = slot;
  }
  return last + 1;
}

// The same where nodes are set aside: all of it lies in one of the windows, exactly.
Pass::Found Pass::EarliestInWindows(Cluster& cluster, const Wanted& wanted, int last) {
  Found found{&cluster, last + 1, wanted.span, wanted.spread};
  for (const TimeWindow& window : At(snapshot_.reservations, *cluster.reservation).windows) {
    Wanted within = wanted;
    within.span.not_before = std::max(wanted.span.not_before, window.start());
    const Seconds left = Between(within.span.not_before, window.end());
    if (left < wanted.span.duration) continue;
    const Instant latest = within.span.not_before + (left - wanted.span.duration);
    const int last_within = std::min(last, grid_.SlotOf(latest));
    const int slot = EarliestIn(cluster, within, last_within);
    if (slot <= last_within) return {&cluster, slot, within.span, wanted.spread};
  }
  return found;
}

Placement Pass::Book(int pending, const Found& found) {
  const SnapshotPending& row = Pending(pending);
  Cluster& cluster = *found.cluster;
  const int last_slot = grid_.LastSlot(found.slot, found.span);
  NodeMasks nodes = cluster.calendar->ChooseNodes(row.request.ShapeOn(cluster.model), found.slot,
                                                  last_slot, best_rows_);

  Placement placement;
  placement.pending = pending;
  placement.model = cluster.model;
  placement.cluster = cluster.position;
  placement.window = grid_.WindowFrom(found.slot, found.span);
  placement.reservation = cluster.reservation;
  placement.nodes.reserve(nodes.size());
  for (const auto& [node, gpus] : nodes) {
    placement.nodes.push_back({At(cluster.node_positions, node), gpus});
  }
  Book(row, {&cluster, std::move(nodes), found.slot, last_slot});
  chains_.SetEnd(pending, placement.window.end());
  return placement;
}

}  // namespace allot::scheduler
