#include "allot/control/retention.h"

#include "allot/base/text.h"
#include "allot/control/identity.h"
#include "allot/control/watch.h"
#include "allot/store/verify.h"
#include "control/world.h"

namespace allot::control {
namespace {

class Retention : public World {
 protected:
  /// Long after everything there is.
  void WaitUntilAllIsOld() {
    clock.Advance(Days(3'660));
    for (int i = 0; i < 5; ++i) Must(loop->Turn());
  }
  Result<WatchBatch> ChangesAfter(Revision after) {
    return ChangesSince(*context, Member("snu"), std::nullopt, std::nullopt, after, 100);
  }
  Result<Allocation> SubmitOnce(const std::string& name) {
    Call call = As(Member("snu"));
    call.request_id = "r-1";
    call.body_sha256 = std::string(64, 'a');
    return Submit(*context, call, Ask("snu", name, 1, Hours(1)));
  }
};

TEST_F(Retention, AWatchFromBeforeWhatIsKeptIsToldToListAgain) {
  SubmitAs("snu", "a", 1, Hours(1));
  const Revision seen = Must(PresentRevision(*context, Member("snu")));
  Settle();
  EXPECT_FALSE(Must(ChangesAfter(seen)).changes.empty());
  WaitUntilAllIsOld();
  EXPECT_EQ(ReasonOf(ChangesAfter(seen)), Reason::kRevisionOutOfRange);
  EXPECT_EQ(ReasonOf(BeginWatch(*context, Member("snu"), seen)), Reason::kRevisionOutOfRange);
  const Revision present = Must(PresentRevision(*context, Member("snu")));
  EXPECT_EQ(Must(BeginWatch(*context, Member("snu"), present)), present);
}

TEST_F(Retention, WhatIsStillKeptIsNotTouched) {
  const Allocation first = Must(SubmitOnce("a"));
  const Revision seen = Must(PresentRevision(*context, Member("snu"))) - 1;
  clock.Advance(Days(1));
  for (int i = 0; i < 5; ++i) Must(loop->Turn());
  EXPECT_EQ(Must(SubmitOnce("a")).id, first.id);
  EXPECT_FALSE(Must(ChangesAfter(seen)).changes.empty());
}

TEST_F(Retention, ARequestIdIsANewOneAfterItsTime) {
  const Allocation first = Must(SubmitOnce("a"));
  EXPECT_EQ(Must(SubmitOnce("a")).id, first.id);
  WaitUntilAllIsOld();
  EXPECT_EQ(ReasonOf(SubmitOnce("a")), Reason::kAlreadyExists) << "the name is in use";
}

TEST_F(Retention, AServerThatSleptTooLongPlansFromAFreshLoad) {
  SubmitAs("snu", "a", 1, Hours(1));
  Planner slept(*context);
  Must(slept.Plan());
  Must(Cancel(*context, As(Member("snu")), {.id = AllocationId("snu/p/a"), .reason = ""}));
  WaitUntilAllIsOld();
  SubmitAs("snu", "b", 1, Hours(1));
  const auto pass = Must(slept.Plan());
  ASSERT_EQ(pass->waiting.size(), 1u);
  EXPECT_EQ(pass->waiting[0]->id, AllocationId("snu/p/b"));
}

TEST_F(Retention, ADeposedLeaderRemovesNothing) {
  Must(loop->Turn());
  clock.Advance(Days(3'660));
  EXPECT_EQ(ReasonOf(RemoveExpired(*context, 0)), Reason::kNotLeader);
}

/// Whose signature is the text itself, cut to the length of one.
class PlainSigner final : public AuditSigner {
 public:
  std::string id() const override { return "0123456789abcdef"; }
  std::string Sign(std::string_view text) const override {
    std::string signature = Hex(text).substr(0, 128);
    signature.resize(128, '0');
    return signature;
  }
};

class AuditRetention : public Retention {
 protected:
  void SetUp() override {
    Retention::SetUp();
    context->audit_signer = &signer_;
  }
  AuditChain Chain() { return Must(ReadAuditChain(*context, Operator(), 0, 1'000)); }

  PlainSigner signer_;
};

TEST_F(AuditRetention, TheNewestEntryIsSignedOnceAnHour) {
  Must(loop->Turn());
  const AuditChain first = Chain();
  ASSERT_EQ(first.checkpoints.size(), 1U);
  EXPECT_EQ(first.checkpoints[0].kind, AuditCheckpoint::Kind::kReached);
  EXPECT_EQ(first.checkpoints[0].mark, first.head);
  EXPECT_EQ(first.checkpoints[0].signer, signer_.id());
  EXPECT_EQ(first.checkpoints[0].signature, signer_.Sign(SignedText(first.checkpoints[0])));
  SubmitAs("snu", "a", 1, Days(2));
  Must(loop->Turn());
  EXPECT_EQ(Chain().checkpoints.size(), 1U);
  clock.Advance(Hours(1));
  Must(loop->Turn());
  const AuditChain second = Chain();
  ASSERT_EQ(second.checkpoints.size(), 2U);
  EXPECT_GT(second.checkpoints[1].mark.number, first.head.number);
  clock.Advance(Hours(1));
  Must(loop->Turn());
  Must(loop->Turn());
  EXPECT_EQ(Chain().checkpoints.size(), 2U) << "nothing came since";
}

/// The database takes no signature of another length.
class CutSigner final : public AuditSigner {
 public:
  std::string id() const override { return "0123456789abcdef"; }
  std::string Sign(std::string_view) const override { return "00"; }
};

TEST_F(AuditRetention, NoPlanWaitsForASignatureThatFails) {
  const CutSigner signer;
  context->audit_signer = &signer;
  std::vector<std::string> failed;
  auto options = LoopOptions("server-1");
  options.on_chore_failed = [&](const std::string& chore, const Error&) {
    failed.push_back(chore);
  };
  SchedulerLoop failing(*context, *planner, options);
  SubmitAs("snu", "a", 1, Hours(1));
  Must(failing.Turn());
  EXPECT_TRUE(Chain().checkpoints.empty());
  EXPECT_EQ(failed, std::vector<std::string>{"audit_signing"});
  EXPECT_NE(Get("snu/p/a").state, AllocationState::kPending);
  clock.Advance(Minutes(1));
  Must(failing.Turn());
  EXPECT_EQ(failed.size(), 2U) << "tried again";
}

TEST_F(AuditRetention, WhatWasSignedAndIsGoneIsNotCoveredUpByANewSignature) {
  Must(loop->Turn());
  const AuditMark head = Chain().head;
  SubmitAs("snu", "a", 1, Hours(1));
  const int64_t epoch =
      Must(store->Transact<store::Leadership>(store::Access::kRead, store::Scope::Everything(),
                                              [](store::Tx& tx) { return tx.FindLeadership(); }))
          .epoch;
  const auto before = [&](int64_t number, char digit) {
    return SignAudit(*context, epoch, {.number = number, .hash = std::string(64, digit)});
  };
  EXPECT_EQ(ReasonOf(before(head.number, 'f')), Reason::kInternal) << "changed";
  EXPECT_EQ(ReasonOf(before(head.number + 1'000, 'f')), Reason::kInternal) << "cut off";
  EXPECT_EQ(Chain().checkpoints.size(), 1U);
  const auto made = Must(SignAudit(*context, epoch, head));
  ASSERT_TRUE(made);
  EXPECT_EQ(made->mark, Chain().head);
  EXPECT_EQ(Chain().checkpoints.size(), 2U);
}

TEST_F(AuditRetention, WhatThePolicyNoLongerKeepsIsRemovedWithASignature) {
  Must(loop->Turn());
  const AuditChain before = Chain();
  ASSERT_GT(before.head.number, 3);
  WaitUntilAllIsOld();
  const AuditChain after = Chain();
  EXPECT_EQ(after.base, before.head);
  ASSERT_FALSE(after.entries.empty());
  EXPECT_EQ(after.entries[0].entry.number, after.base.number + 1);
  EXPECT_EQ(after.entries.back().entry.action, "audit.remove");
  const auto said =
      std::ranges::find(after.checkpoints, AuditCheckpoint::Kind::kRemoved, &AuditCheckpoint::kind);
  ASSERT_NE(said, after.checkpoints.end());
  EXPECT_EQ(said->mark, after.base);
  if (!database_url.empty()) {
    EXPECT_TRUE(Must(store::Verify(database_url)).clean());
  }
}

TEST_F(AuditRetention, WithoutASignatureNothingIsRemoved) {
  context->audit_signer = nullptr;
  const AuditChain before = Chain();
  WaitUntilAllIsOld();
  const AuditChain after = Chain();
  EXPECT_EQ(after.base, AuditMark());
  EXPECT_TRUE(after.checkpoints.empty());
  EXPECT_GE(after.head.number, before.head.number);
}

}  // namespace
}  // namespace allot::control
