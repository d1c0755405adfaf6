#include <map>

#include "store/memory/memory_tx.h"

namespace allot::store {
namespace {

/// The rows of a table: all that matter at the start, or those named.
template <class Key, class Row, class Matters>
std::vector<Row> Load(const Table<Key, Row>& table, bool complete,
                      const std::set<std::string>& named, Matters matters) {
  std::vector<Row> loaded;
  if (complete) {
    for (const auto& [key, row] : table.rows()) {
      if (matters(*row)) loaded.push_back(*row);
    }
    return loaded;
  }
  for (const std::string& key : named) {
    if (const Row* const row = table.Find(Key(key))) loaded.push_back(*row);
  }
  return loaded;
}

/// Nothing of it is ever lost.
constexpr char kHistory[] = "memory";

}  // namespace

Event MemoryTx::EventOf(ResourceKind kind, const std::string& resource) const {
  Event event{.kind = kind, .resource = resource, .time = now_};
  if (kind == ResourceKind::kInstitute) event.institute = InstituteId(resource);
  if (kind == ResourceKind::kProject || kind == ResourceKind::kQuota) {
    event.institute = InstituteOf(ProjectId(resource));
  }
  if (kind != ResourceKind::kAllocation) return event;
  const Allocation* const row = state_.allocations.Find(AllocationId(resource));
  if (row == nullptr) return event;
  event.institute = InstituteOf(row->project);
  event.state = row->state;
  event.time = row->update_time;
  event.reason = row->reason;
  event.message = row->message;
  return event;
}

Revision MemoryTx::WriteEvents() {
  if (changed_.empty()) return 0;
  const Revision revision = ++state_.counters.revision;
  std::vector<Event> events;
  for (const auto& [kind, resource] : changed_) {
    events.push_back(EventOf(kind, resource));
    events.back().revision = revision;
  }
  // As they are read: by the name of the kind.
  std::ranges::sort(events, {}, [](const Event& event) {
    return std::pair(Name(event.kind), std::string_view(event.resource));
  });
  state_.events.Put(undo_, revision, events);
  return revision;
}

Result<Revision> MemoryTx::CurrentRevision() {
  return Verb([&] { return state_.counters.revision; });
}

Result<Instant> MemoryTx::StoreTime() {
  return Verb([&] { return now_; });
}

Result<Revision> MemoryTx::RemovedThrough() {
  return Verb([&] { return state_.counters.removed_through; });
}

Result<int> MemoryTx::RemoveEvents(Instant t, int revisions) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  Counters& counters = state_.counters;
  int removed = 0;
  // The first young one ends it: what is removed is always a beginning of the stream.
  while (removed < revisions && counters.removed_through < counters.revision) {
    const Revision next = counters.removed_through + 1;
    const std::vector<Event>* const events = state_.events.Find(next);
    const bool young = events != nullptr && std::ranges::any_of(*events, [&](const Event& event) {
                         return event.time >= t;
                       });
    if (young) break;
    state_.events.Erase(undo_, next);
    counters.removed_through = next;
    ++removed;
  }
  return removed;
}

Result<std::vector<Event>> MemoryTx::EventsAfter(Revision after,
                                                 const std::optional<InstituteId>& institute,
                                                 int limit) {
  return Verb([&] {
    std::vector<Event> events;
    const auto& rows = state_.events.rows();
    for (auto row = rows.upper_bound(after); row != rows.end(); ++row) {
      const std::size_t before = events.size();
      for (const Event& event : *row->second) {
        if (!institute || event.institute == *institute) events.push_back(event);
      }
      if (events.size() <= static_cast<std::size_t>(limit)) continue;
      // Never part of a revision; one beyond the limit alone is given whole.
      if (before > 0) events.resize(before);
      break;
    }
    return events;
  });
}

template <class Wanted>
std::vector<Claim> MemoryTx::AllBookings(Wanted wanted) const {
  std::vector<Claim> claims;
  for (const auto& [key, booking] : state_.bookings_on_nodes.rows()) {
    if (wanted(*booking)) claims.push_back(booking->claim);
  }
  return claims;
}

Result<Changes> MemoryTx::ChangesAfter(Revision after, const std::string& history) {
  if (failure_) return failure_->error;
  Changes changes{.revision = state_.counters.revision, .history = kHistory};
  const bool is_another = after > changes.revision || history != changes.history;
  if (after == changes.revision && after != 0 && !is_another) return changes;
  changes.complete = after == 0 || after < state_.counters.removed_through || is_another;
  std::map<ResourceKind, std::set<std::string>> changed;
  const auto& rows = state_.events.rows();
  std::size_t events = 0;
  for (auto row = rows.upper_bound(after); !changes.complete && row != rows.end(); ++row) {
    for (const Event& event : *row->second) changed[event.kind].insert(event.resource);
    events += row->second->size();
    changes.complete = events > static_cast<std::size_t>(kChangesMax);
  }
  const auto all = [](const auto&) { return true; };
  const auto load = [&](auto& into, const auto& table, ResourceKind kind, auto matters) {
    into = Load(table, changes.complete, changed[kind], matters);
  };
  using enum ResourceKind;
  load(changes.providers, state_.providers, kProvider, all);
  load(changes.clusters, state_.clusters, kCluster, all);
  load(changes.nodes, state_.nodes, kNode, all);
  load(changes.projects, state_.projects, kProject, all);
  load(changes.quotas, state_.quotas, kQuota, all);
  load(changes.usages, state_.usages, kQuota, all);
  load(changes.reservations, state_.reservations, kReservation,
       [](const Reservation& row) { return !row.cancel_time; });
  load(changes.policies, state_.policies, kPolicy, all);
  const auto is_held = [](const Booking& booking) {
    return !booking.promised && !booking.claim.released_at;
  };
  const auto is_promise = [](const Booking& booking) { return booking.promised; };
  std::set<AllocationId> booked;
  if (changes.complete) {
    changes.claims = AllBookings(is_held);
    changes.promises = AllBookings(is_promise);
    for (const Claim& claim : changes.claims) booked.insert(claim.allocation);
    for (const Claim& claim : changes.promises) booked.insert(claim.allocation);
  }
  load(changes.allocations, state_.allocations, kAllocation,
       [&](const Allocation& row) { return !IsFinal(row.state) || booked.contains(row.id); });
  if (!changes.complete) {
    std::vector<AllocationId> ids;
    for (const Allocation& allocation : changes.allocations) ids.push_back(allocation.id);
    ALLOT_ASSIGN_OR_RETURN(changes.claims, OpenClaims(ids));
    ALLOT_ASSIGN_OR_RETURN(changes.promises, Promises(ids));
  }
  return changes;
}

}  // namespace allot::store
