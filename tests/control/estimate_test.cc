// What an allocation is told about its start is kept, may move so far and no further, and an
// operator may put one before others.
#include <gmock/gmock.h>

#include "allot/control/explain_allocation.h"
#include "allot/control/identity.h"
#include "allot/control/policies.h"
#include "allot/control/pool.h"
#include "allot/control/what_if.h"
#include "control/world.h"

namespace allot::control {
namespace {

using ::testing::HasSubstr;

class EstimateTest : public World {
 protected:
  /// All four nodes are busy for so long.
  void Occupy(Seconds duration) {
    SubmitAs("kist", "busy", 4, duration);
    Settle();
    EnactAll();
    Settle();
  }
  AllocationExplanation Explain(const std::string& id) {
    return Must(ExplainAllocation(*context, Operator(), *planner, AllocationId(id)));
  }
  std::vector<StartEstimate> EstimatesOf(const std::string& id) { return Explain(id).estimates; }
  Instant Start(const std::string& id) { return Get(id).window->start(); }
  Allocation SetUrgent(const std::string& id, bool urgent) {
    return Must(SetUrgency(*context, As(Operator()), {.id = AllocationId(id), .reason = "outbreak"},
                           urgent));
  }
  std::vector<AuditEntry> AuditOf(const std::string& id) {
    return Must(ListAudit(*context, Operator(), {id, {"allocation"}}, 0, 50)).items;
  }
};

TEST_F(EstimateTest, EveryStartThatWasToldIsKept) {
  Occupy(Hours(4));
  SubmitAs("snu", "main", 4, Hours(1));
  Settle();
  const Instant first = Start("snu/p/main");
  ASSERT_EQ(EstimatesOf("snu/p/main").size(), 1U);
  EXPECT_EQ(EstimatesOf("snu/p/main")[0].planned_start, first);
  EXPECT_EQ(Get("snu/p/main").told_start, first);
  EXPECT_EQ(Explain("snu/p/main").earliest_start, clock.Now() + Hours(4));
  EXPECT_EQ(Explain("snu/p/main").latest_start, first + policy.planned_slip_max);

  Must(Release(*context, As(Member("kist")), {.id = AllocationId("kist/p/busy"), .reason = ""}));
  EnactAll();
  clock.Advance(Seconds{1});
  const auto report = Must(loop->Turn());
  ASSERT_TRUE(report);
  EXPECT_EQ(Get("snu/p/main").state, AllocationState::kProvisioning);
  ASSERT_EQ(report->applied.start_errors.size(), 1U);
  EXPECT_EQ(report->applied.start_errors[0], Between(first, clock.Now())) << "hours sooner";
}

TEST_F(EstimateTest, WhoIsToldNothingAnyMoreIsToldThat) {
  Occupy(Hours(4));
  SubmitAs("snu", "main", 4, Hours(1));
  Settle();
  SetQuota("snu/p", 8, 1'000'000);
  Settle();
  const auto estimates = EstimatesOf("snu/p/main");
  ASSERT_EQ(estimates.size(), 2U);
  EXPECT_FALSE(estimates[0].planned_start);
  EXPECT_TRUE(estimates[1].planned_start);
}

TEST_F(EstimateTest, WhatIsToldWhileTheyGatherBindsNobody) {
  Occupy(Hours(4));
  policy.gathering_time = Minutes(10);
  SubmitAs("snu", "main", 4, Hours(1));
  Settle();
  EXPECT_FALSE(Get("snu/p/main").told_start);
  clock.Advance(Minutes(10));
  Settle();
  EXPECT_TRUE(Get("snu/p/main").told_start);
}

TEST_F(EstimateTest, AStartMovesByThePolicysBoundAndThenGoesBeforeOthers) {
  policy.planned_slip_max = Hours(6);
  AddProject("best", 1000);
  Occupy(Hours(4));
  SubmitAs("snu", "main", 4, Hours(8));
  Settle();
  const Instant told = Start("snu/p/main");
  // Better ones keep coming.
  for (int i = 0; i < 4; ++i) {
    SubmitAs("best", "b" + std::to_string(i), 4, Hours(4));
    Settle();
  }
  const Allocation main = Get("snu/p/main");
  EXPECT_EQ(main.overdue_under, policy.version);
  EXPECT_EQ(main.told_start, told);
  EXPECT_LE(main.window->start(), told + policy.planned_slip_max);
  EXPECT_TRUE(main.promised) << "as those who waited past the bound";
  EXPECT_EQ(Explain("snu/p/main").latest_start, main.window->start()) << "it is promised";
  bool audited = false;
  for (const AuditEntry& entry : AuditOf("snu/p/main")) {
    audited = audited || entry.action == "allocation.overdue";
  }
  EXPECT_TRUE(audited);
  SubmitAs("best", "later", 4, Hours(4));
  Settle();
  EXPECT_EQ(Get("snu/p/main").window->start(), main.window->start());
}

TEST_F(EstimateTest, AnUrgentOneGoesBeforeOthers) {
  AddProject("best", 1000);
  Occupy(Hours(4));
  SubmitAs("best", "first", 4, Hours(4));
  SubmitAs("snu", "vaccine", 4, Hours(8));
  Settle();
  ASSERT_LT(Start("best/p/first"), Start("snu/p/vaccine"));
  EXPECT_TRUE(SetUrgent("snu/p/vaccine", true).urgent);
  Settle();
  EXPECT_EQ(Get("snu/p/vaccine").urgent_reason, "outbreak") << "also after a pass";
  EXPECT_LT(Start("snu/p/vaccine"), Start("best/p/first"));
  EXPECT_TRUE(Get("snu/p/vaccine").promised);
  EXPECT_EQ(AuditOf("snu/p/vaccine").size(), 3U) << "created, urgent, promised";
  const int64_t version = Get("snu/p/vaccine").version;
  SetUrgent("snu/p/vaccine", true);
  EXPECT_EQ(Get("snu/p/vaccine").version, version) << "again changes nothing";
}

TEST_F(EstimateTest, WhatWouldBeIsWhatComesOfIt) {
  AddProject("best", 1000);
  Occupy(Hours(4));
  SubmitAs("snu", "main", 4, Hours(8));
  Settle();
  for (int i = 0; i < 4; ++i) {
    SubmitAs("best", "b" + std::to_string(i), 4, Hours(4));
    Settle();
  }
  ASSERT_EQ(Get("snu/p/main").overdue_under, "") << "thirty days are far";
  NewPolicy strict{.id = PolicyId("strict"), .policy = policy, .reason = "plan for what was told"};
  // Long enough that those it goes before are not late themselves.
  strict.policy.planned_slip_max = Hours(10);
  WhatIfQuestion question;
  question.settings = {{FindPolicySetting("planned_slip_max"), Hours(10).count}};
  const auto asked = Must(PlanWhatIf(*context, Operator(), *planner, question));
  ASSERT_FALSE(asked.projects.empty());
  const Instant before = Get("snu/p/main").window->start();
  Must(CreatePolicy(*context, *planner, As(Operator()), strict));
  Settle();
  EXPECT_EQ(Get("snu/p/main").overdue_under, "strict");
  int64_t sooner = 0;
  for (const auto& shift : asked.projects) {
    if (shift.project.str() == "snu/p") sooner = shift.seconds_sooner;
  }
  EXPECT_EQ(Between(Get("snu/p/main").window->start(), before).count, sooner);

  // A mistake is mended by another policy.
  clock.Advance(Seconds{1});
  NewPolicy mild{.id = PolicyId("mild"), .policy = policy, .reason = "as it was"};
  mild.policy.promise_within = Seconds{0};
  Must(CreatePolicy(*context, *planner, As(Operator()), mild));
  Settle();
  EXPECT_EQ(Get("snu/p/main").overdue_under, "");
}

TEST_F(EstimateTest, WhatTheirOwnProjectPutsOffBindsNobody) {
  Occupy(Hours(4));
  SubmitAs("snu", "main", 4, Hours(1));
  Settle();
  ASSERT_TRUE(Get("snu/p/main").told_start);
  SetQuota("snu/p", 8, 1'000'000);
  Settle();
  EXPECT_FALSE(Get("snu/p/main").told_start) << "it cannot have them at all";
}

TEST_F(EstimateTest, WhatThePoolCannotHoldIsNotOverdue) {
  Occupy(Hours(4));
  SubmitAs("snu", "main", 4, Hours(1));
  Settle();
  Must(Drain(*context, As(Operator()),
             {.provider = ProviderId("prov"),
              .cluster = ClusterId("c"),
              .node = NodeId("c/n1"),
              .draining = true,
              .reason = "fan"}));
  Settle();
  EXPECT_EQ(Get("snu/p/main").reason, "larger_than_pool");
  EXPECT_EQ(Get("snu/p/main").overdue_under, "") << "nobody would have it sooner by that";
}

TEST_F(EstimateTest, WhatFollowsAnotherIsNotUrgentBeforeThatOneHasEnded) {
  Occupy(Hours(4));
  SubmitAs("snu", "first", 1, Hours(1));
  Submission second = Ask("snu", "second", 1, Hours(1));
  second.after = AllocationId("snu/p/first");
  Must(Submit(*context, As(Member("snu")), second));
  Settle();
  const auto refused = SetUrgency(*context, As(Operator()),
                                  {.id = AllocationId("snu/p/second"), .reason = "outbreak"}, true);
  ASSERT_EQ(ReasonOf(refused), Reason::kTransitionNotAllowed);
  EXPECT_THAT(refused.error().message, HasSubstr("make that one urgent"));
}

TEST_F(EstimateTest, UrgencyIsAnOperatorsAndForWhoWaits) {
  SubmitAs("snu", "main", 1, Hours(1));
  EXPECT_EQ(ReasonOf(SetUrgency(*context, As(Member("snu")),
                                {.id = AllocationId("snu/p/main"), .reason = "please"}, true)),
            Reason::kRoleInsufficient);
  EXPECT_EQ(
      ReasonOf(SetUrgency(*context, As(Operator()), {.id = AllocationId("snu/p/main")}, true)),
      Reason::kFieldRequired);
  EXPECT_EQ(ReasonOf(SetUrgency(*context, As(Operator()),
                                {.id = AllocationId("snu/p/none"), .reason = "x"}, true)),
            Reason::kNotFound);
  Settle();
  EnactAll();
  EXPECT_EQ(ReasonOf(SetUrgency(*context, As(Operator()),
                                {.id = AllocationId("snu/p/main"), .reason = "x"}, true)),
            Reason::kTransitionNotAllowed);
  EXPECT_EQ(
      ReasonOf(ExplainAllocation(*context, Member("kist"), *planner, AllocationId("snu/p/main"))),
      Reason::kNotFound);
}

}  // namespace
}  // namespace allot::control
