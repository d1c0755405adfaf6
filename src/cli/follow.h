#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "cli/session.h"

namespace allot::cli {

enum class Follow { kOn, kStop };

struct FollowHooks {
  /// A watch begins, the first time or again: what happened before is not in it. A failure for want
  /// of a server breaks the watch off, any other ends it.
  std::function<Outcome<Follow>()> on_begin;
  std::function<Follow(const v1::AllocationChange&)> on_change;
  /// on_begin reads all that it needs to know: a watch that cannot be resumed begins anew.
  bool may_begin_anew = false;
};

/// Watches `request` and resumes where a watch broke off, with growing pauses; gives up with the
/// last failure after too many in a row, and at once on one that a repeat cannot mend.
/// `until`: ends by then, as if stopped. Returns whether a hook stopped it.
Outcome<bool> FollowAllocations(Session& session, v1::WatchAllocationsRequest request,
                                std::optional<std::chrono::steady_clock::time_point> until,
                                const FollowHooks& hooks);

}  // namespace allot::cli
