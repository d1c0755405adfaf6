// A plan that keeps off what is set aside is broken in one way at a time; the checker must name
// each.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "allot/scheduler/check_plan.h"
#include "support/snapshot_builder.h"

namespace allot::scheduler {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using testing::SnapshotBuilder;

constexpr Instant kNow = SnapshotBuilder::kNow;

// n01 and n02 are the first project's in six hours, n03 is nobody's then; n04 is everybody's.
Snapshot SmallPool() {
  SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 4);
  builder.Project("i/p");
  builder.Project("i/q");
  builder.Pending("i/p/own", "i/p", {2, 8, 0}, Hours(3)).request.earliest_start = kNow + Hours(6);
  builder.Pending("i/q/other", "i/q", {1, 8, 0}, Hours(3)).request.earliest_start = kNow + Hours(6);
  Snapshot snapshot = builder.Build();
  const TimeWindow window = *TimeWindow::Make(kNow + Hours(6), kNow + Hours(10));
  snapshot.reservations = {{ReservationId("a/launch"), 0, {0, 1}, {window}},
                           {ReservationId("a/repair"), std::nullopt, {2}, {window}}};
  Canonicalise(snapshot);
  return snapshot;
}

class CheckReservationsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(CheckPlan(snapshot_, policy_, plan_), std::vector<std::string>{});
    ASSERT_EQ(Own().nodes, (std::vector<PlacedNode>{{0, 0xff}, {1, 0xff}}));
    ASSERT_EQ(Own().reservation, 0);
    ASSERT_EQ(Other().nodes, (std::vector<PlacedNode>{{3, 0xff}}));
  }
  Placement& Of(int pending) {
    return plan_.placements[plan_.placements[0].pending == pending ? 0 : 1];
  }
  Placement& Own() { return Of(0); }
  Placement& Other() { return Of(1); }
  void ExpectViolation(const std::string& text) {
    EXPECT_THAT(CheckPlan(snapshot_, policy_, plan_), Contains(HasSubstr(text)));
  }

  Snapshot snapshot_ = SmallPool();
  Policy policy_;
  Plan plan_ = Schedule(snapshot_, policy_);
};

TEST_F(CheckReservationsTest, OnWhatIsNobodys) {
  Other().nodes = {{2, 0xff}};
  ExpectViolation("i/q/other: is placed on a/n03, which is set aside by a/repair");
}
TEST_F(CheckReservationsTest, OnWhatIsAnothers) {
  Own().nodes = {{0, 0xff}, {3, 0xff}};
  Other().nodes = {{1, 0xff}};
  ExpectViolation("i/q/other: is placed on a/n02, which is set aside by a/launch");
}
TEST_F(CheckReservationsTest, OnItsOwnWithoutSayingSo) {
  Own().reservation.reset();
  ExpectViolation("i/p/own: is placed on a/n01, which is set aside by a/launch");
}
TEST_F(CheckReservationsTest, InOneThatIsNotItsProjects) {
  std::swap(Own().nodes, Other().nodes);
  Other().reservation = 0;
  ExpectViolation("i/q/other: is placed in a reservation that is not its project's");
}
TEST_F(CheckReservationsTest, InOneThatDoesNotExist) {
  Own().reservation = 2;
  ExpectViolation("i/p/own: is placed in a reservation that does not exist");
}
TEST_F(CheckReservationsTest, BesideItsNodes) {
  Own().nodes = {{0, 0xff}, {3, 0xff}};
  ExpectViolation("i/p/own: does not lie within its reservation, a/launch");
}
TEST_F(CheckReservationsTest, BeyondItsWindow) {
  Own().window = *TimeWindow::Make(kNow + Hours(8), kNow + Hours(11));
  ExpectViolation("i/p/own: does not lie within its reservation, a/launch");
}
TEST_F(CheckReservationsTest, BeforeItsClusterJoins) {
  snapshot_.clusters[0].join_time = kNow + Hours(7);
  ExpectViolation("i/p/own: starts before its cluster joins");
}
TEST_F(CheckReservationsTest, AfterItsClusterLeaves) {
  snapshot_.clusters[0].leave_time = kNow + Hours(8);
  ExpectViolation("i/p/own: ends after its cluster leaves");
}
TEST_F(CheckReservationsTest, APromiseLostToNoReservation) {
  snapshot_.pending[1].promise = {*TimeWindow::Make(kNow + Hours(6), kNow + Hours(9)), {{3, 0xff}}};
  plan_.slips = {{1, kNow + Hours(6), SlipCause::kReserved}};
  Other().window = *TimeWindow::Make(kNow + Hours(10), kNow + Hours(13));
  ExpectViolation("i/q/other: loses its promise though nothing is in the way");
}

// Providers need longer to clear GPUs than when it was promised: what ends shortly before its
// cluster leaves is lost to that date, by the planner's words and by the checker's.
TEST_F(CheckReservationsTest, APromiseLostToADateThatReleasesNoLongerMeet) {
  snapshot_.reservations.clear();
  snapshot_.clusters[0].leave_time = kNow + Hours(12);
  const Instant end = kNow + Hours(12) - Minutes(5);
  snapshot_.pending[1].promise = {*TimeWindow::Make(end - Hours(3), end), {{3, 0xff}}};
  policy_.release_time = Minutes(15);
  plan_ = Schedule(snapshot_, policy_);
  ASSERT_EQ(plan_.slips.size(), 0U) << "it starts earlier elsewhere";
  snapshot_.pending[1].request.earliest_start = end - Hours(3);
  plan_ = Schedule(snapshot_, policy_);
  ASSERT_EQ(plan_.slips, (std::vector<Slip>{{1, end - Hours(3), SlipCause::kClusterClosed}}));
  EXPECT_EQ(CheckPlan(snapshot_, policy_, plan_), std::vector<std::string>{});
}

}  // namespace
}  // namespace allot::scheduler
