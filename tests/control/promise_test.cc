// Promised starts: booked, kept against whoever comes, moved up, and lost only for a cause on
// record.
#include <gmock/gmock.h>

#include "allot/control/identity.h"
#include "control/world.h"

namespace allot::control {
namespace {

using ::testing::HasSubstr;

class PromiseTest : public World {
 protected:
  void SetUp() override {
    World::SetUp();
    policy.promise_nodes = 4;
    AddProject("best", 1000);
    SubmitAs("kist", "running", 4, Hours(4));
    Settle();
    EnactAll();
    SubmitAs("snu", "gang", 4, Hours(6));
    Settle();
  }
  std::vector<Claim> Promises(const std::string& id) {
    const AllocationId allocation(id);
    return Must(store->Transact<std::vector<Claim>>(
        store::Access::kRead, store::Scope::Everything(),
        [&](store::Tx& tx) { return tx.Promises(std::span(&allocation, 1)); }));
  }
  std::vector<std::string> History(const std::string& id) {
    std::vector<std::string> actions;
    const auto page = Must(ListAudit(*context, Operator(), {id, {"allocation"}}, 0, 100));
    for (const AuditEntry& entry : page.items) actions.push_back(entry.action + " " + entry.detail);
    return actions;
  }
  /// What runs hands its GPUs back, and its provider confirms.
  void EndRunning() {
    Must(Release(*context, As(Operator()), {.id = AllocationId("kist/p/running"), .reason = "x"}));
    EnactAll();
  }
  /// Instead of the gang: "snu/p/due", promised on the free pool in an hour.
  void SubmitDue() {
    Must(Cancel(*context, As(Member("snu")), {.id = AllocationId("snu/p/gang"), .reason = "x"}));
    EndRunning();
    Submission ask = Ask("snu", "due", 4, Hours(2));
    ask.request.earliest_start = clock.Now() + Hours(1);
    Must(Submit(*context, As(Member("snu")), ask));
    Settle();
  }
};

TEST_F(PromiseTest, AGangIsPromisedItsStartAndItIsOnRecord) {
  const Allocation gang = Get("snu/p/gang");
  EXPECT_EQ(gang.state, AllocationState::kPlanned);
  EXPECT_TRUE(gang.promised);
  EXPECT_EQ(gang.reason, "promised");
  EXPECT_THAT(gang.message, HasSubstr("promised to start"));
  // Behind what runs, and behind the time its provider needs to clear the GPUs.
  EXPECT_GE(gang.window->start(), Get("kist/p/running").window->end() + policy.release_time);
  EXPECT_EQ(Promises("snu/p/gang").size(), 4U);
  EXPECT_EQ(Promises("snu/p/gang")[0].window, gang.window);
  EXPECT_THAT(History("snu/p/gang")[0], HasSubstr("allocation.promise promised to start"));
}

TEST_F(PromiseTest, WhoeverRanksHigherTakesNothingOfIt) {
  const Allocation before = Get("snu/p/gang");
  SubmitAs("best", "first", 3, Hours(20));
  SubmitAs("best", "second", 1, Hours(20));
  Settle();
  EXPECT_EQ(Get("snu/p/gang"), before);
  EXPECT_GE(Get("best/p/first").window->start(), before.window->end());
}

TEST_F(PromiseTest, AnotherLeaderKeepsIt) {
  const Allocation before = Get("snu/p/gang");
  SubmitAs("best", "first", 3, Hours(20));
  clock.Advance(Minutes(2));
  Planner other(*context);
  SchedulerLoop next(*context, other, LoopOptions("server-2"));
  for (int i = 0; i < 5; ++i) Must(next.Turn());
  EXPECT_EQ(Get("snu/p/gang").window, before.window);
  EXPECT_EQ(Promises("snu/p/gang").size(), 4U);
}

TEST_F(PromiseTest, ItMovesUpWhenGpusComeFreeAndStartsOnThem) {
  SubmitAs("best", "first", 3, Hours(20));
  Settle();
  EndRunning();
  Settle();
  const Allocation gang = Get("snu/p/gang");
  EXPECT_EQ(gang.state, AllocationState::kProvisioning);
  EXPECT_FALSE(gang.promised);
  EXPECT_TRUE(Promises("snu/p/gang").empty());
  EXPECT_EQ(Must(GetAllocation(*context, Operator(), gang.id)).claims.size(), 4U);
  EnactAll();
  EXPECT_EQ(Get("snu/p/gang").state, AllocationState::kActive);
}

TEST_F(PromiseTest, ItStartsAsPromisedThoughThePassComesALittleLate) {
  SubmitDue();
  const Allocation promised = Get("snu/p/due");
  ASSERT_TRUE(promised.promised);
  clock.Advance(Between(clock.Now(), promised.window->start()) + Seconds{2});
  Settle();
  const Allocation started = Get("snu/p/due");
  EXPECT_EQ(started.state, AllocationState::kProvisioning);
  EXPECT_EQ(started.window, promised.window);
}

TEST_F(PromiseTest, AServerThatWasAwayForLongHasMissedIt) {
  SubmitDue();
  clock.Advance(Hours(3));
  Settle();
  const Allocation started = Get("snu/p/due");
  EXPECT_EQ(started.state, AllocationState::kProvisioning);
  EXPECT_EQ(started.window->start(), clock.Now());
  EXPECT_THAT(started.setback, HasSubstr("is lost to missed"));
}

TEST_F(PromiseTest, CancelledOrRejectedItFreesWhatWasBooked) {
  Must(Cancel(*context, As(Member("snu")), {.id = AllocationId("snu/p/gang"), .reason = "x"}));
  EXPECT_TRUE(Promises("snu/p/gang").empty());
  EXPECT_FALSE(Get("snu/p/gang").promised);
  SubmitAs("snu", "again", 4, Hours(6));
  Settle();
  EXPECT_EQ(Promises("snu/p/again").size(), 4U);
  Must(Reject(*context, As(Operator()), {.id = AllocationId("snu/p/again"), .reason = "no"}));
  EXPECT_TRUE(Promises("snu/p/again").empty());
}

TEST_F(PromiseTest, ALostNodeLosesItAndItsOwnerSeesWhy) {
  const Instant promised = Get("snu/p/gang").window->start();
  Must(Heartbeat(*context, Agent(),
                 {.cluster = ClusterId("c"),
                  .session = session,
                  .generation = 1,
                  .unhealthy = {{.name = "n3", .healthy = false, .reason = "fan failure"}}}));
  Settle();
  const Allocation gang = Get("snu/p/gang");
  EXPECT_EQ(gang.state, AllocationState::kPending);
  EXPECT_EQ(gang.reason, "larger_than_pool");
  EXPECT_FALSE(gang.promised);
  EXPECT_TRUE(Promises("snu/p/gang").empty());
  EXPECT_THAT(gang.setback, HasSubstr("its start promised for " + FormatRfc3339(promised) +
                                      " is lost to node_lost"));
  EXPECT_THAT(History("snu/p/gang")[0], HasSubstr("allocation.promise_lost its start promised"));

  // Back again, it is promised anew.
  Must(
      Heartbeat(*context, Agent(),
                {.cluster = ClusterId("c"), .session = session, .generation = 1, .unhealthy = {}}));
  Settle();
  EXPECT_TRUE(Get("snu/p/gang").promised);
  EXPECT_THAT(Get("snu/p/gang").setback, HasSubstr("node_lost"));
}

TEST_F(PromiseTest, WhatItPromisesCountsAgainstNobodyElse) {
  // A quota lowered below it is the ministry's decision, and on record.
  SetQuota("snu/p", 8, 1'000'000);
  Settle();
  EXPECT_EQ(Get("snu/p/gang").reason, "quota_exhausted");
  EXPECT_THAT(History("snu/p/gang")[0], HasSubstr("is lost to quota_exhausted"));
}

}  // namespace
}  // namespace allot::control
