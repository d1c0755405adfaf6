// GPUs held beyond a project's quota while nobody within theirs has a use for them.
#include <gmock/gmock.h>

#include "control/world.h"

namespace allot::control {
namespace {

using ::testing::HasSubstr;

class BorrowTest : public World {
 protected:
  void SetUp() override {
    World::SetUp();
    SetQuota("snu/p", 8, 1'000'000);
    policy.borrowed_gpus_max = 16;
    SubmitAs("snu", "own", 1, Days(2));
    Settle();
    EnactAll();
  }
  Submission Borrowing(const std::string& name, int nodes) const {
    Submission ask = Ask("snu", name, nodes, Days(2));
    ask.request.preemptible = true;
    ask.request.borrow = true;
    return ask;
  }
  Usage UsageNow() {
    return Must(
        store->Transact<Usage>(store::Access::kRead, store::Scope::Everything(),
                               [](store::Tx& tx) { return tx.UsageOf(ProjectId("snu/p")); }));
  }
  scheduler::SnapshotProject Project(const std::string& id) {
    const auto pass = Must(planner->Plan());
    for (const auto& project : pass->snapshot.projects) {
      if (project.id == ProjectId(id)) return project;
    }
    throw std::runtime_error("no project " + id);
  }
};

TEST_F(BorrowTest, ItHoldsMoreThanItsQuotaAndNoMoreThanIsLent) {
  SubmitAs("snu", "more", 1, Hours(1));
  Must(Submit(*context, As(Member("snu")), Borrowing("extra", 1)));
  Must(Submit(*context, As(Member("snu")), Borrowing("extra-2", 1)));
  Must(Submit(*context, As(Member("snu")), Borrowing("extra-3", 1)));
  Settle();
  EnactAll();
  EXPECT_EQ(Get("snu/p/more").state, AllocationState::kPlanned) << "behind its own";
  EXPECT_EQ(Get("snu/p/extra").state, AllocationState::kActive);
  EXPECT_EQ(Get("snu/p/extra-2").state, AllocationState::kActive);
  EXPECT_EQ(Get("snu/p/extra-3").state, AllocationState::kPlanned) << "16 GPUs are lent";
  EXPECT_EQ(At(UsageNow().held_gpus, GpuModel::kH200), 8);
  EXPECT_EQ(At(UsageNow().borrowed_gpus, GpuModel::kH200), 16);
}

TEST_F(BorrowTest, WhatIsBorrowedDoesNotCountAgainstItsOwn) {
  Must(Submit(*context, As(Member("snu")), Borrowing("extra", 2)));
  Settle();
  EnactAll();
  Must(Release(*context, As(Member("snu")), {.id = AllocationId("snu/p/own"), .reason = "done"}));
  EnactAll();
  SubmitAs("snu", "next", 1, Hours(1));
  Settle();
  EXPECT_EQ(Get("snu/p/next").state, AllocationState::kProvisioning);
}

TEST_F(BorrowTest, ItIsTakenBackForWorkWithinAQuota) {
  Must(Submit(*context, As(Member("snu")), Borrowing("extra", 2)));
  Settle();
  EnactAll();
  clock.Advance(Hours(2));
  Must(SyncInventory(*context, Agent(), FourNodes(2)));
  SubmitAs("kist", "big", 3, Hours(8));
  Settle();
  const Allocation extra = Get("snu/p/extra");
  EXPECT_TRUE(extra.preempt_requested);
  EXPECT_THAT(extra.message, HasSubstr("is stopped at"));
  EXPECT_TRUE(Get("kist/p/big").promised);
}

TEST_F(BorrowTest, ItCostsGpuTimeAndNoRank) {
  Must(Submit(*context, As(Member("snu")), Borrowing("extra", 2)));
  Settle();
  EnactAll();
  clock.Advance(Hours(2));
  Must(SyncInventory(*context, Agent(), FourNodes(2)));
  Settle();
  Must(Release(*context, As(Member("snu")), {.id = AllocationId("snu/p/extra"), .reason = "done"}));
  EnactAll();
  const auto usage = Must(store->Transact<store::ProjectUsage>(
      store::Access::kRead, store::Scope::Everything(),
      [](store::Tx& tx) { return tx.ProjectUsageOf(ProjectId("snu/p")); }));
  EXPECT_EQ(usage.used, *GpuSeconds::Of(16, Hours(2)));
  EXPECT_EQ(usage.decayed.value, 0);
  EXPECT_EQ(Project("snu/p").usage.value, 0);
}

TEST_F(BorrowTest, ItIsRefusedWhereItCannotBe) {
  Submission firm = Borrowing("firm", 1);
  firm.request.preemptible = false;
  const auto refused = Submit(*context, As(Member("snu")), firm);
  EXPECT_EQ(ReasonOf(refused), Reason::kFieldNotAllowed);
  EXPECT_THAT(refused.error().field, HasSubstr("borrow"));
  EXPECT_EQ(ReasonOf(Submit(*context, As(Member("snu")), Borrowing("large", 3))),
            Reason::kQuotaExceeded);
  policy.borrowed_gpus_max = 0;
  EXPECT_EQ(ReasonOf(Submit(*context, As(Member("snu")), Borrowing("none", 1))),
            Reason::kQuotaExceeded);
}

TEST_F(BorrowTest, WhatDoesNotBorrowCannotFollowWhatDoes) {
  SubmitAs("kist", "rest", 3, Days(1));
  Must(Submit(*context, As(Member("snu")), Borrowing("extra", 1)));
  Submission firm = Ask("snu", "firm", 1, Hours(1));
  firm.after = AllocationId("snu/p/extra");
  EXPECT_EQ(ReasonOf(Submit(*context, As(Member("snu")), firm)), Reason::kFieldNotAllowed);
  Submission soft = Borrowing("soft", 1);
  soft.after = AllocationId("snu/p/extra");
  EXPECT_TRUE(Submit(*context, As(Member("snu")), soft).ok());
}

TEST_F(BorrowTest, ItIsHeldToNothing) {
  SubmitAs("kist", "rest", 3, Days(1));
  Settle();
  Must(Submit(*context, As(Member("snu")), Borrowing("extra", 1)));
  Settle();
  EXPECT_EQ(Get("snu/p/extra").state, AllocationState::kPlanned);
  EXPECT_EQ(Get("snu/p/extra").told_start, std::nullopt);
}

TEST_F(BorrowTest, ItIsNeverUrgent) {
  SubmitAs("kist", "rest", 3, Days(1));
  Settle();
  Must(Submit(*context, As(Member("snu")), Borrowing("extra", 1)));
  Settle();
  const auto refused = SetUrgency(*context, As(Operator()),
                                  {.id = AllocationId("snu/p/extra"), .reason = "please"}, true);
  EXPECT_EQ(ReasonOf(refused), Reason::kTransitionNotAllowed);
  EXPECT_THAT(refused.error().message, HasSubstr("borrows"));
}

}  // namespace
}  // namespace allot::control
