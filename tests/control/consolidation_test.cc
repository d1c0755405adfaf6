// Room made for one that waits by moving work that may be stopped.
#include <gmock/gmock.h>

#include "allot/control/identity.h"
#include "allot/control/what_if.h"
#include "control/world.h"

namespace allot::control {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class ConsolidationTest : public World {
 protected:
  void SetUp() override {
    World::SetUp();
    // Four halves on four nodes, apart by what ran beside them and has ended.
    for (const char* name : {"a", "b", "c", "d"}) {
      RunHalf(name, /*preemptible=*/true);
      RunHalf(std::string(name) + "-beside", /*preemptible=*/false);
    }
    for (const char* name : {"a", "b", "c", "d"}) {
      Must(Release(
          *context, As(Member("snu")),
          {.id = AllocationId("snu/p/" + std::string(name) + "-beside"), .reason = "done"}));
    }
    EnactAll();
    clock.Advance(Hours(2));
    Must(SyncInventory(*context, Agent(), FourNodes(2)));
    Settle();
    policy.preemption_gain = Days(20);
    SubmitAs("kist", "big", 1, Hours(8));
    Settle();
  }
  void RunHalf(const std::string& name, bool preemptible) {
    Submission half = Ask("snu", name, 1, Days(2));
    half.request.gpus_per_node = 4;
    half.request.preemptible = preemptible;
    Must(Submit(*context, As(Member("snu")), half));
    Settle();
    EnactAll();
  }
  Result<Allocation> Consolidate(const std::string& id, bool consolidate = true) {
    return SetConsolidation(*context, As(Operator()), *planner,
                            {.id = AllocationId(id), .reason = "the review is on Friday"},
                            consolidate);
  }
  std::vector<Allocation> Halves() {
    std::vector<Allocation> halves;
    for (const char* name : {"a", "b", "c", "d"}) {
      halves.push_back(Get("snu/p/" + std::string(name)));
    }
    return halves;
  }
  /// The half that is being stopped, or was.
  Allocation Moved() {
    for (const Allocation& half : Halves()) {
      if (half.preemptions > 0) return half;
    }
    throw std::runtime_error("nothing was moved");
  }
};

TEST_F(ConsolidationTest, OneIsMovedAndTheOneThatWaitedStarts) {
  EXPECT_EQ(Get("kist/p/big").state, AllocationState::kPlanned) << "in two days";
  const Allocation named = Must(Consolidate("kist/p/big"));
  EXPECT_TRUE(named.consolidate);
  EXPECT_EQ(named.consolidate_reason, "the review is on Friday");
  Settle();
  const Allocation moved = Moved();
  const Instant stop = moved.window->end();
  EXPECT_THAT(moved.message, HasSubstr("it is moved and goes on at"));
  EXPECT_THAT(moved.message, Not(HasSubstr("kist"))) << "not for whom";
  EXPECT_TRUE(Get("kist/p/big").promised);

  clock.Advance(policy.preemption_grace);
  Must(SyncInventory(*context, Agent(), FourNodes(3)));
  Settle();
  EnactAll();
  Settle();
  EXPECT_EQ(Get("kist/p/big").state, AllocationState::kProvisioning);
  EXPECT_FALSE(Get("kist/p/big").consolidate) << "room was made once";
  EXPECT_EQ(Get("kist/p/big").consolidate_reason, "");
  EXPECT_EQ(Get(moved.id.str()).state, AllocationState::kProvisioning) << "beside another half";
  EXPECT_EQ(Get(moved.id.str()).window->start(), stop);
  EnactAll();
  Settle();
  EXPECT_EQ(std::ranges::count(Halves(), AllocationState::kActive, &Allocation::state), 4);
}

TEST_F(ConsolidationTest, WhatIsMovedHasItsPlaceMeanwhile) {
  Must(Consolidate("kist/p/big"));
  Settle();
  const Allocation moved = Moved();
  // Who comes now and would take all that is free, gets what is left.
  Submission greedy = Ask("kist", "greedy", 1, Days(1));
  greedy.request.gpus_per_node = 4;
  for (const char* name : {"g1", "g2", "g3"}) {
    greedy.allocation_name = name;
    Must(Submit(*context, As(Member("kist")), greedy));
  }
  Settle();
  int started = 0;
  for (const char* name : {"g1", "g2", "g3"}) {
    if (Get("kist/p/" + std::string(name)).state == AllocationState::kProvisioning) ++started;
  }
  EXPECT_EQ(started, 2) << "of three halves one is taken";
  clock.Advance(policy.preemption_grace);
  Must(SyncInventory(*context, Agent(), FourNodes(3)));
  Settle();
  EnactAll();
  Settle();
  EXPECT_EQ(Get(moved.id.str()).state, AllocationState::kProvisioning);
}

TEST_F(ConsolidationTest, TheRestOfWhatIsStoppedCountsOnceInItsBudget) {
  Must(Consolidate("kist/p/big"));
  const GpuSeconds before = Must(planner->Latest())->snapshot.projects[1].gpu_time_left;
  Settle();
  const auto pass = Must(planner->Latest());
  ASSERT_EQ(pass->snapshot.projects[1].id, ProjectId("snu/p"));
  const auto rest = std::ranges::lower_bound(pass->snapshot.pending, Moved().id, {},
                                             &scheduler::SnapshotPending::id);
  ASSERT_NE(rest, pass->snapshot.pending.end());
  EXPECT_EQ(*before.Plus(*HighestCost(rest->request)), pass->snapshot.projects[1].gpu_time_left);
}

TEST_F(ConsolidationTest, AWhatIfNamesWhatWouldBeMoved) {
  WhatIfQuestion question;
  question.changes.emplace_back(scheduler::SetConsolidate{AllocationId("kist/p/big")});
  const WhatIfAnswer answer = Must(PlanWhatIf(*context, Operator(), *planner, question));
  ASSERT_EQ(answer.stopped.size(), 1U);
  EXPECT_EQ(answer.stopped[0].for_allocation, AllocationId("kist/p/big"));
  EXPECT_LE(answer.stopped[0].restart, answer.stopped[0].stop + policy.release_time + Minutes(15));
  ASSERT_EQ(answer.fares.size(), 1U);
  EXPECT_LT(*answer.fares[0].planned_start, *answer.fares[0].present_start);
  EXPECT_EQ(Get("kist/p/big").consolidate, false);
}

TEST_F(ConsolidationTest, ItIsRefusedWhereItDoesNotHelp) {
  SubmitAs("kist", "all", 4, Hours(1));
  Settle();
  const auto refused = Consolidate("kist/p/all");
  EXPECT_EQ(ReasonOf(refused), Reason::kConsolidationImpossible);
  EXPECT_THAT(refused.error().message, HasSubstr("sooner than "));
  EXPECT_FALSE(Get("kist/p/all").consolidate);

  Submission soft = Ask("kist", "soft", 1, Hours(8));
  soft.request.preemptible = true;
  Must(Submit(*context, As(Member("kist")), soft));
  EXPECT_EQ(ReasonOf(Consolidate("kist/p/soft")), Reason::kConsolidationImpossible);
  EXPECT_EQ(ReasonOf(Consolidate("snu/p/a")), Reason::kTransitionNotAllowed);
  EXPECT_EQ(ReasonOf(Consolidate("kist/p/none")), Reason::kNotFound);
}

TEST_F(ConsolidationTest, OnlyOperatorsNameOneAndWithAReason) {
  const auto by = [&](Principal principal, const std::string& reason) {
    return ReasonOf(SetConsolidation(*context, As(std::move(principal)), *planner,
                                     {.id = AllocationId("kist/p/big"), .reason = reason}, true));
  };
  EXPECT_EQ(by(Member("kist"), "please"), Reason::kRoleInsufficient);
  EXPECT_EQ(by(Operator(), ""), Reason::kFieldRequired);
  EXPECT_FALSE(Get("kist/p/big").consolidate);
}

TEST_F(ConsolidationTest, TakenBackBeforeThePassNothingIsMoved) {
  Must(Consolidate("kist/p/big"));
  EXPECT_FALSE(Must(Consolidate("kist/p/big", false)).consolidate);
  Settle();
  for (const Allocation& half : Halves()) EXPECT_EQ(half.preemptions, 0) << half.id.str();
}

TEST_F(ConsolidationTest, ARepeatOfTheCallAnswersAlikeAfterTheMove) {
  Call call = As(Operator());
  call.request_id = "consolidate-1";
  call.body_sha256 = std::string(64, 'a');
  const EndRequest request{.id = AllocationId("kist/p/big"), .reason = "the review"};
  const Allocation first = Must(SetConsolidation(*context, call, *planner, request, true));
  Settle();
  const Allocation again = Must(SetConsolidation(*context, call, *planner, request, true));
  EXPECT_EQ(again.id, first.id);
  EXPECT_EQ(Moved().preemptions, 1);
}

}  // namespace
}  // namespace allot::control
