#include "allot/store/verify.h"

#include <algorithm>

#include "allot/store/migrations.h"
#include "store/postgres/inspect.h"
#include "store/postgres/verify_checks.h"

namespace allot::store {
namespace {

constexpr int kExamplesMax = 5;

void Look(pqxx::work& database, const std::string& query, Finding& finding) {
  // Of the first by their words, so that two looks at the same rows say the same.
  const pqxx::result rows =
      database.exec("SELECT count(*) OVER (), v FROM (" + query +
                    ") AS q(v) ORDER BY v COLLATE \"C\" LIMIT " + std::to_string(kExamplesMax));
  if (rows.empty()) return;
  finding.violations += rows[0][0].as<int64_t>();
  for (const pqxx::row& row : rows) {
    if (finding.examples.size() < kExamplesMax) finding.examples.emplace_back(row[1].c_str());
  }
}

Status RequireSchema(pqxx::work& database) {
  const int known = EmbeddedMigrations().back().number;
  const bool ours =
      database.exec1("SELECT to_regclass('schema_migrations') IS NOT NULL")[0].as<bool>();
  const int schema =
      ours ? database.exec1("SELECT COALESCE(max(number), 0) FROM schema_migrations")[0].as<int>()
           : 0;
  if (schema == known) return Ok{};
  return StateError(schema > known ? Reason::kDatabaseNewer : Reason::kDatabaseOlder,
                    "The database has schema " + std::to_string(schema) +
                        ", this release checks schema " + std::to_string(known) + ".");
}

Finding Make(pqxx::work& database, const Check& check) {
  Finding finding{.check = check.name, .rule = check.rule, .violations = 0, .examples = {}};
  if (!check.gives_queries) {
    Look(database, check.sql, finding);
    return finding;
  }
  // An index that is broken would hide what it should have refused.
  database.exec0("SET LOCAL enable_indexscan = off");
  database.exec0("SET LOCAL enable_indexonlyscan = off");
  database.exec0("SET LOCAL enable_bitmapscan = off");
  for (const pqxx::row& row : database.exec(check.sql)) Look(database, row[0].c_str(), finding);
  database.exec0("RESET enable_indexscan");
  database.exec0("RESET enable_indexonlyscan");
  database.exec0("RESET enable_bitmapscan");
  return finding;
}

}  // namespace

bool Verification::clean() const {
  return std::ranges::all_of(findings, [](const Finding& f) { return f.violations == 0; });
}

int64_t Verification::ViolationsOf(std::string_view check) const {
  const auto found = std::ranges::find(findings, check, &Finding::check);
  return found == findings.end() ? 0 : found->violations;
}

Result<Verification> Verify(const std::string& url) {
  return Inspect<Verification>(url, [](pqxx::work& database) -> Result<Verification> {
    database.exec0("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY");
    ALLOT_RETURN_IF_ERROR(RequireSchema(database));
    Verification result;
    for (const Check& check : Checks()) result.findings.push_back(Make(database, check));
    const pqxx::row reached = database.exec1(
        "SELECT (SELECT value FROM revision), number, encode(hash, 'hex') FROM audit_chain");
    result.revision = reached[0].as<int64_t>();
    result.audit_number = reached[1].as<int64_t>();
    result.audit_hash = reached[2].as<std::string>();
    return result;
  });
}

}  // namespace allot::store
