// Each check of store::Verify is seen to fail: a world that was lived in is clean, and is then
// broken behind the constraints that guard it, one copy of it for each breakage.

#include "allot/store/verify.h"

#include <pqxx/pqxx>
#include <set>

#include <gmock/gmock.h>

#include "control/world.h"

namespace allot::control {
namespace {

using store::Finding;
using store::Verification;

struct Breakage {
  std::string check;
  std::string sql;
  /// What the finding has to name.
  std::string names;
};

const std::string kCopyOfAClaim =
    "ALTER TABLE claims DROP CONSTRAINT claims_never_overlap, DROP CONSTRAINT claims_held_by_one;"
    "INSERT INTO claims (allocation_id, attempt, node_id, gpu_mask, start_time, end_time,"
    " released_at, promised) SELECT 'kist/p/b', 7, node_id, 1, start_time + interval '1 hour',"
    " end_time, ";
const std::string kFromTheClaim = ", false FROM claims WHERE allocation_id = 'snu/p/a';";

const std::vector<Breakage>& Breakages() {
  static const std::vector<Breakage> all = {
      {"gpu_booked_once", kCopyOfAClaim + "end_time" + kFromTheClaim, "GPU 0 is booked for"},
      {"gpu_held_once", kCopyOfAClaim + "NULL" + kFromTheClaim, "snu/p/a"},
      {"claims_are_ordered", "DELETE FROM provider_orders WHERE allocation_id = 'snu/p/a'",
       "snu/p/a"},
      {"claims_are_ordered",
       "UPDATE provider_orders SET gpu_masks = '{127}' WHERE allocation_id = 'snu/p/a'", "snu/p/a"},
      {"orders_once",
       "ALTER TABLE provider_orders DROP CONSTRAINT provider_orders_one_of_a_kind;"
       "INSERT INTO provider_orders SELECT (jsonb_populate_record(o, '{\"id\": \"again\"}')).*"
       " FROM provider_orders o WHERE allocation_id = 'snu/p/a'",
       "snu/p/a has 2 orders to provision"},
      {"orders_of_known_epochs", "UPDATE provider_orders SET epoch = 99", "99"},
      {"holders_have_their_gpus", "UPDATE claims SET gpu_mask = 3 WHERE allocation_id = 'snu/p/a'",
       "snu/p/a is active, asks for 8 GPUs and has 2"},
      {"holders_have_their_gpus",
       "DELETE FROM claims WHERE allocation_id = 'kist/p/gang' AND node_id = 'c/n1'",
       "kist/p/gang is planned, asks for 32 GPUs and has 24"},
      {"gpus_have_their_holders", "UPDATE allocations SET state = 'completed' WHERE id = 'snu/p/a'",
       "is held for snu/p/a, which is completed"},
      {"gpus_have_their_holders",
       "UPDATE allocations SET promised = false WHERE id = 'kist/p/gang'",
       "is promised to kist/p/gang"},
      {"work_stays_in_a_cluster", "UPDATE allocations SET cluster_id = 'd' WHERE id = 'snu/p/a'",
       "snu/p/a is in d"},
      {"states_are_reached_legally",
       "INSERT INTO events (revision, kind, resource, state, event_time)"
       " SELECT value, 'allocation', 'kist/p/b', 'active', now() FROM revision",
       "kist/p/b went from completed to active"},
      {"events_tell_the_state", "UPDATE allocations SET state = 'failed' WHERE id = 'kist/p/b'",
       "kist/p/b is failed"},
      {"quotas_held", "UPDATE quotas SET concurrent_h200_gpus = 7", "snu/p holds 8 H200"},
      {"quotas_held", "DELETE FROM quotas", "of a quota of 0"},
      {"budgets_held", "UPDATE project_usage SET used_gpu_seconds = 9e15", "of a budget of"},
      {"set_aside_is_the_sum",
       "UPDATE project_usage SET committed_gpu_seconds = committed_gpu_seconds + 1", "snu/p has"},
      {"revisions_dense", "DELETE FROM events WHERE revision = 3", "revision 4 follows 2"},
      {"revisions_dense", "UPDATE revision SET value = value + 1", "the newest revision is"},
      {"revisions_dense", "DELETE FROM events WHERE revision = (SELECT value FROM revision)",
       "the newest revision is"},
      {"audit_is_a_chain", "UPDATE audit_entries SET detail = 'another' WHERE number = 2",
       "audit entry 2 is not what was written there"},
      {"audit_is_a_chain", "DELETE FROM audit_entries WHERE number = 3",
       "audit entry 4 follows entry 2"},
      {"audit_is_a_chain",
       "DELETE FROM audit_entries WHERE number = (SELECT number FROM audit_chain)",
       "the newest audit entry is"},
      {"submissions_are_audited",
       "UPDATE audit_entries SET resource = 'x' WHERE resource = 'snu/p/a'", "snu/p/a"},
      {"chains_in_order", "UPDATE allocations SET after_id = 'snu/p/late' WHERE id = 'snu/p/a'",
       "snu/p/a is active before snu/p/late"},
      {"reservations_apart",
       "INSERT INTO reserved_nodes SELECT 'c/r', id, NULL, '{[1970-01-01, 2200-01-01)}' FROM nodes",
       "set aside by c/r and booked for snu/p/a"},
      {"reservations_apart",
       "ALTER TABLE reserved_nodes DROP CONSTRAINT reserved_nodes_never_overlap;"
       "INSERT INTO reserved_nodes SELECT r, 'c/n4', NULL, '{[1970-01-01, 1970-01-02)}'"
       " FROM unnest('{c/r, c/s}'::text[]) r",
       "c/n4 is set aside by c/r and by c/s"},
      {"policies_in_order",
       "INSERT INTO policies (id, settings, effective_time, create_time, reason, withdraw_reason)"
       " VALUES ('one', '{}', '2030-02-01', '2030-01-01', 'x', ''),"
       "        ('two', '{}', '2030-01-20', '2030-01-02', 'x', '')",
       "the policy two was published after one"},
      {"checkpoints_fit",
       "INSERT INTO audit_checkpoints SELECT 1, 'reached', sha256('x'), now(), repeat('a', 16),"
       " decode(repeat('00', 64), 'hex')",
       "the checkpoint of audit entry 1 has another hash"},
      {"checkpoints_fit",
       "UPDATE audit_chain SET removed_through = 1,"
       " removed_hash = (SELECT hash FROM audit_entries WHERE number = 1);"
       " DELETE FROM audit_entries WHERE number = 1",
       "the audit was removed up to entry 1, and no checkpoint says so"},
      {"references_lead", "DELETE FROM nodes WHERE id IN (SELECT node_id FROM claims)",
       "which nodes has not"},
      {"keys_once",
       "SET allow_system_table_mods = on;"
       "UPDATE pg_index SET indisunique = false, indisprimary = false"
       " WHERE indexrelid = 'requests_pkey'::regclass;"
       "INSERT INTO requests SELECT 'k', 'r', repeat('a', 64), '', now() FROM generate_series(1, "
       "2)",
       "2 rows of requests have the key k r"},
      {"rows_keep_their_conditions",
       "ALTER TABLE quotas DROP CONSTRAINT quotas_gpu_seconds_check;"
       "UPDATE quotas SET gpu_seconds = -1;"
       "ALTER TABLE quotas ADD CONSTRAINT quotas_gpu_seconds_check"
       " CHECK (gpu_seconds >= 0) NOT VALID",
       "of quotas breaks quotas_gpu_seconds_check"},
      {"guards_in_place", "ALTER TABLE audit_entries DISABLE TRIGGER audit_entries_append_only",
       "audit_entries_append_only"},
      {"guards_in_place",
       "ALTER TABLE quotas DROP CONSTRAINT quotas_gpu_seconds_check;"
       "ALTER TABLE quotas ADD CONSTRAINT quotas_gpu_seconds_check"
       " CHECK (gpu_seconds >= 0) NOT VALID",
       "quotas_gpu_seconds_check"},
      {"guards_in_place", "DROP TRIGGER audit_entries_append_only ON audit_entries",
       "the trigger audit_entries_append_only of audit_entries is gone"},
      {"guards_in_place", "ALTER TABLE claims DROP CONSTRAINT claims_never_overlap",
       "the constraint claims_never_overlap of claims is gone"},
      {"guards_in_place", "DROP INDEX members_person",
       "the unique index members_person of members is gone"},
      {"guards_in_place", "DROP POLICY within_scope ON allocations",
       "the policy within_scope of allocations is gone"},
      {"guards_in_place", "ALTER TABLE allocations DISABLE ROW LEVEL SECURITY",
       "the row-level security of allocations is gone"},
      {"keys_once",
       "SET allow_system_table_mods = on;"
       "UPDATE pg_index SET indisready = false WHERE indexrelid = 'members_person'::regclass;"
       "INSERT INTO members SELECT 'm-' || i, 'https://id.example', 'kim', 'auditor', NULL, '',"
       " now(), NULL FROM generate_series(1, 2) i",
       "2 rows of members have the key https://id.example kim"},
      {"guards_in_place",
       "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'claims_never_overlap'::regclass",
       "claims_never_overlap"},
  };
  return all;
}

class VerifyTest : public World {
 protected:
  void SetUp() override {
    policy.promise_nodes = 4;
    World::SetUp();
    policy.promise_nodes = 4;
    if (database_url.empty()) GTEST_SKIP() << "a store in memory has no tables";
  }

  /// Something active, completed, cancelled, promised and waiting.
  void Live() {
    SubmitAs("snu", "a", 1, Days(10));
    SubmitAs("kist", "b", 1, Hours(4));
    Settle();
    EnactAll();
    PassTime(Seconds{20});
    Must(Release(*context, As(Member("kist")), {.id = AllocationId("kist/p/b"), .reason = "done"}));
    EnactAll();
    SubmitAs("kist", "gang", 4, Hours(4));
    SubmitAs("snu", "late", 4, Hours(4));
    SubmitAs("snu", "never", 1, Hours(4));
    Must(Cancel(*context, As(Member("snu")), {.id = AllocationId("snu/p/never"), .reason = ""}));
    Settle();
    const Allocation gang = Get("kist/p/gang");
    EXPECT_TRUE(gang.promised) << Name(gang.state) << ": " << gang.message;
  }

  /// Of this world's database, which nobody may use from now on.
  std::string Copy() {
    loop.reset();
    planner.reset();
    context.reset();
    store.reset();
    const std::size_t query = database_url.find('?');
    const std::size_t slash = database_url.rfind('/', query);
    const std::string name = database_url.substr(slash + 1, query - slash - 1);
    const std::string copy = name + "_" + std::to_string(++copies_);
    pqxx::connection connection(database_url.substr(0, slash + 1) + "template1" +
                                database_url.substr(query));
    pqxx::nontransaction(connection).exec("CREATE DATABASE " + copy + " TEMPLATE " + name);
    return database_url.substr(0, slash + 1) + copy + database_url.substr(query);
  }

  /// Past triggers and foreign keys.
  static void Break(const std::string& url, const std::string& sql) {
    pqxx::connection connection(url);
    pqxx::nontransaction database(connection);
    database.exec("SET session_replication_role = replica; SET allow_system_table_mods = on");
    std::size_t begin = 0;
    while (begin < sql.size()) {
      const std::size_t end = std::min(sql.find(';', begin), sql.size());
      database.exec(sql.substr(begin, end - begin));
      begin = end + 1;
    }
  }

  static std::string Text(const Verification& verification) {
    std::string text;
    for (const Finding& finding : verification.findings) {
      for (const auto& example : finding.examples) text += finding.check + ": " + example + "\n";
    }
    return text;
  }

 private:
  int copies_ = 0;
};

TEST_F(VerifyTest, AWorldThatWasLivedInIsClean) {
  EXPECT_TRUE(Must(store::Verify(database_url)).clean());
  Live();
  const Verification verification = Must(store::Verify(database_url));
  EXPECT_TRUE(verification.clean()) << Text(verification);
  EXPECT_GT(verification.revision, 0);
  EXPECT_GT(verification.audit_number, 0);
  EXPECT_EQ(verification.audit_hash.size(), 64U);
}

TEST_F(VerifyTest, EveryCheckFindsWhatItIsFor) {
  Live();
  std::set<std::string> seen;
  for (const Breakage& breakage : Breakages()) {
    SCOPED_TRACE(breakage.check + ": " + breakage.sql);
    const std::string url = Copy();
    Break(url, breakage.sql);
    const Verification verification = Must(store::Verify(url));
    EXPECT_FALSE(verification.clean());
    EXPECT_GT(verification.ViolationsOf(breakage.check), 0) << Text(verification);
    EXPECT_THAT(Text(verification), ::testing::HasSubstr(breakage.names));
    seen.insert(breakage.check);
  }
  for (const Finding& finding : Must(store::Verify(Copy())).findings) {
    EXPECT_TRUE(seen.contains(finding.check)) << "nothing breaks " << finding.check;
    EXPECT_EQ(finding.violations, 0) << "the world that the copies were made of is clean";
  }
}

TEST_F(VerifyTest, WhatIsNoDatabaseOfThisReleaseIsNotVerified) {
  EXPECT_EQ(ReasonOf(store::Verify(testing::EmptyDatabase())), Reason::kDatabaseOlder);
  Break(database_url, "INSERT INTO schema_migrations (number, name) VALUES (9999, 'later')");
  EXPECT_EQ(ReasonOf(store::Verify(database_url)), Reason::kDatabaseNewer);
  EXPECT_EQ(ReasonOf(store::Verify("postgresql://nobody@/nothing?host=%2Fno%2Fsuch%2Ffolder")),
            Reason::kStoreUnavailable);
}

}  // namespace
}  // namespace allot::control
