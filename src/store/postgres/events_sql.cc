#include <map>

#include "store/postgres/postgres_tx.h"
#include "store/postgres/rows.h"

namespace allot::store {
namespace {

using Kind = ResourceKind;

// The state, the message and the tenant are read here rather than passed around: they are those at
// the end of the transaction, whatever it did before.
const Statement kWriteEvents{
    "write_events",
    "WITH next AS (UPDATE revision SET value = value + 1 RETURNING value),"
    " written AS ("
    "  INSERT INTO events (revision, kind, resource, institute_id, state, event_time, reason,"
    "                      message)"
    "  SELECT next.value, c.kind, c.resource,"
    "         CASE WHEN c.kind = 'institute' THEN c.resource"
    "              ELSE COALESCE(a.institute_id, p.institute_id) END,"
    "         a.state, COALESCE(a.update_time, now()),"
    "         COALESCE(a.reason, ''), COALESCE(a.message, '')"
    "  FROM next CROSS JOIN unnest($1::text[], $2::text[]) AS c(kind, resource)"
    // OFFSET keeps them look-ups of each row, however few there were when this was prepared.
    "  LEFT JOIN LATERAL (SELECT * FROM allocations WHERE c.kind = 'allocation'"
    "                     AND id = c.resource OFFSET 0) AS a ON true"
    "  LEFT JOIN LATERAL (SELECT * FROM projects WHERE c.kind IN ('project', 'quota')"
    "                     AND id = c.resource OFFSET 0) AS p ON true)"
    " SELECT value FROM next"};

const Statement kCurrentRevision{"current_revision", "SELECT value FROM revision"};
const Statement kStoreTime{"store_time", "SELECT micros(clock_timestamp())"};
// After a failover, and in a database that is read while another is the primary, the write-ahead
// log goes on in another timeline.
const Statement kPresent{
    "present",
    "SELECT value, removed_through, CASE WHEN pg_is_in_recovery() THEN ''"
    " ELSE substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8) END FROM revision"};
const Statement kRemovedThrough{"removed_through", "SELECT removed_through FROM revision"};
// Revisions are dense, so the oldest ones are known without looking for them. The first young one
// ends it: what is removed is always a beginning of the stream.
const Statement kRemoveEvents{
    "remove_events",
    "WITH span AS (SELECT removed_through AS low, LEAST(removed_through + $2, value) AS high"
    "              FROM revision),"
    " cut AS (SELECT low, COALESCE((SELECT min(e.revision) - 1 FROM events e"
    "                               WHERE e.revision > low AND e.revision <= high"
    "                               AND e.event_time >= instant($1)), high) AS high FROM span),"
    " removed AS (DELETE FROM events e USING cut WHERE e.revision > low AND e.revision <= high),"
    " moved AS (UPDATE revision SET removed_through = high FROM cut WHERE high > low)"
    " SELECT high - low FROM cut"};

const std::string kSelectEvents = std::string("SELECT ") + kEventColumns + " FROM events";
const Statement kEventsAfter{
    "events_after",
    kSelectEvents + " WHERE revision > $1 ORDER BY revision, kind, resource LIMIT $2"};
const Statement kEventsAfterOf{"events_after_of",
                               kSelectEvents +
                                   " WHERE institute_id = $3 AND revision > $1"
                                   " ORDER BY revision, kind, resource LIMIT $2"};
const Statement kEventsOf{"events_of",
                          kSelectEvents +
                              " WHERE revision = $1 AND ($2::text IS NULL OR institute_id = $2)"
                              " ORDER BY kind, resource"};
const Statement kChangedAfter{"changed_after",
                              "SELECT kind, resource FROM events WHERE revision > $1 LIMIT $2"};

/// Where the stream of events is.
struct Present {
  Revision revision = 0;
  Revision removed_through = 0;
  std::string history;
};
Present ReadPresent(RowReader& row) {
  return {.revision = row.Int64(), .removed_through = row.Int64(), .history = row.Text()};
}

/// The rows of one table: all that matter at the start, and those named.
struct Load {
  Load(const char* name, const char* columns, const char* table, const char* id,
       const char* matters = "true")
      : all_name(std::string("all_") + name),
        some_name(std::string("some_") + name),
        all{all_name.c_str(), Sql(columns, table, matters, id)},
        some{some_name.c_str(),
             Sql(columns, table, (std::string(id) + " = ANY ($1::text[])").c_str(), id)} {}

  static std::string Sql(const char* columns, const char* table, const char* condition,
                         const char* id) {
    return std::string("SELECT ") + columns + " FROM " + table + " WHERE " + condition +
           " ORDER BY " + id;
  }

  std::string all_name;
  std::string some_name;
  Statement all;
  Statement some;
};

const Statement kTakeTime{"take_time",
                          "SELECT set_config('statement_timeout', '60s', true),"
                          " set_config('idle_in_transaction_session_timeout', '60s', true)"};
constexpr int64_t kLoadPatienceMs = 65'000;
/// They are read well within the second that others have. Whoever has more patience than others
/// waits longer for a database that hangs.
constexpr std::size_t kFewChanges = 1'000;

const Load kProviders{"providers", kProviderColumns, "providers", "id"};
const Load kClusters{"clusters", kClusterColumns, "clusters", "id"};
const Load kNodes{"nodes", kNodeColumns, "nodes", "id"};
const Load kProjects{"projects", kProjectColumns, "projects", "id"};
const Load kQuotas{"quotas", kQuotaColumns, "quotas", "project_id"};
const Load kUsages{"usages", kProjectUsageColumns, "project_usage", "project_id"};
const Load kReservations{"reservations", kReservationColumns, "reservations", "id",
                         "cancel_time IS NULL"};
const Load kPolicies{"policies", kPolicyColumns, "policies", "id"};
// An array, so that it is two look-ups in indexes: a subquery would be asked of each that ever was.
const std::string kUnfinishedOrHeld =
    std::string("(") + kUnfinished +
    " OR id = ANY (ARRAY(SELECT allocation_id FROM claims WHERE released_at IS NULL)))";
const Load kAllocations{"allocations", kAllocationColumns, "allocations", "id",
                        kUnfinishedOrHeld.c_str()};
const Statement kAllOpenClaims{"all_open_claims", std::string("SELECT ") + kClaimColumns +
                                                      " FROM claims WHERE released_at IS NULL"
                                                      " AND NOT promised"
                                                      " ORDER BY node_id, allocation_id, attempt"};
const Statement kAllPromises{"all_promises", std::string("SELECT ") + kClaimColumns +
                                                 " FROM claims WHERE promised"
                                                 " ORDER BY node_id, allocation_id, attempt"};

}  // namespace

Result<Revision> PostgresTx::WriteEvents() {
  if (changed_.empty()) return Revision{0};
  const auto kind = [](const auto& change) { return change.first; };
  const auto resource = [](const auto& change) { return change.second; };
  return FindNumber(kWriteEvents,
                    Arguments(SqlArray(changed_, kind), SqlArray(changed_, resource)));
}

Result<Instant> PostgresTx::StoreTime() {
  ALLOT_ASSIGN_OR_RETURN(const int64_t micros, FindNumber(kStoreTime, Arguments()));
  return Instant{micros};
}

Result<Revision> PostgresTx::CurrentRevision() { return FindNumber(kCurrentRevision, Arguments()); }

Result<Revision> PostgresTx::RemovedThrough() { return FindNumber(kRemovedThrough, Arguments()); }

Result<int> PostgresTx::RemoveEvents(Instant t, int revisions) {
  ALLOT_ASSIGN_OR_RETURN(const int64_t removed, FindNumber(kRemoveEvents, Arguments(t, revisions)));
  return static_cast<int>(removed);
}

Result<std::vector<Event>> PostgresTx::EventsAfter(Revision after,
                                                   const std::optional<InstituteId>& institute,
                                                   int limit) {
  // One more than asked for shows whether the last revision is cut.
  Arguments arguments(after, limit + 1);
  if (institute) arguments.Add(*institute);
  ALLOT_ASSIGN_OR_RETURN(std::vector<Event> events,
                         FindAll(ReadEvent, institute ? kEventsAfterOf : kEventsAfter, arguments));
  if (events.size() <= static_cast<std::size_t>(limit)) return events;

  const Revision cut = events.back().revision;
  std::erase_if(events, [&](const Event& event) { return event.revision == cut; });
  if (!events.empty()) return events;
  // A single revision beyond the limit: whole, or the reader would never get past it.
  return FindAll(ReadEvent, kEventsOf, Arguments(cut, institute));
}

// A million rows are read, and made into what they are, in more time than others have.
Status PostgresTx::TakeTime() {
  return Verb([&]() -> Status {
    Execute(kTakeTime, Arguments());
    session_.SetPatience(kLoadPatienceMs);
    return Ok{};
  });
}

Result<Changes> PostgresTx::ChangesAfter(Revision after, const std::string& history) {
  ALLOT_ASSIGN_OR_RETURN(const std::optional<Present> present,
                         FindOne(ReadPresent, kPresent, Arguments()));
  if (!present) return StateError(Reason::kInternal, "The revision row is missing.");
  Changes changes{.revision = present->revision, .history = present->history};
  const bool is_another = after > present->revision || history != present->history;
  if (after == present->revision && after != 0 && !is_another) return changes;
  changes.complete = after == 0 || after < present->removed_through || is_another;
  bool is_much = changes.complete;
  std::map<Kind, std::set<std::string>> changed;
  if (!changes.complete) {
    const auto read = [](RowReader& row) {
      const Kind kind = row.Named(ParseResourceKind);
      return std::pair(kind, row.Text());
    };
    using Change = std::pair<Kind, std::string>;
    ALLOT_ASSIGN_OR_RETURN(
        const std::vector<Change> rows,
        FindAll<Change>(+read, kChangedAfter, Arguments(after, kChangesMax + 1)));
    changes.complete = rows.size() > static_cast<std::size_t>(kChangesMax);
    is_much = rows.size() > kFewChanges;
    for (const auto& [kind, resource] : rows) changed[kind].insert(resource);
  }
  if (is_much) ALLOT_RETURN_IF_ERROR(TakeTime());
  const auto load = [&]<class T>(std::vector<T>& into, Reader<T> read, const Load& from,
                                 const std::set<std::string>& ids) -> Status {
    if (!changes.complete && ids.empty()) return Ok{};
    ALLOT_ASSIGN_OR_RETURN(into, changes.complete
                                     ? FindAll(read, from.all, Arguments())
                                     : FindAll(read, from.some, Arguments(SqlArray(ids))));
    return Ok{};
  };
  ALLOT_RETURN_IF_ERROR(
      load(changes.providers, ReadProvider, kProviders, changed[Kind::kProvider]));
  ALLOT_RETURN_IF_ERROR(load(changes.clusters, ReadCluster, kClusters, changed[Kind::kCluster]));
  ALLOT_RETURN_IF_ERROR(load(changes.nodes, ReadNode, kNodes, changed[Kind::kNode]));
  ALLOT_RETURN_IF_ERROR(load(changes.projects, ReadProject, kProjects, changed[Kind::kProject]));
  ALLOT_RETURN_IF_ERROR(load(changes.quotas, ReadQuota, kQuotas, changed[Kind::kQuota]));
  ALLOT_RETURN_IF_ERROR(load(changes.usages, ReadProjectUsage, kUsages, changed[Kind::kQuota]));
  ALLOT_RETURN_IF_ERROR(
      load(changes.reservations, ReadReservation, kReservations, changed[Kind::kReservation]));
  ALLOT_RETURN_IF_ERROR(load(changes.policies, ReadPolicy, kPolicies, changed[Kind::kPolicy]));
  ALLOT_RETURN_IF_ERROR(
      load(changes.allocations, ReadAllocation, kAllocations, changed[Kind::kAllocation]));
  if (changes.complete) {
    ALLOT_ASSIGN_OR_RETURN(changes.claims, FindAll(ReadClaim, kAllOpenClaims, Arguments()));
    ALLOT_ASSIGN_OR_RETURN(changes.promises, FindAll(ReadClaim, kAllPromises, Arguments()));
  } else if (!changes.allocations.empty()) {
    std::vector<AllocationId> ids;
    for (const Allocation& allocation : changes.allocations) ids.push_back(allocation.id);
    ALLOT_ASSIGN_OR_RETURN(changes.claims, OpenClaims(ids));
    ALLOT_ASSIGN_OR_RETURN(changes.promises, Promises(ids));
  }
  return changes;
}

}  // namespace allot::store
