#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "allot/scheduler/plan.h"

namespace allot::scheduler {

/// A plan that stands, with newcomers put in behind it: each gets a start or a reason at once,
/// without a new plan.
///
/// What it gives is what the full plan would give (Schedule: starts, GPUs, promises, reasons) in
/// which those who stand have their turns in the order they had, and the newcomers theirs behind
/// them, in the order they came. So nobody who stands is moved, and nobody is delayed by a newcomer
/// behind. It is a forecast like any other, and mostly a late one: the next full plan gives a
/// newcomer the rank that its project's share earns it, which may be ahead of others, and those a
/// start that it leaves. Nobody is stopped or marked overdue for a newcomer, and nothing is
/// improved on by the policy's improver_rounds.
///
/// Of a plan that stops work the outcome stands: what is stopped holds its GPUs until then. What is
/// left of it will wait in the next snapshot, ahead of newcomers, and is not booked here: then
/// starts may be told that it takes.
///
/// Not safe for use by several threads at once.
class StandingPlan {
 public:
  /// Requires: `plan` was made of this snapshot, with this policy. About a quarter of the time that
  /// plan took: all of it is booked, nothing is searched for.
  StandingPlan(const Snapshot& snapshot, const Policy& policy, const Plan& plan);
  ~StandingPlan();
  StandingPlan(StandingPlan&& other) noexcept;
  StandingPlan& operator=(StandingPlan&& other) noexcept;
  StandingPlan(const StandingPlan&) = delete;
  StandingPlan& operator=(const StandingPlan&) = delete;

  /// Puts it in behind all others. Its position (Placement::pending, Deferral::pending) is behind
  /// theirs, too: see snapshot(). One that is deferred stays there as well: it has had its turn.
  /// Requires: its project is a position in Snapshot::projects, it is promised nothing, its id is
  /// new, and none of the others starts after it. Searches the clusters open to it: a few µs on the
  /// national pool. One that starts after another also looks at every claim.
  std::variant<Placement, Deferral> Insert(SnapshotPending newcomer);

  /// What Insert would tell these, one after the other; then all is as it was before.
  std::vector<std::variant<Placement, Deferral>> Try(std::vector<SnapshotPending> newcomers);

  /// What the plan was made of, as the plan leaves its claims (AfterPreemptions), with the
  /// newcomers at the end of `pending` in the order they came: not canonical.
  const Snapshot& snapshot() const;

 private:
  class Body;
  std::unique_ptr<Body> body_;
};

}  // namespace allot::scheduler
