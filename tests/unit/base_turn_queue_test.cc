#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "allot/base/turn_queue.h"

namespace allot {
namespace {

using ::testing::ElementsAre;
using Queue = TurnQueue<std::string>;

std::size_t One(const std::string&) { return 1; }

TEST(TurnQueue, TakesOneOfEachPartyInTurn) {
  Queue queue({.queue_max = 10, .line_max = 10});
  for (const char* item : {"a1", "a2", "a3"}) queue.Push("a", item);
  queue.Push("b", "b1");
  queue.Push("c", "c1");
  EXPECT_THAT(queue.Take(4, One), ElementsAre("a1", "b1", "c1", "a2"));
  queue.Push("b", "b2");
  EXPECT_THAT(queue.Take(9, One), ElementsAre("a3", "b2"));
  EXPECT_TRUE(queue.empty());
}

TEST(TurnQueue, RefusesWhatALineOrTheWholeCannotHold) {
  Queue queue({.queue_max = 3, .line_max = 2});
  EXPECT_EQ(queue.Push("a", "a1"), QueueVerdict::kTaken);
  EXPECT_EQ(queue.Push("a", "a2"), QueueVerdict::kTaken);
  EXPECT_EQ(queue.Push("a", "a3"), QueueVerdict::kLineFull);
  EXPECT_EQ(queue.Push("b", "b1"), QueueVerdict::kTaken);
  EXPECT_EQ(queue.Push("c", "c1"), QueueVerdict::kQueueFull);
  EXPECT_THAT(queue.Take(9, One), ElementsAre("a1", "b1", "a2"));
  EXPECT_EQ(queue.Push("c", "c1"), QueueVerdict::kTaken) << "nothing stays of what was refused";
  EXPECT_THAT(queue.Take(9, One), ElementsAre("c1"));
}

TEST(TurnQueue, TakesWhatIsTooHeavyAlone) {
  Queue queue({.queue_max = 9, .line_max = 9});
  for (const char* item : {"xxx", "xxxxx", "x"}) queue.Push("a", item);
  const auto length = [](const std::string& item) { return item.size(); };
  EXPECT_THAT(queue.Take(4, length), ElementsAre("xxx"));
  EXPECT_THAT(queue.Take(4, length), ElementsAre("xxxxx"));
  EXPECT_THAT(queue.Take(4, length), ElementsAre("x"));
  EXPECT_TRUE(queue.Take(4, length).empty());
}

}  // namespace
}  // namespace allot
