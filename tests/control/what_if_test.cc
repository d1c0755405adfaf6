// What would be, if something were otherwise: planned beside the live plan, and nothing changed.
#include <gmock/gmock.h>

#include "allot/control/policies.h"
#include "allot/control/what_if.h"
#include "control/world.h"

namespace allot::control {
namespace {

using ::testing::HasSubstr;

// All four nodes are busy for two hours; behind that wait snu, for three nodes, and then kist.
class WhatIfTest : public World {
 protected:
  void SetUp() override {
    World::SetUp();
    AddProject("busy", 500);
    SubmitAs("busy", "now", 4, Hours(2));
    Settle();
    EnactAll();
    Settle();
    SubmitAs("snu", "first", 3, Hours(4));
    Settle();
    clock.Advance(Seconds{1});
    SubmitAs("kist", "second", 3, Hours(4));
    Settle();
    ASSERT_LT(Start("snu/p/first"), Start("kist/p/second"));
    revision = Must(store->Transact<Revision>(store::Access::kRead, store::Scope::Everything(),
                                              [](store::Tx& tx) { return tx.CurrentRevision(); }));
  }
  void TearDown() override {
    EXPECT_EQ(Must(store->Transact<Revision>(store::Access::kRead, store::Scope::Everything(),
                                             [](store::Tx& tx) { return tx.CurrentRevision(); })),
              revision)
        << "something was changed";
  }
  Instant Start(const std::string& id) { return Get(id).window->start(); }
  Result<WhatIfAnswer> Ask(const WhatIfQuestion& question, Principal who = Operator()) {
    return PlanWhatIf(*context, who, *planner, question);
  }
  static const scheduler::ProjectShift* ShiftOf(const WhatIfAnswer& answer, const char* project) {
    for (const auto& shift : answer.projects) {
      if (shift.project.str() == project) return &shift;
    }
    return nullptr;
  }

  Revision revision = 0;
};

TEST_F(WhatIfTest, MeritTradesPlaces) {
  const auto answer = Must(Ask({.changes = {scheduler::SetMerit{ProjectId("kist/p"), 1000},
                                            scheduler::SetMerit{ProjectId("snu/p"), 1}}}));
  EXPECT_EQ(answer.revision, revision);
  ASSERT_NE(ShiftOf(answer, "kist/p"), nullptr);
  EXPECT_EQ(ShiftOf(answer, "kist/p")->sooner, 1);
  ASSERT_NE(ShiftOf(answer, "snu/p"), nullptr);
  EXPECT_EQ(ShiftOf(answer, "snu/p")->later, 1);
  EXPECT_EQ(answer.now, answer.then) << "as many start as before";
}

TEST_F(WhatIfTest, ARequestMoreIsToldItsStartAndWhomItDelays) {
  Submission more = World::Ask("snu", "", 1, Hours(1));
  Submission wide = World::Ask("kist", "", 5, Hours(1));
  const auto answer = Must(Ask({.changes = {more, wide}}));
  ASSERT_EQ(answer.fares.size(), 2U);
  EXPECT_EQ(answer.fares[0].project.str(), "snu/p");
  ASSERT_TRUE(answer.fares[0].planned_start);
  EXPECT_GE(*answer.fares[0].planned_start, clock.Now() + Hours(1));
  EXPECT_FALSE(answer.fares[1].planned_start) << "no cluster has five nodes";
  EXPECT_EQ(answer.fares[1].reason, "larger_than_pool") << "as it would be refused";
}

TEST_F(WhatIfTest, OneMoreIsAdmittedByTheChangedPolicyAndQuota) {
  const Submission more = World::Ask("snu", "", 2, Hours(1));
  WhatIfQuestion capped{.changes = {more}};
  capped.programmes = {{ProgrammeId("call"), {8, 8}, Days(366)}};
  EXPECT_EQ(Must(Ask(capped)).fares.at(0).reason, "programme_cap_exceeded");
  const auto poor =
      Must(Ask({.changes = {scheduler::SetQuota{ProjectId("snu/p"), GpuModel::kH200, 8}, more}}));
  EXPECT_EQ(poor.fares.at(0).reason, "quota_exceeded");
}

TEST_F(WhatIfTest, AnUrgentOneIsToldItsStartAndTheOneItHas) {
  const auto answer = Must(Ask({.changes = {scheduler::SetUrgent{AllocationId("kist/p/second")}}}));
  ASSERT_EQ(answer.fares.size(), 1U);
  EXPECT_EQ(answer.fares[0].present_start, Start("kist/p/second"));
  ASSERT_TRUE(answer.fares[0].planned_start);
  EXPECT_LT(*answer.fares[0].planned_start, Start("kist/p/second"));
  EXPECT_TRUE(answer.stopped.empty());
}

TEST_F(WhatIfTest, AnotherPolicyOrSettingIsPlannedBy) {
  const auto slower =
      Must(Ask({.settings = {{FindPolicySetting("release_time"), Hours(3).count}}}));
  EXPECT_EQ(slower.policy_version, policy.version);
  EXPECT_EQ(slower.changed_policy_version, policy.version + ", changed");
  ASSERT_NE(ShiftOf(slower, "kist/p"), nullptr);
  EXPECT_EQ(ShiftOf(slower, "kist/p")->later, 1);

  const auto wrong = Ask({.settings = {{FindPolicySetting("node_down_after"), 3}}});
  ASSERT_EQ(ReasonOf(wrong), Reason::kPolicyInvalid);
  EXPECT_EQ(wrong.error().field, "settings.node_down_after");
  EXPECT_EQ(ReasonOf(Ask({.policy = PolicyId("none")})), Reason::kNotFound);

  NewPolicy spring{.id = PolicyId("spring"),
                   .policy = policy,
                   .effective_time = clock.Now() + Days(9),
                   .reason = "second call"};
  spring.policy.release_time = Hours(3);
  Must(CreatePolicy(*context, *planner, As(Operator()), spring));
  Settle();
  ++revision;
  const auto scheduled = Must(Ask({.policy = PolicyId("spring")}));
  EXPECT_EQ(scheduled.changed_policy_version, "spring");
  EXPECT_EQ(scheduled.projects, slower.projects);
}

TEST_F(WhatIfTest, WhatIsWrongNamesTheChange) {
  const auto missing = Ask({.changes = {scheduler::Drain{"c"}, scheduler::Drain{"no-cluster"}}});
  ASSERT_EQ(ReasonOf(missing), Reason::kNotFound);
  EXPECT_EQ(missing.error().field, "changes[1]");
  const auto nothing = Ask({.changes = {World::Ask("snu", "", 0, Hours(1))}});
  ASSERT_EQ(ReasonOf(nothing), Reason::kNodesOutOfRange);
  EXPECT_THAT(nothing.error().field, HasSubstr("changes[0].submit.request"));
  EXPECT_EQ(ReasonOf(Ask({.changes = {scheduler::Withdraw{AllocationId("snu/p/none")}}})),
            Reason::kNotFound);
}

TEST_F(WhatIfTest, ItIsForWhoeverSeesEverybody) {
  const WhatIfQuestion question{.changes = {scheduler::Drain{"c"}}};
  EXPECT_EQ(ReasonOf(Ask(question, Member("snu"))), Reason::kRoleInsufficient);
  EXPECT_EQ(ReasonOf(Ask(question, Agent())), Reason::kRoleInsufficient);
  EXPECT_TRUE(Ask(question, {.key = KeyId("a"), .role = Role::kAuditor}).ok());
}

TEST_F(WhatIfTest, OnlyAFewArePlannedAtTheSameTime) {
  WhatIfQuestion question;
  question.changes.emplace_back(scheduler::SetMerit{ProjectId("kist/p"), 900});
  auto first = planner->TakeTurn();
  const auto second = planner->TakeTurn();
  EXPECT_EQ(ReasonOf(Ask(question)), Reason::kOverloaded);
  first.reset();
  EXPECT_TRUE(Ask(question).ok());
  EXPECT_TRUE(Ask(question).ok()) << "each gives its turn back";
}

}  // namespace
}  // namespace allot::control
