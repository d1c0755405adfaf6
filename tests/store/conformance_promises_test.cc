// A promise is a booking ahead: kept apart from all others, held by nobody, and gone with its
// reason.
#include <vector>

#include "store/conformance.h"

namespace allot::store {
namespace {

using S = AllocationState;

Claim Booking(const Allocation& allocation, const std::string& node, GpuMask gpus = 0xff) {
  Claim claim = SampleClaim(allocation, node, gpus);
  claim.attempt = allocation.attempt + 1;
  claim.window = *allocation.window;
  return claim;
}

/// Planned, with its window promised on `node`.
Status Promise(Tx& tx, Allocation allocation, const std::string& node, Instant start,
               GpuMask gpus = 0xff) {
  allocation.window = WindowOf(start, allocation.request.duration);
  allocation.cluster = ClusterOf(NodeId(node));
  allocation.promised = true;
  ALLOT_RETURN_IF_ERROR(Move(tx, allocation, S::kPlanned));
  const Claim claim = Booking(allocation, node, gpus);
  return tx.InsertPromises(std::span(&claim, 1));
}

std::vector<Claim> PromisesTo(Store& store, const AllocationId& id) {
  return Read(store, [&](Tx& tx) { return tx.Promises(std::span(&id, 1)); }).value();
}

TEST_P(StoreConformance, PromisesAreBookedAheadOfWhatIsHeldAndHoldNothing) {
  const Allocation running = Submit("kaist/llm/r");
  const Allocation waiting = Submit("snu/llm/a");
  const Claim held = SampleClaim(running, "naver-a/n1");
  EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.InsertClaims(std::span(&held, 1)); }));
  EXPECT_OK(Write(store(),
                  [&](Tx& tx) { return Promise(tx, waiting, "naver-a/n1", held.window.end()); }));
  EXPECT_TRUE(Get(waiting.id).promised);
  ASSERT_EQ(PromisesTo(store(), waiting.id).size(), 1u);
  EXPECT_EQ(PromisesTo(store(), waiting.id)[0], Booking(Get(waiting.id), "naver-a/n1"));
  const auto open = Read(store(), [&](Tx& tx) {
    return tx.OpenClaims(std::vector{running.id, waiting.id});
  });
  ASSERT_EQ(open.value().size(), 1u);
  EXPECT_EQ(open.value()[0].allocation, running.id);
  EXPECT_TRUE(ClaimsOf(waiting.id).empty());

  const auto on_node = [&](const std::string& node) {
    const NodeId id(node);
    return Read(store(), [&](Tx& tx) { return tx.PromisesOnNodes(std::span(&id, 1)); }).value();
  };
  EXPECT_EQ(on_node("naver-a/n1"), PromisesTo(store(), waiting.id));
  EXPECT_TRUE(on_node("naver-a/n2").empty());

  const auto changes = ChangesAfter(store(), 0);
  EXPECT_EQ(changes.claims.size(), 1u);
  EXPECT_EQ(changes.promises, PromisesTo(store(), waiting.id));
}

TEST_P(StoreConformance, NoGpuIsPromisedTwiceOrBookedUnderAPromise) {
  const Allocation first = Submit("snu/llm/a");
  const Allocation second = Submit("kaist/llm/b");
  const Instant start = kNow + Hours(10);
  EXPECT_OK(Write(store(), [&](Tx& tx) { return Promise(tx, first, "naver-a/n1", start, 0x0f); }));
  EXPECT_REASON(
      Write(store(),
            [&](Tx& tx) { return Promise(tx, second, "naver-a/n1", start + Hours(3), 0x08); }),
      Reason::kStoreConflict);
  Claim long_one = SampleClaim(second, "naver-a/n1", 0x01);
  long_one.window = WindowOf(kNow, Hours(11));
  EXPECT_REASON(Write(store(), [&](Tx& tx) { return tx.InsertClaims(std::span(&long_one, 1)); }),
                Reason::kStoreConflict);
  long_one.window = WindowOf(kNow, Hours(10));
  EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.InsertClaims(std::span(&long_one, 1)); }));
}

TEST_P(StoreConformance, PromisesEndWithTheirReason) {
  const Allocation waiting = Submit("snu/llm/a");
  const Instant start = kNow + Hours(1);
  EXPECT_OK(Write(store(), [&](Tx& tx) { return Promise(tx, waiting, "naver-a/n1", start); }));
  const Allocation promised = Get(waiting.id);
  // It goes on without its promise being ended, or as if it were not planned any more.
  const auto leave = [&](bool still_promised, bool remove) {
    return Write(store(), [&](Tx& tx) -> Status {
      Allocation next = promised;
      next.promised = still_promised;
      if (remove) ALLOT_RETURN_IF_ERROR(tx.RemovePromises(std::span(&next.id, 1)));
      return Move(tx, next, S::kCancelled);
    });
  };
  EXPECT_FALSE(leave(true, false).ok());
  EXPECT_FALSE(leave(true, true).ok());
  EXPECT_FALSE(leave(false, false).ok());
  EXPECT_EQ(Get(waiting.id), promised);
  EXPECT_EQ(PromisesTo(store(), waiting.id).size(), 1u);
  EXPECT_OK(leave(false, true));
  EXPECT_TRUE(PromisesTo(store(), waiting.id).empty());
}

TEST_P(StoreConformance, PromisesAreMadeToPlannedAllocationsOnly) {
  const Allocation pending = Submit("snu/llm/a");
  Claim claim = SampleClaim(pending, "naver-a/n1");
  claim.attempt = 1;
  EXPECT_FALSE(
      Write(store(), [&](Tx& tx) { return tx.InsertPromises(std::span(&claim, 1)); }).ok());
  EXPECT_TRUE(PromisesTo(store(), pending.id).empty());
}

TEST_P(StoreConformance, PromisesMoveUpAndAreKeptInOneTransaction) {
  const Allocation waiting = Submit("snu/llm/a");
  EXPECT_OK(
      Write(store(), [&](Tx& tx) { return Promise(tx, waiting, "naver-a/n1", kNow + Hours(9)); }));
  EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
    Allocation next = tx.FindAllocation(waiting.id).value().value();
    next.window = WindowOf(kNow + Hours(8), next.request.duration);
    ALLOT_RETURN_IF_ERROR(tx.UpdateAllocations(std::span(&next, 1)));
    ALLOT_RETURN_IF_ERROR(tx.RemovePromises(std::span(&next.id, 1)));
    const Claim earlier = Booking(next, "naver-a/n1");
    return tx.InsertPromises(std::span(&earlier, 1));
  }));
  EXPECT_EQ(PromisesTo(store(), waiting.id)[0].window.start(), kNow + Hours(8));
  // It is kept: the same GPUs are held from now on.
  EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
    Allocation next = tx.FindAllocation(waiting.id).value().value();
    next.promised = false;
    ++next.attempt;
    ALLOT_RETURN_IF_ERROR(Move(tx, next, S::kProvisioning));
    ALLOT_RETURN_IF_ERROR(tx.RemovePromises(std::span(&next.id, 1)));
    Claim held = SampleClaim(next, "naver-a/n1");
    held.window = *next.window;
    return tx.InsertClaims(std::span(&held, 1));
  }));
  EXPECT_TRUE(PromisesTo(store(), waiting.id).empty());
  EXPECT_EQ(ClaimsOf(waiting.id).size(), 1u);
}

}  // namespace
}  // namespace allot::store
