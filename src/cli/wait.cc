#include "cli/wait.h"

#include <algorithm>
#include <map>

#include "cli/follow.h"
#include "cli/resource.h"
#include "cli/resource_name.h"
#include "cli/text.h"
#include "cli/values.h"
#include "cli/views.h"

namespace allot::cli {
namespace {

using State = v1::Allocation::State;

bool IsFinal(State state) {
  return state == v1::Allocation::STATE_COMPLETED || state == v1::Allocation::STATE_REJECTED ||
         state == v1::Allocation::STATE_CANCELLED || state == v1::Allocation::STATE_EXPIRED ||
         state == v1::Allocation::STATE_FAILED;
}

bool Reaches(Goal goal, State state) {
  const bool active = state == v1::Allocation::STATE_ACTIVE ||
                      state == v1::Allocation::STATE_RELEASING ||
                      state == v1::Allocation::STATE_COMPLETED;
  switch (goal) {
    case Goal::kPlanned:
      return active || state == v1::Allocation::STATE_PLANNED ||
             state == v1::Allocation::STATE_PROVISIONING;
    case Goal::kActive:
      return active;
    case Goal::kEnded:
      return IsFinal(state);
    case Goal::kCancelled:
      return state == v1::Allocation::STATE_CANCELLED;
  }
  return false;
}

/// The parent that covers all names: their project, or every project.
std::string CommonParent(const std::vector<std::string>& names) {
  std::string parent = ParentOf(names.front());
  for (const std::string& name : names) {
    if (ParentOf(name) != parent) return "institutes/-/projects/-";
  }
  return parent;
}

/// Which allocations are still on their way, and how the others ended.
class Tracker {
 public:
  Tracker(const std::vector<std::string>& names, Goal goal) : goal_(goal) {
    for (const std::string& name : names) left_.emplace(name, v1::Allocation::STATE_UNSPECIFIED);
  }

  /// Whether this is news of one that is waited for.
  bool See(const std::string& name, State state) {
    const auto found = left_.find(name);
    if (found == left_.end() || found->second == state) return false;
    found->second = state;
    const Progress progress = Judge(goal_, state);
    if (progress == Progress::kMissed) missed_ = true;
    if (progress != Progress::kOnItsWay) left_.erase(found);
    return true;
  }
  bool done() const { return left_.empty(); }
  bool missed() const { return missed_; }
  std::vector<std::string> left() const {
    std::vector<std::string> names;
    for (const auto& [name, state] : left_) names.push_back(name);
    return names;
  }

 private:
  const Goal goal_;
  std::map<std::string, State> left_;
  bool missed_ = false;
};

}  // namespace

std::optional<Goal> ParseGoal(std::string_view word) {
  if (word == "planned") return Goal::kPlanned;
  if (word == "active") return Goal::kActive;
  if (word == "ended") return Goal::kEnded;
  return std::nullopt;
}

Progress Judge(Goal goal, State state) {
  if (Reaches(goal, state)) return Progress::kReached;
  return IsFinal(state) ? Progress::kMissed : Progress::kOnItsWay;
}

Outcome<std::optional<Seconds>> ParseWaitTimeout(const WaitFlags& flags) {
  if (flags.timeout.empty()) return std::optional<Seconds>();
  if (!flags.wait) return UsageFailure("--wait-timeout says how long --wait waits", "Add --wait.");
  const auto length = ParseLength("--wait-timeout", flags.timeout);
  if (!length.ok()) return FailureOf(length.error());
  return std::optional<Seconds>(*length);
}

Outcome<ExitCode> WaitFor(Session& session, const std::vector<std::string>& names, Goal goal,
                          std::optional<Seconds> timeout) {
  using Steady = std::chrono::steady_clock;
  std::optional<Steady::time_point> until;
  if (timeout) {
    constexpr int64_t kYear = 366 * 86'400;
    until = Steady::now() + std::chrono::seconds(std::min(timeout->count, kYear));
  }
  const auto client = session.Connect();
  if (!client.ok()) return client.failure();
  Tracker tracker(names, goal);
  const auto tell = [&session, &tracker](const v1::AllocationChange& change) {
    if (!tracker.See(change.allocation().name(), change.state())) return;
    session.output().Note(ChangeLine(change, session.Now(), /*colours=*/false));
  };

  FollowHooks hooks;
  hooks.may_begin_anew = true;
  // The watch has begun, so nothing can slip between what is read here and what it will tell.
  hooks.on_begin = [&]() -> Outcome<Follow> {
    for (const std::string& name : tracker.left()) {
      v1::GetAllocationRequest request;
      request.set_name(name);
      const auto allocation = (*client)->Call(&Allocations::GetAllocation, request);
      if (!allocation.ok()) return allocation.failure();
      v1::AllocationChange change;
      change.set_state(allocation->state());
      change.set_reason(allocation->reason());
      change.set_message(allocation->message());
      *change.mutable_time() = allocation->update_time();
      *change.mutable_allocation() = *allocation;
      tell(change);
    }
    return tracker.done() ? Follow::kStop : Follow::kOn;
  };
  hooks.on_change = [&](const v1::AllocationChange& change) {
    tell(change);
    return tracker.done() ? Follow::kStop : Follow::kOn;
  };

  v1::WatchAllocationsRequest request;
  request.set_parent(CommonParent(names));
  const auto stopped = FollowAllocations(session, request, until, hooks);
  if (!stopped.ok()) return stopped.failure();
  if (!tracker.done()) {
    std::vector<std::string> waiting;
    for (const std::string& name : tracker.left()) waiting.push_back(ShortName(name));
    session.output().Note("stopped waiting after " + FormatDuration(*timeout) + " for " +
                          Join(waiting, ", "));
    return ExitCode::kNotReached;
  }
  return tracker.missed() ? ExitCode::kNotReached : ExitCode::kOk;
}

}  // namespace allot::cli
