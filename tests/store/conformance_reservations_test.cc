// Nodes are set aside for one at a time, and claims of others and reservations keep off each other,
// whichever comes first.
#include <thread>
#include <vector>

#include "store/conformance.h"

namespace allot::store {
namespace {

Reservation Sample(const std::string& name, std::vector<NodeId> nodes, const std::string& project) {
  Reservation reservation;
  reservation.id = ReservationId("naver-a/" + name);
  reservation.cluster = ClusterId("naver-a");
  reservation.project = ProjectId(project);
  reservation.display_name = "데모";
  reservation.nodes = std::move(nodes);
  reservation.window = WindowOf(kNow + Hours(10), Hours(4));
  reservation.create_time = kNow;
  return reservation;
}

Status Insert(Store& store, const Reservation& reservation) {
  return Write(store, [&](Tx& tx) { return tx.InsertReservation(reservation); });
}

Status Claimed(Store& store, const Allocation& allocation, Instant start, Seconds length) {
  Claim claim = SampleClaim(allocation, "naver-a/n1", 0x01);
  claim.window = WindowOf(start, length);
  return Write(store, [&](Tx& tx) { return tx.InsertClaims(std::span(&claim, 1)); });
}

TEST_P(StoreConformance, ReservationsComeBackAsTheyWere) {
  Reservation weekly = Sample("weekly", {NodeId("naver-a/n1"), NodeId("naver-a/n3")}, "snu/llm");
  weekly.repeat_every = Days(7);
  weekly.occurrences = 26;
  const Revision before = CurrentRevision();
  EXPECT_OK(Insert(store(), weekly));
  const auto find = [&] {
    return Read(store(), [&](Tx& tx) { return tx.FindReservation(weekly.id); }).value();
  };
  EXPECT_EQ(find(), weekly);
  EXPECT_REASON(Insert(store(), weekly), Reason::kAlreadyExists);
  const auto changes = ChangesAfter(store(), before);
  ASSERT_EQ(changes.reservations.size(), 1U);
  EXPECT_EQ(changes.reservations[0], weekly);

  Reservation cancelled = weekly;
  cancelled.cancel_time = kNow + Hours(1);
  EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.UpdateReservation(cancelled); }));
  EXPECT_EQ(find(), cancelled);
  EXPECT_REASON(Write(store(), [&](Tx& tx) { return tx.UpdateReservation(weekly); }),
                Reason::kStoreConflict);
  EXPECT_TRUE(ChangesAfter(store(), 0).reservations.empty())
      << "a complete load has those that hold something";
  EXPECT_TRUE(Read(store(), [](Tx& tx) { return tx.LiveReservations(ClusterId("naver-a")); })
                  .value()
                  .empty());
}

TEST_P(StoreConformance, ReservationsAreListedByClusterProviderAndTenant) {
  EXPECT_OK(Insert(store(), Sample("a", {NodeId("naver-a/n1")}, "snu/llm")));
  EXPECT_OK(Insert(store(), Sample("b", {NodeId("naver-a/n2")}, "")));
  const auto names = [&](const ReservationFilter& filter) {
    std::string text;
    const auto page = Read(store(), [&](Tx& tx) { return tx.ListReservations(filter, {}); });
    for (const Reservation& row : page.value().items) text += row.id.str() + " ";
    return text;
  };
  EXPECT_EQ(names({}), "naver-a/a naver-a/b ");
  EXPECT_EQ(names({.cluster = ClusterId("naver-b")}), "");
  EXPECT_EQ(names({.provider = ProviderId("naver")}), "naver-a/a naver-a/b ");
  EXPECT_EQ(names({.provider = ProviderId("kakao")}), "");
  EXPECT_EQ(names({.institute = InstituteId("snu")}), "naver-a/a ");
}

TEST_P(StoreConformance, ANodeIsSetAsideForOneAtATime) {
  Reservation daily = Sample("daily", {NodeId("naver-a/n1"), NodeId("naver-a/n2")}, "");
  daily.repeat_every = Days(1);
  daily.occurrences = 3;
  EXPECT_OK(Insert(store(), daily));
  Reservation other = Sample("other", {NodeId("naver-a/n2")}, "snu/llm");
  other.window = WindowOf(daily.window.start() + Days(2) + Hours(1), Hours(1));
  EXPECT_REASON(Insert(store(), other), Reason::kStoreConflict);
  other.window = WindowOf(daily.window.end() + Days(2), Hours(1));
  EXPECT_OK(Insert(store(), other));
  daily.cancel_time = kNow;
  EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.UpdateReservation(daily); }));
  Reservation third = Sample("third", {NodeId("naver-a/n2")}, "");
  // What was cancelled holds no more.
  EXPECT_OK(Insert(store(), third));
}

TEST_P(StoreConformance, ClaimsKeepOffWhatIsSetAsideForOthers) {
  const Allocation own = Submit("snu/llm/a");
  const Allocation foreign = Submit("kaist/llm/b");
  const Reservation reservation = Sample("r", {NodeId("naver-a/n1")}, "snu/llm");
  EXPECT_OK(Insert(store(), reservation));
  const Instant start = reservation.window.start();
  EXPECT_REASON(Claimed(store(), foreign, start + Hours(1), Hours(1)), Reason::kStoreConflict);
  EXPECT_REASON(Claimed(store(), foreign, kNow, Hours(11)), Reason::kStoreConflict);
  EXPECT_OK(Claimed(store(), foreign, kNow, Hours(10)));
  EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.ReleaseClaims(foreign.id, 1, kNow); }));
  EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.ReleaseClaims(foreign.id, 0, kNow); }));
  EXPECT_OK(Claimed(store(), own, start, Hours(4)));
}

TEST_P(StoreConformance, ReservationsKeepOffWhatOthersHold) {
  const Allocation foreign = Submit("kaist/llm/b");
  EXPECT_OK(Claimed(store(), foreign, kNow, Hours(11)));
  EXPECT_REASON(Insert(store(), Sample("r", {NodeId("naver-a/n1")}, "snu/llm")),
                Reason::kStoreConflict);
  EXPECT_REASON(Insert(store(), Sample("r", {NodeId("naver-a/n1")}, "")), Reason::kStoreConflict);
  // Its own project's work is not in the way.
  EXPECT_OK(Insert(store(), Sample("r", {NodeId("naver-a/n1")}, "kaist/llm")));
}

// Both look and find nothing; then only one of them may be there.
TEST_P(StoreConformance, AClaimAndAReservationAtTheSameMomentExcludeEachOther) {
  for (int round = 0; round < 20; ++round) {
    const std::string number = std::to_string(round);
    const Allocation foreign = Submit("kaist/llm/c" + number);
    Reservation reservation = Sample("r" + number, {NodeId("naver-a/n2")}, "");
    const Instant start = kNow + Days(round + 1);
    reservation.window = WindowOf(start, Hours(4));
    Claim claim = SampleClaim(foreign, "naver-a/n2");
    claim.window = WindowOf(start + Hours(1), Hours(1));
    Status claimed = Ok{};
    std::thread other([&] {
      claimed = Write(store(), [&](Tx& tx) { return tx.InsertClaims(std::span(&claim, 1)); });
    });
    const Status reserved = Insert(store(), reservation);
    other.join();
    EXPECT_NE(claimed.ok(), reserved.ok()) << "round " << round;
    if (claimed.ok()) {
      EXPECT_OK(Write(store(), [&](Tx& tx) {
        return tx.ReleaseClaims(foreign.id, claim.attempt, claim.window.start());
      }));
    }
  }
}

TEST_P(StoreConformance, DatesOfAClusterAreKept) {
  EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
    Cluster cluster = tx.LockCluster(ClusterId("naver-a")).value().value();
    cluster.join_time = kNow + Days(1);
    cluster.leave_time = kNow + Days(2);
    return tx.UpdateCluster(cluster);
  }));
  const auto cluster =
      Read(store(), [](Tx& tx) { return tx.FindCluster(ClusterId("naver-a")); }).value().value();
  EXPECT_EQ(cluster.join_time, kNow + Days(1));
  EXPECT_EQ(cluster.leave_time, kNow + Days(2));
  EXPECT_FALSE(Write(store(), [&](Tx& tx) -> Status {
                 Cluster backwards = cluster;
                 backwards.leave_time = kNow;
                 return tx.UpdateCluster(backwards);
               }).ok());
}

}  // namespace
}  // namespace allot::store
