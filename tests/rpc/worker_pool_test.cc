#include "rpc/worker_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <latch>
#include <vector>

#include "rpc/known_callers.h"

namespace allot::rpc {
namespace {

using ::testing::ElementsAre;

/// A job that says that it runs, and goes on until it is let.
class Block {
 public:
  std::function<void()> Job() {
    return [this] {
      running_.set_value();
      ended_.get_future().wait();
    };
  }
  void AwaitRunning() { running_.get_future().wait(); }
  void End() { ended_.set_value(); }

 private:
  std::promise<void> running_;
  std::promise<void> ended_;
};

TEST(WorkerPool, RefusesWhatItsQueueCannotHold) {
  Block block;
  WorkerPool pool({.threads = 1, .queue_max = 2, .line_max = 9, .threads_a_party = 1});
  ASSERT_EQ(pool.TryRun("a", block.Job()), QueueVerdict::kTaken);
  block.AwaitRunning();
  int ran = 0;
  EXPECT_EQ(pool.TryRun("a", [&] { ++ran; }), QueueVerdict::kTaken);
  EXPECT_EQ(pool.TryRun("b", [&] { ++ran; }), QueueVerdict::kTaken);
  EXPECT_EQ(pool.TryRun("c", [&] { ++ran; }), QueueVerdict::kQueueFull);
  block.End();
  pool.Stop();
  EXPECT_EQ(ran, 2);
  EXPECT_EQ(pool.TryRun("a", [] {}), QueueVerdict::kStopped);
}

TEST(WorkerPool, APartysFullLineIsNobodyElses) {
  Block block;
  WorkerPool pool({.threads = 1, .queue_max = 9, .line_max = 2, .threads_a_party = 1});
  ASSERT_EQ(pool.TryRun("flood", block.Job()), QueueVerdict::kTaken);
  block.AwaitRunning();
  EXPECT_EQ(pool.TryRun("flood", [] {}), QueueVerdict::kTaken);
  EXPECT_EQ(pool.TryRun("flood", [] {}), QueueVerdict::kTaken);
  EXPECT_EQ(pool.TryRun("flood", [] {}), QueueVerdict::kLineFull);
  EXPECT_EQ(pool.TryRun("other", [] {}), QueueVerdict::kTaken);
  block.End();
}

TEST(WorkerPool, PartiesAreServedInTurnAndEachInItsOwnOrder) {
  Block block;
  std::vector<std::string> order;
  {
    WorkerPool pool({.threads = 1, .queue_max = 99, .line_max = 99, .threads_a_party = 1});
    ASSERT_EQ(pool.TryRun("z", block.Job()), QueueVerdict::kTaken);
    block.AwaitRunning();
    for (const char* job : {"flood 1", "flood 2", "flood 3"}) {
      pool.TryRun("flood", [&order, job] { order.emplace_back(job); });
    }
    pool.TryRun("b", [&] { order.emplace_back("b 1"); });
    pool.TryRun("b", [&] { order.emplace_back("b 2"); });
    pool.TryRun("c", [&] { order.emplace_back("c 1"); });
    block.End();
  }
  EXPECT_THAT(order, ElementsAre("flood 1", "b 1", "c 1", "flood 2", "b 2", "flood 3"));
}

TEST(WorkerPool, APartyNeverHasAllThreads) {
  std::array<Block, 2> blocks;
  WorkerPool pool({.threads = 3, .queue_max = 99, .line_max = 99, .threads_a_party = 2});
  for (Block& block : blocks) pool.TryRun("flood", block.Job());
  for (Block& block : blocks) block.AwaitRunning();
  std::atomic<bool> third_ran = false;
  pool.TryRun("flood", [&] { third_ran = true; });
  std::promise<void> other_ran;
  pool.TryRun("other", [&] { other_ran.set_value(); });
  other_ran.get_future().wait();
  EXPECT_FALSE(third_ran) << "while a thread was free";
  for (Block& block : blocks) block.End();
  pool.Stop();
  EXPECT_TRUE(third_ran);
}

TEST(WorkerPool, RunsEverythingOnceWhoeverSendsHowever) {
  constexpr int kSenders = 8;
  constexpr int kJobs = 2'000;
  std::array<std::atomic<int>, kSenders> ran{};
  std::array<std::atomic<int>, kSenders> refused{};
  {
    WorkerPool pool({.threads = 4, .queue_max = 64, .line_max = 16, .threads_a_party = 2});
    std::vector<std::jthread> senders;
    for (std::size_t sender = 0; sender < kSenders; ++sender) {
      senders.emplace_back([&, sender] {
        for (int i = 0; i < kJobs; ++i) {
          const auto admission =
              pool.TryRun(std::to_string(sender % 5), [&ran, sender] { ++ran[sender]; });
          if (admission != QueueVerdict::kTaken) ++refused[sender];
        }
      });
    }
  }
  for (std::size_t sender = 0; sender < kSenders; ++sender) {
    EXPECT_EQ(ran[sender] + refused[sender], kJobs);
  }
}

TEST(KnownCallers, StandInTheLineOfTheirInstituteOrProviderOrKey) {
  KnownCallers known;
  EXPECT_EQ(known.PartyOf("k1"), known.PartyOf("k2")) << "nobody knows them";
  known.Learn("k1", {.key = KeyId("1"), .institute = InstituteId("snu")});
  known.Learn("k2", {.key = KeyId("2"), .institute = InstituteId("snu")});
  known.Learn("k3", {.key = KeyId("3"), .role = Role::kProvider, .provider = ProviderId("snu")});
  known.Learn("k4", {.key = KeyId("4"), .role = Role::kOperator});
  known.Learn("k5", {.key = KeyId("5"), .role = Role::kOperator});
  EXPECT_EQ(known.PartyOf("k1"), known.PartyOf("k2"));
  EXPECT_NE(known.PartyOf("k1"), known.PartyOf("k3"));
  EXPECT_NE(known.PartyOf("k4"), known.PartyOf("k5"));
  EXPECT_NE(known.PartyOf("k1"), known.PartyOf("nobody"));
  known.Forget("k4");
  EXPECT_EQ(known.PartyOf("k4"), known.PartyOf("nobody"));
}

}  // namespace
}  // namespace allot::rpc
