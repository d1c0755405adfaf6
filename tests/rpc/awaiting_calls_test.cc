#include "rpc/awaiting_calls.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>

#include "rpc/api_fixture.h"

namespace allot::rpc {
namespace {

constexpr int64_t kHourMicros = 3'600'000'000;

class AwaitingCallsTest : public ::testing::Test {
 protected:
  static AwaitingCalls::Parked Call(const std::string& party, const std::string& name,
                                    int64_t start_micros) {
    return {.party = party,
            .in_the_name_of = name,
            .start_micros = start_micros,
            .expiry_micros = SteadyMicros() + kHourMicros,
            .seen_generation = 0,
            .look = [](bool) {},
            .end = [] {}};
  }

  WorkerPool pool_{{.threads = 1, .queue_max = 99, .line_max = 99, .threads_a_party = 1}};
};

TEST_F(AwaitingCallsTest, OfAPartyAndOfAllSoManyWait) {
  AwaitingCalls awaiting(pool_, {.calls_max = 3, .calls_a_party_max = 2}, SteadyMicros, 3'600'000);
  EXPECT_EQ(awaiting.Park(Call("naver", "1", 1)), QueueVerdict::kTaken);
  EXPECT_EQ(awaiting.Park(Call("naver", "2", 1)), QueueVerdict::kTaken);
  EXPECT_EQ(awaiting.Park(Call("naver", "3", 1)), QueueVerdict::kLineFull);
  EXPECT_EQ(awaiting.Park(Call("naver", "2", 2)), QueueVerdict::kTaken)
      << "in an older one's place";
  EXPECT_EQ(awaiting.Park(Call("kakao", "4", 1)), QueueVerdict::kTaken);
  EXPECT_EQ(awaiting.Park(Call("nhn", "5", 1)), QueueVerdict::kQueueFull);
}

TEST_F(AwaitingCallsTest, TheNewerOfTwoInOneNameStays) {
  AwaitingCalls awaiting(pool_, {}, SteadyMicros, 3'600'000);
  std::string ended;
  auto first = Call("naver", "session", 1);
  first.end = [&] { ended += "first "; };
  auto second = Call("naver", "session", 2);
  second.end = [&] { ended += "second "; };
  EXPECT_EQ(awaiting.Park(first), QueueVerdict::kTaken);
  EXPECT_EQ(awaiting.Park(second), QueueVerdict::kTaken);
  EXPECT_EQ(ended, "first ");
  // As if it had looked meanwhile.
  EXPECT_EQ(awaiting.Park(first), QueueVerdict::kTaken);
  EXPECT_EQ(ended, "first first ");
}

TEST_F(AwaitingCallsTest, WhenOneIsOverOnlyThatOneLooks) {
  AwaitingCalls awaiting(pool_, {}, SteadyMicros, 3'600'000);
  std::atomic<int> looks = 0;
  // The first turn has everybody look: its poll is due. From then on there is an hour.
  std::promise<void> first_turn;
  auto early = Call("naver", "0", 1);
  early.look = [&](bool) { first_turn.set_value(); };
  awaiting.Park(early);
  awaiting.Notify();
  first_turn.get_future().wait();

  auto goes_on = Call("naver", "1", 1);
  goes_on.seen_generation = awaiting.generation();
  goes_on.look = [&](bool) { ++looks; };
  auto ends = Call("kakao", "2", 1);
  ends.seen_generation = awaiting.generation();
  ends.expiry_micros = SteadyMicros() + 50'000;
  std::promise<bool> looked;
  ends.look = [&](bool last) { looked.set_value(last); };
  awaiting.Park(goes_on);
  awaiting.Park(ends);
  EXPECT_TRUE(looked.get_future().get());
  awaiting.Stop();
  pool_.Stop();
  EXPECT_EQ(looks, 0);
}

}  // namespace
}  // namespace allot::rpc
