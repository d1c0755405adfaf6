#include "allot/control/service_clock.h"

#include <gtest/gtest.h>

#include "support/manual_clock.h"

namespace allot::control {
namespace {

/// Three clocks that can be set each by itself, compared once a second.
class ServiceClockTest : public ::testing::Test {
 protected:
  void PassSeconds(int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      steady_ += 1'000'000;
      machine_.Advance(Seconds{1});
      store_.Advance(Seconds{1});
      clock_.Compare(store_.Now(), steady_ - 2'000, steady_);
    }
  }
  /// Seconds that it is ahead of the true time.
  int64_t Ahead() const { return (clock_.Now().micros - (kStart.micros + steady_)) / 1'000'000; }

  static constexpr Instant kStart{1'800'000'000'000'000};
  int64_t steady_ = 1;
  testing::ManualClock machine_{kStart};
  testing::ManualClock store_{kStart};
  ServiceClock clock_{machine_, [this] { return steady_; }};
};

TEST_F(ServiceClockTest, GoesWithTheStoreAndTheMachine) {
  EXPECT_FALSE(clock_.is_sure()) << "nothing was compared";
  PassSeconds(100);
  EXPECT_TRUE(clock_.is_sure());
  EXPECT_EQ(Ahead(), 0);
}

TEST_F(ServiceClockTest, AMachineWhoseClockIsSetDoesNotMoveIt) {
  PassSeconds(1);
  machine_.Advance(Days(1));
  PassSeconds(100);
  EXPECT_TRUE(clock_.is_sure());
  EXPECT_EQ(Ahead(), 0);
}

TEST_F(ServiceClockTest, AStoreThatMovesToAMachineWithAWrongClockDoesNotMoveIt) {
  PassSeconds(1);
  store_.Advance(Days(1));
  PassSeconds(100);
  EXPECT_TRUE(clock_.is_sure());
  EXPECT_EQ(Ahead(), 0);
}

TEST_F(ServiceClockTest, TwoThatAreSetTogetherAreFollowedAtOnce) {
  PassSeconds(1);
  store_.Advance(Days(1));
  machine_.Advance(Days(1));
  PassSeconds(1);
  EXPECT_TRUE(clock_.is_sure());
  EXPECT_EQ(Ahead(), 86'400);
  store_.Advance(Seconds{-86'400});
  machine_.Advance(Seconds{-86'400});
  PassSeconds(1);
  EXPECT_EQ(Ahead(), 0);
}

TEST_F(ServiceClockTest, WhoStartsWithAWrongClockGoesByTheStoreAndIsNotSure) {
  machine_.Advance(Days(1));
  PassSeconds(10);
  EXPECT_FALSE(clock_.is_sure());
  EXPECT_EQ(Ahead(), 0);
  machine_.Advance(Seconds{-86'400});
  PassSeconds(1);
  EXPECT_TRUE(clock_.is_sure());
}

TEST_F(ServiceClockTest, WhenAllThreeDifferItGoesOnAndIsNotSure) {
  PassSeconds(1);
  store_.Advance(Days(1));
  machine_.Advance(Days(2));
  PassSeconds(10);
  EXPECT_FALSE(clock_.is_sure());
  EXPECT_EQ(Ahead(), 0);
  store_.Advance(Seconds{-86'400});
  PassSeconds(1);
  EXPECT_TRUE(clock_.is_sure());
}

TEST_F(ServiceClockTest, ASmallDifferenceIsPutRightWithoutGoingBack) {
  PassSeconds(1);
  store_.Advance(Seconds{-4});
  Instant before = clock_.Now();
  for (int i = 0; i < 100; ++i) {
    PassSeconds(1);
    EXPECT_GT(clock_.Now(), before);
    before = clock_.Now();
  }
  EXPECT_EQ(clock_.store_ahead_micros() / 100'000, 0);
  EXPECT_TRUE(clock_.is_sure());
}

TEST_F(ServiceClockTest, WhoReadsItNeverSeesItGoBack) {
  PassSeconds(1);
  store_.Advance(Seconds{-4});
  for (int i = 0; i < 10; ++i) {
    const Instant before = clock_.Now();
    clock_.Compare(store_.Now(), steady_ - 2'000, steady_);
    EXPECT_GE(clock_.Now(), before);
    PassSeconds(1);
  }
}

TEST_F(ServiceClockTest, AfterABreakNothingIsPutRightAtOnce) {
  PassSeconds(1);
  steady_ += 600'000'000;
  machine_.Advance(Minutes(10));
  store_.Advance(Minutes(10) + Seconds{4});
  clock_.Compare(store_.Now(), steady_ - 2'000, steady_);
  EXPECT_EQ(Ahead(), 0);
}

TEST_F(ServiceClockTest, AStoreThatDriftsDoesNotTakeItAlong) {
  PassSeconds(1);
  // 5 ms a second: 50 s in the end, and never a step.
  for (int i = 0; i < 10'000; ++i) {
    store_.Set({store_.Now().micros + 5'000});
    PassSeconds(1);
    ASSERT_LE(Ahead(), 5) << "after " << i << " s";
  }
  EXPECT_TRUE(clock_.is_sure());
  EXPECT_EQ(Ahead(), 0) << "by then it goes with the machine";
}

TEST_F(ServiceClockTest, AMachineThatDriftsDoesNotTakeItAlong) {
  PassSeconds(1);
  for (int i = 0; i < 10'000; ++i) {
    machine_.Set({machine_.Now().micros + 5'000});
    PassSeconds(1);
    ASSERT_EQ(Ahead(), 0) << "after " << i << " s";
  }
  EXPECT_TRUE(clock_.is_sure());
}

TEST_F(ServiceClockTest, AnAnswerThatTookLongSaysNothing) {
  PassSeconds(1);
  clock_.Compare(kStart + Days(1), steady_ - 3'000'000, steady_);
  EXPECT_EQ(Ahead(), 0);
  EXPECT_EQ(clock_.store_ahead_micros() / 1'000'000, 0);
}

}  // namespace
}  // namespace allot::control
