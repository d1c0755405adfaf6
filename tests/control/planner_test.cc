#include "allot/control/planner.h"

#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <set>
#include <thread>
#include <vector>

#include "allot/control/explain_allocation.h"
#include "control/hooked_store.h"
#include "control/world.h"

namespace allot::control {
namespace {

class PlannerTest : public World {
 protected:
  void SetUp() override {
    World::SetUp();
    hooked_ = std::make_unique<HookedStore>(*store);
    through_ = std::make_unique<Context>(Context{*hooked_, clock, ids, policies});
    asked_ = std::make_unique<Planner>(*through_);
  }
  int Loads() {
    int loads = 0;
    Must(asked_->Read([&](const PoolView& view) { loads = view.loads(); }));
    return loads;
  }

  std::unique_ptr<HookedStore> hooked_;
  std::unique_ptr<Context> through_;
  std::unique_ptr<Planner> asked_;
};

// What was too much to read at once is more at the next try.
TEST_F(PlannerTest, AViewThatCouldNotBeRefreshedIsLoadedAnew) {
  EXPECT_EQ(Loads(), 1);
  SubmitAs("snu", "a", 1, Hours(1));
  EXPECT_EQ(Loads(), 1) << "only what changed";
  hooked_->before = [](store::Access) { return StateError(Reason::kStoreUnavailable, "gone"); };
  SubmitAs("snu", "b", 1, Hours(1));
  EXPECT_EQ(ReasonOf(asked_->Plan()), Reason::kStoreUnavailable);
  hooked_->before = [](store::Access) { return Ok{}; };
  EXPECT_EQ(Loads(), 2);
  const auto pass = Must(asked_->Plan());
  EXPECT_EQ(pass->waiting.size(), 2U);
  EXPECT_EQ(Must(asked_->Latest()), pass);
  EXPECT_EQ(Loads(), 2);
  // Of the same revision, as far as its number goes.
  hooked_->before = [](store::Access) { return StateError(Reason::kStoreUnavailable, "gone"); };
  EXPECT_EQ(ReasonOf(asked_->Latest()), Reason::kStoreUnavailable);
  hooked_->before = [](store::Access) { return Ok{}; };
  EXPECT_NE(Must(asked_->Latest()), pass);
}

class AskersTest : public PlannerTest {
 protected:
  /// All of them wait before the first of them is told the revision, and after each look there is
  /// another.
  std::vector<std::future<Result<std::shared_ptr<const Pass>>>> AskAtOnce(int askers) {
    hooked_->before = [this, askers](store::Access) {
      while (!all_came_ && asked_->askers() < askers) std::this_thread::yield();
      all_came_ = true;
      SubmitAs("snu", "a" + std::to_string(++commits_), 1, Hours(1));
      return Ok{};
    };
    std::vector<std::future<Result<std::shared_ptr<const Pass>>>> asking;
    for (int i = 0; i < askers; ++i) {
      asking.push_back(std::async(std::launch::async, [this] { return asked_->Latest(); }));
    }
    return asking;
  }

  std::atomic<bool> all_came_ = false;
  std::atomic<int> commits_ = 0;
};

TEST_F(AskersTest, ThoseWhoAskAtOnceShareAPlan) {
  auto asking = AskAtOnce(kAskersMax);
  std::set<std::shared_ptr<const Pass>> plans;
  for (auto& one : asking) plans.insert(Must(one.get()));
  EXPECT_LE(plans.size(), 2U) << "one that was begun before the last of them came, and one after";
  EXPECT_EQ(asked_->askers(), 0);
  const auto next = Must(asked_->Latest());
  EXPECT_FALSE(plans.contains(next)) << "it is of a later revision";
}

TEST_F(AskersTest, APlanIsSharedOnlyByThoseWhoCameBeforeIt) {
  std::promise<void> looked;
  std::promise<void> go_on;
  std::atomic<int> looks = 0;
  hooked_->before = [&](store::Access access) {
    if (access == store::Access::kRead && ++looks == 1) {
      looked.set_value();
      go_on.get_future().wait();
    }
    return Ok{};
  };
  auto first = std::async(std::launch::async, [&] { return asked_->Latest(); });
  looked.get_future().wait();
  // The first may see it or not; who asks now must.
  SubmitAs("snu", "a", 1, Hours(1));
  auto second = std::async(std::launch::async, [&] { return asked_->Latest(); });
  while (asked_->askers() < 2) std::this_thread::yield();
  SubmitAs("snu", "b", 1, Hours(1));
  go_on.set_value();
  Must(first.get());
  EXPECT_EQ(Must(second.get())->waiting.size(), 2U);
  EXPECT_EQ(looks, 2) << "the second looked by itself";
}

TEST_F(AskersTest, WhoComesWhenTooManyWaitIsRefused) {
  std::promise<void> go_on;
  const auto going = go_on.get_future().share();
  hooked_->before = [&](store::Access) {
    going.wait();
    return Ok{};
  };
  std::vector<std::future<Result<std::shared_ptr<const Pass>>>> asking;
  for (int i = 0; i < kAskersMax; ++i) {
    asking.push_back(std::async(std::launch::async, [this] { return asked_->Latest(); }));
  }
  while (asked_->askers() < kAskersMax) std::this_thread::yield();
  EXPECT_EQ(ReasonOf(ExplainAllocation(*through_, Member("snu"), *asked_, AllocationId("snu/p/a"))),
            Reason::kOverloaded);
  std::vector<Allocation> validated(1);
  EXPECT_EQ(ReasonOf(asked_->Foretell(validated)), Reason::kOverloaded);
  go_on.set_value();
  for (auto& one : asking) Must(one.get());
  Must(asked_->Latest());
}

}  // namespace
}  // namespace allot::control
