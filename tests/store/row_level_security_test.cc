// What the database itself keeps from a transaction that is for somebody: the second half of every
// check in the use cases (docs/invariants.md).
#include <gtest/gtest.h>

#include <map>
#include <pqxx/pqxx>
#include <set>
#include <string>
#include <vector>

#include "store/conformance.h"
#include "support/postgres_server.h"

namespace allot::store {
namespace {

Principal Member(const std::string& institute) {
  return {
      .key = KeyId("key-" + institute), .role = Role::kMember, .institute = InstituteId(institute)};
}
Principal Agent(const std::string& provider) {
  return {
      .key = KeyId("key-" + provider), .role = Role::kProvider, .provider = ProviderId(provider)};
}

/// The work's outcome, for that principal.
template <class Work>
auto As(Store& store, const Principal& principal, Access access, Work work) {
  using Outcome = decltype(work(std::declval<Tx&>()));
  using T = std::decay_t<decltype(std::declval<Outcome>().value())>;
  return store.Transact<T>(access, Scope::For(principal), std::function<Outcome(Tx&)>(work));
}

/// Two institutes with everything an institute can have, two providers with a cluster each.
Status EnterBoth(Store& store) {
  return Write(store, [](Tx& tx) -> Status {
    ALLOT_RETURN_IF_ERROR(tx.InsertProvider({.id = ProviderId("nhn"), .display_name = "NHN"}));
    Cluster other = SampleCluster("nhn-a");
    other.provider = ProviderId("nhn");
    ALLOT_RETURN_IF_ERROR(tx.InsertCluster(other));
    const Node node = SampleNode("nhn-a", 1);
    ALLOT_RETURN_IF_ERROR(tx.InsertNodes(std::span(&node, 1)));
    const std::map<std::string, std::string> places{{"snu", "naver-a"}, {"kaist", "nhn-a"}};
    for (const auto& [institute, cluster] : places) {
      Allocation allocation = SampleAllocation(institute + "/llm/a");
      ALLOT_RETURN_IF_ERROR(tx.InsertAllocation(allocation));
      allocation.window = WindowOf(kNow, allocation.request.duration);
      allocation.cluster = ClusterId(cluster);
      ALLOT_RETURN_IF_ERROR(Move(tx, allocation, AllocationState::kPlanned));
      ALLOT_RETURN_IF_ERROR(Reserve(tx, allocation, cluster + "/n1"));
      const Order order = SampleOrder(
          "order-" + institute, SampleClaim(allocation, cluster + "/n1"), OrderKind::kProvision);
      ALLOT_RETURN_IF_ERROR(tx.InsertOrders(std::span(&order, 1)));
      ALLOT_RETURN_IF_ERROR(tx.InsertRequest({.key = KeyId("key-" + institute),
                                              .request_id = "r1",
                                              .body_sha256 = std::string(64, 'a'),
                                              .response = "answer",
                                              .create_time = kNow}));
      ALLOT_RETURN_IF_ERROR(tx.Audit({.action = "allocation.create",
                                      .resource = allocation.id.str(),
                                      .institute = InstituteId(institute)}));
    }
    return Ok{};
  });
}

class RowLevelSecurity : public ::testing::Test {
 protected:
  void SetUp() override {
    url_ = testing::FreshDatabase();
    // One connection: every transaction follows another's on it.
    store_ = testing::OpenTestStore(url_, 1);
    ASSERT_TRUE(EnterSample(*store_).ok());
    const Status entered = EnterBoth(*store_);
    ASSERT_TRUE(entered.ok()) << Describe(entered.error());
  }

  /// One column of what the servers' role gets, set up as `set_up` says.
  std::vector<std::string> Column(const std::string& set_up, const std::string& sql) {
    pqxx::connection connection(url_);
    pqxx::nontransaction work(connection);
    work.exec("SET ROLE allot_server; " + set_up);
    std::vector<std::string> column;
    for (const auto& row : work.exec(sql)) column.emplace_back(row[0].c_str());
    return column;
  }
  /// Whether the servers' role lacks the right to it, even where it may touch every row.
  bool LacksTheRight(const std::string& sql) {
    pqxx::connection connection(url_);
    pqxx::work work(connection);
    work.exec("SET ROLE allot_server; SET allot.everything = 'on'");
    try {
      work.exec(sql);
    } catch (const pqxx::insufficient_privilege&) {
      return true;
    }
    return false;
  }
  std::vector<std::string> Protected() {
    return Column("",
                  "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                  " AND relkind = 'r' AND relrowsecurity AND relforcerowsecurity ORDER BY 1");
  }

  std::string url_;
  std::unique_ptr<Store> store_;
};

TEST_F(RowLevelSecurity, CoversEveryTableThatHasTenantsOrProvidersRows) {
  std::set<std::string> open;
  for (const std::string& table :
       Column("",
              "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
              " AND relkind = 'r' AND NOT (relrowsecurity AND relforcerowsecurity)")) {
    open.insert(table);
  }
  // A new table needs a policy, or a reason to stand here: these hold nobody's rows.
  const std::set<std::string> nobodys{"allocation_transitions", "audit_chain", "revision",
                                      "schema_migrations"};
  EXPECT_EQ(open, nobodys);
}

TEST_F(RowLevelSecurity, ShowsNothingToASessionThatIsForNobody) {
  const auto tables = Protected();
  ASSERT_GE(tables.size(), 19U);
  for (const std::string& table : tables) {
    EXPECT_EQ(Column("", "SELECT count(*) FROM " + table), std::vector<std::string>{"0"}) << table;
  }
}

TEST_F(RowLevelSecurity, ShowsAnInstituteItsOwnRowsAlone) {
  const std::string as_snu = "SET allot.institutes = '{snu}'; SET allot.keys = '{key-snu}'";
  const std::map<std::string, std::string> tenant_of{{"institutes", "id"},
                                                     {"projects", "institute_id"},
                                                     {"quotas", "project_id"},
                                                     {"project_usage", "project_id"},
                                                     {"allocations", "id"},
                                                     {"allocation_estimates", "allocation_id"},
                                                     {"claims", "allocation_id"},
                                                     {"provider_orders", "allocation_id"},
                                                     {"requests", "replace(key_id, 'key-', '')"},
                                                     {"events", "institute_id"},
                                                     {"audit_entries", "institute_id"}};
  for (const auto& [table, tenant] : tenant_of) {
    const std::string sql =
        "SELECT DISTINCT split_part(" + tenant + ", '/', 1) FROM " + table + " ORDER BY 1";
    EXPECT_EQ(Column(as_snu, sql), std::vector<std::string>{"snu"}) << table;
    // Both have rows there: the check above can fail.
    const auto all = Column("SET allot.everything = 'on'", sql);
    EXPECT_TRUE(std::set(all.begin(), all.end()).contains("kaist")) << table;
  }
}

TEST_F(RowLevelSecurity, LooksUpNothingOfAnotherInstitute) {
  const Principal snu = Member("snu");
  const auto read = [&](auto verb) { return As(*store_, snu, Access::kRead, verb).value(); };
  const AllocationId theirs("kaist/llm/a");
  const ProjectId project("kaist/llm");
  EXPECT_FALSE(read([&](Tx& tx) { return tx.FindInstitute(InstituteId("kaist")); }));
  EXPECT_FALSE(read([&](Tx& tx) { return tx.FindProject(project); }));
  EXPECT_FALSE(read([&](Tx& tx) { return tx.FindQuota(project); }));
  EXPECT_FALSE(read([&](Tx& tx) { return tx.FindAllocation(theirs); }));
  EXPECT_FALSE(read([&](Tx& tx) { return tx.FindOrder(OrderId("order-kaist")); }));
  EXPECT_TRUE(read([&](Tx& tx) { return tx.ClaimsOf(theirs); }).empty());
  EXPECT_TRUE(read([&](Tx& tx) { return tx.EstimatesOf(theirs, 10); }).empty());
  EXPECT_EQ(read([](Tx& tx) { return tx.ListProjects(std::nullopt, {}); }).items.size(), 1U);
  EXPECT_EQ(read([](Tx& tx) { return tx.ListAllocations({}, {}); }).items.size(), 1U);
  for (const Event& event : read([](Tx& tx) { return tx.EventsAfter(0, std::nullopt, 1'000); })) {
    EXPECT_EQ(event.institute.str(), "snu") << event.resource;
  }
  // Its own are there, and so is the pool that they are measured against.
  EXPECT_TRUE(read([](Tx& tx) { return tx.FindAllocation(AllocationId("snu/llm/a")); }));
  EXPECT_FALSE(
      read([](Tx& tx) { return tx.LargestClusters(ProgrammeId("call-2026-1"), kNow); }).empty());
}

TEST_F(RowLevelSecurity, LetsAnInstituteWriteItsOwnRowsAlone) {
  const Principal snu = Member("snu");
  const auto write = [&](auto verb) { return As(*store_, snu, Access::kWrite, verb); };
  const auto everything = [&](auto verb) { return Read(*store_, verb).value(); };

  EXPECT_FALSE(
      write([](Tx& tx) { return tx.InsertAllocation(SampleAllocation("kaist/llm/b")); }).ok());
  EXPECT_FALSE(everything([](Tx& tx) { return tx.FindAllocation(AllocationId("kaist/llm/b")); }));

  Project theirs = SampleProject("kaist/llm");
  theirs.merit = 1;
  theirs.version = everything([&](Tx& tx) { return tx.FindProject(theirs.id); })->version;
  EXPECT_FALSE(write([&](Tx& tx) { return tx.UpdateProject(theirs); }).ok());
  EXPECT_EQ(everything([&](Tx& tx) { return tx.FindProject(theirs.id); })->merit, 700);

  EXPECT_FALSE(write([](Tx& tx) {
                 return tx.InsertRequest({.key = KeyId("key-kaist"),
                                          .request_id = "r2",
                                          .body_sha256 = std::string(64, 'a'),
                                          .response = "answer",
                                          .create_time = kNow});
               }).ok());
  EXPECT_FALSE(write([](Tx& tx) {
                 return tx.Audit(
                     {.action = "x", .resource = "r", .institute = InstituteId("kaist")});
               }).ok());
  // Nor what is everybody's: the pool, the lease, keys, policies.
  Cluster cluster = *everything([](Tx& tx) { return tx.FindCluster(ClusterId("naver-a")); });
  EXPECT_FALSE(write([&](Tx& tx) { return tx.UpdateCluster(cluster); }).ok());
  EXPECT_FALSE(
      write([](Tx& tx) { return tx.AcquireLeadership("snu", 0, kNow, Seconds{60}); }).ok());
  EXPECT_FALSE(write([](Tx& tx) {
                 return tx.InsertApiKey({.id = KeyId("k"),
                                         .role = Role::kOperator,
                                         .display_name = "mine",
                                         .secret_sha256 = std::string(64, 'b'),
                                         .create_time = kNow});
               }).ok());

  // Nor who its people are.
  EXPECT_FALSE(write([](Tx& tx) {
                 return tx.InsertMember({.id = MemberId("m-new"),
                                         .person = {.issuer = "https://id.example", .subject = "x"},
                                         .role = Role::kInstituteAdmin,
                                         .institute = InstituteId("snu"),
                                         .display_name = "",
                                         .create_time = kNow});
               }).ok());

  EXPECT_OK(write([](Tx& tx) { return tx.InsertAllocation(SampleAllocation("snu/llm/b")); }));
}

TEST_F(RowLevelSecurity, LetsAProviderTouchItsOwnClustersAlone) {
  const Principal nhn = Agent("nhn");
  const auto write = [&](auto verb) { return As(*store_, nhn, Access::kWrite, verb); };
  EXPECT_FALSE(write([](Tx& tx) { return tx.LockCluster(ClusterId("naver-a")); }).value());
  EXPECT_TRUE(write([](Tx& tx) { return tx.LockCluster(ClusterId("nhn-a")); }).value());
  EXPECT_TRUE(
      write([](Tx& tx) { return tx.NodesOfCluster(ClusterId("naver-a")); }).value().empty());
  EXPECT_FALSE(write([](Tx& tx) { return tx.FindOrder(OrderId("order-snu")); }).value());
  EXPECT_TRUE(write([](Tx& tx) { return tx.FindOrder(OrderId("order-kaist")); }).value());
  Node theirs = SampleNode("naver-a", 1);
  theirs.health = NodeHealth::kDown;
  EXPECT_FALSE(write([&](Tx& tx) { return tx.UpdateNodes(std::span(&theirs, 1)); }).ok());
  const Node another = SampleNode("naver-a", 9);
  EXPECT_FALSE(write([&](Tx& tx) { return tx.InsertNodes(std::span(&another, 1)); }).ok());
  const auto node = Read(*store_, [](Tx& tx) { return tx.FindNode(NodeId("naver-a/n1")); }).value();
  EXPECT_EQ(node->health, NodeHealth::kReady);
}

TEST_F(RowLevelSecurity, LetsAProviderLookAtTenantsAndChangeNoneOfThem) {
  const auto write = [&](auto verb) { return As(*store_, Agent("nhn"), Access::kWrite, verb); };
  EXPECT_TRUE(write([](Tx& tx) { return tx.LockProject(ProjectId("snu/llm")); }).value());
  EXPECT_TRUE(write([](Tx& tx) { return tx.FindQuota(ProjectId("snu/llm")); }).value());
  EXPECT_FALSE(write([](Tx& tx) {
                 Institute mine;
                 mine.id = InstituteId("mine");
                 return tx.InsertInstitute(mine);
               }).ok());
  EXPECT_FALSE(write([](Tx& tx) -> Status {
                 Project project = tx.LockProject(ProjectId("snu/llm")).value().value();
                 project.merit = 1000;
                 return tx.UpdateProject(project);
               }).ok());
  EXPECT_FALSE(write([](Tx& tx) -> Status {
                 Quota quota = tx.FindQuota(ProjectId("snu/llm")).value().value();
                 quota.gpu_time = GpuSeconds();
                 return tx.UpdateQuota(quota);
               }).ok());
}

// What a project has set aside is summed up within the transaction of whoever changed it: by the
// models of clusters that may be another provider's.
TEST_F(RowLevelSecurity, TheSumsOfAProjectAreTheSameInEverybodysTransaction) {
  const ProjectId project("snu/llm");
  EXPECT_OK(Write(*store_, [&](Tx& tx) -> Status {
    Cluster b200 = SampleCluster("nhn-b");
    b200.provider = ProviderId("nhn");
    b200.model = GpuModel::kB200;
    ALLOT_RETURN_IF_ERROR(tx.InsertCluster(b200));
    const Node node = SampleNode("nhn-b", 1);
    ALLOT_RETURN_IF_ERROR(tx.InsertNodes(std::span(&node, 1)));
    // Eight H200 or three B200, and it has the B200.
    Allocation exchanged = SampleAllocation("snu/llm/x");
    exchanged.request.models = {GpuModel::kB200, GpuModel::kH200};
    exchanged.request.exchanged = ExchangedShape{GpuModel::kB200, {1, 3, 0}};
    ALLOT_RETURN_IF_ERROR(tx.InsertAllocation(exchanged));
    return Reserve(tx, exchanged, "nhn-b/n1");
  }));
  const auto committed = [&] {
    return Read(*store_, [&](Tx& tx) { return tx.UsageOf(project); }).value().committed;
  };
  const GpuSeconds before = committed();
  const AllocationId other("snu/llm/a");
  EXPECT_OK(As(*store_, Agent("naver"), Access::kWrite, [&](Tx& tx) -> Status {
    Allocation row = tx.LockAllocations(std::span(&other, 1)).value().at(0);
    return Move(tx, row, AllocationState::kFailed);
  }));
  const Allocation ended =
      Read(*store_, [&](Tx& tx) { return tx.FindAllocation(other); }).value().value();
  ASSERT_EQ(ended.state, AllocationState::kFailed);
  EXPECT_EQ(before.count() - committed().count(),
            ended.request.shape.gpus() * ended.request.duration.count);
}

TEST_F(RowLevelSecurity, EveryTransactionHasAScopeOfItsOwn) {
  const auto seen = [](Tx& tx) { return tx.FindAllocation(AllocationId("kaist/llm/a")); };
  // On the one connection, after others that could see it, failed, or rolled back.
  EXPECT_TRUE(Read(*store_, seen).value());
  EXPECT_FALSE(As(*store_, Member("snu"), Access::kRead, seen).value());
  EXPECT_FALSE(Write(*store_, [](Tx& tx) {
                 return tx.InsertAllocation(SampleAllocation("nobody/llm/a"));
               }).ok());
  EXPECT_FALSE(As(*store_, Member("snu"), Access::kGlance, seen).value());
  EXPECT_TRUE(As(*store_, Member("kaist"), Access::kWrite, seen).value());
  EXPECT_FALSE(As(*store_, Member("snu"), Access::kWrite, seen).value());
}

TEST_F(RowLevelSecurity, TheServersRoleOwnsNothing) {
  for (const std::string sql :
       {"TRUNCATE events", "TRUNCATE audit_entries", "DELETE FROM audit_checkpoints",
        "UPDATE audit_entries SET detail = ''", "DELETE FROM allocations",
        "UPDATE allocation_estimates SET told_time = now()",
        "ALTER TABLE claims DISABLE TRIGGER ALL", "DROP POLICY within_scope ON allocations",
        "ALTER TABLE allocations DISABLE ROW LEVEL SECURITY", "CREATE TABLE mine (id int)",
        "UPDATE allocation_transitions SET to_state = 'active'", "DELETE FROM api_keys",
        "UPDATE schema_migrations SET number = 0"}) {
    EXPECT_TRUE(LacksTheRight(sql)) << sql;
  }
}

}  // namespace
}  // namespace allot::store
