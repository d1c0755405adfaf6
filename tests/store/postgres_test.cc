// What only the database itself can show: that its constraints hold against whoever writes to it.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <pqxx/pqxx>
#include <string>
#include <vector>

#include "store/conformance.h"
#include "store/postgres/session_pool.h"
#include "support/postgres_server.h"

namespace allot::store {
namespace {

class Postgres : public ::testing::Test {
 protected:
  void SetUp() override {
    url_ = testing::FreshDatabase();
    store_ = testing::OpenTestStore(url_);
    ASSERT_TRUE(EnterSample(*store_).ok());
    ASSERT_TRUE(Write(*store_, [](Tx& tx) -> Status {
                  ALLOT_RETURN_IF_ERROR(tx.InsertAllocation(SampleAllocation("snu/llm/a")));
                  ALLOT_RETURN_IF_ERROR(tx.InsertAllocation(SampleAllocation("kaist/llm/b")));
                  return tx.Audit({.action = "x", .resource = "r"});
                }).ok());
  }
  /// The SQLSTATE of the refusal, empty when the statement went through.
  std::string Try(const std::string& sql) {
    pqxx::connection connection(url_);
    pqxx::work work(connection);
    try {
      work.exec(sql);
      work.commit();
    } catch (const pqxx::sql_error& e) {
      return e.sqlstate();
    }
    return "";
  }
  std::string TryClaim(const std::string& allocation, const std::string& mask,
                       const std::string& start, const std::string& end) {
    return Try(
        "INSERT INTO claims (allocation_id, attempt, node_id, gpu_mask, start_time, end_time)"
        " VALUES ('" +
        allocation + "', 0, 'naver-a/n1', " + mask + ", '2026-03-01 " + start + "Z', '2026-03-01 " +
        end + "Z')");
  }
  std::string url_;
  std::unique_ptr<Store> store_;
};

// Between two statements its reader makes rows into what they are: others have a second for that.
TEST_F(Postgres, WhatChangedIsReadInItsOwnTime) {
  const Changes seen = ChangesAfter(*store_, 0);
  std::vector<Allocation> many;
  for (int i = 0; i < 10'000; ++i) {
    many.push_back(SampleAllocation("snu/llm/m" + std::to_string(i)));
  }
  ASSERT_TRUE(Write(*store_, [&](Tx& tx) { return tx.InsertAllocations(many); }).ok());
  ASSERT_EQ(Try("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET"
                " idle_in_transaction_session_timeout = ''50ms''', current_database()); END $$"),
            "");
  const auto hurried = testing::OpenTestStore(url_);
  const auto changes =
      Read(*hurried, [&](Tx& tx) { return tx.ChangesAfter(seen.revision, seen.history); });
  ASSERT_TRUE(changes.ok()) << Describe(changes.error());
  EXPECT_FALSE(changes->complete);
  EXPECT_EQ(changes->allocations.size(), many.size());
}

// A primary that crashed while it waited for its standby shows what the standby may not have: an
// answer that is given again must wait for it, too.
TEST_F(Postgres, AnAnswerGivenAgainIsCommittedLikeAWrite) {
  const RequestRecord record{.key = KeyId("k1"),
                             .request_id = "r1",
                             .body_sha256 = std::string(64, 'a'),
                             .response = "answer",
                             .create_time = kNow};
  ASSERT_TRUE(Write(*store_, [&](Tx& tx) { return tx.InsertRequest(record); }).ok());
  const auto next_transaction = [&] {
    pqxx::connection connection(url_);
    return pqxx::nontransaction(connection)
        .exec1("SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint")[0]
        .as<int64_t>();
  };
  const int64_t before = next_transaction();
  EXPECT_TRUE(Write(*store_, [&](Tx& tx) -> Status {
                EXPECT_TRUE(tx.FindRequest(KeyId("k1"), "r1").value().has_value());
                return Ok{};
              }).ok());
  EXPECT_GT(next_transaction(), before);
}

TEST_F(Postgres, WhoSitsOnATransactionIsCutOffAndRunsAgain) {
  int runs = 0;
  pqxx::connection connection(url_);
  const Status done = Write(*store_, [&](Tx& tx) -> Status {
    ALLOT_RETURN_IF_ERROR(tx.Audit({.action = "x", .resource = "r"}));
    ALLOT_RETURN_IF_ERROR(tx.LockPool(ClusterId("naver-a")));
    if (++runs > 1) return Ok{};
    // Until the database has let go of what we hold.
    pqxx::work waiting(connection);
    waiting.exec("SELECT pg_advisory_xact_lock(1, hashtext('naver-a'))");
    return tx.LockPool(ClusterId("naver-a"));
  });
  EXPECT_TRUE(done.ok()) << Describe(done.error());
  EXPECT_EQ(runs, 2);
}

TEST_F(Postgres, WhoWaitsForADatabaseThatDoesNotAnswerIsFreed) {
  SessionPool pool(*Conninfo::Parse(url_), 1, 5, [](const std::string&) {});
  auto lease = pool.Acquire(Scope::Everything());
  ASSERT_TRUE(lease.ok());
  Session& session = lease->session();
  session.SetPatience(100);
  pqxx::work work(session.connection());
  // Less than a statement may take: without the watch it ends by itself.
  EXPECT_THROW(session.Execute(work, {"sleep", "SELECT pg_sleep(8)"}, Arguments()),
               pqxx::broken_connection);
}

TEST_F(Postgres, NobodyCanDoubleBookAGpuNotEvenByHand) {
  EXPECT_EQ(TryClaim("snu/llm/a", "15", "01:00", "02:00"), "");
  EXPECT_EQ(TryClaim("kaist/llm/b", "8", "01:30", "03:00"), "23P01");
  // Held and not released: not even for another time.
  EXPECT_EQ(TryClaim("kaist/llm/b", "8", "05:00", "06:00"), "23P01");
  EXPECT_EQ(Try("UPDATE claims SET released_at = '2026-03-01 02:00Z'"), "");
  EXPECT_EQ(TryClaim("kaist/llm/b", "8", "01:59", "03:00"), "23P01");
  EXPECT_EQ(TryClaim("kaist/llm/b", "8", "02:00", "03:00"), "");
  // Nor can the derived columns be set to something else.
  EXPECT_EQ(Try("UPDATE claims SET gpus = '{}'"), "428C9");
}

TEST_F(Postgres, EveryGpuOfAMaskIsGuarded) {
  for (int mine = 1; mine < 256; mine = mine * 2 + mine % 3) {
    for (const int other : {mine & -mine, 255 - mine}) {
      if (other == 0) continue;
      ASSERT_EQ(Try("DELETE FROM claims"), "");
      ASSERT_EQ(TryClaim("snu/llm/a", std::to_string(mine), "01:00", "02:00"), "");
      EXPECT_EQ(TryClaim("kaist/llm/b", std::to_string(other), "01:00", "02:00"),
                (mine & other) != 0 ? "23P01" : "")
          << mine << " and " << other;
    }
  }
}

TEST_F(Postgres, WhatTheModelRefusesTheDatabaseRefusesToo) {
  const std::vector<std::string> statements = {
      "UPDATE projects SET merit = -1",
      "UPDATE projects SET merit = 1001",
      "UPDATE projects SET institute_id = 'kaist'",
      "UPDATE quotas SET concurrent_h200_gpus = -1",
      "UPDATE quotas SET gpu_seconds = -1",
      "UPDATE clusters SET programmes = '{}'",
      "UPDATE clusters SET programmes = '{b,a}'",
      "UPDATE clusters SET programmes = '{a,a}'",
      "UPDATE clusters SET gpu_model = 'A100'",
      "UPDATE nodes SET health = 'fine'",
      "UPDATE nodes SET cluster_id = 'naver-b'",
      "UPDATE allocations SET nodes = 0",
      "UPDATE allocations SET gpus_per_node = 9",
      "UPDATE allocations SET gpus_per_node = 4, remainder_gpus = 4",
      "UPDATE allocations SET nodes = 2049",
      "UPDATE allocations SET gpu_models = '{}'",
      "UPDATE allocations SET gpu_models = '{H200,H200}'",
      "UPDATE allocations SET gpu_models = '{H100}'",
      "UPDATE allocations SET duration_s = 59",
      "UPDATE allocations SET duration_s = 366 * 86400 + 1",
      "UPDATE allocations SET window_start = now()",
      "UPDATE allocations SET window_start = now(), window_end = now()",
      "UPDATE allocations SET earliest_start = now(), deadline = now() + interval '1 hour'",
      "UPDATE allocations SET state = 'planned'",
      "UPDATE allocations SET attempt = -1",
      "UPDATE leadership SET epoch = -1",
  };
  for (const std::string& statement : statements) EXPECT_EQ(Try(statement), "23514") << statement;
  for (const std::string mask : {"0", "256", "-1"}) {
    EXPECT_EQ(TryClaim("snu/llm/a", mask, "01:00", "02:00"), "23514") << mask;
  }
  EXPECT_NE(TryClaim("snu/llm/a", "1", "02:00", "02:00"), "");
  EXPECT_NE(TryClaim("snu/llm/a", "1", "02:00", "01:00"), "");
}

TEST_F(Postgres, AnIllegalTransitionIsRefusedByTheDatabase) {
  EXPECT_EQ(Try("UPDATE allocations SET state = 'completed'"), "AL001");
  EXPECT_EQ(Try("UPDATE allocations SET state = 'cancelled'"), "");
  EXPECT_EQ(Try("UPDATE allocations SET state = 'pending'"), "AL001");
}

TEST_F(Postgres, TheAuditCannotBeRewritten) {
  EXPECT_EQ(Try("UPDATE audit_entries SET actor = 'somebody else'"), "AL002");
  EXPECT_EQ(Try("DELETE FROM audit_entries"), "AL002");
  EXPECT_EQ(Try("TRUNCATE audit_entries"), "AL002");
  EXPECT_EQ(Read(*store_, [](Tx& tx) { return tx.AuditOf({.id = "r", .kinds = {"x"}}, 0, 10); })
                .value()
                .items.size(),
            1u);
}

TEST_F(Postgres, APolicyThatWasInForceCannotBeRewritten) {
  const std::string insert =
      "INSERT INTO policies (id, settings, effective_time, create_time, reason, withdraw_reason)"
      " VALUES ('p', '{}', ";
  EXPECT_EQ(Try(insert + "'2026-01-01', '2026-01-02', 'why', '')"), "23514") << "in the past";
  EXPECT_EQ(Try(insert + "'2026-01-02', '2026-01-01', '', '')"), "23514") << "without a reason";
  EXPECT_EQ(Try(insert + "'2026-01-02 00:00:00.5', '2026-01-01', 'why', '')"), "23514");
  ASSERT_EQ(Try(insert + "'2026-01-02', '2026-01-01', 'why', '')"), "");
  EXPECT_EQ(Try("UPDATE policies SET withdraw_time = '2026-01-02'"), "23514") << "on its date";
  for (const char* change :
       {"settings = '{\"promise_nodes\": 1}'", "effective_time = '2027-01-01'", "reason = 'other'",
        "withdraw_time = '2026-01-01', reason = 'other'"}) {
    EXPECT_EQ(Try(std::string("UPDATE policies SET ") + change), "AL002") << change;
  }
  EXPECT_EQ(Try("DELETE FROM policies"), "AL002");
  EXPECT_EQ(Try("TRUNCATE policies"), "AL002");
  ASSERT_EQ(Try("UPDATE policies SET withdraw_time = '2026-01-01', withdraw_reason = 'why'"), "");
  EXPECT_EQ(Try("UPDATE policies SET withdraw_time = NULL"), "AL002");
}

TEST_F(Postgres, WhatWasToldCannotBeRewritten) {
  ASSERT_EQ(Try("UPDATE allocations SET state = 'planned', window_start = '2026-05-01',"
                " window_end = '2026-05-02', cluster_id = 'naver-a' WHERE id = 'snu/llm/a'"),
            "");
  EXPECT_EQ(Try("UPDATE allocation_estimates SET planned_start = NULL"), "AL002");
  EXPECT_EQ(Try("DELETE FROM allocation_estimates"), "AL002");
  EXPECT_EQ(Try("TRUNCATE allocation_estimates"), "AL002");
  const AllocationId id("snu/llm/a");
  EXPECT_EQ(Read(*store_, [&](Tx& tx) { return tx.EstimatesOf(id, 10); }).value().size(), 1U)
      << "whoever changed the row";
  EXPECT_EQ(Try("UPDATE allocations SET overdue_under = 'p'"), "23514") << "it was told nothing";
  EXPECT_EQ(Try("UPDATE allocations SET urgent = true"), "23514") << "without a reason";
  EXPECT_EQ(Try("UPDATE allocations SET consolidate = true"), "23514") << "without a reason";
  EXPECT_EQ(Try("UPDATE allocations SET consolidate = true, consolidate_reason = 'x',"
                " preemptible = true"),
            "23514")
      << "for what may be stopped itself";
  EXPECT_EQ(Try("UPDATE allocations SET borrow = true"), "23514") << "what may not be stopped";
  EXPECT_EQ(Try("UPDATE allocations SET grows_id = id"), "23514") << "what adds to itself";
  EXPECT_EQ(Try("UPDATE allocations SET gpus_max = 1"), "23514") << "less than it starts with";
  EXPECT_EQ(Try("UPDATE allocations SET exchanged_model = 'B200'"), "23514") << "and no shape";
}

TEST_F(Postgres, TheAuditsOldEndIsRemovedOnlyAsItIsSigned) {
  ASSERT_EQ(
      Try("INSERT INTO audit_entries (entry_time, key_id, actor, action, resource,"
          " institute_id, detail, request_id) VALUES (now(), '', '', 'x.y', 'r', '', '', '')"),
      "");
  EXPECT_EQ(Try("UPDATE audit_chain SET removed_through = 1,"
                " removed_hash = (SELECT hash FROM audit_entries WHERE number = 1)"),
            "AL002");
  const std::string checkpoint =
      "INSERT INTO audit_checkpoints SELECT number, 'removed', hash, now(), repeat('a', 16),"
      " decode(repeat('00', 64), 'hex') FROM audit_entries WHERE number = 1";
  ASSERT_EQ(Try(checkpoint), "");
  EXPECT_EQ(Try("UPDATE audit_checkpoints SET kind = 'reached'"), "AL002");
  EXPECT_EQ(Try("DELETE FROM audit_checkpoints"), "AL002");
  EXPECT_EQ(Try("TRUNCATE audit_checkpoints"), "AL002");
  EXPECT_EQ(Try("DELETE FROM audit_entries WHERE number = 1"), "AL002") << "it is still kept";
  EXPECT_EQ(Try("UPDATE audit_chain SET removed_through = 2,"
                " removed_hash = (SELECT hash FROM audit_entries WHERE number = 2)"),
            "AL002")
      << "of another entry";
  ASSERT_EQ(Try("UPDATE audit_chain SET removed_through = 1,"
                " removed_hash = (SELECT hash FROM audit_entries WHERE number = 1)"),
            "");
  EXPECT_EQ(Try("DELETE FROM audit_entries WHERE number = 2"), "AL002");
  EXPECT_EQ(Try("DELETE FROM audit_entries WHERE number = 1"), "");
  EXPECT_EQ(Try("UPDATE audit_chain SET removed_through = 0"), "AL002");
}

TEST_F(Postgres, TheAuditGoesForwardOnly) {
  EXPECT_EQ(Try("UPDATE audit_chain SET number = number"), "AL002");
  EXPECT_EQ(Try("UPDATE audit_chain SET number = number - 1"), "AL002");
  EXPECT_EQ(Try("DELETE FROM audit_chain"), "AL002");
  EXPECT_EQ(Try("TRUNCATE audit_chain"), "AL002");
}

TEST_F(Postgres, ItsOwnWordsReachTheLogAndNeverTheCaller) {
  std::vector<std::string> log;
  auto store = OpenPostgres(
      {.url = url_, .report = [&](const std::string& words) { log.push_back(words); }});
  ASSERT_TRUE(store.ok());
  const auto refused = Write(**store, [](Tx& tx) {
    Project project = SampleProject("snu/secret-name");
    project.merit = 5000;
    return tx.InsertProject(project);
  });
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(Describe(refused.error()).find("secret-name"), std::string::npos);
  EXPECT_EQ(Describe(refused.error()).find("merit"), std::string::npos);
  ASSERT_EQ(log.size(), 1u);
  EXPECT_NE(log[0].find("projects_merit_check"), std::string::npos);
  // Of a table with row-level security PostgreSQL does not even tell the log what the row was.
  EXPECT_EQ(log[0].find("secret-name"), std::string::npos);
}

TEST_F(Postgres, OneThatTakesNoWritesIsUnavailable) {
  const std::string name = pqxx::connection(url_).dbname();
  ASSERT_EQ(Try("ALTER DATABASE " + name + " SET default_transaction_read_only = on"), "");
  // For connections from now on.
  auto store = OpenPostgres({.url = url_});
  ASSERT_TRUE(store.ok());
  EXPECT_OK(Read(**store, [](Tx& tx) { return tx.CurrentRevision(); }));
  EXPECT_REASON(
      Write(**store, [](Tx& tx) { return tx.InsertInstitute(SampleInstitute("yonsei")); }),
      Reason::kStoreUnavailable);
}

TEST(PostgresUrl, OneThatIsNoneIsRefusedWithoutAWordOfIt) {
  for (const char* url : {"postgresql://allot:s%cret-pw@127.0.0.1/allot", "u:secret-pw@[bad"}) {
    std::vector<std::string> log;
    const auto store = OpenPostgres(
        {.url = url, .report = [&](const std::string& words) { log.push_back(words); }});
    ASSERT_FALSE(store.ok());
    EXPECT_EQ(store.error().reason, Reason::kConfigInvalid);
    EXPECT_EQ(Describe(store.error()).find("cret-pw"), std::string::npos);
    EXPECT_TRUE(log.empty());
  }
}

TEST_F(Postgres, WhoeverFindsNoFreeConnectionIsToldInTime) {
  auto store = OpenPostgres({.url = url_, .connections = 1, .connect_timeout_s = 1});
  ASSERT_TRUE(store.ok());
  // The one that has it is idle for so long that the database may cut it off.
  static_cast<void>(Read(**store, [&](Tx&) -> Status {
    EXPECT_REASON(Read(**store, [](Tx& tx) { return tx.CurrentRevision(); }),
                  Reason::kStoreUnavailable);
    return Ok{};
  }));
  EXPECT_OK(Read(**store, [](Tx& tx) { return tx.CurrentRevision(); }));
}

TEST_F(Postgres, ALostConnectionIsReplacedAndTheWorkRunAgain) {
  const auto end_all_others = [&] {
    return Try(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()");
  };
  ASSERT_EQ(end_all_others(), "");
  EXPECT_OK(Read(*store_, [](Tx& tx) { return tx.CurrentRevision(); }));
  int runs = 0;
  EXPECT_OK(Write(*store_, [&](Tx& tx) -> Status {
    ALLOT_RETURN_IF_ERROR(tx.InsertInstitute(SampleInstitute("yonsei")));
    if (++runs == 1) end_all_others();
    return tx.InsertInstitute(SampleInstitute("korea"));
  }));
  EXPECT_EQ(runs, 2);
}

// A plan of the size of the first national call, and more, goes in at once: in well under a second
// on a quiet machine. The bound leaves room for a busy one; ALLOT_TEST_TIMES prints what it took.
TEST_F(Postgres, APlanOfTwoThousandAllocationsIsAppliedQuickly) {
  constexpr int kAllocations = 2'000;
  constexpr int kNodesEach = 5;
  // Eight allocations share the GPUs of five nodes.
  std::vector<Node> nodes;
  for (int i = 0; i < kAllocations * kNodesEach / 8; ++i) {
    nodes.push_back(SampleNode("naver-a", 100 + i));
  }
  EXPECT_OK(Write(*store_, [&](Tx& tx) { return tx.InsertNodes(nodes); }));
  std::vector<AllocationId> ids;
  EXPECT_OK(Write(*store_, [&](Tx& tx) -> Status {
    ids.clear();
    for (int i = 0; i < kAllocations; ++i) {
      Allocation allocation = SampleAllocation("snu/llm/plan-" + std::to_string(i));
      allocation.request.shape = {.nodes = kNodesEach, .gpus_per_node = 1};
      ALLOT_RETURN_IF_ERROR(tx.InsertAllocation(allocation));
      ids.push_back(allocation.id);
    }
    return Ok{};
  }));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_OK(Write(*store_, [&](Tx& tx) -> Status {
    ALLOT_RETURN_IF_ERROR(tx.LockPool(ClusterId("naver-a")));
    ALLOT_ASSIGN_OR_RETURN(std::vector<Allocation> allocations, tx.LockAllocations(ids));
    std::vector<Claim> claims;
    std::vector<Order> orders;
    for (Allocation& allocation : allocations) {
      allocation.state = AllocationState::kProvisioning;
      allocation.attempt = 1;
      allocation.window = WindowOf(kNow, Hours(4));
      allocation.cluster = ClusterId("naver-a");
      Order order{.id = OrderId("order-" + std::to_string(orders.size())),
                  .cluster = allocation.cluster,
                  .allocation = allocation.id,
                  .attempt = 1,
                  .window = *allocation.window,
                  .create_time = kNow};
      const auto number = orders.size();
      for (std::size_t i = 0; i < kNodesEach; ++i) {
        claims.push_back(SampleClaim(allocation, nodes[number / 8 * kNodesEach + i].id.str(),
                                     static_cast<GpuMask>(1u << (number % 8))));
      }
      order.nodes = {{claims.back().node, claims.back().gpus}};
      orders.push_back(order);
    }

    ALLOT_RETURN_IF_ERROR(tx.UpdateAllocations(allocations));
    ALLOT_RETURN_IF_ERROR(tx.InsertClaims(claims));
    return tx.InsertOrders(orders);
  }));
  const auto took_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                           std::chrono::steady_clock::now() - start)
                           .count();
  RecordProperty("took_ms", static_cast<int>(took_ms));
  if (std::getenv("ALLOT_TEST_TIMES") != nullptr)
    std::cerr << "plan applied in " << took_ms << " ms\n";
  EXPECT_LT(took_ms, 10'000);
}

}  // namespace
}  // namespace allot::store
