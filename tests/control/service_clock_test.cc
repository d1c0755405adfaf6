#include "allot/control/service_clock.h"

#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "support/manual_clock.h"

namespace allot::control {
namespace {

/// Another clock, at the next reading of which something happens before and behind.
class InterruptedClock final : public Clock {
 public:
  explicit InterruptedClock(const Clock& clock) : clock_(clock) {}
  Instant Now() const override {
    if (const auto happens = std::exchange(before_read, {})) happens();
    const Instant now = clock_.Now();
    if (const auto happens = std::exchange(behind_read, {})) happens();
    return now;
  }

  mutable std::function<void()> before_read;
  mutable std::function<void()> behind_read;

 private:
  const Clock& clock_;
};

/// Three clocks that can be set each by itself, compared once a second.
class ServiceClockTest : public ::testing::Test {
 protected:
  void PassSeconds(int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      PassMicros(1'000'000);
      clock_.Compare(store_.Now(), steady_ - 2'000, steady_);
    }
  }
  void PassMicros(int64_t micros) {
    steady_ += micros;
    machine_.Set({machine_.Now().micros + micros});
    store_.Set({store_.Now().micros + micros});
  }
  /// Its owner is interrupted once as it reads the machine's clock: for so long before it is told
  /// the time, and for so long behind that.
  void InterruptNext(int64_t before_micros, int64_t behind_micros) {
    looked_at_.before_read = [this, before_micros] { PassMicros(before_micros); };
    looked_at_.behind_read = [this, behind_micros] { PassMicros(behind_micros); };
  }
  /// Seconds that it is ahead of the true time.
  int64_t Ahead() const { return (clock_.Now().micros - (kStart.micros + steady_)) / 1'000'000; }

  static constexpr Instant kStart{1'800'000'000'000'000};
  int64_t steady_ = 1;
  testing::ManualClock machine_{kStart};
  testing::ManualClock store_{kStart};
  InterruptedClock looked_at_{machine_};
  ServiceClock clock_{looked_at_, [this] { return steady_; }};
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

/// Which of the two clocks at the border is right is not for one reading to say.
class BorderTest : public ServiceClockTest {
 protected:
  /// The store's has drifted until its own clock went on by itself, just this side of the border.
  void SetUp() override {
    PassSeconds(2);
    while (clock_.store_ahead_micros() < 1'000) Drift(1);
    ASSERT_LT(clock_.machine_ahead_micros(), -4'999'000);
    ASSERT_GE(clock_.machine_ahead_micros(), -5'000'000);
  }
  /// 100 us a second, by which its own clock is behind while it follows.
  void Drift(int64_t seconds) {
    for (int64_t i = 0; i < seconds; ++i) {
      store_.Set({store_.Now().micros + 100});
      PassSeconds(1);
    }
  }
};

TEST_F(BorderTest, AReadingThatIsInterruptedDoesNotHaveItFollowTheStore) {
  InterruptNext(0, 20'000);
  Drift(1);
  ASSERT_LT(clock_.machine_ahead_micros(), -5'000'000) << "beyond the border, by that reading";
  EXPECT_TRUE(clock_.is_sure());
  Drift(65'000);
  EXPECT_TRUE(clock_.is_sure());
  EXPECT_EQ(Ahead(), 0) << "by then it goes with the machine";
}

TEST_F(BorderTest, AMachineThatIsSetBackALittleIsStillFollowedInTheEnd) {
  machine_.Set({machine_.Now().micros - 500'000});
  Instant before = clock_.Now();
  for (int i = 0; i < 65'000; ++i) {
    Drift(1);
    ASSERT_TRUE(clock_.is_sure()) << "after " << i << " s";
    ASSERT_GE(clock_.Now(), before) << "after " << i << " s";
    before = clock_.Now();
  }
  EXPECT_EQ(clock_.machine_ahead_micros(), 0);
}

TEST_F(ServiceClockTest, AnInterruptionIsSharedByBothSidesOfTheReading) {
  PassSeconds(2);
  const int64_t ahead = clock_.machine_ahead_micros();
  InterruptNext(20'000, 20'000);
  PassSeconds(1);
  EXPECT_EQ(clock_.machine_ahead_micros(), ahead);
  machine_.Advance(Seconds{3});
  InterruptNext(0, 1'100'000);
  PassSeconds(1);
  EXPECT_EQ(clock_.machine_ahead_micros(), ahead) << "what took long says nothing";
  PassSeconds(1);
  EXPECT_EQ(clock_.machine_ahead_micros(), ahead + 3'000'000);
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
