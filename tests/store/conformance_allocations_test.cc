#include "store/conformance.h"

namespace allot::store {
namespace {

using S = AllocationState;

TEST_P(StoreConformance, AnAllocationIsReadBackEqualThroughoutItsLife) {
  Allocation allocation = SampleAllocation("snu/llm/a");
  allocation.request.shape = {.nodes = 2, .gpus_per_node = 8, .remainder_gpus = 3};
  allocation.request.models = {GpuModel::kH200};
  allocation.request.earliest_start = kNow + Days(1);
  // The last microsecond survives, also beyond the year 2255, where floats would lose it.
  allocation.request.deadline = Instant{kEndOfTime.micros + 999'999};
  allocation.request.preemptible = true;
  allocation.request.borrow = true;
  allocation.request.same_leaf_wait = Hours(6);
  allocation.request.exchanged = ExchangedShape{GpuModel::kB200, {1, 7, 3}};
  allocation.request.gpus_max = 40;
  allocation.after = Submit("snu/llm/before").id;
  EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.InsertAllocation(allocation); }));
  EXPECT_EQ(Get(allocation.id), allocation);

  allocation.state = S::kPlanned;
  allocation.attempt = 1;
  allocation.failures = 2;
  allocation.window = WindowOf(Instant{kNow.micros + 1}, Hours(4));
  allocation.cluster = ClusterId("naver-a");
  allocation.active_time = kNow;
  allocation.end_time = kNow + Hours(1);
  allocation.update_time = kNow + Minutes(1);
  allocation.reason = "no_capacity";
  allocation.message = "asks 3 nodes of H200; \"2\" free";
  allocation.setback = "2026-03-01T00:00:07Z: node naver-a/n1 is down (fan)";
  allocation.cancel_requested = true;
  allocation.preemptions = 2;
  allocation.remaining = Minutes(7);
  allocation.preempt_time = kNow + Minutes(3);
  allocation.ready_time = kNow + Minutes(2);
  allocation.told_start = kNow + Minutes(4);
  allocation.overdue_under = "spring-2027";
  allocation.urgent = true;
  allocation.urgent_reason = "the outbreak";
  allocation.moved = true;
  EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
    Allocation next = allocation;
    ALLOT_RETURN_IF_ERROR(tx.UpdateAllocations(std::span(&next, 1)));
    EXPECT_EQ(next.version, 2);
    return Ok{};
  }));
  allocation.version = 2;
  EXPECT_EQ(Get(allocation.id), allocation);

  allocation.state = S::kPending;
  allocation.window.reset();
  allocation.cluster = ClusterId();
  EXPECT_OK(
      Write(store(), [&](Tx& tx) { return tx.UpdateAllocations(std::span(&allocation, 1)); }));
  EXPECT_EQ(Get(allocation.id), allocation);
}

TEST_P(StoreConformance, WhatAddsToAnotherStartsOnlyWhereAndWhileThatOneRuns) {
  Allocation base = SampleAllocation("snu/llm/base");
  Allocation growth = SampleAllocation("snu/llm/base-g1");
  growth.grows = base.id;
  EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
    ALLOT_RETURN_IF_ERROR(tx.InsertAllocation(base));
    return tx.InsertAllocation(growth);
  }));
  EXPECT_EQ(Get(growth.id), growth);
  EXPECT_EQ(Read(store(), [&](Tx& tx) { return tx.GrowthsOf(base.id); }).value(),
            std::vector{growth});
  const auto start = [&](const std::string& node) {
    Allocation starting = Get(growth.id);
    return Write(store(), [&](Tx& tx) { return Reserve(tx, starting, node); });
  };
  EXPECT_FALSE(start("naver-a/n2").ok()) << "the base waits";
  EXPECT_OK(Write(store(), [&](Tx& tx) { return Reserve(tx, base, "naver-a/n1"); }));
  EXPECT_FALSE(start("naver-b/n1").ok()) << "in another cluster";
  EXPECT_OK(start("naver-a/n2"));
  EXPECT_EQ(Get(growth.id).state, S::kProvisioning);
}

TEST_P(StoreConformance, RoomIsToBeMadeForWhatMayNotBeStoppedItself) {
  Submit("snu/llm/big");
  Allocation big = Get(AllocationId("snu/llm/big"));
  big.consolidate = true;
  big.consolidate_reason = "the review";
  EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.UpdateAllocations(std::span(&big, 1)); }));
  EXPECT_EQ(Get(big.id), big);
}

TEST_P(StoreConformance, EveryStartThatWasToldIsKept) {
  std::vector<Allocation> both = {Submit("snu/llm/a"), Submit("snu/llm/b")};
  const auto tell = [&](std::optional<Instant> start, Seconds after) {
    for (Allocation& allocation : both) {
      allocation.state = start ? S::kPlanned : S::kPending;
      allocation.window = start ? std::optional(WindowOf(*start, Hours(4))) : std::nullopt;
      allocation.cluster = start ? ClusterId("naver-a") : ClusterId();
      allocation.update_time = kNow + after;
    }
    EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.UpdateAllocations(both); }));
  };
  tell(kNow + Days(3), Minutes(1));
  tell(kNow + Days(3), Minutes(2));
  tell(kNow + Days(4), Minutes(3));
  tell(std::nullopt, Minutes(4));
  for (const Allocation& allocation : both) {
    const auto estimates =
        Read(store(), [&](Tx& tx) { return tx.EstimatesOf(allocation.id, 10); }).value();
    EXPECT_EQ(estimates, (std::vector<StartEstimate>{{kNow + Minutes(4), std::nullopt},
                                                     {kNow + Minutes(3), kNow + Days(4)},
                                                     {kNow + Minutes(1), kNow + Days(3)}}))
        << "what is told again is told once";
    EXPECT_EQ(
        Read(store(), [&](Tx& tx) { return tx.EstimatesOf(allocation.id, 1); }).value().size(), 1U);
  }
}

TEST_P(StoreConformance, SmallMovesOfAStartAreToldWhenTheyAddUp) {
  Allocation allocation = Submit("snu/llm/a");
  allocation.state = S::kPlanned;
  allocation.cluster = ClusterId("naver-a");
  const auto told_after = [&](Seconds move) {
    allocation.window = WindowOf(kNow + Days(5) + move, Hours(4));
    EXPECT_OK(
        Write(store(), [&](Tx& tx) { return tx.UpdateAllocations(std::span(&allocation, 1)); }));
    return Read(store(), [&](Tx& tx) { return tx.EstimatesOf(allocation.id, 10); }).value().size();
  };
  EXPECT_EQ(told_after(Seconds{0}), 1U);
  EXPECT_EQ(told_after(Minutes(5)), 1U);
  EXPECT_EQ(told_after(Minutes(10)), 1U);
  EXPECT_EQ(told_after(Minutes(15)), 2U);
  EXPECT_EQ(told_after(Minutes(20)), 2U);
  EXPECT_EQ(told_after(Minutes(0)), 3U);
}

TEST_P(StoreConformance, ManyAreFoundAndLockedInTheOrderOfTheirIds) {
  for (const std::string name : {"c", "a", "b"}) Submit("snu/llm/" + name);
  const std::vector<AllocationId> ids = {AllocationId("snu/llm/c"), AllocationId("snu/llm/none"),
                                         AllocationId("snu/llm/a")};
  Write(store(), [&](Tx& tx) -> Status {
    const auto found = tx.FindAllocations(ids).value();
    EXPECT_EQ(tx.LockAllocations(ids).value(), found);
    EXPECT_EQ(found.size(), 2u);
    EXPECT_EQ(found.at(0).id.str(), "snu/llm/a");
    EXPECT_EQ(found.at(1).id.str(), "snu/llm/c");
    return Ok{};
  }).value();
}

TEST_P(StoreConformance, AllocationListsFilterByTenantStateAndCluster) {
  Submit("snu/llm/a");
  Submit("snu/llm/b");
  Submit("kaist/llm/c");
  EXPECT_OK(Write(store(), [](Tx& tx) -> Status {
    Allocation b = tx.FindAllocation(AllocationId("snu/llm/b")).value().value();
    return Reserve(tx, b, "naver-a/n1");
  }));
  const auto list = [&](const AllocationFilter& filter) {
    std::string names;
    const auto page = Read(store(), [&](Tx& tx) { return tx.ListAllocations(filter, {}); }).value();
    for (const Allocation& allocation : page.items) names += allocation.id.str().back();
    return names;
  };
  EXPECT_EQ(list({}), "cab");
  EXPECT_EQ(list({.institute = InstituteId("snu")}), "ab");
  EXPECT_EQ(list({.project = ProjectId("kaist/llm")}), "c");
  EXPECT_EQ(list({.states = {S::kPending, S::kPlanned}}), "ca");
  EXPECT_EQ(list({.institute = InstituteId("snu"), .states = {S::kProvisioning}}), "b");
  EXPECT_EQ(list({.cluster = ClusterId("naver-a")}), "b");
  EXPECT_EQ(list({.cluster = ClusterId("naver-b")}), "");
}

TEST_P(StoreConformance, OnlyLegalTransitionsAreStored) {
  const Allocation pending = Submit("snu/llm/a");
  EXPECT_REASON(Write(store(),
                      [&](Tx& tx) {
                        Allocation allocation = pending;
                        return Move(tx, allocation, S::kCompleted);
                      }),
                Reason::kTransitionNotAllowed);
  EXPECT_EQ(Get(pending.id), pending);
  EXPECT_REASON(Write(store(),
                      [&](Tx& tx) {
                        Allocation allocation = SampleAllocation("snu/llm/b");
                        allocation.state = S::kCancelled;
                        return tx.InsertAllocation(allocation);
                      }),
                Reason::kTransitionNotAllowed);
}

TEST_P(StoreConformance, OneStartsAfterAnotherOfItsProjectAndNeverBeforeItsEnd) {
  Allocation before = Submit("snu/llm/before");
  const auto insert = [&](const std::string& id, const std::string& after) {
    Allocation allocation = SampleAllocation(id);
    allocation.after = AllocationId(after);
    return Write(store(), [&](Tx& tx) { return tx.InsertAllocation(allocation); });
  };
  EXPECT_FALSE(insert("snu/llm/a", "snu/llm/none").ok());
  EXPECT_FALSE(insert("snu/llm/a", "snu/llm/a").ok());
  Submit("kaist/llm/other");
  EXPECT_FALSE(insert("snu/llm/a", "kaist/llm/other").ok());
  EXPECT_OK(insert("snu/llm/a", "snu/llm/before"));

  Allocation after = Get(AllocationId("snu/llm/a"));
  const auto start = [&] {
    return Write(store(), [&](Tx& tx) {
      Allocation starting = after;
      return Reserve(tx, starting, "naver-a/n1");
    });
  };
  EXPECT_REASON(start(), Reason::kTransitionNotAllowed);
  EXPECT_OK(Write(store(), [&](Tx& tx) { return Move(tx, before, S::kCancelled); }));
  EXPECT_OK(start());
}

TEST_P(StoreConformance, AGpuIsBookedOnceAtATime) {
  const Allocation first = Submit("snu/llm/a");
  const Allocation second = Submit("kaist/llm/b");
  const auto book = [&](const Claim& claim) {
    return Write(store(), [&](Tx& tx) { return tx.InsertClaims(std::span(&claim, 1)); });
  };
  EXPECT_OK(book(SampleClaim(first, "naver-a/n1", 0b0000'1111)));
  EXPECT_REASON(book(SampleClaim(second, "naver-a/n1", 0b0000'1000)), Reason::kStoreConflict);
  EXPECT_OK(book(SampleClaim(second, "naver-a/n1", 0b1111'0000)));
  EXPECT_OK(book(SampleClaim(second, "naver-a/n2", 0b0000'1000)));
  EXPECT_EQ(ClaimsOf(second.id).size(), 2u);
}

TEST_P(StoreConformance, AConflictOnOneClaimBooksNone) {
  const Allocation first = Submit("snu/llm/a");
  const Allocation second = Submit("kaist/llm/b");
  EXPECT_OK(Write(store(), [&](Tx& tx) {
    const Claim claim = SampleClaim(first, "naver-a/n3");
    return tx.InsertClaims(std::span(&claim, 1));
  }));
  const std::vector<Claim> gang = {SampleClaim(second, "naver-a/n1"),
                                   SampleClaim(second, "naver-a/n3")};
  EXPECT_REASON(Write(store(), [&](Tx& tx) { return tx.InsertClaims(gang); }),
                Reason::kStoreConflict);
  EXPECT_TRUE(ClaimsOf(second.id).empty());
}

TEST_P(StoreConformance, WhatIsOverdueStaysHeldUntilItIsReleased) {
  const Allocation late = Submit("snu/llm/late");
  const Allocation next = Submit("kaist/llm/next");
  const Claim held = SampleClaim(late, "naver-a/n1");
  Claim wanted = SampleClaim(next, "naver-a/n1", 0x01);
  wanted.window = WindowOf(held.window.end() + Days(30), Hours(1));
  EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.InsertClaims(std::span(&held, 1)); }));
  const auto book = [&] {
    return Write(store(), [&](Tx& tx) { return tx.InsertClaims(std::span(&wanted, 1)); });
  };
  EXPECT_REASON(book(), Reason::kStoreConflict);
  EXPECT_OK(Write(store(), [&](Tx& tx) {
    return tx.ReleaseClaims(late.id, late.attempt, held.window.end() + Days(1));
  }));
  EXPECT_OK(book());
}

TEST_P(StoreConformance, WhatIsStoppedMakesRoomForAPromiseAndForNothingSooner) {
  const Allocation stopped = Submit("snu/llm/a");
  Allocation promised = Submit("kaist/llm/b");
  const Claim held = SampleClaim(stopped, "naver-a/n1");
  const Instant stop = kNow + Hours(1);
  Claim ahead = SampleClaim(promised, "naver-a/n1");
  ahead.attempt = 1;
  ahead.window = WindowOf(stop, Hours(4));
  EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.InsertClaims(std::span(&held, 1)); }));
  const auto promise = [&] {
    return Write(store(), [&](Tx& tx) -> Status {
      Allocation row = promised;
      row.state = S::kPlanned;
      row.promised = true;
      row.window = ahead.window;
      row.cluster = ClusterId("naver-a");
      ALLOT_RETURN_IF_ERROR(tx.UpdateAllocations(std::span(&row, 1)));
      return tx.InsertPromises(std::span(&ahead, 1));
    });
  };
  EXPECT_REASON(promise(), Reason::kStoreConflict);
  EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.CutClaims(stopped.id, 0, stop); }));
  EXPECT_EQ(ClaimsOf(stopped.id).at(0).window, WindowOf(kNow, Hours(1)));
  EXPECT_EQ(ClaimsOf(stopped.id).at(0).released_at, std::nullopt) << "it is held until then";
  // An end is never put off.
  EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.CutClaims(stopped.id, 0, stop + Hours(2)); }));
  EXPECT_EQ(ClaimsOf(stopped.id).at(0).window.end(), stop);
  EXPECT_OK(promise());
}

TEST_P(StoreConformance, OnlyWhatMayBeStoppedCountsStops) {
  Allocation allocation = Submit("snu/llm/a");
  ASSERT_FALSE(allocation.request.preemptible);
  allocation.preemptions = 1;
  EXPECT_REASON(
      Write(store(), [&](Tx& tx) { return tx.UpdateAllocations(std::span(&allocation, 1)); }),
      Reason::kInternal);
}

TEST_P(StoreConformance, OnlyWhatRunsIsBeingStopped) {
  Allocation allocation = Submit("snu/llm/a");
  allocation.preempt_requested = true;
  EXPECT_REASON(
      Write(store(), [&](Tx& tx) { return tx.UpdateAllocations(std::span(&allocation, 1)); }),
      Reason::kInternal);
}

TEST_P(StoreConformance, AGpuIsHandedOverAtTheInstantOfItsRelease) {
  const Allocation first = Submit("snu/llm/a");
  const Allocation second = Submit("kaist/llm/b");
  const Claim early = SampleClaim(first, "naver-a/n1");
  const Instant released = kNow + Hours(1);
  Claim adjacent = SampleClaim(second, "naver-a/n1");
  adjacent.window = WindowOf(released, Hours(4));
  EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
    ALLOT_RETURN_IF_ERROR(tx.InsertClaims(std::span(&early, 1)));
    ALLOT_RETURN_IF_ERROR(tx.ReleaseClaims(first.id, 0, released));
    return tx.InsertClaims(std::span(&adjacent, 1));
  }));
  const Claim past = ClaimsOf(first.id).at(0);
  EXPECT_EQ(past.window, WindowOf(kNow, Hours(1)));
  EXPECT_EQ(past.released_at, released);
}

TEST_P(StoreConformance, GpusComeFreeThoughAClockThatWasAheadHadThemHeldLater) {
  const Allocation first = Submit("snu/llm/a");
  const Allocation second = Submit("kaist/llm/b");
  Claim later = SampleClaim(first, "naver-a/n1");
  later.window = WindowOf(kNow + Hours(1), Hours(1));
  Claim now = SampleClaim(second, "naver-a/n1");
  now.window = WindowOf(kNow, Minutes(30));
  EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
    ALLOT_RETURN_IF_ERROR(tx.InsertClaims(std::span(&later, 1)));
    ALLOT_RETURN_IF_ERROR(tx.ReleaseClaims(first.id, 0, kNow + Hours(2)));
    ALLOT_RETURN_IF_ERROR(tx.InsertClaims(std::span(&now, 1)));
    return tx.ReleaseClaims(second.id, 0, kNow + Minutes(90));
  }));
  const Claim held = ClaimsOf(second.id).at(0);
  EXPECT_EQ(held.window, WindowOf(kNow, Hours(1)));
  EXPECT_EQ(held.released_at, kNow + Minutes(90));
}

TEST_P(StoreConformance, WhatWasReleasedByAClockThatWasAheadKeepsNobodyWaiting) {
  const Allocation first = Submit("snu/llm/a");
  const Allocation second = Submit("snu/llm/b");
  const Allocation third = Submit("kaist/llm/c");
  Claim held = SampleClaim(first, "naver-a/n1");
  held.window = WindowOf(kNow, Hours(4));
  Claim later = SampleClaim(second, "naver-a/n1", 0x0f);
  later.window = WindowOf(kNow + Hours(2), Hours(1));
  Claim now = SampleClaim(third, "naver-a/n1");
  now.window = WindowOf(kNow + Minutes(30), Hours(2));
  const Revision before = CurrentRevision();
  EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
    ALLOT_RETURN_IF_ERROR(tx.InsertClaims(std::span(&held, 1)));
    ALLOT_RETURN_IF_ERROR(tx.ReleaseClaims(first.id, 0, kNow + Hours(2)));
    ALLOT_RETURN_IF_ERROR(tx.InsertClaims(std::span(&later, 1)));
    return tx.ReleaseClaims(second.id, 0, kNow + Hours(3));
  }));
  EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.InsertClaims(std::span(&now, 1)); }));
  EXPECT_EQ(CurrentRevision(), before + 2);
  EXPECT_EQ(ClaimsOf(first.id).at(0).window, WindowOf(kNow, Minutes(30)));
  EXPECT_EQ(ClaimsOf(first.id).at(0).released_at, kNow + Hours(2));
  EXPECT_EQ(ClaimsOf(second.id).at(0).window, later.window);
  EXPECT_EQ(ClaimsOf(second.id).at(0).released_at, later.window.start()) << "it held nothing";
  EXPECT_EQ(ClaimsOf(third.id).at(0).window, now.window);
}

TEST_P(StoreConformance, AClaimReleasedBeforeItsStartHoldsNothing) {
  const Allocation first = Submit("snu/llm/a");
  const Allocation second = Submit("kaist/llm/b");
  const Claim claim = SampleClaim(first, "naver-a/n1");
  const Claim same = SampleClaim(second, "naver-a/n1");
  EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
    ALLOT_RETURN_IF_ERROR(tx.InsertClaims(std::span(&claim, 1)));
    ALLOT_RETURN_IF_ERROR(tx.ReleaseClaims(first.id, 0, kNow - Minutes(1)));
    return tx.InsertClaims(std::span(&same, 1));
  }));
  EXPECT_EQ(ClaimsOf(first.id).at(0).window.start(), kNow);
}

TEST_P(StoreConformance, OpenClaimsAreThoseNotReleased) {
  const Allocation first = Submit("snu/llm/a");
  const Allocation second = Submit("kaist/llm/b");
  std::vector<Claim> claims = {SampleClaim(first, "naver-a/n2"), SampleClaim(first, "naver-a/n1"),
                               SampleClaim(second, "naver-a/n3")};
  EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
    ALLOT_RETURN_IF_ERROR(tx.InsertClaims(claims));
    return tx.ReleaseClaims(second.id, 0, kNow + Hours(1));
  }));
  Read(store(), [&](Tx& tx) -> Status {
    const std::vector<AllocationId> ids = {first.id, second.id};
    const std::vector<NodeId> nodes = {NodeId("naver-a/n1"), NodeId("naver-a/n3")};
    EXPECT_EQ(tx.OpenClaims(ids).value(), (std::vector<Claim>{claims[1], claims[0]}));
    EXPECT_EQ(tx.OpenClaimsOnNodes(nodes).value(), std::vector<Claim>{claims[1]});
    EXPECT_EQ(tx.ClaimsOf(second.id).value().size(), 1u);
    return Ok{};
  }).value();
}

}  // namespace
}  // namespace allot::store
