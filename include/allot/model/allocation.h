#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "allot/base/id.h"
#include "allot/base/result.h"
#include "allot/base/time.h"
#include "allot/base/time_window.h"
#include "allot/model/gpu.h"
#include "allot/model/request.h"

namespace allot {

/// A life: pending → planned → provisioning → active → releasing → completed.
enum class AllocationState : uint8_t {
  kPending,       ///< waits without a planned start; `reason` says why
  kPlanned,       ///< waits with a planned start, a forecast that may move
  kProvisioning,  ///< holds GPUs; the provider was ordered to hand them over
  kActive,        ///< the provider confirmed: the institute uses the GPUs
  kReleasing,     ///< the provider was ordered to take the GPUs back; they still count as held
  kCompleted,
  kRejected,   ///< can never be served as it is
  kCancelled,  ///< withdrawn by its owner before it became active
  kExpired,    ///< its deadline can no longer be met
  kPreempted,  ///< stopped; goes back to pending when its GPUs are confirmed free or lost
  kFailed,
};
inline constexpr int kAllocationStateCount = 11;
/// "pending", "planned", …
std::string_view Name(AllocationState state);
std::optional<AllocationState> ParseAllocationState(std::string_view name);

/// Never leaves it again.
bool IsFinal(AllocationState state);
/// Still to be started: pending or planned.
bool IsWaiting(AllocationState state);
/// Counts against concurrent quotas: provisioning, active, releasing.
bool HoldsGpus(AllocationState state);

/// What happens to an allocation.
enum class AllocationEvent : uint8_t {
  kPlan,                ///< the scheduler gave it a start
  kUnplan,              ///< no start can be given any more
  kReserve,             ///< claims were inserted and the provider ordered
  kProvisionConfirmed,  ///< the provider handed the GPUs over
  kProvisionFailed,     ///< the provider could not; it is put back
  kRelease,             ///< by the owner, an operator or the end of its window
  kReleaseConfirmed,    ///< the provider has the GPUs back
  kCancel,              ///< withdrawn by its owner before it became active
  kCancelConfirmed,     ///< the provider has the GPUs back of one withdrawn while provisioning
  kReject,
  kExpire,
  kPreempt,  ///< stopped for others, or its nodes were lost
  kRequeue,  ///< from preempted back to pending
  kFail,
};
inline constexpr int kAllocationEventCount = 14;
/// "plan", "release_confirmed", …
std::string_view Name(AllocationEvent event);
std::optional<AllocationEvent> ParseAllocationEvent(std::string_view name);

struct Transition {
  AllocationState from;
  AllocationEvent event;
  AllocationState to;
};
/// Every legal transition, once. What is not here cannot happen.
std::span<const Transition> Transitions();
/// The state after `event`, or transition_not_allowed naming state and event.
Result<AllocationState> Next(AllocationState from, AllocationEvent event);

/// A request of a project and all that became of it.
struct Allocation {
  AllocationId id;
  ProjectId project;
  std::string display_name;
  Request request;
  /// One of its project: it starts when that one has ended, however it ended.
  std::optional<AllocationId> after;
  /// Since when that one has ended, as the first pass after it noted.
  std::optional<Instant> ready_time;
  /// One of its project: it adds GPUs to that one while it runs, in the same cluster, as soon as
  /// there is room for them and until that one ends.
  std::optional<AllocationId> grows;
  AllocationState state = AllocationState::kPending;
  /// Counts how often it was given GPUs; orders and claims of an older attempt are not current.
  int attempt = 0;
  /// How many hand-overs the provider could not make, to give up at the policy's bound.
  int failures = 0;
  Instant create_time;
  Instant update_time;
  /// Of planned: the forecast, or the promise. Of later states: the window held; its end moves to
  /// the present when it is released early.
  std::optional<TimeWindow> window;
  /// Where it is planned or runs; empty before.
  ClusterId cluster;
  /// Of planned: the window is promised, and GPUs are booked for it.
  bool promised = false;
  std::optional<Instant> active_time;
  std::optional<Instant> end_time;
  /// Why it waits or ended: a stable name ("no_capacity", "quota_exhausted", "node_lost" …) …
  std::string reason;
  /// … and one sentence with the numbers.
  std::string message;
  /// When and why it last lost its GPUs before its time, or a promised start
  /// ("2026-03-01T00:00:07Z: node …"); kept while it is planned anew, empty when it never did.
  std::string setback;
  /// Ends in cancelled rather than completed once the release is confirmed.
  bool cancel_requested = false;
  /// Its window was ended early for others: once the release is confirmed, it waits again.
  bool preempt_requested = false;
  /// That is, or was the last time, to move it: what is left of it goes on before others.
  bool moved = false;
  /// How often its window was ended early for others.
  int preemptions = 0;
  /// What is left of the request's duration after that; nothing before the first time.
  std::optional<Seconds> remaining;
  /// Since when it waits after that; nothing when it last lost its GPUs otherwise, or never.
  std::optional<Instant> preempt_time;
  /// The first start it was told in this wait, once it had been ranked with those it came with;
  /// what came before was a guess.
  std::optional<Instant> told_start;
  /// The version of the policy under which its planned start went further past that than
  /// planned_slip_max: it goes before others while that policy is in force. Empty for most.
  std::string overdue_under;
  /// Operators' decisions: it goes before all that lost no promise; room is made for it, once, by
  /// moving work that may be stopped …
  bool urgent = false;
  bool consolidate = false;
  /// … and why; empty unless it is so.
  std::string urgent_reason;
  std::string consolidate_reason;
  int64_t version = 1;

  friend bool operator==(const Allocation&, const Allocation&) = default;
};

/// A start that an allocation was told.
struct StartEstimate {
  Instant told_time;
  /// Nothing: it had no start any more.
  std::optional<Instant> planned_start;

  friend bool operator==(const StartEstimate&, const StartEstimate&) = default;
};

/// The request as it is to be served now: for what remains of it.
inline Request ToServe(const Allocation& allocation) {
  Request request = allocation.request;
  request.duration = allocation.remaining.value_or(request.duration);
  return request;
}

/// A booking of GPUs on one node. The database refuses two that overlap in GPUs and window, and two
/// that are both held, whatever their windows.
struct Claim {
  AllocationId allocation;
  int attempt = 0;
  NodeId node;
  GpuMask gpus = 0;
  TimeWindow window = *TimeWindow::Make(Instant{0}, Instant{1});
  /// When the provider confirmed that the GPUs are free; until then they are held, however late.
  std::optional<Instant> released_at;

  friend bool operator==(const Claim&, const Claim&) = default;
};

}  // namespace allot
