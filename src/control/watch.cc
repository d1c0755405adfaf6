#include "allot/control/watch.h"

#include <map>

namespace allot::control {
namespace {

/// With more than so many, it is cheaper to have every watch look than to find out which need not.
constexpr int kEventsToTellApart = 5'000;

/// The present revision, if a watch can begin after `after`.
Result<Revision> PresentIfKept(store::Tx& tx, Revision after) {
  ALLOT_ASSIGN_OR_RETURN(const Revision removed, tx.RemovedThrough());
  ALLOT_ASSIGN_OR_RETURN(const Revision present, tx.CurrentRevision());
  if (after < removed || after > present) {
    return FieldError(Reason::kRevisionOutOfRange, "after_revision", std::to_string(after),
                      std::to_string(removed) + " to " + std::to_string(present));
  }
  return present;
}

}  // namespace

Result<WatchBatch> ChangesSince(const Context& context, const Principal& principal,
                                const std::optional<InstituteId>& institute,
                                const std::optional<ProjectId>& project, Revision after,
                                int limit) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadTenant));
  const auto tenant = WatchedInstitute(principal, institute, project);
  const bool visible = !tenant || MaySee(principal, *tenant);

  return context.store.Transact<WatchBatch>(
      store::Access::kRead, store::Scope::For(principal), [&](store::Tx& tx) -> Result<WatchBatch> {
        WatchBatch batch;
        ALLOT_ASSIGN_OR_RETURN(batch.revision, PresentIfKept(tx, after));
        if (!visible) return batch;
        ALLOT_ASSIGN_OR_RETURN(auto events, tx.EventsAfter(after, tenant, limit));
        // There may be more behind the last event, however many came: the store never cuts a
        // revision, so it answers fewer than asked for when the next one would not fit.
        if (!events.empty()) batch.revision = events.back().revision;
        std::vector<AllocationId> ids;
        for (const Event& event : events) {
          if (event.kind != ResourceKind::kAllocation) continue;
          const AllocationId id(event.resource);
          if (project && ProjectOf(id) != *project) continue;
          ids.push_back(id);
        }
        ALLOT_ASSIGN_OR_RETURN(auto rows, tx.FindAllocations(ids));
        std::map<AllocationId, const Allocation*> by_id;
        for (const Allocation& row : rows) by_id.emplace(row.id, &row);
        for (const Event& event : events) {
          if (event.kind != ResourceKind::kAllocation) continue;
          const auto row = by_id.find(AllocationId(event.resource));
          if (row == by_id.end()) continue;
          batch.changes.push_back({.revision = event.revision,
                                   .time = event.time,
                                   .allocation = *row->second,
                                   .state = event.state.value_or(row->second->state),
                                   .reason = event.reason,
                                   .message = event.message});
        }
        return batch;
      });
}

std::optional<InstituteId> WatchedInstitute(const Principal& principal,
                                            const std::optional<InstituteId>& institute,
                                            const std::optional<ProjectId>& project) {
  if (project) return InstituteOf(*project);
  if (!institute && !principal.institute.empty()) return principal.institute;
  return institute;
}

Result<ChangedInstitutes> ChangedSince(const Context& context, Revision after) {
  return context.store.Transact<ChangedInstitutes>(
      store::Access::kRead, store::Scope::Everything(),
      [&](store::Tx& tx) -> Result<ChangedInstitutes> {
        ChangedInstitutes changed;
        ALLOT_ASSIGN_OR_RETURN(changed.revision, tx.CurrentRevision());
        if (changed.revision == after) return ChangedInstitutes{after, std::set<InstituteId>()};
        ALLOT_ASSIGN_OR_RETURN(const Revision removed, tx.RemovedThrough());
        if (after < removed) return changed;
        ALLOT_ASSIGN_OR_RETURN(const auto events,
                               tx.EventsAfter(after, std::nullopt, kEventsToTellApart));
        if (events.empty() || events.back().revision < changed.revision) return changed;
        changed.institutes.emplace();
        for (const Event& event : events) {
          if (!event.institute.empty()) changed.institutes->insert(event.institute);
        }
        return changed;
      });
}

Result<Revision> BeginWatch(const Context& context, const Principal& principal,
                            const std::optional<Revision>& after) {
  if (!after) return PresentRevision(context, principal);
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadTenant));
  return context.store.Transact<Revision>(store::Access::kRead, store::Scope::For(principal),
                                          [&](store::Tx& tx) -> Result<Revision> {
                                            ALLOT_RETURN_IF_ERROR(PresentIfKept(tx, *after));
                                            return *after;
                                          });
}

Result<Revision> PresentRevision(const Context& context, const Principal& principal) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadTenant));
  return context.store.Transact<Revision>(store::Access::kRead, store::Scope::For(principal),
                                          [](store::Tx& tx) { return tx.CurrentRevision(); });
}

}  // namespace allot::control
