#include "allot/control/apply_plan.h"
#include "allot/control/reservations.h"
#include "control/world.h"

namespace allot::control {
namespace {

class Planning : public World {
 protected:
  PoolView Fresh() {
    PoolView view;
    view.Apply(Must(
        store->Transact<store::Changes>(store::Access::kRead, store::Scope::Everything(),
                                        [](store::Tx& tx) { return tx.ChangesAfter(0, ""); })));
    return view;
  }
  void ExpectViewIsFresh() {
    const PoolView fresh = Fresh();
    Must(planner->Read([&](const PoolView& kept) { EXPECT_TRUE(kept == fresh); }));
  }
};

TEST_F(Planning, TheViewKeptCurrentFromEventsEqualsAFreshLoad) {
  policy.promise_nodes = 2;
  SeededRandom random(7);
  std::vector<std::string> made;
  std::vector<ReservationId> reserved;
  for (int step = 0; step < 120; ++step) {
    const std::string institute = random.Below(2) == 0 ? "snu" : "kist";
    switch (random.Below(7)) {
      case 0:
      case 1: {
        const std::string name = "a" + std::to_string(step);
        const int nodes = static_cast<int>(random.Between(1, 4));
        if (Submit(*context, As(Member(institute)),
                   Ask(institute, name, nodes, Hours(random.Between(1, 30))))
                .ok()) {
          made.push_back(institute + "/p/" + name);
        }
        break;
      }
      case 2:
        if (!made.empty()) {
          const AllocationId id(made[random.Below(made.size())]);
          const auto cancelled = Cancel(*context, As(Operator()), {.id = id, .reason = "x"});
          if (!cancelled.ok()) (void)Release(*context, As(Operator()), {.id = id, .reason = "x"});
        }
        break;
      case 3:
        clock.Advance(Minutes(random.Between(1, 400)));
        Must(SyncInventory(*context, Agent(), FourNodes(step + 2)));
        break;
      case 4:
        EnactAll();
        break;
      case 5: {
        ReservationRequest request;
        request.provider = ProviderId("prov");
        request.reservation.cluster = ClusterId("c");
        request.name = "r" + std::to_string(step);
        request.node_count = static_cast<int>(random.Between(1, 2));
        request.reason = "maintenance";
        const Instant start = clock.Now() + Hours(random.Between(0, 50));
        request.reservation.window = *TimeWindow::Make(start, start + Hours(3));
        if (CreateReservation(*context, As(Operator()), request).ok()) {
          reserved.emplace_back("c/" + request.name);
        } else if (!reserved.empty()) {
          Must(CancelReservation(
              *context, As(Operator()),
              {.provider = ProviderId("prov"), .id = reserved.back(), .reason = "over"}));
          reserved.pop_back();
        }
        break;
      }
      default:
        Settle();
    }
    ExpectViewIsFresh();
    if (HasFailure()) FAIL() << "step " << step;
  }
}

TEST_F(Planning, ADeposedLeaderWritesNothing) {
  SubmitAs("snu", "a", 1, Hours(1));
  const auto leadership = [&](const std::string& holder) {
    return Must(store->Transact<std::optional<store::Leadership>>(
        store::Access::kWrite, store::Scope::Everything(),
        [&](store::Tx& tx) { return tx.AcquireLeadership(holder, 0, clock.Now(), Seconds{10}); }));
  };
  const int64_t old_epoch = leadership("old")->epoch;
  EXPECT_FALSE(leadership("new")) << "the lease has not run out";
  const auto pass = Must(planner->Plan());
  clock.Advance(Seconds{11});
  EXPECT_GT(leadership("new")->epoch, old_epoch);
  EXPECT_EQ(ReasonOf(ApplyPlan(*context, *pass, old_epoch)), Reason::kNotLeader);
  EXPECT_EQ(Get("snu/p/a").state, AllocationState::kPending);
}

TEST_F(Planning, OfTwoServersOneLeads) {
  SchedulerLoop other(*context, *planner, LoopOptions("server-2"));
  EXPECT_TRUE(Must(loop->Turn()));
  EXPECT_FALSE(Must(other.Turn()));
  EXPECT_TRUE(loop->leading());
  EXPECT_FALSE(other.leading());
  clock.Advance(Seconds{11});
  EXPECT_TRUE(Must(other.Turn()));
  EXPECT_TRUE(other.leading());
}

TEST_F(Planning, AServerWhoseClockIsADayAheadWaitsForTheLeaseLikeOthers) {
  testing::ManualClock ahead(clock.Now() + Days(1));
  const Context far{*store, ahead, ids, policies};
  Planner far_planner(far);
  SchedulerLoop other(far, far_planner, LoopOptions("server-2"));
  Must(loop->Turn());
  for (int second = 0; second < 10; ++second) {
    Must(other.Turn());
    ASSERT_FALSE(other.leading()) << "took it from one that renews it, after " << second << " s";
    clock.Advance(Seconds{1});
    Must(loop->Turn());
    ASSERT_TRUE(loop->leading());
  }
  Must(other.Turn());
  clock.Advance(Seconds{4});
  Must(other.Turn());
  EXPECT_TRUE(other.leading());
}

TEST_F(Planning, WhoLedWithAClockADayAheadIsReplacedAsSoonAsOthers) {
  testing::ManualClock ahead(clock.Now() + Days(1));
  const Context far{*store, ahead, ids, policies};
  Planner far_planner(far);
  SchedulerLoop other(far, far_planner, LoopOptions("server-2"));
  Must(other.Turn());
  ASSERT_TRUE(other.leading());
  Must(loop->Turn());
  clock.Advance(Seconds{4});
  Must(loop->Turn());
  EXPECT_TRUE(loop->leading());
}

TEST_F(Planning, WhatWasHandedOverByAClockThatWasAheadIsHeld) {
  SetClock(Hours(1));
  SubmitAs("snu", "a", 4, Hours(2));
  Settle();
  EnactAll();
  ASSERT_EQ(Get("snu/p/a").state, AllocationState::kActive);
  SetClock(Seconds{-3'600});
  SubmitAs("kist", "b", 4, Minutes(30));
  Settle();
  const Allocation next = Get("kist/p/b");
  ASSERT_EQ(next.state, AllocationState::kPlanned);
  EXPECT_GE(next.window->start(), Get("snu/p/a").window->end()) << "not before it begins";
  EXPECT_EQ(Must(planner->Plan())->snapshot.now, clock.Now()) << "goes on by the right time";
}

TEST_F(Planning, WhatAServerWhoseClockIsAheadTookBackIsFreeForTheLeaderAtOnce) {
  SubmitAs("snu", "a", 4, Hours(2));
  Settle();
  EnactAll();
  Must(Release(*context, As(Member("snu")), {.id = AllocationId("snu/p/a"), .reason = ""}));
  testing::ManualClock ahead(clock.Now() + Minutes(3));
  const Context far{*store, ahead, ids, policies};
  const auto orders = Must(PullOrders(far, Agent(), ClusterId("c"), session, 10));
  ASSERT_EQ(orders.size(), 1U);
  Must(Acknowledge(far, Agent(),
                   {.cluster = ClusterId("c"), .order = orders.front().id, .session = session}));
  ASSERT_EQ(Get("snu/p/a").state, AllocationState::kCompleted);
  clock.Advance(Seconds{1});
  SubmitAs("kist", "b", 4, Hours(1));
  Settle();
  EXPECT_EQ(Get("kist/p/b").state, AllocationState::kProvisioning);
}

TEST_F(Planning, WhoStopsLeavesTheLeadToTheNext) {
  SchedulerLoop other(*context, *planner, LoopOptions("server-2"));
  Must(loop->Turn());
  Must(other.Turn());
  loop->Stop();
  EXPECT_FALSE(loop->leading());
  Must(other.Turn());
  EXPECT_TRUE(other.leading());
}

TEST_F(Planning, WhatChangedSinceTheSnapshotIsLeftAlone) {
  SubmitAs("snu", "gone", 1, Hours(1));
  SubmitAs("snu", "stays", 1, Hours(1));
  Must(loop->Turn());  // Takes the lead, and reserves both.
  SubmitAs("snu", "late", 1, Hours(1));
  const auto pass = Must(planner->Plan());
  Must(Cancel(*context, As(Member("snu")), {.id = AllocationId("snu/p/late"), .reason = ""}));
  const Applied applied = Must(ApplyPlan(*context, *pass, 1));
  EXPECT_EQ(applied.skipped, 1);
  EXPECT_EQ(Get("snu/p/late").state, AllocationState::kCancelled);
}

TEST_F(Planning, ANodeDrainedSinceTheSnapshotIsNotUsed) {
  Settle();
  SubmitAs("snu", "a", 1, Hours(1));
  const auto pass = Must(planner->Plan());
  Must(Drain(*context, As(Operator()),
             {.provider = ProviderId("prov"),
              .cluster = ClusterId("c"),
              .node = std::nullopt,
              .draining = true,
              .reason = "fire"}));
  EXPECT_EQ(Must(ApplyPlan(*context, *pass, 1)).reserved, 0);
  EXPECT_EQ(Get("snu/p/a").state, AllocationState::kPending);
}

TEST_F(Planning, AQuotaLoweredSinceTheSnapshotIsHeld) {
  Settle();
  SubmitAs("snu", "a", 2, Hours(1));
  const auto pass = Must(planner->Plan());
  SetQuota("snu/p", 8, 1'000'000);
  EXPECT_EQ(Must(ApplyPlan(*context, *pass, 1)).reserved, 0);
}

TEST_F(Planning, GpuTimeSpentSinceTheSnapshotIsHeld) {
  Settle();
  SubmitAs("snu", "a", 2, Hours(1));
  const auto pass = Must(planner->Plan());
  // A release that came late can overdraw a budget: nothing else does.
  Must(store->Transact<Ok>(
      store::Access::kWrite, store::Scope::Everything(), [](store::Tx& tx) -> Status {
        ALLOT_RETURN_IF_ERROR(tx.LockProject(ProjectId("snu/p")));
        ALLOT_ASSIGN_OR_RETURN(auto usage, tx.ProjectUsageOf(ProjectId("snu/p")));
        usage.used = GpuSeconds::FromCount(int64_t{1'000'000} * 3600 - 15 * 3600);
        return tx.UpdateProjectUsage(usage);
      }));
  EXPECT_EQ(Must(ApplyPlan(*context, *pass, 1)).reserved, 0);
  Settle();
  EXPECT_EQ(Get("snu/p/a").state, AllocationState::kPending);
  EXPECT_EQ(Get("snu/p/a").reason, "gpu_hours_exhausted");
}

TEST_F(Planning, OfACallMeritDecidesNotWhoSubmitsFirst) {
  policy.gathering_time = Seconds{10};
  AddProject("kaist", 900);
  SubmitAs("snu", "early", 4, Hours(4));
  Settle();
  EXPECT_EQ(Get("snu/p/early").state, AllocationState::kPlanned);
  clock.Advance(Seconds{5});
  SubmitAs("kaist", "better", 4, Hours(4));
  clock.Advance(Seconds{5});
  Settle();
  EXPECT_TRUE(IsWaiting(Get("snu/p/early").state)) << "its turn has come, but not its rank";
  clock.Advance(Seconds{5});
  Settle();
  EXPECT_EQ(Get("kaist/p/better").state, AllocationState::kProvisioning);
  EXPECT_TRUE(IsWaiting(Get("snu/p/early").state));
}

// Nothing else happens: the explanation must not say for a minute that others are waited for.
TEST_F(Planning, APassIsMadeWhenAGatheringTimeIsOver) {
  SubmitAs("kist", "all", 4, Hours(4));
  Settle();
  policy.gathering_time = Seconds{5};
  clock.Advance(Seconds{20});
  SubmitAs("snu", "a", 2, Hours(1));
  Settle();
  clock.Advance(Seconds{3});
  EXPECT_FALSE(Must(loop->Turn()));
  clock.Advance(Seconds{3});
  EXPECT_TRUE(Must(loop->Turn()));
  EXPECT_TRUE(Must(loop->Turn())) << "what it was told was written, and is looked at";
  EXPECT_FALSE(Must(loop->Turn())) << "once";
}

TEST_F(Planning, AfterTheClockWasPutBackAPassIsMadeAtOnce) {
  SetClock(Hours(9));
  Settle();
  EXPECT_FALSE(Must(loop->Turn()));
  SetClock(Seconds{-9 * 3'600});
  EXPECT_TRUE(Must(loop->Turn()));
}

TEST_F(Planning, NobodyIsPromisedWhatEndsAfterADateThatWasSetSinceTheSnapshot) {
  policy.promise_nodes = 4;
  SubmitAs("kist", "running", 4, Hours(4));
  Settle();
  EnactAll();
  Settle();
  SubmitAs("snu", "gang", 4, Hours(6));
  const auto pass = Must(planner->Plan());
  ASSERT_TRUE(pass->plan.placements.at(0).promised);
  Must(UpdateCluster(*context, As(Operator()),
                     {.provider = ProviderId("prov"),
                      .id = ClusterId("c"),
                      .leave_time = std::optional(clock.Now() + Hours(5)),
                      .reason = "sold"}));
  EXPECT_EQ(Must(ApplyPlan(*context, *pass, 1)).promised, 0);
  EXPECT_FALSE(Get("snu/p/gang").promised);
  Settle();
  EXPECT_EQ(Get("snu/p/gang").state, AllocationState::kPending);
}

TEST_F(Planning, NobodyIsPromisedOrGivenWhatWasSetAsideSinceTheSnapshot) {
  policy.promise_nodes = 4;
  SubmitAs("kist", "running", 3, Hours(4));
  Settle();
  EnactAll();
  Settle();
  SubmitAs("snu", "gang", 4, Hours(6));
  SubmitAs("kist", "small", 1, Hours(1));
  const auto pass = Must(planner->Plan());
  ReservationRequest request;
  request.provider = ProviderId("prov");
  request.reservation.cluster = ClusterId("c");
  for (const char* node : {"c/n1", "c/n2", "c/n3", "c/n4"}) {
    request.reservation.nodes.push_back(NodeId(node));
  }
  request.reservation.window =
      *TimeWindow::Make(clock.Now() + Minutes(30) + Hours(4), clock.Now() + Hours(6));
  request.reason = "maintenance";
  Must(CreateReservation(*context, As(Operator()), request));
  const Applied applied = Must(ApplyPlan(*context, *pass, 1));
  EXPECT_EQ(applied.promised, 0);
  EXPECT_FALSE(Get("snu/p/gang").promised);
  EXPECT_EQ(Get("kist/p/small").state, AllocationState::kProvisioning) << "and others are served";
}

TEST_F(Planning, AnUnchangedPoolIsLeftInPeace) {
  SubmitAs("snu", "a", 2, Hours(1));
  Settle();
  const Revision before = Must(planner->Latest())->snapshot.revision;
  EXPECT_FALSE(Must(loop->Turn()));
  clock.Advance(Minutes(2));
  Must(
      Heartbeat(*context, Agent(),
                {.cluster = ClusterId("c"), .session = session, .generation = 1, .unhealthy = {}}));
  Settle();
  EXPECT_EQ(Must(planner->Latest())->snapshot.revision, before);
}

/// Reads go on while writes fail, as in a database whose standby is gone.
class ReadOnlyAtTimes final : public store::Store {
 public:
  explicit ReadOnlyAtTimes(store::Store& store) : store_(store) {}
  void OnCommit(std::function<void(Revision)> callback) override {
    store_.OnCommit(std::move(callback));
  }
  bool read_only = false;

 protected:
  Status Run(store::Access access, const store::Scope& scope,
             const std::function<Status(store::Tx&)>& work) override {
    if (read_only && access == store::Access::kWrite) {
      return StateError(Reason::kCommitOutcomeUnknown, "The standby did not answer.");
    }
    return store_.Transact<Ok>(access, scope, [&](store::Tx& tx) -> Status { return work(tx); });
  }

 private:
  store::Store& store_;
};

TEST_F(Planning, OnlyATurnThatLedAndWroteWhatThereWasCountsAsLed) {
  ReadOnlyAtTimes database(*store);
  const Context same{database, clock, ids, policies};
  std::vector<Instant> led;
  auto options = LoopOptions("server-1");
  options.on_led = [&](Instant time) { led.push_back(time); };
  SchedulerLoop leader(same, *planner, options);
  Must(leader.Turn());
  Must(leader.Turn());
  EXPECT_EQ(led, (std::vector<Instant>{clock.Now(), clock.Now()})) << "with a pass or without";

  options.holder = "server-2";
  SchedulerLoop standby(same, *planner, options);
  Must(standby.Turn());
  EXPECT_EQ(led.size(), 2U) << "another leads";

  SubmitAs("snu", "a", 1, Hours(1));
  database.read_only = true;
  EXPECT_FALSE(leader.Turn().ok()) << "has the lead, and cannot write its pass";
  clock.Advance(Seconds{2});
  EXPECT_FALSE(leader.Turn().ok()) << "cannot renew the lead";
  EXPECT_EQ(led.size(), 2U);

  database.read_only = false;
  Must(leader.Turn());
  ASSERT_EQ(led.size(), 3U);
  EXPECT_EQ(led.back(), clock.Now());
}

}  // namespace
}  // namespace allot::control
