// One starts when another of its project has ended: planned behind it, never started before, and
// its wait begins then.
#include <gmock/gmock.h>

#include "allot/control/explain_allocation.h"
#include "control/world.h"

namespace allot::control {
namespace {

using ::testing::HasSubstr;

class ChainTest : public World {
 protected:
  void SubmitAfter(const std::string& name, const std::string& after, Seconds duration = Hours(2)) {
    Submission submission = Ask("snu", name, 1, duration);
    submission.after = AllocationId("snu/p/" + after);
    Must(Submit(*context, As(Member("snu")), submission));
    Settle();
  }
  /// Time goes by, and the agent is heard.
  void Wait(Seconds time) {
    clock.Advance(time);
    Must(SyncInventory(*context, Agent(), FourNodes(++generation_)));
    Settle();
  }

  int64_t generation_ = 1;
};

TEST_F(ChainTest, ItStartsWhenTheOneBeforeHasEndedAndItsGpusAreBack) {
  SubmitAs("snu", "first", 1, Hours(3));
  Settle();
  EnactAll();
  SubmitAfter("second", "first");
  const Instant end = Get("snu/p/first").window->end();
  Allocation second = Get("snu/p/second");
  EXPECT_EQ(second.state, AllocationState::kPlanned) << "though three nodes are free";
  EXPECT_EQ(second.window->start(), end + policy.release_time);
  EXPECT_EQ(second.ready_time, std::nullopt);
  const auto explanation =
      Must(ExplainAllocation(*context, Member("snu"), *planner, AllocationId("snu/p/second"))).why;
  EXPECT_EQ(explanation.reason, "predecessor_unfinished");
  EXPECT_THAT(explanation.message, HasSubstr("starts after snu/p/first, which ends"));

  Wait(Hours(3));
  EXPECT_EQ(Get("snu/p/first").state, AllocationState::kReleasing);
  Wait(Hours(1));
  EXPECT_EQ(Get("snu/p/second").state, AllocationState::kPlanned) << "the provider takes its time";
  EnactAll();
  Settle();
  EXPECT_EQ(Get("snu/p/first").state, AllocationState::kCompleted);
  second = Get("snu/p/second");
  EXPECT_EQ(second.state, AllocationState::kProvisioning);
  EXPECT_EQ(second.ready_time, second.window->start());
}

TEST_F(ChainTest, HoweverTheOneBeforeEndedItIsReadyFromThenOn) {
  SubmitAs("kist", "all", 4, Days(2));
  Settle();
  EnactAll();
  SubmitAs("snu", "first", 1, Hours(3));
  SubmitAfter("second", "first");
  SubmitAfter("third", "second");
  Wait(policy.starvation_bound + Hours(1));
  Must(Cancel(*context, As(Member("snu")), {AllocationId("snu/p/first"), 0, ""}));
  Settle();
  const Allocation second = Get("snu/p/second");
  EXPECT_EQ(second.ready_time, Instant::FromSeconds(clock.Now().seconds()));
  EXPECT_FALSE(second.promised) << "it has waited for GPUs for a moment only, however old it is";
  EXPECT_EQ(Get("snu/p/third").ready_time, std::nullopt);
  Wait(Hours(1));
  EXPECT_EQ(Get("snu/p/second").ready_time, second.ready_time) << "noted once";
}

TEST_F(ChainTest, BehindWhatHasNoStartItHasNone) {
  SubmitAs("snu", "first", 4, Hours(3));
  DrainRequest drain;
  drain.provider = ProviderId("prov");
  drain.cluster = ClusterId("c");
  drain.node = NodeId("c/n1");
  drain.reason = "memory";
  Must(Drain(*context, As(Operator()), drain));
  SubmitAfter("second", "first");
  const Allocation second = Get("snu/p/second");
  EXPECT_EQ(second.state, AllocationState::kPending);
  EXPECT_EQ(second.reason, "predecessor_unfinished");
  EXPECT_THAT(second.message, HasSubstr("it starts after snu/p/first, which has no start yet"));
}

// The one before loses its node and waits again: the one behind it waits, too.
TEST_F(ChainTest, WhatLosesItsGpusHasNotEnded) {
  SubmitAs("snu", "first", 1, Hours(3));
  Settle();
  EnactAll();
  SubmitAfter("second", "first");
  Inventory inventory = FourNodes(++generation_);
  const std::string node = Must(GetAllocation(*context, Operator(), AllocationId("snu/p/first")))
                               .claims.at(0)
                               .node.str();
  for (auto& one : inventory.nodes) {
    one.healthy = "c/" + one.name != node;
    one.reason = one.healthy ? "" : "fan";
  }
  Must(SyncInventory(*context, Agent(), inventory));
  Settle();
  const Allocation first = Get("snu/p/first");
  EXPECT_EQ(first.attempt, 2);
  const Allocation second = Get("snu/p/second");
  EXPECT_EQ(second.state, AllocationState::kPlanned);
  EXPECT_EQ(second.window->start(), first.window->end() + policy.release_time);
}

// What the provider has still to clear is held for nobody, and nobody waits for it.
TEST_F(ChainTest, WhatFailedWithItsNodeHasEndedThoughItsGpusAreStillHeld) {
  policy.node_loss = NodeLoss::kFail;
  SubmitAs("snu", "first", 1, Hours(3));
  Settle();
  EnactAll();
  SubmitAfter("second", "first");
  const auto claims = Must(GetAllocation(*context, Operator(), AllocationId("snu/p/first"))).claims;
  Inventory inventory = FourNodes(++generation_);
  for (auto& one : inventory.nodes) {
    one.healthy = NodeId("c/" + one.name) != claims.at(0).node;
    one.reason = one.healthy ? "" : "fan";
  }
  Must(SyncInventory(*context, Agent(), inventory));
  Settle();
  EXPECT_EQ(Get("snu/p/first").state, AllocationState::kFailed);
  EXPECT_EQ(Must(GetAllocation(*context, Operator(), AllocationId("snu/p/first")))
                .claims.at(0)
                .released_at,
            std::nullopt);
  EXPECT_EQ(Get("snu/p/second").state, AllocationState::kProvisioning);
}

TEST_F(ChainTest, OnlyAnAllocationOfTheSameProjectIsWaitedFor) {
  SubmitAs("kist", "other", 1, Hours(1));
  for (const char* after : {"kist/p/other", "snu/p/none", "snu/p/itself"}) {
    Submission submission = Ask("snu", "itself", 1, Hours(1));
    submission.after = AllocationId(after);
    const auto refused = Submit(*context, As(Member("snu")), submission);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().reason, Reason::kNotFound);
    EXPECT_EQ(refused.error().field, "allocation.request.after");
    EXPECT_EQ(refused.error().limit, "an allocation of snu/p") << "the same words for all";
  }
}

TEST_F(ChainTest, WhatHasEndedAlreadyHoldsNobodyUp) {
  SubmitAs("snu", "first", 1, Hours(3));
  Must(Cancel(*context, As(Member("snu")), {AllocationId("snu/p/first"), 0, ""}));
  SubmitAfter("second", "first");
  EXPECT_EQ(Get("snu/p/second").state, AllocationState::kProvisioning);
}

}  // namespace
}  // namespace allot::control
