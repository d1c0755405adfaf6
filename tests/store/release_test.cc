// From the last release to this one: what it wrote is there and sound, and its servers go on
// meanwhile.

#include <fstream>
#include <iterator>
#include <map>
#include <pqxx/pqxx>
#include <string>

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include "allot/store/migrations.h"
#include "allot/store/store.h"
#include "allot/store/verify.h"
#include "support/postgres_server.h"

namespace allot::store {
namespace {

using testing::EmptyDatabase;

std::string ReadWhole(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  EXPECT_TRUE(stream.is_open()) << path;
  return {std::istreambuf_iterator<char>(stream), {}};
}

int Released() { return std::stoi(ReadWhole("migrations/RELEASED")); }

/// As a server of the last release writes it; `digit` tells what is written again apart.
void WriteAsReleased(const std::string& url, char digit) {
  std::string sql = ReadWhole("tests/store/release_" + std::to_string(Released()) + ".sql");
  for (char& c : sql) {
    if (c == '@') c = digit;
  }
  pqxx::connection connection(url);
  pqxx::work work(connection);
  work.exec(sql);
  work.commit();
}

void Apply(const std::string& url, const EmbeddedMigration& migration) {
  pqxx::connection connection(url);
  pqxx::work work(connection);
  work.exec(std::string(migration.sql));
  work.exec_params("INSERT INTO schema_migrations (number, name) VALUES ($1, $2)", migration.number,
                   std::string(migration.name));
  work.commit();
}

/// An empty database of a role that is no superuser and owns it, as where others look after the
/// database; and what comes with the URL is done by that role.
std::string OwnedDatabase() {
  std::string url = EmptyDatabase();
  pqxx::connection connection(url);
  pqxx::nontransaction database(connection);
  database.exec(
      "DO $$ BEGIN CREATE ROLE release_owner NOSUPERUSER CREATEROLE;"
      " EXCEPTION WHEN duplicate_object THEN NULL; END $$");
  database.exec("ALTER DATABASE " + connection.quote_name(connection.dbname()) +
                " OWNER TO release_owner");
  return url + "&options=-c%20role%3Drelease_owner";
}

/// A database of the last release.
std::string ReleasedDatabase() {
  std::string url = OwnedDatabase();
  {
    pqxx::connection connection(url);
    pqxx::nontransaction(connection)
        .exec(
            "CREATE TABLE schema_migrations (number int PRIMARY KEY, name text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT now())");
  }
  for (const EmbeddedMigration& migration : EmbeddedMigrations()) {
    if (migration.number <= Released()) Apply(url, migration);
  }
  return url;
}

void ExpectSound(const std::string& url) {
  const auto verification = Verify(url);
  ASSERT_TRUE(verification.ok()) << Describe(verification.error());
  for (const Finding& finding : verification->findings) {
    for (const auto& example : finding.examples) ADD_FAILURE() << finding.check << ": " << example;
  }
}

struct Column {
  std::string type;
  bool required = false;
  bool filled = false;
};
using Catalogue = std::map<std::string, std::map<std::string, Column>>;

Catalogue CatalogueOf(const std::string& url) {
  pqxx::connection connection(url);
  pqxx::work work(connection);
  Catalogue tables;
  for (const pqxx::row& row : work.exec(
           "SELECT table_name, column_name, COALESCE(domain_name, udt_name), is_nullable = 'NO',"
           " column_default IS NOT NULL OR is_identity = 'YES' OR is_generated = 'ALWAYS'"
           " FROM information_schema.columns WHERE table_schema = 'public'")) {
    tables[row[0].c_str()][row[1].c_str()] = {row[2].c_str(), row[3].as<bool>(), row[4].as<bool>()};
  }
  return tables;
}

/// What a server of before cannot go on with.
void ExpectExpanded(const Catalogue& before, const Catalogue& after) {
  for (const auto& [table, columns] : before) {
    const auto there = after.find(table);
    if (there == after.end()) {
      ADD_FAILURE() << "the table " << table << " is gone";
      continue;
    }
    for (const auto& [name, column] : columns) {
      const auto now = there->second.find(name);
      if (now == there->second.end()) {
        ADD_FAILURE() << table << "." << name << " is gone";
        continue;
      }
      EXPECT_EQ(now->second.type, column.type) << table << "." << name;
      EXPECT_TRUE(column.required || !now->second.required || now->second.filled)
          << table << "." << name << " has become NOT NULL";
    }
    for (const auto& [name, column] : there->second) {
      if (columns.contains(name)) continue;
      EXPECT_TRUE(!column.required || column.filled)
          << table << "." << name << " is new, required, and has no default";
    }
  }
}

TEST(Release, WritesEveryTableOfItsSchema) {
  const std::string url = ReleasedDatabase();
  WriteAsReleased(url, '1');
  pqxx::connection connection(url);
  pqxx::work work(connection);
  for (const auto& [table, columns] : CatalogueOf(url)) {
    EXPECT_GT(work.exec1("SELECT count(*) FROM " + table)[0].as<int>(), 0)
        << "nothing is written to " << table;
  }
}

TEST(Release, WhatItWroteIsMigratedAndSound) {
  const std::string url = ReleasedDatabase();
  WriteAsReleased(url, '1');
  const auto migrated = Migrate(url);
  ASSERT_TRUE(migrated.ok()) << Describe(migrated.error());
  ExpectSound(url);
}

TEST(Release, ItsServersGoOnWhenTheSchemaIsThisOne) {
  const std::string url = ReleasedDatabase();
  WriteAsReleased(url, '1');
  ASSERT_TRUE(Migrate(url).ok());
  WriteAsReleased(url, '2');
  ExpectSound(url);
}

TEST(Release, EveryMigrationSinceOnlyAddsUnlessItSaysSo) {
  const std::string url = ReleasedDatabase();
  Catalogue before = CatalogueOf(url);
  for (const EmbeddedMigration& migration : EmbeddedMigrations()) {
    EXPECT_LE(OldestServed(migration), Released())
        << migration.name << " stops the servers of the last release";
    if (migration.number <= Released()) continue;
    SCOPED_TRACE(migration.name);
    Apply(url, migration);
    Catalogue after = CatalogueOf(url);
    if (OldestServed(migration) == 0) ExpectExpanded(before, after);
    before = std::move(after);
  }
}

/// The comparison itself: each of these is refused, and what only adds is not.
TEST(Release, WhatTakesAwayIsSeen) {
  const struct {
    const char* sql;
    bool expands;
  } kSteps[] = {
      {"DROP TABLE requests", false},
      {"ALTER TABLE quotas DROP COLUMN gpu_seconds", false},
      {"ALTER TABLE quotas RENAME COLUMN gpu_seconds TO budget", false},
      {"ALTER TABLE quotas ALTER COLUMN concurrent_h200_gpus TYPE bigint", false},
      {"ALTER TABLE api_keys ALTER COLUMN expire_time SET NOT NULL", false},
      {"ALTER TABLE quotas ADD COLUMN x int NOT NULL", false},
      {"ALTER TABLE quotas ADD COLUMN x int", true},
      {"ALTER TABLE quotas ADD COLUMN x int NOT NULL DEFAULT 0", true},
      {"CREATE TABLE x (y int NOT NULL)", true},
  };
  const std::string url = ReleasedDatabase();
  const Catalogue before = CatalogueOf(url);
  for (const auto& step : kSteps) {
    SCOPED_TRACE(step.sql);
    const std::string changed = ReleasedDatabase();
    {
      pqxx::connection connection(changed);
      pqxx::nontransaction(connection).exec(step.sql);
    }
    const Catalogue after = CatalogueOf(changed);
    ::testing::TestPartResultArray failures;
    {
      const ::testing::ScopedFakeTestPartResultReporter reporter(
          ::testing::ScopedFakeTestPartResultReporter::INTERCEPT_ONLY_CURRENT_THREAD, &failures);
      ExpectExpanded(before, after);
    }
    EXPECT_EQ(failures.size() == 0, step.expands);
  }
}

TEST(Release, AHeaderSaysWhoMayGoOn) {
  EXPECT_EQ(OldestServed({1, "a", "-- Adds.\nSELECT 1"}), 0);
  EXPECT_EQ(OldestServed({1, "a", "-- Contract: servers from schema 25 on\nDROP"}), 25);
}

}  // namespace
}  // namespace allot::store
