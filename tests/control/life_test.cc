#include "allot/control/explain_allocation.h"
#include "allot/control/identity.h"
#include "control/world.h"

namespace allot::control {
namespace {

class Life : public World {};

TEST_F(Life, FromSubmissionToCompletion) {
  const Allocation submitted = SubmitAs("snu", "a", 2, Hours(4));
  EXPECT_EQ(submitted.state, AllocationState::kPending);

  Settle();
  const Allocation reserved = Get("snu/p/a");
  EXPECT_EQ(reserved.state, AllocationState::kProvisioning);
  EXPECT_EQ(reserved.window->start(), clock.Now());
  EXPECT_EQ(reserved.window->end(), clock.Now() + Hours(4));
  const auto orders = Pull();
  ASSERT_EQ(orders.size(), 1U);
  EXPECT_EQ(orders[0].kind, OrderKind::kProvision);
  EXPECT_EQ(orders[0].nodes.size(), 2U);

  Ack(orders[0]);
  EXPECT_EQ(Get("snu/p/a").state, AllocationState::kActive);

  clock.Advance(Hours(4));
  Must(SyncInventory(*context, Agent(), FourNodes(2)));
  Settle();
  EXPECT_EQ(Get("snu/p/a").state, AllocationState::kReleasing);

  EnactAll();
  const Allocation completed = Get("snu/p/a");
  EXPECT_EQ(completed.state, AllocationState::kCompleted);
  EXPECT_EQ(completed.end_time, clock.Now());
  EXPECT_TRUE(Must(GetAllocation(*context, Operator(), completed.id)).claims.empty());
}

TEST_F(Life, GpusAreFreeOnlyWhenTheProviderConfirmedTheRelease) {
  SubmitAs("snu", "a", 4, Hours(4));
  Settle();
  EnactAll();
  SubmitAs("kist", "b", 4, Hours(1));
  Settle();
  Must(Release(*context, As(Member("snu")), {.id = AllocationId("snu/p/a"), .reason = "done"}));
  Settle();
  EXPECT_TRUE(IsWaiting(Get("kist/p/b").state)) << "the release is ordered, not confirmed";

  EnactAll();
  Settle();
  EXPECT_EQ(Get("kist/p/b").state, AllocationState::kProvisioning);
}

TEST_F(Life, WhatIsWithdrawnWhilePlannedKeepsNoForecast) {
  SubmitAs("snu", "a", 4, Hours(10));
  SubmitAs("snu", "b", 4, Hours(10));
  Settle();
  ASSERT_EQ(Get("snu/p/b").state, AllocationState::kPlanned);
  Must(Cancel(*context, As(Member("snu")), {.id = AllocationId("snu/p/b"), .reason = ""}));
  const Allocation cancelled = Get("snu/p/b");
  EXPECT_EQ(cancelled.state, AllocationState::kCancelled);
  EXPECT_FALSE(cancelled.window);
  EXPECT_TRUE(cancelled.cluster.empty());
}

TEST_F(Life, TheMinistryTurnsDownWhatWaitsWithAReason) {
  SubmitAs("snu", "a", 4, Hours(10));
  SubmitAs("snu", "b", 4, Hours(10));
  Settle();
  const EndRequest why{.id = AllocationId("snu/p/b"), .reason = "the call was withdrawn"};
  EXPECT_EQ(ReasonOf(Reject(*context, As(Member("snu")), why)), Reason::kRoleInsufficient);
  EXPECT_EQ(ReasonOf(Reject(*context, As(Operator()), {.id = why.id})), Reason::kFieldRequired);
  EXPECT_EQ(Must(Reject(*context, As(Operator()), why)).state, AllocationState::kRejected);
  EXPECT_NE(Get("snu/p/b").message.find(why.reason), std::string::npos);
  EXPECT_EQ(Must(Reject(*context, As(Operator()), why)).state, AllocationState::kRejected);
  EXPECT_EQ(ReasonOf(Reject(*context, As(Operator()),
                            {.id = AllocationId("snu/p/a"), .reason = "it holds GPUs"})),
            Reason::kTransitionNotAllowed);
}

TEST_F(Life, EarlyReleaseIsChargedForTheTimeHeld) {
  SubmitAs("snu", "a", 1, Hours(10));
  Settle();
  EnactAll();
  clock.Advance(Hours(2));
  Must(Release(*context, As(Member("snu")), {.id = AllocationId("snu/p/a"), .reason = ""}));
  EnactAll();
  const auto quota = Must(GetQuota(*context, Member("snu"), ProjectId("snu/p")));
  EXPECT_EQ(quota.usage.used, GpuSeconds::FromCount(8 * 2 * 3600));
  EXPECT_EQ(quota.usage.committed, GpuSeconds());
  EXPECT_EQ(Get("snu/p/a").window->end(), clock.Now());
}

TEST_F(Life, AProjectDoesNotPayForATardyProvider) {
  SubmitAs("snu", "a", 1, Hours(10));
  SubmitAs("snu", "b", 1, Hours(10));
  Settle();
  EnactAll();
  clock.Advance(Hours(2));
  Must(Release(*context, As(Member("snu")), {.id = AllocationId("snu/p/a"), .reason = ""}));
  clock.Advance(Hours(9));
  Settle();
  clock.Advance(Hours(1));
  EnactAll();
  const auto quota = Must(GetQuota(*context, Member("snu"), ProjectId("snu/p")));
  EXPECT_EQ(quota.usage.used, GpuSeconds::FromCount(8 * (2 + 10) * 3600));
}

TEST_F(Life, GpusHandedBackWithinASecondAreTakenWithinIt) {
  clock.Set(Instant{testing::ManualClock::kStart.micros + 400'000});
  SubmitAs("snu", "a", 4, Hours(10));
  clock.Advance(Seconds{1});
  Settle();
  EnactAll();
  SubmitAs("kist", "b", 4, Hours(10));
  clock.Advance(Seconds{2});
  Must(Release(*context, As(Member("snu")), {.id = AllocationId("snu/p/a"), .reason = ""}));
  EnactAll();
  Settle();
  EnactAll();
  EXPECT_EQ(Get("kist/p/b").state, AllocationState::kActive);
}

TEST_F(Life, WhatIsWithdrawnWithinASecondKeepsNoTimeToCome) {
  clock.Set(Instant{testing::ManualClock::kStart.micros + 400'000});
  SubmitAs("snu", "a", 1, Hours(10));
  clock.Advance(Seconds{1});
  Settle();
  ASSERT_EQ(Get("snu/p/a").state, AllocationState::kProvisioning);
  Must(Cancel(*context, As(Member("snu")), {.id = AllocationId("snu/p/a"), .reason = ""}));
  EnactAll();
  const Allocation withdrawn = Get("snu/p/a");
  EXPECT_EQ(withdrawn.state, AllocationState::kCancelled);
  EXPECT_LE(withdrawn.window->end(), clock.Now());
}

TEST_F(Life, WhatStaffEndIsEndedInTheMinistrysNameWithAReason) {
  SubmitAs("snu", "a", 4, Hours(10));
  Settle();
  EnactAll();
  const AllocationId a("snu/p/a");
  const auto unexplained = Release(*context, As(Operator()), {.id = a, .reason = ""});
  ASSERT_EQ(ReasonOf(unexplained), Reason::kFieldRequired);
  EXPECT_EQ(unexplained.error().field, "reason");
  EXPECT_EQ(Get("snu/p/a").state, AllocationState::kActive);
  EXPECT_EQ(Must(Release(*context, As(Operator()), {.id = a, .reason = "call closed"})).message,
            "handed back by the ministry: call closed");
  SetQuota("snu/p", 64, 1'000);
  const auto audit =
      Must(ListAudit(*context, Operator(), {.id = "snu/p", .kinds = {"quota"}}, 0, 1));
  EXPECT_EQ(audit.items.at(0).detail, "B200 64 GPUs, H200 64 GPUs, 1,000 GPU-hours: call");
}

TEST_F(Life, AClockThatIsSetBackStopsNobody) {
  SubmitAs("snu", "a", 4, Hours(10));
  Settle();
  EnactAll();
  clock.Advance(Hours(1));
  Must(Release(*context, As(Operator()), {.id = AllocationId("snu/p/a"), .reason = "x"}));
  EnactAll();
  Settle();
  clock.Set(Instant{clock.Now().micros - 360'000'000});
  SubmitAs("kist", "b", 4, Hours(10));
  Settle();
  EnactAll();
  EXPECT_EQ(Get("kist/p/b").state, AllocationState::kActive);
  EXPECT_TRUE(loop->leading());
}

TEST_F(Life, WaitingHasAPlannedStartOrAReason) {
  SubmitAs("snu", "first", 4, Hours(4));
  Settle();
  EnactAll();
  SubmitAs("kist", "second", 4, Hours(4));
  Settle();
  const Allocation waiting = Get("kist/p/second");
  EXPECT_EQ(waiting.state, AllocationState::kPlanned);
  EXPECT_GE(waiting.window->start(), Get("snu/p/first").window->end());
  const auto why = Must(ExplainAllocation(*context, Member("kist"), *planner, waiting.id)).why;
  EXPECT_EQ(why.planned_start, waiting.window->start());
  EXPECT_FALSE(why.message.empty());
}

TEST_F(Life, CancelBeforeAndDuringProvisioning) {
  SubmitAs("snu", "early", 1, Hours(1));
  Must(Cancel(*context, As(Member("snu")), {.id = AllocationId("snu/p/early"), .reason = ""}));
  EXPECT_EQ(Get("snu/p/early").state, AllocationState::kCancelled);

  SubmitAs("snu", "late", 1, Hours(1));
  Settle();
  const auto provision = Pull();
  Must(Cancel(*context, As(Member("snu")), {.id = AllocationId("snu/p/late"), .reason = "oops"}));
  EXPECT_EQ(Get("snu/p/late").state, AllocationState::kReleasing);
  // The agent enacted the order before it heard of the cancellation: it learns to forget it.
  const auto late = Acknowledge(*context, Agent(),
                                {.cluster = ClusterId("c"),
                                 .order = provision[0].id,
                                 .session = session,
                                 .done = true,
                                 .message = ""});
  EXPECT_EQ(ReasonOf(late), Reason::kOrderNotCurrent);
  EnactAll();
  EXPECT_EQ(Get("snu/p/late").state, AllocationState::kCancelled);
}

TEST_F(Life, ProvisioningThatFailsIsTriedElsewhereAndGivenUpAtTheBound) {
  policy.failures_max = 2;
  SubmitAs("snu", "a", 1, Hours(1));
  Settle();
  Ack(Pull().at(0), false);
  const Allocation once = Get("snu/p/a");
  EXPECT_EQ(once.state, AllocationState::kPending);
  EXPECT_EQ(once.reason, "provision_failed");
  Settle();
  const Allocation again = Get("snu/p/a");
  EXPECT_EQ(again.state, AllocationState::kProvisioning);
  EXPECT_EQ(again.attempt, 2);
  clock.Advance(Minutes(10));
  for (const Order& order : Pull()) {
    if (order.kind == OrderKind::kProvision) Ack(order, false);
  }
  EXPECT_EQ(Get("snu/p/a").state, AllocationState::kFailed);
  EnactAll();
  EXPECT_EQ(Must(GetQuota(*context, Member("snu"), ProjectId("snu/p"))).usage.used, GpuSeconds())
      << "what was never handed over";
}

TEST_F(Life, DeadlineThatCanNoLongerBeMetExpires) {
  SubmitAs("snu", "block", 4, Hours(10));
  Settle();
  EnactAll();
  Submission late = Ask("kist", "late", 4, Hours(2));
  late.request.deadline = clock.Now() + Hours(5);
  Must(Submit(*context, As(Member("kist")), late));
  Settle();
  EXPECT_EQ(Get("kist/p/late").state, AllocationState::kPending) << "a release may still help";
  EXPECT_EQ(Get("kist/p/late").reason, "deadline_unreachable");
  clock.Advance(Hours(4));
  Must(SyncInventory(*context, Agent(), FourNodes(2)));
  Settle();
  EXPECT_EQ(Get("kist/p/late").state, AllocationState::kExpired);
}

}  // namespace
}  // namespace allot::control
