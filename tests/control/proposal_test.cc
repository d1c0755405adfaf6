// Calls that take two persons: the first asks, the second decides, and the same call by the first
// goes through once.
#include <gmock/gmock.h>

#include <functional>
#include <future>
#include <latch>

#include "allot/control/identity.h"
#include "allot/control/members.h"
#include "allot/control/proposals.h"
#include "allot/control/tenants.h"
#include "control/world.h"

namespace allot::control {
namespace {

using ::testing::HasSubstr;

class ProposalTest : public World {
 protected:
  void SetUp() override {
    World::SetUp();
    context.emplace(Context{*store, clock, ids, policies, {{"UpdateQuota", Days(1)}}});
    for (const char* id : {"op", "op-2", "op-3"}) AddKey(id);
  }
  void AddKey(const std::string& id) {
    Must(store->Transact<bool>(
        store::Access::kWrite, store::Scope::Everything(), [&](store::Tx& tx) -> Result<bool> {
          ALLOT_RETURN_IF_ERROR(tx.InsertApiKey({.id = KeyId(id),
                                                 .role = Role::kOperator,
                                                 .display_name = id,
                                                 .secret_sha256 = Sha256Hex(id),
                                                 .create_time = clock.Now()}));
          return true;
        }));
  }
  static Principal With(const KeyId& key) {
    Principal other = Operator();
    other.key = key;
    return other;
  }
  static Principal Other() { return With(KeyId("op-2")); }
  /// `shown`: what happens before the call is put before a second person.
  Result<QuotaDetail> SetGpus(int64_t gpus, const Principal& who = Operator(),
                              const std::string& request_id = "", bool validate_only = false,
                              const std::function<void()>& shown = {}) {
    Call call = As(who);
    call.request_id = request_id;
    call.body_sha256 = Sha256Hex(std::to_string(gpus));
    call.validate_only = validate_only;
    call.method = CalledMethod{.name = "UpdateQuota",
                               .digest = [gpus] { return Sha256Hex(std::to_string(gpus)); },
                               .text = [gpus, shown]() -> Result<std::string> {
                                 if (shown) shown();
                                 return std::to_string(gpus);
                               }};
    QuotaUpdate update{.reason = "call"};
    update.project = ProjectId("snu/p");
    update.concurrent_gpus = {gpus, gpus};
    return UpdateQuota(*context, call, update);
  }
  int64_t Gpus() {
    return Must(GetQuota(*context, Operator(), ProjectId("snu/p"))).quota.concurrent_gpus[0];
  }
  template <class T>
  ProposalId Waiting(const Result<T>& refused) {
    EXPECT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().reason, Reason::kSecondPersonRequired);
    return ProposalId(refused.error().value.substr(std::string("proposals/").size()));
  }
  Result<Proposal> Decide(const ProposalId& id, bool approved, Principal who = Other()) {
    return DecideProposal(*context, As(std::move(who)), id, approved, "looked at");
  }
  ProposalState State(const ProposalId& id) {
    return StateOf(Must(GetProposal(*context, Operator(), id)), clock.Now());
  }
  Reason Refusal(const Result<Proposal>& refused) {
    EXPECT_FALSE(refused.ok());
    return refused.ok() ? Reason::kInternal : refused.error().reason;
  }
};

TEST_F(ProposalTest, TheSameCallGoesThroughOnceWhenAnotherApprovedIt) {
  const ProposalId id = Waiting(SetGpus(16, Operator(), "call-1"));
  EXPECT_EQ(Gpus(), 32);
  const Proposal asked = Must(GetProposal(*context, Other(), id));
  EXPECT_EQ(asked.method, "UpdateQuota");
  EXPECT_EQ(asked.request, "16");
  EXPECT_EQ(asked.proposer.str(), "op");
  // It waits; asking again only says so.
  EXPECT_EQ(Waiting(SetGpus(16, Operator(), "call-2")), id);
  Must(Decide(id, true));
  EXPECT_EQ(State(id), ProposalState::kApproved);
  EXPECT_EQ(Gpus(), 32);

  Must(SetGpus(16, Operator(), "call-3"));
  EXPECT_EQ(Gpus(), 16);
  EXPECT_EQ(State(id), ProposalState::kDone);
  // The repeat of what went through is answered as before; another call is another proposal.
  Must(SetGpus(16, Operator(), "call-3"));
  EXPECT_NE(Waiting(SetGpus(16, Operator(), "call-4")), id);
}

TEST_F(ProposalTest, AnApprovalIsForThatCallOfThatPerson) {
  const ProposalId id = Waiting(SetGpus(16));
  Must(Decide(id, true));
  EXPECT_NE(Waiting(SetGpus(24)), id);
  EXPECT_NE(Waiting(SetGpus(16, Other())), id);
  EXPECT_EQ(Gpus(), 32);
  Must(SetGpus(16));
  EXPECT_EQ(Gpus(), 16);
}

TEST_F(ProposalTest, WhoAskedDoesNotDecide) {
  const ProposalId id = Waiting(SetGpus(16));
  EXPECT_EQ(Refusal(Decide(id, true, Operator())), Reason::kSecondPersonIsTheFirst);
  EXPECT_EQ(Refusal(Decide(id, true, Member("snu"))), Reason::kRoleInsufficient);
  Principal auditor = Other();
  auditor.role = Role::kAuditor;
  EXPECT_EQ(Refusal(Decide(id, true, auditor)), Reason::kRoleInsufficient);
  EXPECT_EQ(State(id), ProposalState::kPending);
  EXPECT_EQ(Waiting(SetGpus(16)), id);
}

TEST_F(ProposalTest, ADecisionStandsAndARejectedCallDoesNotGoThrough) {
  const ProposalId id = Waiting(SetGpus(16));
  Must(Decide(id, false));
  EXPECT_EQ(Refusal(Decide(id, true, With(KeyId("op-3")))), Reason::kProposalNotPending);
  EXPECT_EQ(State(id), ProposalState::kRejected);
  // It may be asked anew.
  EXPECT_NE(Waiting(SetGpus(16)), id);
  EXPECT_EQ(Gpus(), 32);
}

TEST_F(ProposalTest, NeitherAProposalNorAnApprovalOutlivesItsTime) {
  const ProposalId late = Waiting(SetGpus(16));
  clock.Advance(Days(1));
  EXPECT_EQ(State(late), ProposalState::kExpired);
  EXPECT_EQ(Refusal(Decide(late, true)), Reason::kProposalNotPending);
  const ProposalId approved = Waiting(SetGpus(16));
  EXPECT_NE(approved, late);
  Must(Decide(approved, true));
  clock.Advance(Days(1));
  EXPECT_NE(Waiting(SetGpus(16)), approved);
  EXPECT_EQ(Gpus(), 32);
}

// Whoever holds a key may hold what took its place, too.
TEST_F(ProposalTest, AKeyThatTookAnothersPlaceIsTheSamePerson) {
  const auto made = Must(RotateApiKey(*context, As(Other()), KeyId("op"), Days(1)));
  const auto again = Must(RotateApiKey(*context, As(Other()), made.key.id, Days(1)));
  const ProposalId id = Waiting(SetGpus(16));
  EXPECT_EQ(Refusal(Decide(id, true, With(made.key.id))), Reason::kSecondPersonIsTheFirst);
  EXPECT_EQ(Refusal(Decide(id, true, With(again.key.id))), Reason::kSecondPersonIsTheFirst);
  const ProposalId by_new = Waiting(SetGpus(16, With(again.key.id)));
  EXPECT_EQ(Refusal(Decide(by_new, true, Operator())), Reason::kSecondPersonIsTheFirst);
  Must(Decide(by_new, true));
}

TEST_F(ProposalTest, AnApprovalEndsWithWhoGaveIt) {
  const ProposalId id = Waiting(SetGpus(16));
  Must(Decide(id, true));
  Must(RevokeApiKey(*context, As(With(KeyId("op-3"))), KeyId("op-2"), "lost"));
  const ProposalId another = Waiting(SetGpus(16));
  EXPECT_NE(another, id);
  EXPECT_EQ(Gpus(), 32);
  Must(Decide(another, true, With(KeyId("op-3"))));
  Must(SetGpus(16));
  EXPECT_EQ(Gpus(), 16);
}

TEST_F(ProposalTest, OneCallAtTheSameMomentIsPutBeforeASecondPersonOnce) {
  for (int64_t gpus = 1; gpus <= 10; ++gpus) {
    std::latch both(2);
    const auto ask = [&] {
      return SetGpus(gpus, Operator(), "", false, [&] { both.arrive_and_wait(); });
    };
    auto other = std::async(std::launch::async, ask);
    const ProposalId id = Waiting(ask());
    EXPECT_EQ(Waiting(other.get()), id);
  }
  EXPECT_EQ(Must(ListProposals(*context, Operator(), false, {})).items.size(), 10U);
}

TEST_F(ProposalTest, WhatIsApprovedWhileItIsAskedAgainGoesThrough) {
  const ProposalId id = Waiting(SetGpus(16));
  Must(SetGpus(16, Operator(), "", false, [&] { Must(Decide(id, true)); }));
  EXPECT_EQ(Gpus(), 16);
  EXPECT_EQ(State(id), ProposalState::kDone);
  EXPECT_EQ(Must(ListProposals(*context, Operator(), false, {})).items.size(), 1U);
}

TEST_F(ProposalTest, WhatAnInstituteDoesWithItsOwnTakesNobodyElse) {
  context.emplace(Context{*store, clock, ids, policies, {{"CancelAllocation", Days(1)}}});
  SubmitAs("snu", "a", 1, Hours(1));
  SubmitAs("snu", "b", 1, Hours(1));
  const auto cancel = [&](const Principal& who, const std::string& name) {
    Call call = As(who);
    call.method = CalledMethod{.name = "CancelAllocation",
                               .digest = [name] { return Sha256Hex(name); },
                               .text = [name]() -> Result<std::string> { return name; }};
    return Cancel(*context, call,
                  {.id = AllocationId("snu/p/" + name),
                   .reason = who.role == Role::kOperator ? "call closed" : ""});
  };
  const auto refused = cancel(Operator(), "a");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, Reason::kSecondPersonRequired);
  EXPECT_EQ(Get("snu/p/a").state, AllocationState::kPending);
  EXPECT_EQ(Must(cancel(Member("snu"), "a")).message, "cancelled by its owner");
  Must(Decide(ProposalId(cancel(Operator(), "b").error().value.substr(10)), true));
  EXPECT_EQ(Must(cancel(Operator(), "b")).message, "cancelled by the ministry: call closed");
}

TEST_F(ProposalTest, WhatCannotBeShownIsNotPutBeforeAnyone) {
  Call call = As(Operator());
  call.method = CalledMethod{.name = "UpdateQuota",
                             .digest = [] { return Sha256Hex("x"); },
                             .text = []() -> Result<std::string> {
                               return StateError(Reason::kRequestMalformed, "not shown");
                             }};
  QuotaUpdate update{.reason = "call"};
  update.project = ProjectId("snu/p");
  update.concurrent_gpus = {16, 16};
  const auto refused = UpdateQuota(*context, call, update);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().reason, Reason::kRequestMalformed);
  EXPECT_TRUE(Must(ListProposals(*context, Operator(), false, {})).items.empty());
}

TEST_F(ProposalTest, WhatWouldBeRefusedIsNotPutBeforeAnyone) {
  const auto refused = SetGpus(-1);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().reason, Reason::kSecondPersonRequired);
  Must(SetGpus(16, Operator(), "", /*validate_only=*/true));
  EXPECT_TRUE(Must(ListProposals(*context, Operator(), false, {})).items.empty());
}

// A call that adds a member names a person, and so does one that makes a key.
TEST_F(ProposalTest, WhoLooksAtACallThatNamesAPersonIsOnRecord) {
  context.emplace(
      Context{*store,
              clock,
              ids,
              policies,
              {{"CreateMember", Days(1)}, {"CreateApiKey", Days(1)}, {"UpdateQuota", Days(1)}}});
  Waiting(SetGpus(16));
  const auto named = [](const std::string& name) {
    Call call = As(Operator());
    call.method = CalledMethod{.name = name,
                               .digest = [name] { return Sha256Hex(name); },
                               .text = []() -> Result<std::string> { return std::string("kim"); }};
    return call;
  };
  const ProposalId ids_of_both[] = {
      Waiting(CreateMember(
          *context, named("CreateMember"),
          {.person = {.issuer = "https://id.example", .subject = "kim"}, .role = Role::kAuditor})),
      Waiting(CreateApiKey(*context, named("CreateApiKey"),
                           {.role = Role::kAuditor, .display_name = "Kim"}))};
  for (const ProposalId& id : ids_of_both) {
    const auto looks = [&] {
      int count = 0;
      for (const auto& chained : Must(ReadAuditChain(*context, Operator(), 0, 1000)).entries) {
        if (chained.entry.action == "proposal.read" && chained.entry.resource == id.str()) ++count;
      }
      return count;
    };
    const int before = looks();
    Must(GetProposal(*context, Other(), id));
    EXPECT_EQ(looks(), before + 1);
    Must(ListProposals(*context, Other(), true, {}));
    EXPECT_EQ(looks(), before + 2);
  }
}

TEST_F(ProposalTest, TheAuditNamesBothPersons) {
  const ProposalId id = Waiting(SetGpus(16));
  Must(Decide(id, true));
  Must(SetGpus(16));
  const auto entries =
      Must(ListAudit(*context, Operator(), {.id = id.str(), .kinds = {"proposal"}}, 0, 10)).items;
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[2].action, "proposal.create");
  EXPECT_EQ(entries[2].key.str(), "op");
  EXPECT_EQ(entries[1].action, "proposal.approve");
  EXPECT_EQ(entries[1].key.str(), "op-2");
  EXPECT_EQ(entries[0].action, "proposal.done");
  EXPECT_THAT(entries[0].detail, HasSubstr("approved by key op-2"));
}

}  // namespace
}  // namespace allot::control
