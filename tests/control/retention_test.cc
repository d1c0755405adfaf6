#include "allot/control/retention.h"
#include "allot/control/watch.h"
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

}  // namespace
}  // namespace allot::control
