#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <memory>
#include <pqxx/pqxx>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "allot/model/allocation.h"
#include "allot/store/migrations.h"
#include "allot/store/store.h"
#include "store/sample.h"
#include "support/postgres_server.h"

namespace allot::store {
namespace {

using testing::EmptyDatabase;
using testing::FreshDatabase;

int SchemaOfThisBinary() { return EmbeddedMigrations().back().number; }

int AppliedMigrations(const std::string& url) {
  pqxx::connection connection(url);
  pqxx::work work(connection);
  return work.exec1("SELECT count(*) FROM schema_migrations")[0].as<int>();
}

void Execute(const std::string& url, const std::string& sql) {
  pqxx::connection connection(url);
  pqxx::work work(connection);
  work.exec(sql);
  work.commit();
}

TEST(Migrations, AppliedTwiceChangeNothing) {
  const std::string url = EmptyDatabase();
  ASSERT_EQ(Migrate(url).value(), SchemaOfThisBinary());
  const int applied = AppliedMigrations(url);
  ASSERT_EQ(Migrate(url).value(), SchemaOfThisBinary());
  EXPECT_EQ(AppliedMigrations(url), applied);
  EXPECT_EQ(applied, static_cast<int>(EmbeddedMigrations().size()));
}

/// Up to the one before 31, which drops an index each of requests, allocations and provider_orders.
std::string DatabaseBefore31() {
  const std::string url = EmptyDatabase();
  Execute(url,
          "CREATE TABLE schema_migrations (number int PRIMARY KEY, name text NOT NULL,"
          " applied_at timestamptz NOT NULL DEFAULT now())");
  for (const EmbeddedMigration& migration : EmbeddedMigrations()) {
    if (migration.number >= 31) continue;
    Execute(url, std::string(migration.sql));
    Execute(url, "INSERT INTO schema_migrations (number, name) VALUES (" +
                     std::to_string(migration.number) + ", 'by hand')");
  }
  return url;
}

TEST(Migrations, BehindALongReadItGivesWayToCallsAndTriesAgain) {
  const std::string url = DatabaseBefore31();
  pqxx::connection connection(url);
  auto reading = std::make_unique<pqxx::work>(connection);
  reading->exec("LOCK TABLE requests IN ACCESS SHARE MODE");
  auto migrated = std::async(std::launch::async, [&] { return Migrate(url); });
  while (testing::WaitingForLocks(url) == 0) {
  }
  while (testing::WaitingForLocks(url) > 0) {
  }
  reading.reset();
  EXPECT_EQ(migrated.get().value(), SchemaOfThisBinary());
}

TEST(Migrations, ADeadlockWithACallIsTriedAgain) {
  const std::string url = DatabaseBefore31();
  pqxx::connection connection(url);
  auto call = std::make_unique<pqxx::work>(connection);
  call->exec("LOCK TABLE provider_orders IN ACCESS SHARE MODE");
  auto migrated = std::async(std::launch::async, [&] { return Migrate(url); });
  while (testing::WaitingForLocks(url) == 0) {
  }
  // Who waited first looks first whether it waits for itself: the migration is the victim.
  call->exec("LOCK TABLE allocations IN ACCESS SHARE MODE");
  call.reset();
  const auto schema = migrated.get();
  EXPECT_EQ(schema.ok() ? "" : Describe(schema.error()), "");
}

// A dump reads every table for as long as it takes, this one too.
TEST(Migrations, BehindALongReadOfTheRecordsAServerStartsAtOnce) {
  const std::string url = FreshDatabase();
  pqxx::connection connection(url);
  auto reading = std::make_unique<pqxx::work>(connection);
  reading->exec("LOCK TABLE schema_migrations IN ACCESS SHARE MODE");
  auto migrated = std::async(std::launch::async, [&] { return Migrate(url); });
  bool waited = false;
  while (migrated.wait_for(std::chrono::seconds(0)) != std::future_status::ready && !waited) {
    waited = testing::WaitingForLocks(url) > 0;
  }
  EXPECT_FALSE(waited) << "whoever waits for the lock keeps all who come after it waiting";
  reading.reset();
  EXPECT_EQ(migrated.get().value(), SchemaOfThisBinary());
}

TEST(Migrations, BehindALongReadOfOldRecordsItGivesWayToServersThatStart) {
  const std::string url = FreshDatabase();
  Execute(url, "ALTER TABLE schema_migrations DROP COLUMN oldest_served");
  pqxx::connection connection(url);
  auto reading = std::make_unique<pqxx::work>(connection);
  reading->exec("LOCK TABLE schema_migrations IN ACCESS SHARE MODE");
  auto migrated = std::async(std::launch::async, [&] { return Migrate(url); });
  while (testing::WaitingForLocks(url) == 0) {
  }
  // As a server does when it starts; far more patient than the migration is.
  EXPECT_NO_THROW(Execute(url, "SET statement_timeout = '30s'; SELECT * FROM schema_migrations"));
  reading.reset();
  EXPECT_EQ(migrated.get().value(), SchemaOfThisBinary());
  Execute(url, "SELECT oldest_served FROM schema_migrations");
}

TEST(Migrations, SeveralServersAtOnceApplyEachOnce) {
  const std::string url = EmptyDatabase();
  std::vector<std::thread> servers;
  std::vector<int> schemas(4);
  for (int& schema : schemas) {
    servers.emplace_back([&] {
      const Result<int> migrated = Migrate(url);
      schema = migrated.ok() ? *migrated : -1;
    });
  }
  for (std::thread& server : servers) server.join();
  EXPECT_EQ(schemas, std::vector<int>(4, SchemaOfThisBinary()));
  EXPECT_EQ(AppliedMigrations(url), static_cast<int>(EmbeddedMigrations().size()));
}

TEST(Migrations, AnAuditFromBeforeItWasAChainBecomesOne) {
  const std::string url = EmptyDatabase();
  constexpr int kChain = 18;
  for (const EmbeddedMigration& migration : EmbeddedMigrations()) {
    if (migration.number < kChain) Execute(url, std::string(migration.sql));
  }
  const std::string insert =
      "INSERT INTO audit_entries (entry_time, key_id, actor, action, resource, institute_id, "
      "detail,"
      " request_id) SELECT '2026-03-01 00:00:00.000001Z', 'k', 'operator', 'x.' || i, 'snu/llm', "
      "'snu',"
      " '국가 ' || i, '' FROM generate_series(1, 5) i";
  Execute(url, insert);
  {
    // What was rolled back has taken numbers.
    pqxx::connection connection(url);
    pqxx::work work(connection);
    work.exec(insert);
  }
  Execute(url, insert);
  for (const EmbeddedMigration& migration : EmbeddedMigrations()) {
    if (migration.number == kChain) Execute(url, std::string(migration.sql));
  }
  Execute(url, insert);
  pqxx::connection connection(url);
  pqxx::work work(connection);
  const pqxx::row found = work.exec1(
      "SELECT count(*), max(number), string_agg(substr(action, 3), '' ORDER BY number),"
      " bool_and(hash = audit_hash(before, ARRAY[number::text, micros(entry_time)::text, key_id, "
      "actor,"
      "   action, resource, institute_id, detail, request_id])),"
      " (SELECT number FROM audit_chain)"
      " FROM (SELECT *, COALESCE(lag(hash) OVER (ORDER BY number), decode(repeat('00', 32), 'hex'))"
      "       AS before FROM audit_entries) e");
  EXPECT_EQ(found[0].as<int>(), 15);
  EXPECT_EQ(found[1].as<int>(), 15);
  EXPECT_EQ(found[2].as<std::string>(), "123451234512345") << "in the order they were written";
  EXPECT_TRUE(found[3].as<bool>());
  EXPECT_EQ(found[4].as<int>(), 15);
}

TEST(Migrations, OfACallThatWasProposedTwiceTheFirstGoesOnWaiting) {
  const std::string url = EmptyDatabase();
  constexpr int kWaitOnce = 30;
  Execute(url,
          "CREATE TABLE schema_migrations (number int PRIMARY KEY, name text NOT NULL,"
          " applied_at timestamptz NOT NULL DEFAULT now())");
  for (const EmbeddedMigration& migration : EmbeddedMigrations()) {
    if (migration.number >= kWaitOnce) continue;
    Execute(url, std::string(migration.sql));
    Execute(url, "INSERT INTO schema_migrations (number, name) VALUES (" +
                     std::to_string(migration.number) + ", 'by hand')");
  }
  Execute(
      url,
      "INSERT INTO proposals (id, method, digest, request, proposer_key_id, create_time,"
      " expire_time, decide_reason, version) SELECT 'p' || i, 'UpdateQuota', repeat('a', 64),"
      " '{}', 'op', timestamptz '2026-03-01Z' + i * interval '6 hours',"
      " timestamptz '2026-03-02Z' + i * interval '6 hours', '', 1 FROM generate_series(1, 6) i");
  ASSERT_EQ(Migrate(url).value(), SchemaOfThisBinary());
  pqxx::connection connection(url);
  pqxx::work work(connection);
  const pqxx::row waiting = work.exec1(
      "SELECT string_agg(id, ' ' ORDER BY id) FROM proposals WHERE decider_key_id IS NULL");
  EXPECT_EQ(waiting[0].as<std::string>(), "p1");
  EXPECT_EQ(work.exec("SELECT FROM proposals WHERE NOT approved").size(), 5);
}

TEST(Migrations, ANewerDatabaseThatTookSomethingAwayIsRefused) {
  const std::string url = FreshDatabase();
  Execute(url,
          "INSERT INTO schema_migrations (number, name, oldest_served)"
          " VALUES (9998, '9998_contracts', 9997), (9999, '9999_adds', 0)");
  const auto opened = OpenPostgres({.url = url});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().reason, Reason::kDatabaseNewer);
  const auto migrated = Migrate(url);
  ASSERT_FALSE(migrated.ok());
  EXPECT_EQ(migrated.error().reason, Reason::kDatabaseNewer);
}

TEST(Migrations, ANewerDatabaseThatServesThisReleaseIsServed) {
  const std::string url = FreshDatabase();
  Execute(url,
          "INSERT INTO schema_migrations (number, name, oldest_served)"
          " VALUES (9998, '9998_adds', 0), (9999, '9999_contracts', " +
              std::to_string(SchemaOfThisBinary()) + ")");
  EXPECT_TRUE(OpenPostgres({.url = url}).ok());
  EXPECT_EQ(Migrate(url).value(), 9999);
}

TEST(Migrations, AnOlderDatabaseIsRefusedUntilMigrated) {
  const std::string url = EmptyDatabase();
  const auto opened = OpenPostgres({.url = url});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().reason, Reason::kDatabaseOlder);
  ASSERT_TRUE(Migrate(url).ok());
  EXPECT_TRUE(OpenPostgres({.url = url}).ok());
}

// A database that others look after belongs to a login that is no superuser, and may make no roles.
TEST(Migrations, ALoginThatOwnsItsDatabaseAndNoMoreIsEnoughOnceItIsGrantedTheRole) {
  const std::string of_superuser = FreshDatabase();
  const std::string login = "owner" + of_superuser.substr(of_superuser.rfind('_') + 1, 1);
  Execute(of_superuser, "CREATE ROLE " + login + " LOGIN");
  {
    pqxx::connection connection(of_superuser);
    pqxx::nontransaction(connection).exec("CREATE DATABASE " + login + " OWNER " + login);
  }
  const std::size_t query = of_superuser.find('?');
  const std::string url = "postgresql://" + login + "@/" + login + of_superuser.substr(query);

  const auto refused = Migrate(url);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, Reason::kDatabaseRightsMissing);

  Execute(of_superuser, "GRANT allot_server TO " + login);
  const auto migrated = Migrate(url);
  ASSERT_TRUE(migrated.ok()) << Describe(migrated.error());
  const auto store = OpenPostgres({.url = url});
  ASSERT_TRUE(store.ok()) << Describe(store.error());
  ASSERT_TRUE(EnterSample(**store).ok());
  const auto projects = [&](const std::string& set_up) {
    pqxx::connection connection(url);
    pqxx::nontransaction work(connection);
    if (!set_up.empty()) work.exec(set_up);
    return work.exec1("SELECT count(*) FROM projects")[0].as<int>();
  };
  // As the release before reads, and the owner as any other once it says for whom.
  EXPECT_EQ(projects(""), 2);
  EXPECT_EQ(projects("SET allot.everything = 'off'; SET allot.institutes = '{snu}'"), 1);

  Execute(of_superuser, "REVOKE allot_server FROM " + login);
  const auto opened = OpenPostgres({.url = url});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().reason, Reason::kDatabaseRightsMissing);
}

TEST(Migrations, AnUnreachableDatabaseIsUnavailable) {
  const std::string url = "postgresql://nobody@/nothing?host=%2Fno%2Fsuch%2Ffolder";
  const auto opened = OpenPostgres({.url = url});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().reason, Reason::kStoreUnavailable);
  const auto migrated = Migrate(url);
  ASSERT_FALSE(migrated.ok());
  EXPECT_EQ(migrated.error().reason, Reason::kStoreUnavailable);
}

TEST(Migrations, TheDatabaseKnowsExactlyTheModelsTransitions) {
  pqxx::connection connection(FreshDatabase());
  pqxx::work work(connection);
  using Row = std::tuple<std::string, std::string, std::string>;
  std::set<Row> stored;
  for (const pqxx::row& row :
       work.exec("SELECT from_state, event, to_state FROM allocation_transitions")) {
    stored.emplace(row[0].c_str(), row[1].c_str(), row[2].c_str());
  }
  std::set<Row> expected;
  for (const Transition& t : Transitions()) {
    expected.emplace(Name(t.from), Name(t.event), Name(t.to));
  }
  EXPECT_EQ(stored, expected);
}

TEST(Migrations, EveryTableSaysWhatItIsFor) {
  pqxx::connection connection(FreshDatabase());
  pqxx::work work(connection);
  const pqxx::result silent = work.exec(
      "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
      " WHERE n.nspname = 'public' AND c.relkind = 'r'"
      " AND obj_description(c.oid, 'pg_class') IS NULL");
  for (const pqxx::row& row : silent) ADD_FAILURE() << row[0].c_str() << " has no comment";
}

}  // namespace
}  // namespace allot::store
