// Work that starts small and to which GPUs are added while it runs: from submission to the last
// release.
#include <gmock/gmock.h>

#include "allot/control/explain_allocation.h"
#include "control/world.h"

namespace allot::control {
namespace {

using ::testing::HasSubstr;

// Four nodes; snu's "train" asks for one and grows to three.
class GrowthTest : public World {
 protected:
  static Submission Elastic(Submission ask, int nodes_max) {
    ask.request.nodes_max = nodes_max;
    return ask;
  }
  void SubmitTrain(Seconds duration = Days(2)) {
    Must(Submit(*context, As(Member("snu")), Elastic(Ask("snu", "train", 1, duration), 3)));
  }
  void Run() {
    Settle();
    EnactAll();
    Settle();
    EnactAll();
    Settle();
  }
  void Wait(Seconds time) {
    clock.Advance(time);
    Must(SyncInventory(*context, Agent(), FourNodes(++generation_)));
    Settle();
  }
  AllocationState StateOf(const std::string& id) { return Get(id).state; }
  Usage UsageNow() {
    return Must(
        store->Transact<Usage>(store::Access::kRead, store::Scope::Everything(),
                               [](store::Tx& tx) { return tx.UsageOf(ProjectId("snu/p")); }));
  }

  int64_t generation_ = 1;
};

TEST_F(GrowthTest, ItTakesWhatThereIsAndGrowsWhenThereIsMore) {
  SubmitAs("kist", "other", 2, Hours(5));
  Settle();
  EnactAll();
  SubmitTrain();
  Run();
  EXPECT_EQ(StateOf("snu/p/train"), AllocationState::kActive);
  EXPECT_EQ(StateOf("snu/p/train-g1"), AllocationState::kActive) << "the fourth node was free";
  EXPECT_EQ(StateOf("snu/p/train-g2"), AllocationState::kPending);
  EXPECT_EQ(Get("snu/p/train-g2").reason, "no_room_to_grow");
  EXPECT_EQ(At(UsageNow().held_gpus, GpuModel::kH200), 16);

  Wait(Hours(6));
  EnactAll();
  Settle();
  EnactAll();
  EXPECT_EQ(StateOf("snu/p/train-g2"), AllocationState::kActive) << "kist's nodes came back";
  EXPECT_EQ(Get("snu/p/train-g2").window->end(), Get("snu/p/train").window->end());
  const AllocationDetail detail =
      Must(GetAllocation(*context, Member("snu"), AllocationId("snu/p/train")));
  ASSERT_EQ(detail.growths.size(), 2U);
  EXPECT_EQ(detail.growths[1].id, AllocationId("snu/p/train-g2"));
}

// One leader started it by a clock that was ahead, and the next one adds to it by one that is not.
TEST_F(GrowthTest, WhatIsAddedByAClockThatIsBehindStays) {
  clock.Advance(Hours(1));
  SubmitTrain();
  Settle();
  EnactAll();
  clock.Set(clock.Now() - Hours(1));
  for (int passes = 0; passes < 3; ++passes) {
    Settle();
    EnactAll();
  }
  EXPECT_EQ(StateOf("snu/p/train-g1"), AllocationState::kActive);
  EXPECT_EQ(Get("snu/p/train-g1").attempt, 1);
  EXPECT_EQ(Get("snu/p/train-g1").window->start(), Get("snu/p/train").window->start());
}

TEST_F(GrowthTest, ItEndsWithWhatItWasAddedTo) {
  SubmitTrain();
  Run();
  ASSERT_EQ(StateOf("snu/p/train-g2"), AllocationState::kActive);
  Wait(Days(2));
  EnactAll();
  Settle();
  for (const char* id : {"snu/p/train", "snu/p/train-g1", "snu/p/train-g2"}) {
    EXPECT_EQ(StateOf(id), AllocationState::kCompleted) << id;
  }
  EXPECT_EQ(UsageNow().committed, GpuSeconds());
}

TEST_F(GrowthTest, WhatWasAddedIsHandedBackWithTheBaseAndWhatWaitsIsWithdrawn) {
  SubmitAs("kist", "other", 2, Days(9));
  Settle();
  EnactAll();
  SubmitTrain();
  Run();
  Must(Release(*context, As(Member("snu")), {.id = AllocationId("snu/p/train"), .reason = "done"}));
  Settle();
  EXPECT_EQ(StateOf("snu/p/train-g1"), AllocationState::kReleasing);
  EXPECT_EQ(Get("snu/p/train-g1").reason, "base_ended");
  EXPECT_EQ(StateOf("snu/p/train-g2"), AllocationState::kCancelled);
  EnactAll();
  Settle();
  EXPECT_EQ(StateOf("snu/p/train-g1"), AllocationState::kCompleted);
}

TEST_F(GrowthTest, ItsOwnerMayHandBackAPart) {
  SubmitTrain();
  Run();
  Must(Release(*context, As(Member("snu")),
               {.id = AllocationId("snu/p/train-g1"), .reason = "enough"}));
  Settle();
  EnactAll();
  Settle();
  EXPECT_EQ(StateOf("snu/p/train-g1"), AllocationState::kCompleted);
  EXPECT_EQ(StateOf("snu/p/train"), AllocationState::kActive);
  EXPECT_EQ(StateOf("snu/p/train-g2"), AllocationState::kActive);
}

TEST_F(GrowthTest, WhenTheBaseLosesItsNodeWhatWasAddedWaitsAgain) {
  SubmitTrain();
  Run();
  const auto detail = Must(GetAllocation(*context, Member("snu"), AllocationId("snu/p/train")));
  Inventory inventory = FourNodes(++generation_);
  for (auto& node : inventory.nodes) {
    if (detail.claims.at(0).node == NodeId("c/" + node.name)) {
      node.healthy = false;
      node.reason = "fan";
    }
  }
  clock.Advance(Hours(1));
  Must(SyncInventory(*context, Agent(), inventory));
  Settle();
  const Allocation growth = Get("snu/p/train-g1");
  EXPECT_THAT(growth.setback, HasSubstr("lost its GPUs"));
  EnactAll();
  Settle();
  EnactAll();
  Settle();
  EnactAll();
  Settle();
  EXPECT_EQ(StateOf("snu/p/train"), AllocationState::kActive) << "on another node";
  EXPECT_EQ(StateOf("snu/p/train-g1"), AllocationState::kActive);
  EXPECT_EQ(StateOf("snu/p/train-g2"), AllocationState::kActive);
  EXPECT_EQ(Get("snu/p/train-g2").window->end(), Get("snu/p/train").window->end());
}

TEST_F(GrowthTest, WhatIsWithdrawnBeforeItRanIsWithdrawnWhole) {
  SubmitAs("kist", "other", 4, Days(9));
  Settle();
  EnactAll();
  SubmitTrain();
  Settle();
  EXPECT_EQ(Get("snu/p/train-g1").reason, "base_not_running");
  Must(Cancel(*context, As(Member("snu")), {.id = AllocationId("snu/p/train"), .reason = ""}));
  Settle();
  EXPECT_EQ(StateOf("snu/p/train-g1"), AllocationState::kCancelled);
  EXPECT_EQ(StateOf("snu/p/train-g2"), AllocationState::kCancelled);
}

TEST_F(GrowthTest, PreemptibleWorkIsStoppedWithWhatWasAddedAndGrowsAgain) {
  Submission ask = Elastic(Ask("snu", "train", 1, Days(9)), 4);
  ask.request.preemptible = true;
  Must(Submit(*context, As(Member("snu")), ask));
  Run();
  ASSERT_EQ(StateOf("snu/p/train-g3"), AllocationState::kActive);
  Wait(Hours(2));
  SubmitAs("kist", "two", 2, Hours(20));
  Settle();
  int stopped = 0;
  for (const char* id : {"snu/p/train-g1", "snu/p/train-g2", "snu/p/train-g3"}) {
    stopped += Get(id).preempt_requested ? 1 : 0;
  }
  EXPECT_EQ(stopped, 2) << "what was added goes first, and no more than is needed";
  EXPECT_FALSE(Get("snu/p/train").preempt_requested);
  SubmitAs("kist", "all", 4, Hours(20));
  Wait(Minutes(11));
  EnactAll();
  Settle();
  EnactAll();
  Settle();
  EXPECT_EQ(StateOf("kist/p/two"), AllocationState::kActive);
  Wait(Hours(30));
  for (int i = 0; i < 6; ++i) {
    EnactAll();
    Settle();
    Wait(Hours(10));
  }
  for (const char* id : {"snu/p/train", "snu/p/train-g1", "snu/p/train-g2", "snu/p/train-g3"}) {
    EXPECT_EQ(StateOf(id), AllocationState::kActive) << id;
  }
}

TEST_F(GrowthTest, WhatItsOwnerHandedBackStaysHandedBackWhenAllIsStopped) {
  Submission ask = Elastic(Ask("snu", "train", 2, Days(9)), 4);
  ask.request.preemptible = true;
  Must(Submit(*context, As(Member("snu")), ask));
  Run();
  ASSERT_EQ(StateOf("snu/p/train-g2"), AllocationState::kActive);
  Wait(Hours(2));
  Must(Release(*context, As(Member("snu")),
               {.id = AllocationId("snu/p/train-g1"), .reason = "enough"}));
  SubmitAs("kist", "all", 4, Hours(20));
  Settle();
  EXPECT_FALSE(Get("snu/p/train-g1").preempt_requested);
  EnactAll();
  Settle();
  Wait(Minutes(11));
  for (int i = 0; i < 8; ++i) {
    EnactAll();
    Settle();
    Wait(Hours(8));
  }
  EXPECT_EQ(StateOf("kist/p/all"), AllocationState::kCompleted);
  EXPECT_EQ(StateOf("snu/p/train-g1"), AllocationState::kCompleted);
  EXPECT_EQ(StateOf("snu/p/train-g2"), AllocationState::kActive);
}

TEST_F(GrowthTest, WhatIsHandedBackBetweenPlanAndDecisionIsNotStopped) {
  Submission ask = Elastic(Ask("snu", "train", 2, Days(9)), 4);
  ask.request.preemptible = true;
  Must(Submit(*context, As(Member("snu")), ask));
  Run();
  Wait(Hours(2));
  SubmitAs("kist", "all", 4, Hours(20));
  const auto pass = Must(planner->Plan());
  ASSERT_FALSE(pass->plan.preemptions.empty());
  Must(Release(*context, As(Member("snu")),
               {.id = AllocationId("snu/p/train-g1"), .reason = "enough"}));
  const Applied applied = Must(ApplyPlan(*context, *pass, 1));
  EXPECT_EQ(applied.preempted, 0) << "planned anew";
}

TEST_F(GrowthTest, AllThatMayBeAddedIsAdmittedWithIt) {
  SetQuota("snu/p", 16, 1'000'000);
  const auto refused =
      Submit(*context, As(Member("snu")), Elastic(Ask("snu", "train", 1, Days(2)), 3));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, Reason::kQuotaExceeded);
  EXPECT_EQ(refused.error().field, "allocation.request.nodes_max");
  EXPECT_EQ(refused.error().value, "3");
  SetQuota("snu/p", 32, 16 * 48 - 1);
  EXPECT_EQ(
      ReasonOf(Submit(*context, As(Member("snu")), Elastic(Ask("snu", "train", 1, Days(2)), 2))),
      Reason::kGpuHoursExhausted);
  SetQuota("snu/p", 32, 16 * 48);
  Must(Submit(*context, As(Member("snu")), Elastic(Ask("snu", "train", 1, Days(2)), 2)));
  EXPECT_EQ(UsageNow().committed, *GpuSeconds::Of(16, Days(2)));
}

// What it ran is charged; what it could not make up for is nobody's.
TEST_F(GrowthTest, WhatWasStoppedHasOnlyTheRestOfItSetAside) {
  SetQuota("snu/p", 32, 16 * 48);
  Submission ask = Elastic(Ask("snu", "train", 1, Days(2)), 2);
  ask.request.preemptible = true;
  Must(Submit(*context, As(Member("snu")), ask));
  Run();
  ASSERT_EQ(StateOf("snu/p/train-g1"), AllocationState::kActive);
  const Instant started = Get("snu/p/train-g1").window->start();
  Wait(Hours(10));
  SubmitAs("kist", "three", 3, Hours(20));
  Settle();
  ASSERT_TRUE(Get("snu/p/train-g1").preempt_requested);
  const Seconds ran = Between(started, Get("snu/p/train-g1").window->end());
  Wait(Minutes(11));
  EnactAll();
  Settle();

  const Allocation growth = Get("snu/p/train-g1");
  ASSERT_TRUE(IsWaiting(growth.state)) << Name(growth.state);
  EXPECT_EQ(growth.remaining, Days(2) - ran);
  const Usage usage = UsageNow();
  EXPECT_EQ(usage.used, *GpuSeconds::Of(8, ran));
  EXPECT_EQ(usage.used.Plus(usage.committed), *GpuSeconds::Of(16, Days(2)));
  // Neither what is left alone nor what is raised is below use.
  QuotaUpdate update{.reason = "call"};
  update.project = ProjectId("snu/p");
  update.concurrent_gpus = {32, 24};
  EXPECT_TRUE(UpdateQuota(*context, As(Operator()), update).ok());
}

// What lost its node begins anew; what was added to it has had a part of its time.
TEST_F(GrowthTest, WhatBeginsAnewHasTheRestAddedToIt) {
  Submission ask = Elastic(Ask("snu", "train", 1, Days(2)), 2);
  ask.request.preemptible = true;
  Must(Submit(*context, As(Member("snu")), ask));
  Run();
  Wait(Hours(10));
  SubmitAs("kist", "three", 3, Hours(1));
  Settle();
  ASSERT_TRUE(Get("snu/p/train-g1").preempt_requested);
  Wait(Minutes(11));
  EnactAll();
  Run();
  ASSERT_EQ(StateOf("kist/p/three"), AllocationState::kActive);
  const Seconds left = *Get("snu/p/train-g1").remaining;
  const auto detail = Must(GetAllocation(*context, Member("snu"), AllocationId("snu/p/train")));
  Inventory inventory = FourNodes(++generation_);
  for (auto& node : inventory.nodes) {
    node.healthy = detail.claims.at(0).node != NodeId("c/" + node.name);
    if (!node.healthy) node.reason = "fan";
  }
  Must(SyncInventory(*context, Agent(), inventory));
  Settle();
  EnactAll();
  Wait(Minutes(70));
  Run();
  Run();
  ASSERT_EQ(StateOf("snu/p/train"), AllocationState::kActive);
  EXPECT_EQ(Get("snu/p/train").window->length(), Days(2));
  ASSERT_EQ(StateOf("snu/p/train-g1"), AllocationState::kActive);
  EXPECT_EQ(Get("snu/p/train-g1").window->length(), left);

  // Its base is stopped, by a moment at which the step has ended by itself.
  const Instant end = Get("snu/p/train-g1").window->end();
  Wait(Between(clock.Now(), end - Minutes(5)));
  SubmitAs("kist", "four", 4, Hours(1));
  Settle();
  ASSERT_TRUE(Get("snu/p/train").preempt_requested);
  ASSERT_GT(Get("snu/p/train").window->end(), end);
  EXPECT_EQ(Get("snu/p/train-g1").window->end(), end);
  Wait(Minutes(11));
  EnactAll();
  EXPECT_EQ(StateOf("snu/p/train-g1"), AllocationState::kCompleted);
  Run();
  EXPECT_EQ(StateOf("kist/p/four"), AllocationState::kActive);
}

TEST_F(GrowthTest, NamesAndDecisionsThatDoNotGoWithIt) {
  SubmitTrain();
  Settle();
  const EndRequest growth{.id = AllocationId("snu/p/train-g1"), .reason = "why"};
  Submission after = Ask("snu", "next", 1, Hours(1));
  after.after = growth.id;
  EXPECT_EQ(ReasonOf(Submit(*context, As(Member("snu")), after)), Reason::kFieldNotAllowed);
  EXPECT_EQ(ReasonOf(Submit(*context, As(Member("snu")),
                            Elastic(Ask("snu", std::string(59, 'a'), 1, Hours(1)), 2))),
            Reason::kNameInvalid);
  SubmitAs("snu", "x-g1", 1, Hours(1));
  EXPECT_EQ(ReasonOf(Submit(*context, As(Member("snu")), Elastic(Ask("snu", "x", 1, Hours(1)), 2))),
            Reason::kAlreadyExists);
  EXPECT_EQ(StateOf("snu/p/x-g1"), AllocationState::kPending);
  EXPECT_EQ(ReasonOf(SetUrgency(*context, As(Operator()), growth, true)),
            Reason::kTransitionNotAllowed);
}

}  // namespace
}  // namespace allot::control
