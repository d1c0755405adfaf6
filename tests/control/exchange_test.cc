// Requests that take as much of one model or of another as does the same work, from submission to
// release.
#include <gmock/gmock.h>

#include "control/world.h"

namespace allot::control {
namespace {

// The pool has H200 only; 8 B200 are asked for, or what does the same work.
class ExchangeTest : public World {
 protected:
  void SetUp() override {
    World::SetUp();
    policy.b200_worth_permille = 2000;
    SetQuota("snu/p", 16, 1'000'000);
  }
  Submission Ask8() const {
    Submission ask = Ask("snu", "x", 1, Hours(2));
    ask.request.models = {"B200", "H200"};
    ask.request.exchange = true;
    return ask;
  }
  Usage UsageNow() {
    return Must(
        store->Transact<Usage>(store::Access::kRead, store::Scope::Everything(),
                               [](store::Tx& tx) { return tx.UsageOf(ProjectId("snu/p")); }));
  }
};

TEST_F(ExchangeTest, ItRunsOnWhatDoesTheSameWork) {
  const Allocation asked = Must(Submit(*context, As(Member("snu")), Ask8()));
  EXPECT_EQ(asked.request.exchanged, (ExchangedShape{GpuModel::kH200, {2, 8, 0}}));
  EXPECT_EQ(UsageNow().committed, *GpuSeconds::Of(16, Hours(2)));
  Settle();
  EnactAll();
  EXPECT_EQ(Get("snu/p/x").state, AllocationState::kActive);
  EXPECT_EQ(At(UsageNow().held_gpus, GpuModel::kH200), 16);
  EXPECT_EQ(UsageNow().reserved, *GpuSeconds::Of(16, Hours(2)));
}

TEST_F(ExchangeTest, TheRateIsThatOfTheDayItWasSubmitted) {
  Must(Submit(*context, As(Member("snu")), Ask8()));
  policy.b200_worth_permille = 4000;
  Settle();
  EnactAll();
  EXPECT_EQ(At(UsageNow().held_gpus, GpuModel::kH200), 16);
  SetQuota("snu/p", 64, 1'000'000);
  Submission later = Ask8();
  later.allocation_name = "later";
  EXPECT_EQ(Must(Submit(*context, As(Member("snu")), later)).request.exchanged->shape,
            (Shape{4, 8, 0}));
}

TEST_F(ExchangeTest, QuotasHoldForWhatItTakes) {
  SetQuota("snu/p", 15, 1'000'000);
  EXPECT_EQ(ReasonOf(Submit(*context, As(Member("snu")), Ask8())), Reason::kQuotaExceeded);
  SetQuota("snu/p", 16, 1'000'000);
  Must(Submit(*context, As(Member("snu")), Ask8()));
  SubmitAs("snu", "y", 1, Hours(1));
  Settle();
  EXPECT_EQ(Get("snu/p/x").state, AllocationState::kProvisioning);
  EXPECT_EQ(Get("snu/p/y").state, AllocationState::kPlanned) << "16 of 16 are taken";
}

}  // namespace
}  // namespace allot::control
