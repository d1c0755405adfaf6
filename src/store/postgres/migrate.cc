#include "store/postgres/migrate.h"

#include <charconv>
#include <chrono>
#include <string>
#include <thread>

#include "allot/store/migrations.h"
#include "allot/store/store.h"
#include "store/postgres/failure.h"

namespace allot::store {
namespace {

// "allot" in ASCII: one lock for all who migrate this database.
constexpr int64_t kMigrationLock = 0x616c6c6f74;
constexpr int kConnectTimeoutSeconds = 5;

const Statement kSchemaExists{"schema_exists",
                              "SELECT to_regclass('schema_migrations') IS NOT NULL"};
const Statement kSchemaNumber{"schema_number",
                              "SELECT COALESCE(max(number), 0) FROM schema_migrations"};
const Statement kRecord{
    "record_migration",
    "INSERT INTO schema_migrations (number, name, oldest_served) VALUES ($1, $2, $3)"};
// A database that is newer was migrated by a release that has the column.
const Statement kOldestServed{"oldest_served",
                              "SELECT max(oldest_served) FROM schema_migrations WHERE number > $1"};

// Altering the table, even to no effect, waits for everybody who reads it, a dump of hours too.
const Statement kRecordsAreComplete{
    "records_are_complete",
    "SELECT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('schema_migrations')"
    " AND attname = 'oldest_served' AND NOT attisdropped)"};

constexpr char kCreateRecords[] = R"(
  CREATE TABLE IF NOT EXISTS schema_migrations (
    number     int PRIMARY KEY,
    name       text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
  );
  COMMENT ON TABLE schema_migrations IS 'Which migrations this database has.';
  ALTER TABLE schema_migrations ADD COLUMN IF NOT EXISTS oldest_served int NOT NULL DEFAULT 0;
  COMMENT ON COLUMN schema_migrations.oldest_served IS
    'Servers of this schema and later may go on after it; 0: all that went on before it.')";

int SchemaOf(Session& session) {
  pqxx::work transaction(session.connection());
  const pqxx::result exists = session.Execute(transaction, kSchemaExists, Arguments());
  if (!RowReader(exists[0]).Bool()) return 0;
  const pqxx::result number = session.Execute(transaction, kSchemaNumber, Arguments());
  return RowReader(number[0]).Int();
}

Error DatabaseNewer(int schema) {
  return StateError(Reason::kDatabaseNewer, "The database has schema " + std::to_string(schema) +
                                                ", this release knows " +
                                                std::to_string(SchemaOfThisBinary()) + ".");
}

/// A release goes on while the next one's migrations only add.
Status RequireServed(Session& session, int schema) {
  pqxx::work transaction(session.connection());
  const pqxx::result oldest =
      session.Execute(transaction, kOldestServed, Arguments(SchemaOfThisBinary()));
  if (RowReader(oldest[0]).Int() > SchemaOfThisBinary()) return DatabaseNewer(schema);
  return Ok{};
}

/// Whoever waits for a table's lock keeps those who come after it waiting, too: behind a long read
/// no call could be served. So it gives way, and tries again.
constexpr char kLockTimeout[] = "SET lock_timeout = '2s';";
constexpr char kLockNotAvailable[] = "55P03";
constexpr std::chrono::seconds kGiveWay{1};
constexpr int kTriesMax = 200;

void Apply(Session& session, const EmbeddedMigration& migration) {
  pqxx::work transaction(session.connection());
  transaction.exec(std::string(migration.sql));
  session.Execute(transaction, kRecord,
                  Arguments(migration.number, migration.name, OldestServed(migration)));
  transaction.commit();
}

void CreateRecords(Session& session) {
  pqxx::work transaction(session.connection());
  const pqxx::result complete = session.Execute(transaction, kRecordsAreComplete, Arguments());
  if (RowReader(complete[0]).Bool()) return;
  transaction.exec(kCreateRecords);
  transaction.commit();
}

template <class Step>
void Patiently(Step step) {
  for (int tries = 1;; ++tries) {
    try {
      return step();
    } catch (const pqxx::sql_error& error) {
      if (error.sqlstate() != kLockNotAvailable || tries == kTriesMax) throw;
    } catch (const pqxx::deadlock_detected&) {
      // With a call that takes the tables the other way round; in libpqxx 6 it is no sql_error.
      if (tries == kTriesMax) throw;
    }
    std::this_thread::sleep_for(kGiveWay);
  }
}

Result<int> MigrateOn(Session& session) {
  {
    // Held by the session, so that it outlives each migration's own transaction; given up with it.
    // Whoever waits here finds the work done: hence no limit on the wait.
    pqxx::nontransaction lock(session.connection());
    lock.exec("SET lock_timeout = 0; SET statement_timeout = 0;");
    lock.exec("SELECT pg_advisory_lock(" + std::to_string(kMigrationLock) + ")");
    lock.exec(kLockTimeout);
  }
  Patiently([&] { CreateRecords(session); });
  // The owner of a table is held to its policies, too, and a migration is for all rows.
  session.Enter(Scope::Everything());
  const int schema = SchemaOf(session);
  if (schema > SchemaOfThisBinary()) {
    ALLOT_RETURN_IF_ERROR(RequireServed(session, schema));
    return schema;
  }
  for (const EmbeddedMigration& migration : EmbeddedMigrations()) {
    if (migration.number > schema) Patiently([&] { Apply(session, migration); });
  }
  return SchemaOfThisBinary();
}

}  // namespace

int SchemaOfThisBinary() { return EmbeddedMigrations().back().number; }

int OldestServed(const EmbeddedMigration& migration) {
  constexpr std::string_view kHeader = "-- Contract: servers from schema ";
  if (!migration.sql.starts_with(kHeader)) return 0;
  const std::string_view rest = migration.sql.substr(kHeader.size());
  int schema = 0;
  std::from_chars(rest.data(), rest.data() + rest.size(), schema);
  return schema;
}

Status RequireSchemaOfThisBinary(Session& session) {
  const int schema = SchemaOf(session);
  if (schema > SchemaOfThisBinary()) return RequireServed(session, schema);
  if (schema < SchemaOfThisBinary()) {
    return StateError(Reason::kDatabaseOlder, "The database has schema " + std::to_string(schema) +
                                                  ", this release needs " +
                                                  std::to_string(SchemaOfThisBinary()) + ".");
  }
  return Ok{};
}

Result<int> Migrate(const std::string& url) {
  ALLOT_ASSIGN_OR_RETURN(const Conninfo database, Conninfo::Parse(url));
  std::optional<Session> session;
  try {
    session.emplace(database, kConnectTimeoutSeconds, Rights::kOfTheLogin);
  } catch (...) {
    return StoreUnavailable("The database cannot be reached.");
  }
  try {
    return MigrateOn(*session);
  } catch (const pqxx::insufficient_privilege&) {
    return StateError(Reason::kDatabaseRightsMissing,
                      "The login may not bring the schema up: it does not own the database, or can "
                      "neither make the role allot_server nor act as it.");
  } catch (...) {
    std::string own_words;
    return FailureOfCurrentException(own_words).error;
  }
}

}  // namespace allot::store
