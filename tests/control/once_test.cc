// A change whose commit is not known to have happened, and becomes durable while it is settled.
#include <future>
#include <utility>

#include "allot/control/identity.h"
#include "allot/control/proposals.h"
#include "allot/control/tenants.h"
#include "control/world.h"

namespace allot::control {
namespace {

/// Keeps one transaction that writes from committing until it is let go, and says meanwhile that
/// nobody knows what became of it.
class LateStore final : public store::Store {
 public:
  explicit LateStore(store::Store& inner) : inner_(inner) {}
  ~LateStore() override {
    if (late_.valid()) late_.wait();
  }

  void DelayNext() { delays_ = true; }
  Status LetGo() {
    let_go_.set_value();
    return late_.get();
  }
  void OnCommit(std::function<void(Revision)> callback) override {
    inner_.OnCommit(std::move(callback));
  }

 protected:
  Status Run(store::Access access, const store::Scope& scope,
             const std::function<Status(store::Tx&)>& work) override {
    if (access != store::Access::kWrite || !std::exchange(delays_, false)) {
      return Through(access, scope, work);
    }
    std::promise<void> worked;
    late_ = std::async(std::launch::async, [&, access, scope, work] {
      return Through(access, scope, [&, work](store::Tx& tx) {
        Status done = work(tx);
        worked.set_value();
        let_go_.get_future().wait();
        return done;
      });
    });
    worked.get_future().wait();
    return StateError(Reason::kCommitOutcomeUnknown, "the connection was lost");
  }

 private:
  Status Through(store::Access access, const store::Scope& scope,
                 const std::function<Status(store::Tx&)>& work) {
    const auto done = inner_.Transact<bool>(access, scope, [&](store::Tx& tx) -> Result<bool> {
      ALLOT_RETURN_IF_ERROR(work(tx));
      return true;
    });
    if (!done.ok()) return done.error();
    return Ok{};
  }

  store::Store& inner_;
  bool delays_ = false;
  std::promise<void> let_go_;
  std::future<Status> late_;
};

class OnceTest : public World {
 protected:
  void SetUp() override {
    if (std::getenv(kStoreVariable) != nullptr) {
      GTEST_SKIP() << "in memory transactions come one after the other";
    }
    World::SetUp();
    late_.emplace(*store);
    context.emplace(Context{*late_, clock, ids, policies, {{"UpdateProject", Days(1)}}});
  }

  Result<Project> SetMerit(const Call& call, int64_t version) {
    return UpdateProject(*context, call,
                         {.id = ProjectId("snu/p"),
                          .version = version,
                          .display_name = std::nullopt,
                          .open = std::nullopt,
                          .merit = 900,
                          .reason = "panel"});
  }
  /// Its first commit becomes durable while the second attempt waits for it.
  Result<Project> SetMeritLate(const Call& call, int64_t version) {
    late_->DelayNext();
    auto answer = std::async(std::launch::async, [&] { return SetMerit(call, version); });
    while (testing::WaitingForLocks(database_url) < 1) {
    }
    EXPECT_TRUE(late_->LetGo().ok());
    return answer.get();
  }
  static Call Named(const std::string& request_id) {
    Call call = As(Operator());
    call.request_id = request_id;
    call.body_sha256 = Sha256Hex("merit");
    return call;
  }

  std::optional<LateStore> late_;
};

TEST_F(OnceTest, AChangeThatWasDurableAfterAllIsNotRefusedForWhatItDidItself) {
  const Project before = Must(GetProject(*context, Operator(), ProjectId("snu/p")));
  const Project after = Must(SetMeritLate(Named("r1"), before.version));
  EXPECT_EQ(after.merit, 900);
  EXPECT_EQ(after.version, before.version + 1);
}

TEST_F(OnceTest, AKeyThatWasDurableAfterAllComesWithItsSecret) {
  Call call = Named("r1");
  late_->DelayNext();
  auto answer = std::async(std::launch::async, [&] {
    return CreateApiKey(*context, call,
                        {.role = Role::kAuditor,
                         .institute = {},
                         .provider = {},
                         .display_name = "audit",
                         .expire_time = std::nullopt});
  });
  while (testing::WaitingForLocks(database_url) < 1) {
  }
  EXPECT_TRUE(late_->LetGo().ok());
  const CreatedKey created = Must(answer.get());
  ASSERT_FALSE(created.secret.empty());
  EXPECT_EQ(Must(Authenticate(*context, created.secret)).key, created.key.id);
}

TEST_F(OnceTest, AnApprovedCallThatWasDurableAfterAllIsNotProposedAgain) {
  for (const char* id : {"op", "op-2"}) {
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
  Call call = Named("r1");
  call.method = CalledMethod{.name = "UpdateProject",
                             .digest = [] { return Sha256Hex("merit"); },
                             .text = []() -> Result<std::string> { return std::string("{}"); }};
  const auto waits = SetMerit(call, 0);
  ASSERT_EQ(ReasonOf(waits), Reason::kSecondPersonRequired);
  Principal other = Operator();
  other.key = KeyId("op-2");
  const ProposalId id(waits.error().value.substr(std::string("proposals/").size()));
  Must(DecideProposal(*context, As(other), id, true, "looked at"));
  EXPECT_EQ(Must(SetMeritLate(call, 0)).merit, 900);
  const auto proposals = Must(ListProposals(*context, other, false, {.size = 10, .after = {}}));
  EXPECT_EQ(proposals.items.size(), 1U);
}

}  // namespace
}  // namespace allot::control
