#include <algorithm>
#include <functional>
#include <future>

#include "allot/control/explain_allocation.h"
#include "allot/control/identity.h"
#include "allot/control/watch.h"
#include "control/world.h"

namespace allot::control {
namespace {

class Isolation : public World {
 protected:
  void SetUp() override {
    World::SetUp();
    SubmitAs("snu", "secret", 1, Hours(1));
  }
  const AllocationId secret{"snu/p/secret"};
  const Principal stranger = Member("kist");
};

TEST_F(Isolation, ForeignResourcesAreNotFoundInEveryCall) {
  EXPECT_EQ(ReasonOf(GetAllocation(*context, stranger, secret)), Reason::kNotFound);
  EXPECT_EQ(ReasonOf(Cancel(*context, As(stranger), {.id = secret, .reason = ""})),
            Reason::kNotFound);
  EXPECT_EQ(ReasonOf(Release(*context, As(stranger), {.id = secret, .reason = ""})),
            Reason::kNotFound);
  EXPECT_EQ(ReasonOf(GetProject(*context, stranger, ProjectId("snu/p"))), Reason::kNotFound);
  EXPECT_EQ(ReasonOf(GetInstitute(*context, stranger, InstituteId("snu"))), Reason::kNotFound);
  EXPECT_EQ(ReasonOf(GetQuota(*context, stranger, ProjectId("snu/p"))), Reason::kNotFound);
  EXPECT_EQ(ReasonOf(ExplainAllocation(*context, stranger, *planner, secret)), Reason::kNotFound);
}

TEST_F(Isolation, ForeignAndAbsentResourcesAreToldInTheSameWords) {
  const auto foreign = GetAllocation(*context, stranger, secret);
  const auto absent = GetAllocation(*context, stranger, AllocationId("kist/p/secret"));
  EXPECT_EQ(foreign.error().limit, absent.error().limit);
  EXPECT_EQ(foreign.error().field, absent.error().field);
}

TEST_F(Isolation, ListsAndWatchesShowOnlyTheOwnTenant) {
  EXPECT_TRUE(Must(ListAllocations(*context, stranger, {}, {})).items.empty());
  store::AllocationFilter foreign;
  foreign.project = ProjectId("snu/p");
  EXPECT_TRUE(Must(ListAllocations(*context, stranger, foreign, {})).items.empty());
  const auto projects = Must(ListProjects(*context, stranger, std::nullopt, {}));
  ASSERT_EQ(projects.items.size(), 1U);
  EXPECT_EQ(projects.items[0].institute.str(), "kist");
  EXPECT_TRUE(Must(ListQuotas(*context, stranger, InstituteId("snu"), {})).items.empty());
  EXPECT_TRUE(
      Must(ChangesSince(*context, stranger, std::nullopt, std::nullopt, 0, 100)).changes.empty());
  EXPECT_TRUE(Must(ChangesSince(*context, stranger, InstituteId("snu"), std::nullopt, 0, 100))
                  .changes.empty());
  EXPECT_EQ(Must(ChangesSince(*context, Member("snu"), std::nullopt, std::nullopt, 0, 100))
                .changes.size(),
            1U);
}

TEST_F(Isolation, InstitutesDoNotSeeMachinesOrOthersStarts) {
  EXPECT_EQ(
      ReasonOf(ListNodes(*context, stranger, ProviderId("prov"), ClusterId("c"), std::nullopt, {})),
      Reason::kRoleInsufficient);
  const auto capacity = Must(GetCapacity(*context, stranger, *planner, Seconds{0}, Seconds{0}));
  EXPECT_TRUE(capacity.next_starts.empty());
}

TEST_F(Isolation, AProviderSpeaksOnlyForItsOwnClusters) {
  Must(CreateProvider(*context, As(Operator()), {.id = ProviderId("rival"), .display_name = ""}));
  Principal rival = Agent();
  rival.provider = ProviderId("rival");
  EXPECT_EQ(ReasonOf(RegisterAgent(*context, As(rival), ClusterId("c"), GpuModel::kH200)),
            Reason::kNotFound);
  EXPECT_EQ(ReasonOf(PullOrders(*context, rival, ClusterId("c"), session, 10)), Reason::kNotFound);
  EXPECT_EQ(ReasonOf(PullOrders(*context, Operator(), ClusterId("c"), session, 10)),
            Reason::kRoleInsufficient);
}

TEST_F(Isolation, KeysAreHashedRevocableAndTellNothing) {
  const auto created = Must(CreateApiKey(*context, As(Operator()),
                                         {.role = Role::kMember,
                                          .institute = InstituteId("kist"),
                                          .provider = {},
                                          .display_name = "ci"}));
  EXPECT_NE(created.key.secret_sha256, created.secret);
  const Principal who = Must(Authenticate(*context, created.secret));
  EXPECT_EQ(who.institute.str(), "kist");
  EXPECT_EQ(ReasonOf(Authenticate(*context, "")), Reason::kCredentialMissing);
  const auto unknown = Authenticate(*context, created.secret + "x");
  Must(RevokeApiKey(*context, As(Operator()), created.key.id, "lost"));
  const auto revoked = Authenticate(*context, created.secret);
  EXPECT_EQ(ReasonOf(revoked), Reason::kCredentialInvalid);
  EXPECT_EQ(revoked.error(), unknown.error());
}

TEST_F(Isolation, AKeyEndsOnItsDateAndTellsNothing) {
  const auto created = Must(CreateApiKey(*context, As(Operator()),
                                         {.role = Role::kMember,
                                          .institute = InstituteId("kist"),
                                          .provider = {},
                                          .display_name = "ci",
                                          .expire_time = clock.Now() + Days(90)}));
  clock.Advance(Days(90) - Seconds{1});
  EXPECT_TRUE(Authenticate(*context, created.secret).ok());
  clock.Advance(Seconds{1});
  const auto expired = Authenticate(*context, created.secret);
  ASSERT_EQ(ReasonOf(expired), Reason::kCredentialInvalid);
  EXPECT_EQ(expired.error(), Authenticate(*context, "allot_nobody").error());
  const Principal who = Operator();
  for (const Instant wrong : {clock.Now(), clock.Now() + kKeyLifetimeMax + Seconds{1}}) {
    const auto refused = CreateApiKey(
        *context, As(who), {.role = Role::kAuditor, .display_name = "", .expire_time = wrong});
    ASSERT_EQ(ReasonOf(refused), Reason::kTimeOutOfRange);
    EXPECT_EQ(refused.error().field, "api_key.expire_time");
  }
}

TEST_F(Isolation, ARepeatIsAnsweredAsTheFirstWasThoughItsKeyHasExpired) {
  Call call = As(Operator());
  call.request_id = "r1";
  call.body_sha256 = Sha256Hex("body");
  const NewKey asked{.role = Role::kMember,
                     .institute = InstituteId("kist"),
                     .provider = {},
                     .display_name = "ci",
                     .expire_time = clock.Now() + Minutes(1)};
  const auto first = Must(CreateApiKey(*context, call, asked));
  clock.Advance(Minutes(2));
  EXPECT_EQ(Must(CreateApiKey(*context, call, asked)).key, first.key);
}

TEST_F(Isolation, WhereNoMinistryAdminEverWasOperatorsMakeKeysOfStaff) {
  const auto make = [&](const Principal& who, Role role) {
    return CreateApiKey(*context, As(who), {.role = role, .display_name = ""});
  };
  Must(make(Operator(), Role::kOperator));
  const auto first = Must(make(Operator(), Role::kMinistryAdmin));
  for (const Role role : {Role::kMinistryAdmin, Role::kOperator, Role::kAuditor}) {
    EXPECT_EQ(ReasonOf(make(Operator(), role)), Reason::kRoleInsufficient) << Name(role);
  }
  const Principal admin = Must(Authenticate(*context, first.secret));
  const auto auditor = Must(make(admin, Role::kAuditor));
  EXPECT_EQ(ReasonOf(RotateApiKey(*context, As(Operator()), auditor.key.id, Days(1))),
            Reason::kRoleInsufficient);
  EXPECT_EQ(ReasonOf(RevokeApiKey(*context, As(Operator()), auditor.key.id, "lost")),
            Reason::kRoleInsufficient);
  EXPECT_EQ(ReasonOf(RevokeApiKey(*context, As(admin), first.key.id, "lost")),
            Reason::kLastOperatorKey);
  const auto second = Must(CreateApiKey(
      *context, As(admin),
      {.role = Role::kMinistryAdmin, .display_name = "", .expire_time = clock.Now() + Days(1)}));
  EXPECT_TRUE(RevokeApiKey(*context, As(admin), first.key.id, "lost").ok());
  clock.Advance(Days(1));
  ASSERT_EQ(ReasonOf(Authenticate(*context, second.secret)), Reason::kCredentialInvalid);
  EXPECT_EQ(ReasonOf(make(Operator(), Role::kOperator)), Reason::kRoleInsufficient)
      << "that none works any more lets nobody in";
}

TEST_F(Isolation, AKeyIsExchangedWithoutAMomentInWhichNeitherWorks) {
  const auto old = Must(CreateApiKey(*context, As(Operator()),
                                     {.role = Role::kMember,
                                      .institute = InstituteId("kist"),
                                      .provider = {},
                                      .display_name = "ci",
                                      .expire_time = clock.Now() + Days(90)}));
  clock.Advance(Days(80));
  const auto next = Must(RotateApiKey(*context, As(Operator()), old.key.id, Days(1)));
  const Principal before = Must(Authenticate(*context, old.secret));
  const Principal after = Must(Authenticate(*context, next.secret));
  EXPECT_EQ(after.role, before.role);
  EXPECT_EQ(after.institute, before.institute);
  EXPECT_NE(after.key, before.key);
  EXPECT_EQ(next.key.expire_time, clock.Now() + Days(90)) << "as long as the old one was made for";
  clock.Advance(Days(1));
  EXPECT_EQ(ReasonOf(Authenticate(*context, old.secret)), Reason::kCredentialInvalid);
  EXPECT_TRUE(Authenticate(*context, next.secret).ok());
  const auto again = RotateApiKey(*context, As(Operator()), old.key.id, Days(1));
  ASSERT_EQ(ReasonOf(again), Reason::kFieldNotAllowed) << "it does not work any more";
  EXPECT_EQ(again.error().field, "name");
  EXPECT_EQ(ReasonOf(RotateApiKey(*context, As(Operator()), KeyId("none"), Days(1))),
            Reason::kNotFound);
}

TEST_F(Isolation, ARotationNeverMakesAKeyGoOnForLonger) {
  const auto old = Must(CreateApiKey(
      *context, As(Operator()),
      {.role = Role::kAuditor, .display_name = "", .expire_time = clock.Now() + Hours(1)}));
  Must(RotateApiKey(*context, As(Operator()), old.key.id, Days(30)));
  clock.Advance(Hours(1));
  EXPECT_EQ(ReasonOf(Authenticate(*context, old.secret)), Reason::kCredentialInvalid);
}

class Interleaved : public Isolation {
 protected:
  void SetUp() override {
    if (std::getenv(kStoreVariable) != nullptr) {
      GTEST_SKIP() << "in memory transactions come one after the other";
    }
    Isolation::SetUp();
    key_ = Must(CreateApiKey(*context, As(Operator()),
                             {.role = Role::kMember,
                              .institute = InstituteId("kist"),
                              .provider = {},
                              .display_name = "ci",
                              .expire_time = std::nullopt}))
               .key.id;
  }
  /// What becomes of an exchange that comes while another ends the key, and is not done with it.
  Result<CreatedKey> ExchangedMeanwhile(const std::function<Status(store::Tx&)>& end) {
    std::future<Result<CreatedKey>> exchange;
    Must(store->Transact<bool>(store::Access::kWrite, store::Scope::Everything(),
                               [&](store::Tx& tx) -> Result<bool> {
                                 ALLOT_RETURN_IF_ERROR(tx.LockApiKey(key_));
                                 ALLOT_RETURN_IF_ERROR(end(tx));
                                 exchange = std::async(std::launch::async, [&] {
                                   return RotateApiKey(*context, As(Operator()), key_, Days(1));
                                 });
                                 while (testing::WaitingForLocks(database_url) < 1) {
                                 }
                                 clock.Advance(Seconds{1});
                                 return true;
                               }));
    return exchange.get();
  }
  int WorkingKeysOfKist() {
    const auto page = Must(ListApiKeys(*context, Operator(), {}));
    return static_cast<int>(std::ranges::count_if(page.items, [&](const ApiKey& key) {
      return key.institute == InstituteId("kist") && WorksAt(key, clock.Now());
    }));
  }

  KeyId key_;
};

TEST_F(Interleaved, AKeyThatIsBeingRevokedIsNotExchanged) {
  const auto exchanged =
      ExchangedMeanwhile([&](store::Tx& tx) { return tx.RevokeApiKey(key_, clock.Now()); });
  ASSERT_EQ(ReasonOf(exchanged), Reason::kFieldNotAllowed);
  EXPECT_EQ(exchanged.error().field, "name");
  EXPECT_EQ(WorkingKeysOfKist(), 0);
}

TEST_F(Interleaved, AKeyThatIsBeingExchangedAtOnceIsNotExchangedAgain) {
  const auto exchanged = ExchangedMeanwhile(
      [&](store::Tx& tx) { return tx.ExpireApiKey(key_, clock.Now() + Seconds{1}); });
  EXPECT_EQ(ReasonOf(exchanged), Reason::kFieldNotAllowed);
  EXPECT_EQ(WorkingKeysOfKist(), 0);
}

}  // namespace
}  // namespace allot::control
