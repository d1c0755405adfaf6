// What is done in several transactions: passes and sweeps that are large.
#include <gmock/gmock.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "allot/control/apply_plan.h"
#include "allot/control/sweep.h"
#include "allot/control/watch.h"
#include "control/hooked_store.h"
#include "control/world.h"
#include "support/statement_tap.h"

namespace allot::control {
namespace {

class PartsTest : public World {
 protected:
  void SetUp() override {
    World::SetUp();
    hooked_ = std::make_unique<HookedStore>(*store);
    through_ = std::make_unique<Context>(Context{*hooked_, clock, ids, policies});
    planner = std::make_unique<Planner>(*through_);
    loop = std::make_unique<SchedulerLoop>(*through_, *planner, LoopOptions("server-1"));
    Settle();
  }
  void TearDown() override {
    // Before what they stand on.
    loop.reset();
    planner.reset();
  }
  /// Of one GPU each.
  void SubmitMany(const std::string& institute, int count, Seconds duration) {
    std::vector<PreparedSubmissions> calls;
    for (int i = 0; i < count; ++i) {
      Submission one = Ask(institute, "a" + std::to_string(i), 1, duration);
      one.request.gpus_per_node = 1;
      calls.push_back(Must(Prepare(*context, As(Member(institute)), {one})));
    }
    for (const auto& made : SubmitTogether(*context, calls)) Must(made);
  }
  int CountOf(AllocationState state) {
    int count = 0;
    store::PageRequest page{.size = 1'000, .after = {}};
    for (bool more = true; more;) {
      const auto found = Must(ListAllocations(*context, Operator(), {.states = {state}}, page));
      count += static_cast<int>(found.items.size());
      more = found.more;
      if (more) page.after = found.items.back().id.str();
    }
    return count;
  }
  Revision Present() { return Must(PresentRevision(*context, Operator())); }
  /// From now on, before the transaction of that number that writes.
  void BeforeWrite(int number, std::function<Status()> what) {
    hooked_->before = [number, what = std::move(what), writes = 0](store::Access access) mutable {
      if (access != store::Access::kWrite || ++writes != number) return Status(Ok{});
      return what();
    };
  }

  std::unique_ptr<HookedStore> hooked_;
  std::unique_ptr<Context> through_;
};

class LargePassTest : public PartsTest {};

TEST_F(LargePassTest, WhatStartsIsWrittenFirst) {
  SubmitMany("snu", 1'300, Hours(1));
  BeforeWrite(2, [] { return StateError(Reason::kStoreUnavailable, "The database is too busy."); });
  EXPECT_EQ(ReasonOf(loop->Turn()), Reason::kStoreUnavailable);
  EXPECT_EQ(CountOf(AllocationState::kProvisioning), 32);
  EXPECT_EQ(CountOf(AllocationState::kPending), 1'268);
  const Revision before = Present();
  const auto report = Must(loop->Turn());
  ASSERT_TRUE(report);
  EXPECT_EQ(report->applied.planned, 1'268);
  EXPECT_EQ(CountOf(AllocationState::kPlanned), 1'268);
  EXPECT_EQ(Present(), before + 2) << "a thousand at a time";
}

TEST_F(LargePassTest, AFewForecastsAreWrittenWithWhatStarts) {
  SubmitMany("snu", 100, Hours(1));
  const Revision before = Present();
  Must(loop->Turn());
  EXPECT_EQ(CountOf(AllocationState::kPlanned), 68);
  EXPECT_EQ(Present(), before + 1);
}

TEST_F(LargePassTest, WhatIsOnlyForetoldWaitsForTheNextPassWhenItTakesLong) {
  SubmitMany("snu", 2'500, Hours(1));
  hooked_->before = [this](store::Access access) {
    if (access == store::Access::kWrite) clock.Advance(Seconds{1});
    return Ok{};
  };
  const auto report = Must(loop->Turn());
  ASSERT_TRUE(report);
  EXPECT_EQ(report->applied.reserved, 32);
  EXPECT_EQ(report->applied.left, 2'468);
  Must(loop->Turn());
  EXPECT_EQ(CountOf(AllocationState::kPlanned), 1'000) << "those first who were told nothing yet";
  Settle();
  EXPECT_EQ(CountOf(AllocationState::kPending), 0);
}

TEST_F(LargePassTest, WhoeverLosesTheLeadWritesNoMoreOfIt) {
  SubmitMany("snu", 1'300, Hours(1));
  BeforeWrite(2, [&]() -> Status {
    Must(store->Transact<std::optional<store::Leadership>>(
        store::Access::kWrite, store::Scope::Everything(), [&](store::Tx& tx) {
          return tx.AcquireLeadership("server-2", 0, clock.Now() + Hours(1), Seconds{3});
        }));
    return Ok{};
  });
  EXPECT_EQ(ReasonOf(loop->Turn()), Reason::kNotLeader);
  EXPECT_FALSE(loop->leading());
  EXPECT_EQ(CountOf(AllocationState::kProvisioning), 32);
  EXPECT_EQ(CountOf(AllocationState::kPlanned), 0);
}

class LargeSweepTest : public PartsTest {
 protected:
  static constexpr int kNodes = 64;

  Inventory ManyNodes(int64_t generation, bool healthy) const {
    Inventory inventory{
        .cluster = ClusterId("c"), .session = session, .generation = generation, .nodes = {}};
    for (int i = 0; i < kNodes; ++i) {
      inventory.nodes.push_back(
          {.name = "m" + std::to_string(i), .healthy = healthy, .reason = healthy ? "" : "fan"});
    }
    return inventory;
  }
  /// So many run, for an hour.
  void Run(int count) {
    Must(SyncInventory(*context, Agent(), ManyNodes(2, true)));
    SetQuota("snu/p", 8 * kNodes, 1'000'000);
    SubmitMany("snu", count, Hours(1));
    Settle();
    for (auto orders = Pull(); !orders.empty(); orders = Pull()) {
      for (const Order& order : orders) Ack(order);
    }
    ASSERT_EQ(CountOf(AllocationState::kActive), count);
  }
  Due WhatIsDueNow() {
    Due due;
    Must(planner->Read([&](const PoolView& view) { due = WhatIsDue(view, {}, clock.Now()); }));
    return due;
  }
  /// How many statements a sweep of what is due takes.
  std::size_t StatementsOfASweep() {
    testing::StatementTap tap(database_url);
    const auto tapped = testing::OpenTestStore(tap.url());
    const Context context_of_tap{*tapped, clock, ids, policies};
    const Due due = WhatIsDueNow();
    tap.Take();
    Must(Sweep(context_of_tap, due, 1));
    return tap.Take().size();
  }
};

TEST_F(LargeSweepTest, WindowsThatEndTogetherTakeFewStatements) {
  if (database_url.empty()) GTEST_SKIP() << "a store in memory has no statements";
  Run(500);
  clock.Advance(Hours(1));
  EXPECT_LT(StatementsOfASweep(), 60U);
  EXPECT_EQ(CountOf(AllocationState::kReleasing), 500);
}

TEST_F(LargeSweepTest, WorkOnNodesThatAreLostTakesFewStatements) {
  if (database_url.empty()) GTEST_SKIP() << "a store in memory has no statements";
  Run(500);
  Must(SyncInventory(*context, Agent(), ManyNodes(3, false)));
  EXPECT_LT(StatementsOfASweep(), 60U);
  EXPECT_EQ(CountOf(AllocationState::kPending), 500);
  const Allocation one = Get("snu/p/a0");
  EXPECT_EQ(one.reason, "node_lost");
  EXPECT_THAT(one.message, ::testing::HasSubstr(" is down (fan); it is planned anew"));
}

TEST_F(LargeSweepTest, WhatIsLostForGoodIsChargedOnce) {
  policy.node_loss = NodeLoss::kFail;
  Run(300);
  clock.Advance(Minutes(30));
  Must(SyncInventory(*context, Agent(), ManyNodes(3, false)));
  Must(Sweep(*through_, WhatIsDueNow(), 1));
  EXPECT_EQ(CountOf(AllocationState::kFailed), 300);
  EXPECT_EQ(Must(GetQuota(*context, Member("snu"), ProjectId("snu/p"))).usage.used,
            GpuSeconds::FromCount(300 * 1'800));
  for (auto orders = Pull(); !orders.empty(); orders = Pull()) {
    for (const Order& order : orders) Ack(order);
  }
  EXPECT_EQ(Must(GetQuota(*context, Member("snu"), ProjectId("snu/p"))).usage.used,
            GpuSeconds::FromCount(300 * 1'800));
}

TEST_F(LargeSweepTest, ThoseWhoSubmitDoNotWaitForItsEnd) {
  Run(500);
  clock.Advance(Hours(1));
  int swept_before = 0;
  BeforeWrite(2, [&]() -> Status {
    swept_before = CountOf(AllocationState::kReleasing);
    SubmitAs("snu", "between", 1, Hours(1));
    return Ok{};
  });
  EXPECT_EQ(Must(Sweep(*through_, WhatIsDueNow(), 1)).releasing, 500);
  EXPECT_EQ(swept_before, 200);
  EXPECT_EQ(Get("snu/p/between").state, AllocationState::kPending);
}

TEST_F(LargeSweepTest, WhoeverDoesNotLeadAnyMoreLeavesTheRest) {
  Run(300);
  clock.Advance(Hours(1));
  EXPECT_EQ(Must(Sweep(*through_, WhatIsDueNow(), 1, [] { return false; })).releasing, 200);
  EXPECT_EQ(CountOf(AllocationState::kActive), 100);
  EXPECT_EQ(Must(Sweep(*through_, WhatIsDueNow(), 1)).releasing, 100) << "found again";
}

}  // namespace
}  // namespace allot::control
