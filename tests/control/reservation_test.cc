// Nodes set aside: planned around, kept for their project, refused over what others hold, and
// taking promises only when told to.
#include <gmock/gmock.h>

#include "allot/control/identity.h"
#include "allot/control/reservations.h"
#include "control/world.h"

namespace allot::control {
namespace {

using ::testing::HasSubstr;
using Kind = BookingConflict::Kind;

class ReservationTest : public World {
 protected:
  ReservationRequest Nodes(std::vector<std::string> names, Seconds in, Seconds length,
                           const std::string& project = "") const {
    ReservationRequest request;
    request.provider = ProviderId("prov");
    request.name = "r";
    request.reason = "demo";
    request.reservation.cluster = ClusterId("c");
    request.reservation.project = ProjectId(project);
    for (const std::string& name : names) request.reservation.nodes.emplace_back("c/" + name);
    request.reservation.window = *TimeWindow::Make(clock.Now() + in, clock.Now() + in + length);
    return request;
  }
  ReservationRequest Count(int nodes, Seconds in, Seconds length) const {
    ReservationRequest request = Nodes({}, in, length);
    request.node_count = nodes;
    return request;
  }
  static std::string Named(const ReservationDetail& detail) {
    std::string names;
    for (const NodeId& node : detail.reservation.nodes) names += node.str() + " ";
    return names;
  }
  void Run(const std::string& name, int nodes, Seconds duration) {
    SubmitAs("kist", name, nodes, duration);
    Settle();
    EnactAll();
  }
};

TEST_F(ReservationTest, ItsProjectRunsThereAndNobodyElse) {
  Must(CreateReservation(*context, As(Operator()),
                         Nodes({"n1", "n2", "n3"}, Hours(1), Hours(5), "snu/p")));
  SubmitAs("kist", "wide", 4, Hours(2));
  Submission own = Ask("snu", "own", 3, Hours(5));
  own.request.earliest_start = clock.Now() + Hours(1);
  Must(Submit(*context, As(Member("snu")), own));
  Settle();
  EXPECT_EQ(Get("snu/p/own").window->start(), clock.Now() + Hours(1));
  EXPECT_GE(Get("kist/p/wide").window->start(), clock.Now() + Hours(6));
  clock.Advance(Hours(1));
  Settle();
  EnactAll();
  EXPECT_EQ(Get("snu/p/own").state, AllocationState::kActive);
  EXPECT_EQ(Get("kist/p/wide").state, AllocationState::kPlanned);
}

TEST_F(ReservationTest, OnceCancelledItHoldsNoMore) {
  Must(CreateReservation(*context, As(Operator()), Nodes({"n1"}, Hours(1), Days(30))));
  SubmitAs("snu", "wide", 4, Hours(2));
  Settle();
  EXPECT_GE(Get("snu/p/wide").window->start(), clock.Now() + Days(30));
  const ReservationEnd end{
      .provider = ProviderId("prov"), .id = ReservationId("c/r"), .reason = "called off"};
  Must(CancelReservation(*context, As(Operator()), end));
  Settle();
  EXPECT_EQ(Get("snu/p/wide").state, AllocationState::kProvisioning);
  EXPECT_EQ(Must(CancelReservation(*context, As(Operator()), end)).reservation.version, 2)
      << "again: no change";
}

TEST_F(ReservationTest, ARepeatIsAnsweredAsTheFirstWasThoughItHasBegun) {
  Call call = As(Operator());
  call.request_id = "r1";
  call.body_sha256 = Sha256Hex("body");
  const auto request = Nodes({"n1"}, Seconds{0}, Hours(1));
  const auto first = Must(CreateReservation(*context, call, request));
  clock.Advance(Minutes(10));
  EXPECT_EQ(Must(CreateReservation(*context, call, request)).reservation, first.reservation);
  call.request_id = "r2";
  EXPECT_EQ(ReasonOf(CreateReservation(*context, call, request)), Reason::kTimeOutOfRange);
}

TEST_F(ReservationTest, OverWhatOthersHoldItIsRefusedByName) {
  Run("busy", 2, Hours(4));
  const auto request = Nodes({"n1", "n2", "n3"}, Hours(1), Hours(1));
  const auto refused = CreateReservation(*context, As(Operator()), request);
  EXPECT_EQ(ReasonOf(refused), Reason::kBookingConflict);
  EXPECT_THAT(refused.error().message, HasSubstr("kist/p/busy holds 2 nodes from"));
  Call dry = As(Operator());
  dry.validate_only = true;
  const auto shown = Must(CreateReservation(*context, dry, request));
  ASSERT_EQ(shown.conflicts.size(), 1U);
  EXPECT_EQ(shown.conflicts[0].kind, Kind::kHeld);
  EXPECT_EQ(shown.conflicts[0].nodes, 2);
  EXPECT_TRUE(Must(ListReservations(*context, Operator(), {}, {})).items.empty())
      << "nothing was changed";
  // Its own project's work is not in the way, nor is what ends before.
  auto own = request;
  own.reservation.project = ProjectId("kist/p");
  EXPECT_TRUE(CreateReservation(*context, dry, own)->conflicts.empty());
  EXPECT_EQ(ReasonOf(CreateReservation(*context, As(Operator()),
                                       Nodes({"n1", "n2"}, Hours(4), Hours(1)))),
            Reason::kBookingConflict)
      << "its provider has still to clear them";
  Must(CreateReservation(*context, As(Operator()),
                         Nodes({"n1", "n2"}, Hours(4) + policy.release_time, Hours(1))));
}

TEST_F(ReservationTest, ItsProjectsWorkOfFullLengthIsPromisedTheStart) {
  Must(CreateReservation(*context, As(Operator()),
                         Nodes({"n1", "n2"}, Hours(1), Hours(5), "snu/p")));
  Submission own = Ask("snu", "own", 2, Hours(5));
  own.request.earliest_start = clock.Now() + Hours(1);
  Must(Submit(*context, As(Member("snu")), own));
  Settle();
  const Allocation promised = Get("snu/p/own");
  EXPECT_TRUE(promised.promised);
  // A pass that comes a second late does not lose it the window.
  clock.Advance(Hours(1) + Seconds{1});
  Settle();
  EXPECT_EQ(Get("snu/p/own").state, AllocationState::kProvisioning);
  EXPECT_EQ(Get("snu/p/own").window, promised.window);
}

TEST_F(ReservationTest, OfACountItsOwnWiderGangIsLeftAlone) {
  policy.promise_nodes = 3;
  Run("running", 4, Hours(1));
  SubmitAs("snu", "gang", 3, Hours(6));
  Settle();
  ASSERT_TRUE(Get("snu/p/gang").promised);
  auto request = Count(1, Hours(3), Hours(2));
  request.reservation.project = ProjectId("snu/p");
  EXPECT_EQ(Named(Must(CreateReservation(*context, As(Operator()), request))), "c/n4 ");
}

TEST_F(ReservationTest, AStartDecidedBeforeTheDateWasSetDoesNotOutliveIt) {
  Settle();
  SubmitAs("snu", "long", 2, Hours(10));
  const auto pass = Must(planner->Plan());
  ASSERT_EQ(pass->plan.placements.size(), 1U);
  ClusterUpdate update;
  update.provider = ProviderId("prov");
  update.id = ClusterId("c");
  update.leave_time = std::optional(clock.Now() + Hours(5));
  update.reason = "contract";
  Must(UpdateCluster(*context, As(Operator()), update));
  EXPECT_EQ(Must(ApplyPlan(*context, *pass, 1)).reserved, 0);
}

TEST_F(ReservationTest, OfACountThoseLeastInTheWayAreTaken) {
  Run("busy", 2, Hours(4));
  const std::string busy =
      Must(GetAllocation(*context, Operator(), AllocationId("kist/p/busy"))).claims[0].node.str();
  EXPECT_EQ(busy, "c/n1");
  EXPECT_EQ(Named(Must(CreateReservation(*context, As(Operator()), Count(2, Hours(1), Hours(1))))),
            "c/n3 c/n4 ");
  auto more = Count(3, Hours(2), Hours(1));
  more.name = "more";
  EXPECT_EQ(ReasonOf(CreateReservation(*context, As(Operator()), more)), Reason::kBookingConflict);
  more.node_count = 5;
  EXPECT_EQ(ReasonOf(CreateReservation(*context, As(Operator()), more)), Reason::kNodesOutOfRange);
}

TEST_F(ReservationTest, TwoOfThemDoNotMeet) {
  auto weekly = Nodes({"n1"}, Hours(1), Hours(1));
  weekly.reservation.repeat_every = Days(7);
  weekly.reservation.occurrences = 5;
  Must(CreateReservation(*context, As(Operator()), weekly));
  auto other = Nodes({"n1", "n2"}, Days(14) + Minutes(90), Hours(1));
  other.name = "other";
  const auto refused = CreateReservation(*context, As(Operator()), other);
  EXPECT_EQ(ReasonOf(refused), Reason::kBookingConflict);
  EXPECT_THAT(refused.error().message, HasSubstr("c/r has reserved 1 node"));
}

class OverAPromise : public ReservationTest {
 protected:
  void SetUp() override {
    ReservationTest::SetUp();
    policy.promise_nodes = 3;
    Run("running", 4, Hours(4));
    SubmitAs("snu", "gang", 3, Hours(6));
    Settle();
    promised_ = Get("snu/p/gang");
    ASSERT_TRUE(promised_.promised);
  }
  Allocation promised_;
};

TEST_F(OverAPromise, ItIsRefusedUnlessPromisesGiveWayOnRecord) {
  auto request = Nodes({"n1", "n2", "n3", "n4"}, Hours(5), Hours(2));
  const auto refused = CreateReservation(*context, As(Operator()), request);
  EXPECT_EQ(ReasonOf(refused), Reason::kBookingConflict);
  EXPECT_THAT(refused.error().message, HasSubstr("snu/p/gang is promised 3 nodes"));
  Settle();
  EXPECT_EQ(Get("snu/p/gang"), promised_);

  request.override_promises = true;
  const auto made = Must(CreateReservation(*context, As(Operator()), request));
  ASSERT_EQ(made.conflicts.size(), 1U);
  EXPECT_EQ(made.conflicts[0].kind, Kind::kPromised);
  EXPECT_FALSE(Get("snu/p/gang").promised);
  EXPECT_THAT(Get("snu/p/gang").setback, HasSubstr("is lost to reserved: demo"));
  const auto page = Must(ListAudit(*context, Operator(), {"snu/p/gang", {"allocation"}}, 0, 1));
  EXPECT_EQ(page.items[0].action, "allocation.promise_lost");
  EXPECT_EQ(page.items[0].key.str(), "op");
  Settle();
  // Planned anew, behind the reservation, and promised that.
  EXPECT_GE(Get("snu/p/gang").window->start(), made.reservation.window.end());
  EXPECT_TRUE(Get("snu/p/gang").promised);
}

TEST_F(OverAPromise, OneOfItsOwnProjectWithinItIsKept) {
  Must(CreateReservation(
      *context, As(Operator()),
      Nodes({"n1", "n2", "n3", "n4"}, Hours(4) + policy.release_time, Hours(10), "snu/p")));
  Settle();
  EXPECT_EQ(Get("snu/p/gang").window, promised_.window);
  EXPECT_TRUE(Get("snu/p/gang").promised);
}

TEST_F(ReservationTest, ARepeatIsAnsweredAsBeforeAndAnotherBodyIsRefused) {
  Call call = As(Operator());
  call.request_id = "once";
  call.body_sha256 = std::string(64, 'a');
  const auto request = Nodes({"n1"}, Hours(1), Hours(1));
  const auto first = Must(CreateReservation(*context, call, request));
  EXPECT_EQ(Must(CreateReservation(*context, call, request)).reservation, first.reservation);
  call.body_sha256 = std::string(64, 'b');
  EXPECT_EQ(ReasonOf(CreateReservation(*context, call, request)), Reason::kRequestIdReused);
  EXPECT_EQ(ReasonOf(CreateReservation(*context, As(Operator()), request)), Reason::kAlreadyExists);
}

TEST_F(ReservationTest, WhatDoesNotExistOrFitIsRefusedByTheField) {
  const auto field = [&](ReservationRequest request) {
    const auto refused = CreateReservation(*context, As(Operator()), request);
    return refused.ok() ? "accepted" : refused.error().field;
  };
  auto request = Nodes({"n1"}, Hours(1), Hours(1));
  request.provider = ProviderId("rival");
  EXPECT_EQ(field(request), "parent");
  EXPECT_EQ(field(Nodes({"n9"}, Hours(1), Hours(1))), "reservation.nodes");
  EXPECT_EQ(field(Nodes({"n1"}, Hours(1), Hours(1), "snu/nobody")), "reservation.project");
  EXPECT_EQ(field(Nodes({"n1"}, Seconds{-3600}, Hours(2))), "reservation.start_time");
  policy.programmes.push_back({ProgrammeId("other"), {64, 64}, Days(1)});
  Project project;
  project.id = ProjectId("snu/other");
  project.institute = InstituteId("snu");
  project.programme = ProgrammeId("other");
  Must(CreateProject(*context, As(Operator()), project));
  EXPECT_EQ(field(Nodes({"n1"}, Hours(1), Hours(1), "snu/other")), "reservation.project");
}

TEST_F(ReservationTest, WhoSeesIt) {
  Must(CreateReservation(*context, As(Operator()), Nodes({"n1"}, Hours(1), Hours(1), "snu/p")));
  const ReservationId id("c/r");
  const auto get = [&](const Principal& who) {
    return GetReservation(*context, who, ProviderId("prov"), id);
  };
  EXPECT_EQ(Named(Must(get(Operator()))), "c/n1 ");
  EXPECT_EQ(Named(Must(get(Agent()))), "c/n1 ");
  EXPECT_EQ(Named(Must(get(Member("snu")))), "") << "machines have no names for institutes";
  EXPECT_EQ(Must(get(Member("snu"))).node_count, 1);
  EXPECT_EQ(ReasonOf(get(Member("kist"))), Reason::kNotFound);
  Principal rival = Agent();
  rival.provider = ProviderId("rival");
  EXPECT_EQ(ReasonOf(get(rival)), Reason::kNotFound);
  EXPECT_EQ(ReasonOf(GetReservation(*context, Operator(), ProviderId("rival"), id)),
            Reason::kNotFound);
  for (const auto& [who, seen] : {std::pair(Operator(), 1U),
                                  {Agent(), 1U},
                                  {Member("snu"), 1U},
                                  {Member("kist"), 0U},
                                  {rival, 0U}}) {
    EXPECT_EQ(Must(ListReservations(*context, who, {}, {})).items.size(), seen);
  }
  for (const Principal& who : {Member("snu"), Agent()}) {
    EXPECT_EQ(ReasonOf(CreateReservation(*context, As(who), Nodes({"n2"}, Hours(1), Hours(1)))),
              Reason::kRoleInsufficient);
    EXPECT_EQ(ReasonOf(CancelReservation(
                  *context, As(who), {.provider = ProviderId("prov"), .id = id, .reason = "over"})),
              Reason::kRoleInsufficient);
  }
}

ClusterUpdate Dates(std::optional<Instant> join, std::optional<Instant> leave) {
  ClusterUpdate update;
  update.provider = ProviderId("prov");
  update.id = ClusterId("c");
  update.join_time = join;
  update.leave_time = leave;
  update.reason = "contract";
  return update;
}

TEST_F(ReservationTest, APastDateIsMeantForAnotherYear) {
  for (const ClusterUpdate& update : {Dates(clock.Now() - Hours(1), std::nullopt),
                                      Dates(std::nullopt, clock.Now() - Days(365))}) {
    const auto refused = UpdateCluster(*context, As(Operator()), update);
    ASSERT_EQ(ReasonOf(refused), Reason::kTimeOutOfRange);
    EXPECT_EQ(refused.error().limit, "now to 1098d ahead");
  }
  Cluster late = MakeCluster("late");
  late.leave_time = clock.Now() - Days(1);
  EXPECT_EQ(ReasonOf(CreateCluster(*context, As(Operator()), late)), Reason::kTimeOutOfRange);
  // One that is past by now may stay.
  const Instant joins = clock.Now() + Hours(1);
  Must(UpdateCluster(*context, As(Operator()), Dates(joins, std::nullopt)));
  clock.Advance(Hours(2));
  Must(UpdateCluster(*context, As(Operator()), Dates(joins, clock.Now() + Days(5))));
}

TEST_F(ReservationTest, AClusterIsPlannedFromTheDayItJoinsAndEmptyWhenItLeaves) {
  const Instant joins = clock.Now() + Hours(2);
  Must(UpdateCluster(*context, As(Operator()), Dates(joins, clock.Now() + Hours(20))));
  SubmitAs("snu", "soon", 4, Hours(10));
  clock.Advance(Seconds{1});
  SubmitAs("snu", "late", 4, Hours(10));
  Settle();
  EXPECT_EQ(Get("snu/p/soon").window->start(), joins);
  EXPECT_EQ(Get("snu/p/late").reason, "no_capacity");
  clock.Advance(Hours(2));
  Settle();
  EXPECT_EQ(Get("snu/p/soon").state, AllocationState::kProvisioning);
  EXPECT_EQ(ReasonOf(UpdateCluster(*context, As(Operator()),
                                   Dates(std::nullopt, clock.Now() + Hours(5)))),
            Reason::kBookingConflict);
  // The contract is renewed.
  Must(UpdateCluster(*context, As(Operator()), Dates(std::nullopt, std::nullopt)));
  Settle();
  EXPECT_EQ(Get("snu/p/late").state, AllocationState::kPlanned);
}

// A promise that begins with the cluster is not in the way of other changes, nor of a later date
// to leave.
TEST_F(ReservationTest, OnlyDatesThatBecomeNarrowerAreInTheWay) {
  policy.promise_nodes = 2;
  const Instant joins = clock.Now() + Hours(2);
  Must(UpdateCluster(*context, As(Operator()), Dates(joins, joins + Hours(10))));
  SubmitAs("snu", "gang", 2, Hours(9));
  Settle();
  ASSERT_TRUE(Get("snu/p/gang").promised);
  ASSERT_EQ(Get("snu/p/gang").window->start(), joins);
  Must(UpdateCluster(*context, As(Operator()), Dates(joins, joins + Hours(20))));
  Must(UpdateCluster(*context, As(Operator()), Dates(joins - Hours(1), joins + Hours(20))));
  EXPECT_EQ(
      ReasonOf(UpdateCluster(*context, As(Operator()), Dates(joins + Hours(1), joins + Hours(20)))),
      Reason::kBookingConflict);
}

TEST_F(ReservationTest, ChangesOfAClusterAreCheckedAndOnRecord) {
  EXPECT_EQ(ReasonOf(UpdateCluster(*context, As(Operator()),
                                   Dates(clock.Now() + Days(2), clock.Now() + Days(1)))),
            Reason::kTimeOutOfRange);
  EXPECT_EQ(ReasonOf(UpdateCluster(*context, As(Operator()),
                                   Dates(clock.Now() + Days(2'000), std::nullopt))),
            Reason::kTimeOutOfRange);
  EXPECT_EQ(ReasonOf(UpdateCluster(*context, As(Member("snu")), Dates({}, {}))),
            Reason::kRoleInsufficient);
  ClusterUpdate update;
  update.provider = ProviderId("prov");
  update.id = ClusterId("c");
  update.programmes = {ProgrammeId("nosuch")};
  update.reason = "mistaken";
  EXPECT_EQ(ReasonOf(UpdateCluster(*context, As(Operator()), update)), Reason::kEnumUnknown);
  update.reason.clear();
  EXPECT_EQ(ReasonOf(UpdateCluster(*context, As(Operator()), update)), Reason::kFieldRequired);
  update.programmes.reset();
  update.leave_time = std::optional(clock.Now() + Days(300));
  EXPECT_EQ(ReasonOf(UpdateCluster(*context, As(Operator()), update)), Reason::kFieldRequired);
  update.leave_time.reset();
  update.display_name = "Chuncheon";
  update.version = 99;
  EXPECT_EQ(ReasonOf(UpdateCluster(*context, As(Operator()), update)), Reason::kEtagStale);
  update.version = 0;
  update.reason = "new name";
  EXPECT_EQ(Must(UpdateCluster(*context, As(Operator()), update)).display_name, "Chuncheon");
  const auto page = Must(ListAudit(*context, Operator(), {"c", {"cluster"}}, 0, 1));
  EXPECT_EQ(page.items[0].action, "cluster.update");
  EXPECT_EQ(page.items[0].detail, "new name");
}

TEST_F(ReservationTest, TheTimelineOfCapacityLeavesItOut) {
  Must(CreateReservation(*context, As(Operator()), Nodes({"n1", "n2"}, Hours(2), Hours(2))));
  const auto capacity = Must(GetCapacity(*context, Operator(), *planner, Hours(5), Hours(1)));
  std::string free;
  for (const CapacityPoint& point : capacity.timeline) {
    free += std::to_string(point.gpus_free[0]) + " ";
  }
  EXPECT_EQ(free, "32 32 16 16 32 32 ");
}

}  // namespace
}  // namespace allot::control
