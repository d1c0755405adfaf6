#include "allot/store/inspection.h"

#include <cctype>
#include <chrono>
#include <string_view>

#include "allot/model/timeline.h"
#include "allot/store/private_cluster.h"
#include "store/postgres/inspect.h"

namespace allot::store {
namespace {

constexpr char kState[] =
    "SELECT micros(clock_timestamp()), (SELECT system_identifier::text FROM pg_control_system()),"
    " (SELECT setting::bigint FROM pg_settings WHERE name = 'wal_segment_size'),"
    " (SELECT max(number) FROM schema_migrations), (SELECT value FROM revision),"
    " (SELECT number FROM audit_chain), (SELECT encode(hash, 'hex') FROM audit_chain),"
    // As PostgreSQL shows a command that is not in force.
    " EXISTS (SELECT FROM pg_settings WHERE name IN ('archive_command', 'archive_library')"
    "   AND setting NOT IN ('', '(disabled)'))"
    "  AND current_setting('archive_mode') <> 'off'";

// Of a database without our schema nobody says here that its owner is another.
constexpr char kServable[] =
    "SELECT current_database(),"
    " EXISTS (SELECT FROM pg_roles WHERE rolname = $1 AND rolcanlogin AND (rolsuper OR COALESCE("
    "  pg_has_role(oid, (SELECT relowner FROM pg_class"
    "                    WHERE oid = to_regclass('schema_migrations')), 'USAGE'), true)))";

/// Whoever watches asks again.
constexpr std::chrono::seconds kWatchPatience{2};

constexpr char kArchiver[] =
    "SELECT current_setting('archive_mode') <> 'off',"
    " (SELECT setting::bigint FROM pg_settings WHERE name = 'archive_timeout'),"
    " archived_count, failed_count, micros(last_archived_time), micros(last_failed_time),"
    " (SELECT count(*) FROM pg_replication_slots"
    "  WHERE slot_type = 'physical' AND active AND NOT temporary)"
    " FROM pg_stat_archiver";

// Whoever reads after a revision of before is told to list again, also if that revision is still
// there: it may have seen others of these numbers.
constexpr char kRevisions[] = "UPDATE revision SET value = $1, removed_through = $1";
constexpr char kEpoch[] = "UPDATE leadership SET epoch = $1, holder = '', lease_until = now()";
constexpr char kSessions[] =
    "UPDATE clusters SET agent_session = GREATEST($1, agent_session + 1), inventory_generation = 0";
// An owner's orders have no epoch, and none that is too old.
constexpr char kOpenOrders[] =
    "UPDATE provider_orders SET epoch = $1 WHERE state = 'open' AND epoch > 0";
// The provider may have taken these back since. Handing over again what is handed over changes
// nothing.
constexpr char kHandOverAgain[] =
    "UPDATE provider_orders o SET state = 'open', acknowledge_time = NULL, message = '', epoch = $1"
    " FROM allocations a WHERE a.id = o.allocation_id AND a.attempt = o.attempt"
    " AND a.state = 'active' AND o.kind = 'provision' AND o.state = 'done'";
constexpr char kAudit[] =
    "INSERT INTO audit_entries (entry_time, key_id, actor, action, resource, institute_id, detail,"
    " request_id) VALUES (instant($1), '', 'system', 'database.restore', '', '', $2, '')";

std::optional<Instant> TimeOf(const pqxx::field& field) {
  if (field.is_null()) return std::nullopt;
  return Instant{field.as<int64_t>()};
}

}  // namespace

std::optional<std::string> WhyUnreachable(const std::string& url) {
  const auto database = Conninfo::Parse(url);
  if (!database.ok()) return std::nullopt;
  try {
    const pqxx::connection connection(WithTimeouts(*database, std::chrono::seconds(0)));
    return std::nullopt;
  } catch (const std::exception& e) {
    std::string words;
    // libpq breaks lines, and begins the next with a tab.
    for (const char c : std::string_view(e.what())) {
      const bool blank = std::isspace(static_cast<unsigned char>(c)) != 0;
      if (!blank) words += c;
      if (blank && !words.empty() && words.back() != ' ') words += ' ';
    }
    while (words.ends_with(' ')) words.pop_back();
    return words;
  }
}

Result<DatabaseState> ReadDatabaseState(const std::string& url) {
  return Inspect<DatabaseState>(url, [](pqxx::work& database) -> Result<DatabaseState> {
    const pqxx::row row = database.exec1(kState);
    return DatabaseState{.time = Instant{row[0].as<int64_t>()},
                         .system_identifier = row[1].as<std::string>(),
                         .wal_segment_bytes = row[2].as<int64_t>(),
                         .schema = row[3].as<int>(),
                         .revision = row[4].as<int64_t>(),
                         .audit_number = row[5].as<int64_t>(),
                         .audit_hash = row[6].as<std::string>(),
                         .log_archived = row[7].as<bool>()};
  });
}

Status RequireServable(const std::string& url) {
  const std::string name = PrivateCluster::kName;
  return Inspect<Ok>(url, [&](pqxx::work& database) -> Result<Ok> {
    const pqxx::row row = database.exec_params1(kServable, name);
    const auto given = row[0].as<std::string>();
    const std::string needed =
        "A backup is restored as a database '" + name + "' that the role '" + name + "' owns";
    if (given != name) {
      return StateError(Reason::kConfigInvalid,
                        needed + ", and this one is called '" + given +
                            "'. Give it that name while nobody is connected, and to all servers in "
                            "--database: ALTER DATABASE " +
                            database.quote_name(given) + " RENAME TO " + name + ";");
    }
    if (row[1].as<bool>()) return Ok{};
    return StateError(Reason::kConfigInvalid,
                      needed +
                          ", and in this cluster that role is missing or not the owner. As a "
                          "superuser: CREATE ROLE " +
                          name + " LOGIN; then GRANT it the role that owns the tables.");
  });
}

Result<LogShipping> ReadLogShipping(const std::string& url) {
  return Inspect<LogShipping>(
      url,
      [](pqxx::work& database) -> Result<LogShipping> {
        const pqxx::row row = database.exec1(kArchiver);
        return LogShipping{.standbys = row[6].as<int>(),
                           .enabled = row[0].as<bool>(),
                           .timeout = Seconds{row[1].as<int64_t>()},
                           .archived = row[2].as<int64_t>(),
                           .failed = row[3].as<int64_t>(),
                           .last_archived = TimeOf(row[4]),
                           .last_failed = TimeOf(row[5])};
      },
      kWatchPatience);
}

Result<std::string> TransactionOf(const std::string& url, Revision revision) {
  return Inspect<std::string>(url, [&](pqxx::work& database) -> Result<std::string> {
    const pqxx::result rows =
        database.exec_params("SELECT xmin::text FROM events WHERE revision = $1 LIMIT 1", revision);
    if (!rows.empty()) return rows[0][0].as<std::string>();
    const pqxx::row there = database.exec1("SELECT removed_through + 1, value FROM revision");
    return FieldError(Reason::kConfigInvalid, "--to-revision", std::to_string(revision),
                      there[0].as<std::string>() + " to " + there[1].as<std::string>());
  });
}

Result<NewTimeline> BeginTimeline(const std::string& url, Instant now, const std::string& detail) {
  return Inspect<NewTimeline>(url, [&](pqxx::work& database) -> Result<NewTimeline> {
    const pqxx::row reached = database.exec1("SELECT value, epoch FROM revision, leadership");
    NewTimeline timeline{.restored = reached[0].as<int64_t>()};
    timeline.revision = BeginningOfTimeline(now, timeline.restored);
    timeline.epoch = BeginningOfTimeline(now, reached[1].as<int64_t>());
    database.exec0("DELETE FROM events");
    database.exec_params0(kRevisions, timeline.revision);
    database.exec_params0(kEpoch, timeline.epoch);
    database.exec_params0(kSessions, timeline.epoch);
    database.exec_params0(kOpenOrders, timeline.epoch);
    timeline.orders_reopened = database.exec_params(kHandOverAgain, timeline.epoch).affected_rows();
    database.exec_params0(kAudit, now.micros, detail);
    return timeline;
  });
}

}  // namespace allot::store
