// What was given out after the moment that a database was restored to counts for nothing any more.

#include <algorithm>
#include <limits>
#include <pqxx/pqxx>

#include "allot/control/watch.h"
#include "allot/model/timeline.h"
#include "allot/store/inspection.h"
#include "allot/store/verify.h"
#include "control/world.h"

namespace allot::control {
namespace {

class RestoredTest : public World {
 protected:
  void SetUp() override {
    World::SetUp();
    if (database_url.empty()) GTEST_SKIP() << "a store in memory is not restored";
    SubmitAs("snu", "a", 1, Days(10));
    Settle();
    EnactAll();
  }

  store::NewTimeline Restore() {
    return Must(store::BeginTimeline(database_url, clock.Now(), "restored from a test"));
  }
  /// Who led before finds out that its epoch is over.
  void LeadAnew() { EXPECT_EQ(ReasonOf(loop->Turn()), Reason::kNotLeader); }
};

TEST_F(RestoredTest, EveryInvariantHoldsAndItStandsInTheAudit) {
  const store::NewTimeline timeline = Restore();
  EXPECT_EQ(timeline.orders_reopened, 1);
  EXPECT_GE(timeline.revision, clock.Now().micros);
  EXPECT_TRUE(Must(store::Verify(database_url)).clean());
  const auto chain =
      Must(store->Transact<AuditChain>(store::Access::kRead, store::Scope::Everything(),
                                       [](store::Tx& tx) { return tx.AuditAfter(0, 1'000); }));
  EXPECT_EQ(chain.entries.back().entry.action, "database.restore");
  EXPECT_EQ(chain.entries.back().entry.detail, "restored from a test");
}

TEST_F(RestoredTest, AgainALaterTimelineIsPastTheOneBefore) {
  const store::NewTimeline first = Restore();
  clock.Advance(Minutes(5));
  const store::NewTimeline second = Restore();
  EXPECT_TRUE(IsOfEarlierTimeline(first.revision, second.revision));
  EXPECT_TRUE(IsOfEarlierTimeline(first.epoch, second.epoch));
  // A clock that went back takes no number back.
  SetClock(Seconds{-3'600});
  const store::NewTimeline third = Restore();
  EXPECT_TRUE(IsOfEarlierTimeline(second.revision, third.revision));
  EXPECT_TRUE(IsOfEarlierTimeline(second.epoch, third.epoch));
}

TEST_F(RestoredTest, WatchesOfBeforeAreToldToListAgainAndMissNothing) {
  const auto before = Must(ChangesSince(*context, Operator(), {}, {}, 0, 1'000)).revision;
  const store::NewTimeline timeline = Restore();
  for (const Revision held : {before, before + 5, Revision{0}}) {
    EXPECT_EQ(ReasonOf(ChangesSince(*context, Operator(), {}, {}, held, 1'000)),
              Reason::kRevisionOutOfRange);
  }
  SubmitAs("kist", "b", 1, Hours(4));
  const auto changes = Must(ChangesSince(*context, Operator(), {}, {}, timeline.revision, 1'000));
  ASSERT_EQ(changes.changes.size(), 1U);
  EXPECT_EQ(changes.changes[0].revision, timeline.revision + 1);
  EXPECT_EQ(changes.changes[0].allocation.id, AllocationId("kist/p/b"));
}

TEST_F(RestoredTest, AServerThatSawWhatIsLostLoadsAllAnew) {
  SubmitAs("kist", "lost", 1, Hours(4));
  Must(planner->Read([](const PoolView& view) {
    EXPECT_TRUE(view.allocations().contains(AllocationId("kist/p/lost")));
  }));
  {
    // The moment restored to was before it.
    pqxx::connection connection(database_url);
    pqxx::nontransaction database(connection);
    database.exec("SET session_replication_role = replica");
    database.exec("DELETE FROM allocations WHERE id = 'kist/p/lost'");
  }
  Restore();
  Planner fresh(*context);
  PoolView loaded;
  Must(fresh.Read([&](const PoolView& view) { loaded = view; }));
  EXPECT_FALSE(loaded.allocations().contains(AllocationId("kist/p/lost")));
  Must(planner->Read([&](const PoolView& view) { EXPECT_TRUE(view == loaded); }));
}

TEST_F(RestoredTest, AgentsOfBeforeRegisterAnewAndNobodySupersedesThem) {
  const int64_t old = session;
  Restore();
  EXPECT_EQ(ReasonOf(SyncInventory(*context, Agent(), FourNodes(2))), Reason::kInventoryStale);
  EXPECT_EQ(ReasonOf(PullOrders(*context, Agent(), ClusterId("c"), session, 10)),
            Reason::kInventoryStale);
  // A session of the future that is lost is none either, nor is one that never was.
  for (const int64_t other : {old + 3, int64_t{0}, std::numeric_limits<int64_t>::min()}) {
    session = other;
    EXPECT_EQ(ReasonOf(SyncInventory(*context, Agent(), FourNodes(2))), Reason::kInventoryStale);
  }
  session =
      Must(RegisterAgent(*context, As(Agent()), ClusterId("c"), GpuModel::kH200)).agent_session;
  EXPECT_TRUE(IsOfEarlierTimeline(old, session));
  Must(SyncInventory(*context, Agent(), FourNodes(1)));
  session -= 1;
  EXPECT_EQ(ReasonOf(SyncInventory(*context, Agent(), FourNodes(2))), Reason::kAgentSuperseded);
}

TEST_F(RestoredTest, WhoLedBeforeWritesNothingAndLeadsInANewEpoch) {
  const int64_t before =
      Must(store->Transact<store::Leadership>(store::Access::kRead, store::Scope::Everything(),
                                              [](store::Tx& tx) { return tx.FindLeadership(); }))
          .epoch;
  const store::NewTimeline timeline = Restore();
  EXPECT_EQ(ReasonOf(store->Transact<Ok>(store::Access::kWrite, store::Scope::Everything(),
                                         [&](store::Tx& tx) { return tx.AssertLeader(before); })),
            Reason::kNotLeader);
  SubmitAs("kist", "b", 1, Hours(4));
  LeadAnew();
  Settle();
  session =
      Must(RegisterAgent(*context, As(Agent()), ClusterId("c"), GpuModel::kH200)).agent_session;
  const auto orders = Pull();
  const auto made = std::ranges::find(orders, AllocationId("kist/p/b"), &Order::allocation);
  ASSERT_NE(made, orders.end());
  EXPECT_GT(made->epoch, timeline.epoch);
}

TEST_F(RestoredTest, WhatRunsIsOrderedOnceMoreAndGoesOn) {
  const store::NewTimeline timeline = Restore();
  session =
      Must(RegisterAgent(*context, As(Agent()), ClusterId("c"), GpuModel::kH200)).agent_session;
  Must(SyncInventory(*context, Agent(), FourNodes(1)));
  const auto orders = Pull();
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(orders[0].allocation, AllocationId("snu/p/a"));
  EXPECT_EQ(orders[0].epoch, timeline.epoch);
  const Instant active = *Get("snu/p/a").active_time;
  clock.Advance(Minutes(1));
  Ack(orders[0]);
  EXPECT_EQ(Get("snu/p/a").state, AllocationState::kActive);
  EXPECT_EQ(*Get("snu/p/a").active_time, active) << "it never stopped running";
  EXPECT_TRUE(Pull().empty());
}

TEST_F(RestoredTest, WhatCannotBeHandedOverAgainIsPlannedAnewAndSaysWhy) {
  Restore();
  session =
      Must(RegisterAgent(*context, As(Agent()), ClusterId("c"), GpuModel::kH200)).agent_session;
  Must(SyncInventory(*context, Agent(), FourNodes(1)));
  Ack(Pull().at(0), /*done=*/false);
  LeadAnew();
  Settle();
  const Allocation again = Get("snu/p/a");
  EXPECT_EQ(again.attempt, 2);
  EXPECT_EQ(again.failures, 0) << "no fault of its own";
  EXPECT_NE(again.setback.find("restored"), std::string::npos) << again.setback;
  const auto verification = Must(store::Verify(database_url));
  EXPECT_TRUE(verification.clean());
}

}  // namespace
}  // namespace allot::control
