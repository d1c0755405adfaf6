#pragma once

#include <optional>
#include <set>
#include <vector>

#include "allot/control/context.h"
#include "allot/model/allocation.h"
#include "allot/model/event.h"

namespace allot::control {

struct AllocationChange {
  Revision revision = 0;
  Instant time;
  Allocation allocation;
  /// At this revision, and why; the allocation's own fields are the present ones.
  AllocationState state = AllocationState::kPending;
  std::string reason;
  std::string message;
};
struct WatchBatch {
  /// Resume after this one; never part of a revision.
  Revision revision = 0;
  std::vector<AllocationChange> changes;
};
/// What a watcher has not seen yet: allocation events after `after` of one project, one institute,
/// or all the principal may see. Returns at once; empty when nothing is new.
Result<WatchBatch> ChangesSince(const Context& context, const Principal& principal,
                                const std::optional<InstituteId>& institute,
                                const std::optional<ProjectId>& project, Revision after, int limit);
/// Whose changes such a watch is shown at most; nothing: anybody's.
std::optional<InstituteId> WatchedInstitute(const Principal& principal,
                                            const std::optional<InstituteId>& institute,
                                            const std::optional<ProjectId>& project);

struct ChangedInstitutes {
  Revision revision = 0;
  /// Nothing: it may have been any.
  std::optional<std::set<InstituteId>> institutes;
};
/// Whose resources changed after `after`, up to the present. For the server itself: no caller may
/// see it.
Result<ChangedInstitutes> ChangedSince(const Context& context, Revision after);

/// Where a watch begins: after `after`, or now. revision_out_of_range when that is in the future or
/// so long ago that its events are gone.
Result<Revision> BeginWatch(const Context& context, const Principal& principal,
                            const std::optional<Revision>& after);
/// What a list read now is at least as new as.
Result<Revision> PresentRevision(const Context& context, const Principal& principal);

}  // namespace allot::control
