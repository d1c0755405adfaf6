// Running work that is stopped for others: told ahead, released as at any end, charged for what it
// held, and waiting for the rest.
#include <gmock/gmock.h>

#include "allot/control/apply_plan.h"
#include "allot/control/identity.h"
#include "control/world.h"

namespace allot::control {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class PreemptionTest : public World {
 protected:
  void SetUp() override {
    World::SetUp();
    Submission big = Ask("snu", "big", 4, Days(2));
    big.request.preemptible = true;
    Must(Submit(*context, As(Member("snu")), big));
    Settle();
    EnactAll();
    started_ = Get("snu/p/big").window->start();
    Wait(Hours(2));
  }
  /// Time goes by, and the agent is heard.
  void Wait(Seconds time) {
    clock.Advance(time);
    Must(SyncInventory(*context, Agent(), FourNodes(++generation_)));
    Settle();
  }
  /// Who may not be stopped asks for a node for eight hours.
  void SubmitUrgent() {
    SubmitAs("kist", "urgent", 1, Hours(8));
    Settle();
  }
  std::string LastAudit(const std::string& id) {
    const auto page = Must(ListAudit(*context, Operator(), {id, {"allocation"}}, 0, 1));
    return page.items[0].action + " " + page.items[0].detail;
  }
  GpuSeconds Used(const std::string& project) {
    return Must(store->Transact<store::ProjectUsage>(
                    store::Access::kRead, store::Scope::Everything(),
                    [&](store::Tx& tx) { return tx.ProjectUsageOf(ProjectId(project)); }))
        .used;
  }

  Instant started_;
  int64_t generation_ = 1;
};

TEST_F(PreemptionTest, ItIsToldWhenAndNotForWhom) {
  SubmitUrgent();
  const Allocation big = Get("snu/p/big");
  const Instant stop = Instant::FromSeconds(clock.Now().seconds()) + policy.preemption_grace;
  EXPECT_EQ(big.state, AllocationState::kActive) << "it runs on until then";
  EXPECT_EQ(big.window->end(), stop);
  EXPECT_EQ(big.reason, "preempted");
  EXPECT_THAT(big.message, HasSubstr("is stopped at " + FormatRfc3339(stop)));
  EXPECT_THAT(big.setback, HasSubstr(big.message));
  EXPECT_THAT(big.message + big.setback, Not(HasSubstr("kist")));
  EXPECT_THAT(LastAudit("snu/p/big"), HasSubstr("allocation.preempt is stopped at"));
  EXPECT_THAT(LastAudit("snu/p/big"), HasSubstr("(kist/p/urgent)"));
  const Allocation urgent = Get("kist/p/urgent");
  EXPECT_TRUE(urgent.promised);
  EXPECT_GE(urgent.window->start(), stop + policy.release_time);
  EXPECT_LE(urgent.window->start(), stop + policy.release_time + Minutes(15));
}

TEST_F(PreemptionTest, WhatIsLeftWaitsAgainAndWhatWasHeldIsCharged) {
  SubmitUrgent();
  const Instant stop = Get("snu/p/big").window->end();
  Wait(policy.preemption_grace);
  EXPECT_EQ(Get("snu/p/big").state, AllocationState::kReleasing);
  // The provider takes its time: that is not the project's to pay.
  Wait(Minutes(3));
  EnactAll();
  Settle();
  const Allocation big = Get("snu/p/big");
  EXPECT_TRUE(IsWaiting(big.state)) << Name(big.state);
  EXPECT_EQ(big.preemptions, 1);
  EXPECT_FALSE(big.preempt_requested);
  const Seconds held = Between(started_, stop);
  EXPECT_EQ(big.remaining, Days(2) - held);
  EXPECT_EQ(Used("snu/p"), *GpuSeconds::Of(32, held));
  EXPECT_EQ(Get("kist/p/urgent").state, AllocationState::kProvisioning)
      << "it moves up as soon as the GPUs are back";

  // It starts again when it can, for what is left.
  EnactAll();
  Settle();
  Wait(Hours(8));
  EnactAll();
  Settle();
  EnactAll();
  const Allocation again = Get("snu/p/big");
  EXPECT_EQ(again.state, AllocationState::kActive);
  EXPECT_EQ(again.window->length(), Days(2) - held);
  EXPECT_EQ(again.attempt, 2);
  Wait(Days(2));
  EnactAll();
  EXPECT_EQ(Get("snu/p/big").state, AllocationState::kCompleted);
  EXPECT_EQ(Used("snu/p"), *GpuSeconds::Of(32, Days(2))) << "charged for all of it, and once";
}

TEST_F(PreemptionTest, WorkThatMayBeStoppedHasNobodyStopped) {
  Submission ask = Ask("kist", "same", 1, Hours(8));
  ask.request.preemptible = true;
  Must(Submit(*context, As(Member("kist")), ask));
  Settle();
  EXPECT_FALSE(Get("snu/p/big").preempt_requested);
}

TEST_F(PreemptionTest, HandedBackDuringTheGraceItDoesNotComeBack) {
  SubmitUrgent();
  Must(Release(*context, As(Member("snu")), {.id = AllocationId("snu/p/big"), .reason = "done"}));
  EnactAll();
  Settle();
  EXPECT_EQ(Get("snu/p/big").state, AllocationState::kCompleted);
  EXPECT_EQ(Get("kist/p/urgent").state, AllocationState::kProvisioning);
}

TEST_F(PreemptionTest, HandedBackWhileItIsTakenBackItDoesNotComeBackEither) {
  SubmitUrgent();
  Wait(policy.preemption_grace);
  ASSERT_EQ(Get("snu/p/big").state, AllocationState::kReleasing);
  Must(Release(*context, As(Member("snu")), {.id = AllocationId("snu/p/big"), .reason = "done"}));
  EXPECT_EQ(Get("snu/p/big").reason, "released");
  EnactAll();
  Settle();
  EXPECT_EQ(Get("snu/p/big").state, AllocationState::kCompleted);
}

TEST_F(PreemptionTest, WhatWasStoppedRanksLikeAnybodyAndNotByItsAge) {
  SubmitUrgent();
  Wait(policy.preemption_grace);
  EnactAll();
  Settle();
  const auto pass = Must(planner->Plan());
  ASSERT_EQ(pass->snapshot.pending.size(), 1U);
  const scheduler::SnapshotPending& rest = pass->snapshot.pending[0];
  EXPECT_FALSE(rest.requeued);
  EXPECT_EQ(rest.request.earliest_start, Get("snu/p/big").preempt_time)
      << "its wait begins when it was stopped";
  EXPECT_EQ(LastAudit("snu/p/big").substr(0, 18), "allocation.requeue");
}

TEST_F(PreemptionTest, WhatWasStoppedCountsForAnHour) {
  SubmitUrgent();
  const auto lately = [&] { return Must(planner->Plan())->snapshot.projects[1].stopped_lately; };
  EXPECT_EQ(lately(), 1) << "while it is being stopped";
  Wait(policy.preemption_grace);
  EnactAll();
  Settle();
  Wait(Minutes(59));
  EXPECT_EQ(lately(), 1);
  Wait(Minutes(1));
  EXPECT_EQ(lately(), 0);
}

TEST_F(PreemptionTest, WhomItIsForMayChangeOnlyBeforeThePass) {
  SubmitAs("kist", "urgent", 1, Hours(8));
  const auto pass = Must(planner->Plan());
  ASSERT_EQ(pass->plan.preemptions.size(), 1U);
  Must(Cancel(*context, As(Member("kist")), {.id = AllocationId("kist/p/urgent"), .reason = "x"}));
  EXPECT_EQ(Must(ApplyPlan(*context, *pass, 1)).preempted, 0);
  EXPECT_FALSE(Get("snu/p/big").preempt_requested);
}

TEST_F(PreemptionTest, ANodeLostDuringTheGraceIsALostNode) {
  SubmitUrgent();
  Inventory broken = FourNodes(++generation_);
  broken.nodes[3].healthy = false;
  Must(SyncInventory(*context, Agent(), broken));
  Settle();
  const Allocation big = Get("snu/p/big");
  EXPECT_TRUE(IsWaiting(big.state));
  EXPECT_FALSE(big.preempt_requested);
  EXPECT_EQ(big.remaining, std::nullopt) << "it was not stopped for others in the end";
  EXPECT_EQ(big.preemptions, 0);
  const auto pass = Must(planner->Plan());
  EXPECT_TRUE(std::any_of(pass->snapshot.pending.begin(), pass->snapshot.pending.end(),
                          [](const auto& row) { return row.requeued; }))
      << "it goes first, as whoever lost a node";
  EXPECT_THAT(big.setback, HasSubstr("n4 is down"));
}

TEST_F(PreemptionTest, WhatChangedSinceThePassIsNotStopped) {
  SubmitAs("kist", "urgent", 1, Hours(8));
  const auto pass = Must(planner->Plan());
  ASSERT_EQ(pass->plan.preemptions.size(), 1U);
  Must(Release(*context, As(Member("snu")), {.id = AllocationId("snu/p/big"), .reason = "done"}));
  const Applied applied = Must(ApplyPlan(*context, *pass, 1));
  EXPECT_EQ(applied.preempted, 0);
  EXPECT_GT(applied.skipped, 0);
  EXPECT_FALSE(Get("kist/p/urgent").promised) << "nor promised what was not given up";
  EXPECT_EQ(Get("snu/p/big").state, AllocationState::kReleasing);
}

TEST_F(PreemptionTest, TheViewKeptCurrentEqualsAFreshLoad) {
  SubmitUrgent();
  const auto expect_fresh = [&] {
    PoolView fresh;
    fresh.Apply(Must(
        store->Transact<store::Changes>(store::Access::kRead, store::Scope::Everything(),
                                        [](store::Tx& tx) { return tx.ChangesAfter(0, ""); })));
    Must(planner->Read([&](const PoolView& kept) { EXPECT_TRUE(kept == fresh); }));
  };
  expect_fresh();
  Wait(policy.preemption_grace);
  expect_fresh();
  EnactAll();
  Settle();
  expect_fresh();
}

}  // namespace
}  // namespace allot::control
