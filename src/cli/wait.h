#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allot/base/time.h"
#include "cli/session.h"

namespace allot::cli {

/// Where a --wait ends.
enum class Goal { kPlanned, kActive, kEnded, kCancelled };
std::optional<Goal> ParseGoal(std::string_view word);

/// Whether an allocation in this state has got there, or never will.
enum class Progress { kOnItsWay, kReached, kMissed };
Progress Judge(Goal goal, v1::Allocation::State state);

struct WaitFlags {
  bool wait = false;
  /// Nothing: as long as it takes.
  std::string timeout;
};

/// Follows allocations (full names) by WatchAllocations until each has reached the goal or cannot
/// any more, a line on stderr for every change. Survives a server that goes away for a while.
/// kNotReached when one missed the goal or the time ran out.
Outcome<ExitCode> WaitFor(Session& session, const std::vector<std::string>& names, Goal goal,
                          std::optional<Seconds> timeout);

/// Nothing when none is given. A usage failure for a time to wait without --wait.
Outcome<std::optional<Seconds>> ParseWaitTimeout(const WaitFlags& flags);

}  // namespace allot::cli
