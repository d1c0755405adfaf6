#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allot/base/time_window.h"
#include "allot/model/policy.h"
#include "allot/scheduler/snapshot.h"

namespace allot::scheduler {

/// A whole gang with its physical GPUs for the whole window.
struct Placement {
  /// Position in Snapshot::pending.
  int pending = 0;
  GpuModel model = GpuModel::kH200;
  /// Position in Snapshot::clusters.
  int cluster = 0;
  /// Starts at `now` when it is to be reserved in this pass, else later. What was promised and is
  /// due keeps its window, which may have begun a moment ago.
  TimeWindow window = *TimeWindow::Make(Instant{0}, Instant{1});
  /// Sorted by node.
  std::vector<PlacedNode> nodes;
  /// The start is a promise, kept or new: book these GPUs for this window.
  bool promised = false;
  /// Position in Snapshot::reservations, when it runs on nodes set aside for its project.
  std::optional<int> reservation;
  friend bool operator==(const Placement&, const Placement&) = default;
};

/// Why a pending allocation has no start; data, not an error. The names are stable.
enum class DeferralReason : uint8_t {
  kNoCapacity,           ///< not within the planning horizon
  kQuotaExhausted,       ///< the project's own concurrent quota, within the horizon
  kGpuHoursExhausted,    ///< the project's GPU time, after what ranks before it
  kDeadlineUnreachable,  ///< the earliest end planned lies after the deadline; a forecast, while
                         ///< there is time
  kLargerThanPool,       ///< no cluster open to it has that many schedulable nodes now
  kProjectClosed,
  kPredecessorUnfinished,  ///< it starts after another, which has no start either
  kBaseNotRunning,         ///< it adds to another, which does not run
  kNoRoomToGrow,           ///< it adds to one that runs, and there is no room for it now
};
std::string_view Name(DeferralReason reason);
std::optional<DeferralReason> ParseDeferralReason(std::string_view name);

struct Deferral {
  /// Position in Snapshot::pending.
  int pending = 0;
  DeferralReason reason = DeferralReason::kNoCapacity;
  /// One sentence: what was asked, what blocks it.
  std::string message;
  friend bool operator==(const Deferral&, const Deferral&) = default;
};

/// For so long after it was due a promised start keeps its window: the pass came late, not the
/// GPUs.
inline constexpr Seconds kPromiseGrace = Minutes(1);

/// Why a promise could not be kept. The names are stable.
enum class SlipCause : uint8_t {
  kNodeLost,           ///< a node it was promised is not ready
  kNodeDraining,       ///< an operator drains a node it was promised
  kReleaseOverdue,     ///< the provider still holds GPUs it was promised, past the release time
  kMissed,             ///< no pass ran until long after it was due
  kQuotaExhausted,     ///< the project's quota was lowered since
  kGpuHoursExhausted,  ///< or its GPU time
  kClusterClosed,      ///< the cluster does not serve its programme any more, or not yet, or leaves
  kProjectClosed,
  kReserved,  ///< operators set nodes it was promised aside
};
std::string_view Name(SlipCause cause);
std::optional<SlipCause> ParseSlipCause(std::string_view name);

struct Slip {
  /// Position in Snapshot::pending.
  int pending = 0;
  Instant promised;
  SlipCause cause = SlipCause::kNodeLost;
  friend bool operator==(const Slip&, const Slip&) = default;
};

/// Running work that is stopped so that other work can start.
struct Preemption {
  /// Position in Snapshot::preemptible.
  int preemptible = 0;
  /// Position in Snapshot::pending: for whom.
  int pending = 0;
  /// When its window ends now.
  Instant stop;
  /// When what is left of it goes on, by this plan. It is planned for again with every later pass.
  /// What was added to another has no place of its own to go on at: `stop`.
  Instant restart;
  friend bool operator==(const Preemption&, const Preemption&) = default;
};

/// Every pending allocation is either placed or deferred.
struct Plan {
  Instant now;
  int64_t revision = 0;
  /// In the order they were decided: whoever comes first was not delayed by whoever comes later.
  std::vector<Placement> placements;
  /// Sorted by pending.
  std::vector<Deferral> deferrals;
  /// Promises of the snapshot that this plan does not keep; sorted by pending. One that lost its
  /// GPUs and starts as early on others is kept.
  std::vector<Slip> slips;
  /// Sorted by preemptible. The plan counts with them: what is stopped holds its GPUs until then
  /// and no longer, and what is left of it will wait again.
  std::vector<Preemption> preemptions;
  /// Positions in Snapshot::pending of those that are overdue from this plan on; sorted.
  std::vector<int> overdue;
  /// Position in Snapshot::pending, in rank order: the order in which they were considered.
  std::vector<int> order;
};

/// How coarse a plan made at `now` is around `t`: bookings that come closer to each other than this
/// may count as if they met.
Seconds CoarsenessAt(Instant now, Instant t);

/// FNV-1a over placements and deferrals by id; equal plans have equal hashes on any machine.
uint64_t Hash(const Snapshot& snapshot, const Plan& plan);

/// The snapshot as the plan counts with it: what is stopped holds its GPUs until then.
Snapshot AfterPreemptions(const Snapshot& snapshot, const Plan& plan);

/// A full plan: every pending allocation gets a start or a reason. Pure and deterministic: equal
/// (canonical) snapshots give equal plans.
///
/// Promises. A promised start is kept on the GPUs booked for it, whoever else waits: all promises
/// are booked before anybody is placed. At its turn each is moved up to the earliest start that the
/// other promises and those ahead leave. It slips only when what it needs is gone (SlipCause).
/// Gangs of the policy's promise_nodes nodes and more, urgent and overdue ones, and those placed on
/// what is set aside for their project, are promised the start planned for them once it lies within
/// promise_within and their gathering time has passed.
///
/// Order. First those whose promise is gone, then urgent ones, then those that were requeued, which
/// had their turn and lost it with a node; then overdue ones, which waited longer than the policy's
/// starvation bound or would start later than they were told by more than its planned_slip_max; of
/// each the longest wait first. Whoever turns out to be overdue so is marked, and all is planned
/// anew with the mark, a few times at the most. A wait begins at the later of create_time and
/// earliest_start. All others by the lowest
///     (charge + cost) / weight      of their project, compared exactly, in integers;
///     cost   = GPU-seconds its next allocation asks for
///     weight = max(1, concurrent quota in GPUs, all models) × max(1, merit)
///     charge = GPU-seconds released, decayed by the policy's half-life
///            + GPU-seconds its claims (but those lost with a node) held until now, decayed alike
///            + GPU-seconds its claims hold from now to the end of their windows
///            + GPU-seconds this plan has placed for it so far (progressive filling),
/// (the finish tag of weighted fair queueing, Demers, Keshav and Shenker 1989: whoever would have
/// had the least after its turn has its turn), then by the higher merit, then by the older
/// create_time of the projects' next allocations, then by a draw seeded with the policy's tie_seed,
/// then by id. Within a project: create_time, then
/// id. Merit scales shares and is never added to age; merit 0 is still served.
///
/// Borrowing. Who may hold GPUs beyond its project's quota (Request::borrow) counts against the
/// policy's borrowed_gpus_max instead, has its turn when all others had theirs, in the same order
/// by finish tags, is promised nothing and never goes ahead. What is borrowed is charged to no
/// rank.
///
/// Chains. Who starts after another (SnapshotPending::after) has its turn behind it, starts when
/// the policy's release_time has passed since the end of its window, wherever that ends up in this
/// plan, and is deferred while it has no start. It is promised nothing, nobody is stopped for it,
/// and it does not grow old: its wait begins when the other has ended.
///
/// Growth. What adds to another (SnapshotPending::grows) has its turn behind all else of its
/// project, and starts now or not in this plan: in the cluster where that other one runs, until the
/// end of that one's window, if that is as far as the policy's growth_min. It never goes ahead, is
/// promised nothing, nobody is stopped for it, and nobody is kept from having work stopped by it.
///
/// Starts. Everyone in turn gets the earliest start that is left, not before EarliestStart: on the
/// same physical GPUs for the whole window, in one cluster open to the programme, within the
/// project's concurrent quota at every instant and its GPU time in all, on nodes that take new
/// work. Nothing placed is moved, so nobody is delayed by somebody behind; only which nodes are
/// kept whole goes by what all that wait ask for. Of several acceptable models and clusters the
/// earliest start wins; of equal starts the preferred model, then the cluster with the fewest
/// schedulable nodes (large ones are left to large gangs), then the cluster's id. There a gang goes
/// under the fewest leaves of the network, of those that hold it under the one that is left with
/// the fewest free GPUs on nodes it takes, then with the fewest nodes to spare; who has a
/// same_leaf_wait starts so much later at the most if all its nodes then hang from one leaf. Among
/// those nodes first where it adds the least to the GPUs that are expected to be of no use to what
/// waits (the gradient of fragmentation), then where its GPUs come free together with others on the
/// node. Nodes that operators set aside are nobody's in their windows but their project's: its
/// allocations run on them where a whole window of theirs fits inside one, and rather there than
/// elsewhere at the same time. A cluster with a join time is planned from then on, one with a leave
/// time is empty by then. Starts lie at `now`, at boundaries of the planner's time grid (a quarter
/// of an hour for two days, an hour for two weeks, four hours for two months, then a day; UTC), or
/// at an earliest_start or the beginning of a reservation between two. They are forecasts: a pass
/// made when GPUs come free between boundaries starts work at once.
///
/// Preemption. When all are planned, running preemptible work may be stopped for those who may not
/// be stopped and would wait for long, in rank order. Whole gangs are stopped, of those that make
/// room the ones with the fewest GPUs, the policy's preemption_grace from now; and everything is
/// planned anew, what is stopped among those who wait. That plan is taken only if the one they are
/// stopped for starts sooner by preemption_gain, nobody else who may not be stopped starts later,
/// no other promise slips, what is stopped has a start again, and the GPU time by which it starts
/// sooner is more than preemption_gain of every GPU taken back; for an urgent one it is enough that
/// it starts sooner by three quarters of an hour. Its start is then promised. What
/// can be stopped never stops others, and is stopped preemptions_max times at the most: no cycles.
/// What was added to running work is stopped alone or with that, and then counts as one with it.
/// What is borrowed is stopped before all else, however often, also for preemptible work within a
/// quota, and its GPUs weigh nothing.
/// Of one project preemptions_per_project are stopped within an hour at the most.
///
/// Consolidation. For one that an operator named (SnapshotPending::consolidate) the same work is
/// moved rather than stopped: those three quarters are enough here, too, and all that is moved,
/// what is borrowed apart, has to go on elsewhere as soon as the policy's release_time has passed
/// (by the grid). Those with the fewest GPUs that make room and can go on so are chosen, and rank
/// right behind.
///
/// Improvement. At last the policy's improver_rounds attempts are made at having some start sooner
/// and nobody later: a few that were placed one after the other are taken out together and put back
/// in another order. So nobody starts later than by the rules above (and the policy's
/// improver_delay_max), and some start sooner than one after the other they could. Not in a plan
/// that stops work.
///
/// GPUs are held for the policy's release_time after their window; a claim whose release is overdue
/// counts as held for another quarter of an hour.
/// Requires: a canonical snapshot. About 10 µs a pending allocation on the national pool.
Plan Schedule(const Snapshot& snapshot, const Policy& policy);

}  // namespace allot::scheduler
