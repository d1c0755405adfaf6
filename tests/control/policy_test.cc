// Policies: published whole or not at all, in force from their date, and then what requests are
// admitted and ranked by.
#include <gmock/gmock.h>

#include "allot/control/explain_allocation.h"
#include "allot/control/identity.h"
#include "allot/control/policies.h"
#include "control/world.h"

namespace allot::control {
namespace {

using ::testing::HasSubstr;
using State = PolicyDetail::State;

/// A store that can be read no more once something was committed.
class UnreadableStore final : public store::Store {
 public:
  explicit UnreadableStore(store::Store& inner) : inner_(inner) {}
  void OnCommit(std::function<void(Revision)> callback) override {
    inner_.OnCommit(std::move(callback));
  }

 protected:
  Status Run(store::Access access, const store::Scope& scope,
             const std::function<Status(store::Tx&)>& work) override {
    if (access != store::Access::kWrite && committed_) {
      return StateError(Reason::kStoreUnavailable, "the connection was lost");
    }
    const auto done = inner_.Transact<bool>(access, scope, [&](store::Tx& tx) -> Result<bool> {
      ALLOT_RETURN_IF_ERROR(work(tx));
      return true;
    });
    if (!done.ok()) return done.error();
    committed_ = committed_ || access == store::Access::kWrite;
    return Ok{};
  }

 private:
  store::Store& inner_;
  bool committed_ = false;
};

class PolicyTest : public World {
 protected:
  NewPolicy New(const std::string& id, std::optional<Seconds> in = std::nullopt) const {
    NewPolicy asked{.id = PolicyId(id), .policy = policy, .reason = "second call"};
    if (in) asked.effective_time = clock.Now() + *in;
    return asked;
  }
  Result<PolicyDetail> Create(const NewPolicy& asked, Principal who = Operator()) {
    return CreatePolicy(*context, *planner, As(std::move(who)), asked);
  }
  Result<PolicyDetail> Withdraw(const std::string& id) {
    return WithdrawPolicy(*context, *planner, As(Operator()),
                          {.id = PolicyId(id), .reason = "a mistake"});
  }
  PolicyDetail Current() { return Must(GetPolicyInForce(*context, Member("snu"))); }
  State StateOf(const std::string& id) {
    return Must(GetPolicy(*context, Member("snu"), PolicyId(id))).state;
  }
  std::string Decided(const std::string& allocation) {
    return Must(ExplainAllocation(*context, Operator(), *planner, AllocationId(allocation)))
        .pass->policy->version;
  }
};

TEST_F(PolicyTest, TheConfiguredOneIsInForceUntilThePublishedOneIs) {
  EXPECT_TRUE(Current().configured);
  EXPECT_EQ(Current().published.policy, policy);
  Must(Create(New("spring", Days(1))));
  EXPECT_TRUE(Current().configured);
  EXPECT_EQ(StateOf("spring"), State::kScheduled);
  clock.Advance(Days(1));
  EXPECT_FALSE(Current().configured);
  EXPECT_EQ(Current().published.id.str(), "spring");
  clock.Advance(Seconds{1});
  Must(Create(New("summer")));
  EXPECT_EQ(StateOf("spring"), State::kSuperseded);
  EXPECT_EQ(StateOf("summer"), State::kInForce);
  const auto page = Must(ListPolicies(*context, Member("snu"), {}));
  ASSERT_EQ(page.items.size(), 2U);
  EXPECT_EQ(page.items[0].state, State::kSuperseded);
}

TEST_F(PolicyTest, RequestsAreAdmittedByTheOneInForce) {
  NewPolicy smaller = New("smaller", Hours(1));
  smaller.policy.programmes[0].gpus_max = {8, 8};
  Must(Create(smaller));
  SubmitAs("snu", "before", 2, Hours(1));
  clock.Advance(Hours(1));
  EXPECT_EQ(ReasonOf(Submit(*context, As(Member("snu")), Ask("snu", "after", 2, Hours(1)))),
            Reason::kProgrammeCapExceeded);
  clock.Advance(Seconds{1});
  NewPolicy larger = New("larger");
  larger.policy.programmes[0].gpus_max = {64, 64};
  Must(Create(larger));
  SubmitAs("snu", "again", 2, Hours(1));
}

TEST_F(PolicyTest, APassIsMadeWhenOneTakesEffectAndNamesIt) {
  SubmitAs("snu", "first", 4, Hours(2));
  Settle();
  SubmitAs("kist", "waits", 4, Hours(2));
  Settle();
  EXPECT_EQ(Decided("kist/p/waits"), policy.version);
  NewPolicy later = New("later", Seconds{20});
  later.policy.release_time = Hours(1);
  Must(Create(later));
  Settle();
  const Instant before = Get("kist/p/waits").window->start();
  clock.Advance(Seconds{19});
  EXPECT_FALSE(Must(loop->Turn())) << "nothing is due yet";
  clock.Advance(Seconds{1});
  EXPECT_TRUE(Must(loop->Turn()));
  EXPECT_EQ(Decided("kist/p/waits"), "later");
  EXPECT_GT(Get("kist/p/waits").window->start(), before) << "GPUs are cleared for an hour now";
}

TEST_F(PolicyTest, OnePublishedWithinASecondIsPlannedByInTheNext) {
  SubmitAs("snu", "first", 4, Hours(2));
  Settle();
  SubmitAs("kist", "waits", 4, Hours(2));
  Settle();
  clock.Advance(Seconds{1});
  clock.Set(Instant{clock.Now().micros + 400'000});
  NewPolicy at_once = New("at-once");
  at_once.policy.release_time = Hours(1);
  Must(Create(at_once));
  Settle();
  EXPECT_EQ(Decided("kist/p/waits"), policy.version) << "passes know whole seconds";
  clock.Set(Instant{clock.Now().micros + 700'000});
  EXPECT_TRUE(Must(loop->Turn()));
  EXPECT_EQ(Decided("kist/p/waits"), "at-once");
}

TEST_F(PolicyTest, AnotherServerGoesByItAtItsNextTurn) {
  PolicyBook their_book(policy);
  Context theirs{*store, clock, ids, their_book};
  Planner their_planner(theirs);
  SchedulerLoop standby(theirs, their_planner, LoopOptions("server-2"));
  Must(loop->Turn());
  Must(standby.Turn());
  NewPolicy smaller = New("smaller");
  smaller.policy.programmes[0].gpus_max = {8, 8};
  Must(Create(smaller));
  EXPECT_FALSE(Must(standby.Turn())) << "it does not lead";
  EXPECT_EQ(ReasonOf(Submit(theirs, As(Member("snu")), Ask("snu", "after", 2, Hours(1)))),
            Reason::kProgrammeCapExceeded);
}

TEST_F(PolicyTest, OneThatIsWrongIsRefusedWholeAndTheOldOneStays) {
  NewPolicy wrong = New("wrong");
  wrong.policy.usage_half_life = Days(7);
  wrong.policy.node_down_after = wrong.policy.heartbeat_expiry;
  const auto refused = Create(wrong);
  ASSERT_EQ(ReasonOf(refused), Reason::kPolicyInvalid);
  EXPECT_EQ(refused.error().field, "policy.settings.node_down_after");
  EXPECT_THAT(refused.error().limit, HasSubstr("heartbeat_expiry (30s)"));
  EXPECT_TRUE(Current().configured);
  EXPECT_EQ(ReasonOf(GetPolicy(*context, Operator(), PolicyId("wrong"))), Reason::kNotFound);
}

TEST_F(PolicyTest, DatesAreAheadAndInOrder) {
  EXPECT_EQ(ReasonOf(Create(New(policy.version))), Reason::kAlreadyExists)
      << "the configuration goes by this name";
  EXPECT_EQ(ReasonOf(Create(New("past", Seconds{-1}))), Reason::kTimeOutOfRange);
  EXPECT_EQ(ReasonOf(Create(New("far", Days(1'099)))), Reason::kTimeOutOfRange);
  Must(Create(New("spring", Days(30))));
  for (const Seconds in : {Days(29), Days(30)}) {
    const auto refused = Create(New("sooner", in));
    ASSERT_EQ(ReasonOf(refused), Reason::kPolicyDatesOutOfOrder);
    EXPECT_THAT(refused.error().limit, HasSubstr("spring"));
  }
  EXPECT_EQ(ReasonOf(Create(New("spring", Days(60)))), Reason::kAlreadyExists);
  Must(Withdraw("spring"));
  Must(Create(New("sooner", Days(29))));
}

TEST_F(PolicyTest, OnlyOneThatIsToComeIsWithdrawn) {
  Must(Create(New("now")));
  EXPECT_EQ(ReasonOf(Withdraw("now")), Reason::kPolicyInForce);
  EXPECT_EQ(ReasonOf(Withdraw("none")), Reason::kNotFound);
  Must(Create(New("spring", Days(30))));
  EXPECT_EQ(Must(Withdraw("spring")).state, State::kWithdrawn);
  EXPECT_EQ(Must(Withdraw("spring")).published.withdraw_time, clock.Now())
      << "again changes nothing";
  clock.Advance(Days(31));
  EXPECT_EQ(Current().published.id.str(), "now");
  EXPECT_EQ(policies.At(clock.Now())->version, "now");
  EXPECT_EQ(StateOf("spring"), State::kWithdrawn);
  EXPECT_EQ(ReasonOf(Create(New("spring"))), Reason::kAlreadyExists) << "its name stays its own";
}

TEST_F(PolicyTest, WhatWasCommittedIsAnsweredAlthoughItCannotBeReadAgain) {
  UnreadableStore unreadable(*store);
  const Context with{unreadable, clock, ids, policies};
  Planner its_planner(with);
  EXPECT_TRUE(CreatePolicy(with, its_planner, As(Operator()), New("next", Days(1))).ok());
  EXPECT_EQ(StateOf("next"), State::kScheduled);
  EXPECT_TRUE(
      WithdrawPolicy(with, its_planner, As(Operator()), {.id = PolicyId("next"), .reason = "no"})
          .ok());
  EXPECT_EQ(StateOf("next"), State::kWithdrawn);
}

TEST_F(PolicyTest, ProjectsMayBeEnteredForAProgrammeToCome) {
  Project project;
  project.id = ProjectId("snu/next");
  project.institute = InstituteId("snu");
  project.programme = ProgrammeId("call-2");
  EXPECT_EQ(ReasonOf(CreateProject(*context, As(Operator()), project)), Reason::kEnumUnknown);
  NewPolicy spring = New("spring", Days(30));
  spring.policy.programmes.push_back({ProgrammeId("call-2"), {64, 64}, Days(366)});
  Must(Create(spring));
  Must(CreateProject(*context, As(Operator()), project));
}

TEST_F(PolicyTest, EverybodyReadsAndOperatorsPublish) {
  Must(Create(New("spring", Days(30))));
  const Principal auditor{.key = KeyId("a"), .role = Role::kAuditor};
  for (const Principal& who : {Member("snu"), auditor, Agent()}) {
    EXPECT_TRUE(GetPolicy(*context, who, PolicyId("spring")).ok());
    EXPECT_TRUE(GetPolicyInForce(*context, who).ok());
    EXPECT_TRUE(ListPolicies(*context, who, {}).ok());
    EXPECT_EQ(ReasonOf(Create(New("mine"), who)), Reason::kRoleInsufficient);
    EXPECT_EQ(ReasonOf(WithdrawPolicy(*context, *planner, As(who),
                                      {.id = PolicyId("spring"), .reason = "no"})),
              Reason::kRoleInsufficient);
  }
}

TEST_F(PolicyTest, ARepeatIsHarmlessAndATrialChangesNothing) {
  Call trial = As(Operator());
  trial.validate_only = true;
  EXPECT_EQ(Must(CreatePolicy(*context, *planner, trial, New("spring"))).state, State::kInForce);
  EXPECT_TRUE(Current().configured);
  Call call = As(Operator());
  call.request_id = "once";
  call.body_sha256 = std::string(64, 'a');
  const NewPolicy dated = New("spring", Minutes(1));
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(Must(CreatePolicy(*context, *planner, call, dated)).published.id.str(), "spring");
    clock.Advance(Hours(1));
  }
  const auto audit = Must(ListAudit(*context, Operator(), {"spring", {"policy"}}, 0, 10));
  ASSERT_EQ(audit.items.size(), 1U);
  EXPECT_EQ(audit.items[0].action, "policy.create");
  EXPECT_THAT(audit.items[0].detail, HasSubstr("second call"));
}

}  // namespace
}  // namespace allot::control
