#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "allot/base/random.h"
#include "store/conformance.h"

namespace allot::store {
namespace {

using S = AllocationState;

std::vector<Event> EventsAfter(Store& store, Revision after,
                               std::optional<InstituteId> institute = {}, int limit = 1000) {
  return Read(store, [&](Tx& tx) { return tx.EventsAfter(after, institute, limit); }).value();
}

TEST_P(StoreConformance, EachChangedResourceIsOneEventWithItsLastState) {
  const Revision before = CurrentRevision();
  const Allocation allocation = Submit("snu/llm/a");
  EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
    Allocation next = tx.FindAllocation(allocation.id).value().value();
    next.update_time = kNow + Minutes(5);
    next.window = WindowOf(kNow, Hours(4));
    next.cluster = ClusterId("naver-a");
    ALLOT_RETURN_IF_ERROR(Move(tx, next, S::kPlanned));
    ALLOT_RETURN_IF_ERROR(Reserve(tx, next, "naver-a/n1"));
    Node node = tx.FindNode(NodeId("naver-a/n2")).value().value();
    node.draining = true;
    return tx.UpdateNodes(std::span(&node, 1));
  }));
  const std::vector<Event> events = EventsAfter(store(), before);
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].revision, before + 1);
  EXPECT_EQ(events[0].state, S::kPending);
  EXPECT_EQ(events[1].kind, ResourceKind::kAllocation);
  EXPECT_EQ(events[1].resource, "snu/llm/a");
  EXPECT_EQ(events[1].institute, InstituteId("snu"));
  EXPECT_EQ(events[1].state, S::kProvisioning);
  EXPECT_EQ(events[1].time, kNow + Minutes(5));
  EXPECT_EQ(events[2].kind, ResourceKind::kNode);
  EXPECT_EQ(events[2].institute, InstituteId());
  EXPECT_EQ(events[1].revision, before + 2);
  EXPECT_EQ(events[2].revision, before + 2);
}

TEST_P(StoreConformance, AnEventKeepsWhatItsAllocationSaidThen) {
  const Revision before = CurrentRevision();
  Allocation allocation = Submit("snu/llm/a");
  const std::string first = allocation.message;
  EXPECT_OK(Write(store(), [&](Tx& tx) -> Status {
    Allocation next = tx.FindAllocation(allocation.id).value().value();
    next.update_time = kNow + Minutes(5);
    next.reason = "quota_exhausted";
    next.message = "waits for quota";
    return tx.UpdateAllocations(std::span(&next, 1));
  }));
  const std::vector<Event> events = EventsAfter(store(), before);
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].message, first);
  EXPECT_EQ(events[1].reason, "quota_exhausted");
  EXPECT_EQ(events[1].message, "waits for quota");
}

TEST_P(StoreConformance, AnInstituteSeesItsOwnEventsOnly) {
  Submit("snu/llm/a");
  Submit("kaist/llm/b");
  std::set<std::string> seen;
  for (const Event& event : EventsAfter(store(), 0, InstituteId("kaist"))) {
    seen.insert(std::string(Name(event.kind)) + " " + event.resource);
  }
  EXPECT_EQ(seen, (std::set<std::string>{"institute kaist", "project kaist/llm", "quota kaist/llm",
                                         "allocation kaist/llm/b"}));
}

TEST_P(StoreConformance, EventsComeInWholeRevisions) {
  const Revision before = CurrentRevision();
  Submit("snu/llm/a");                             // one event
  EXPECT_OK(Write(store(), [](Tx& tx) -> Status {  // three events
    for (const std::string name : {"b", "c", "d"}) {
      ALLOT_RETURN_IF_ERROR(tx.InsertAllocation(SampleAllocation("snu/llm/" + name)));
    }
    return Ok{};
  }));
  EXPECT_EQ(EventsAfter(store(), before, {}, 4).size(), 4u);
  EXPECT_EQ(EventsAfter(store(), before, {}, 3).size(), 1u);
  EXPECT_EQ(EventsAfter(store(), before, {}, 1).size(), 1u);
  // A revision larger than the limit is given whole: the reader has to get past it.
  EXPECT_EQ(EventsAfter(store(), before + 1, {}, 2).size(), 3u);
  EXPECT_EQ(EventsAfter(store(), before + 1, InstituteId("snu"), 2).size(), 3u);
  EXPECT_TRUE(EventsAfter(store(), before + 2).empty());
}

TEST_P(StoreConformance, RevisionsAreDenseAndInCommitOrder) {
  constexpr int kWriters = 4;
  constexpr int kWrites = 25;
  const Revision before = CurrentRevision();
  std::atomic<bool> done = false;
  // Reads all along: once it has seen a revision, nothing may turn up at or below it.
  std::vector<Revision> read;
  std::thread reader([&] {
    Revision after = before;
    while (true) {
      const bool last = done;
      for (const Event& event : EventsAfter(store(), after)) {
        read.push_back(event.revision);
        after = event.revision;
      }
      if (last) break;
    }
  });
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      for (int i = 0; i < kWrites; ++i) {
        const std::string id = "snu/llm/w" + std::to_string(writer) + "-" + std::to_string(i);
        EXPECT_OK(
            Write(store(), [&](Tx& tx) { return tx.InsertAllocation(SampleAllocation(id)); }));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  done = true;
  reader.join();
  std::vector<Revision> expected;
  for (int i = 1; i <= kWriters * kWrites; ++i) expected.push_back(before + i);
  EXPECT_EQ(read, expected);
}

TEST_P(StoreConformance, ThoseWhoWaitAreWokenWithTheNewestRevision) {
  std::mutex mutex;
  std::vector<Revision> woken;
  store().OnCommit([&](Revision revision) {
    const std::scoped_lock lock(mutex);
    woken.push_back(revision);
  });
  const Revision before = CurrentRevision();
  Submit("snu/llm/a");
  EXPECT_OK(Write(store(), [](Tx& tx) { return tx.TouchCluster(ClusterId("naver-a"), kNow, {}); }));
  Submit("snu/llm/b");
  EXPECT_EQ(woken, (std::vector<Revision>{before + 1, before + 2}));
}

/// What a follower of the stream knows, kept current from ChangesAfter as the scheduler does it.
class Follower {
 public:
  void Follow(const Changes& changes) {
    if (changes.complete) *this = Follower();
    revision_ = changes.revision;
    Take(providers_, changes.providers, &Provider::id);
    Take(clusters_, changes.clusters, &Cluster::id);
    Take(nodes_, changes.nodes, &Node::id);
    Take(projects_, changes.projects, &Project::id);
    Take(quotas_, changes.quotas, &Quota::project);
    Take(usages_, changes.usages, &ProjectUsage::project);
    Take(allocations_, changes.allocations, &Allocation::id);
    for (const Allocation& allocation : changes.allocations) claims_.erase(allocation.id);
    for (const Claim& claim : changes.claims) claims_[claim.allocation].push_back(claim);
    std::erase_if(allocations_, [&](const auto& entry) {
      return IsFinal(entry.second.state) && !claims_.contains(entry.first);
    });
  }
  Revision revision() const { return revision_; }
  friend bool operator==(const Follower&, const Follower&) = default;

 private:
  template <class Map, class Rows, class Key>
  static void Take(Map& map, const Rows& rows, Key key) {
    for (const auto& row : rows) map.insert_or_assign(row.*key, row);
  }

  Revision revision_ = 0;
  std::map<ProviderId, Provider> providers_;
  std::map<ClusterId, Cluster> clusters_;
  std::map<NodeId, Node> nodes_;
  std::map<ProjectId, Project> projects_;
  std::map<ProjectId, Quota> quotas_;
  std::map<ProjectId, ProjectUsage> usages_;
  std::map<AllocationId, Allocation> allocations_;
  std::map<AllocationId, std::vector<Claim>> claims_;
};

/// One step of a random life. Conflicts on GPUs are part of it.
Status ChangeSomething(Tx& tx, SeededRandom& random, int step) {
  const std::string project = random.Below(2) == 0 ? "snu/llm" : "kaist/llm";
  const std::string node = "naver-a/n" + std::to_string(1 + random.Below(4));
  const auto pick = [&](std::vector<S> states) -> std::optional<Allocation> {
    auto items = tx.ListAllocations({.states = std::move(states)}, {}).value().items;
    if (items.empty()) return std::nullopt;
    return items[random.Below(items.size())];
  };
  switch (random.Below(9)) {
    case 0:
    case 1:
    case 2:
      return tx.InsertAllocation(SampleAllocation(project + "/a" + std::to_string(step)));
    case 3:
    case 4:
      if (auto allocation = pick({S::kPending})) return Reserve(tx, *allocation, node);
      return Ok{};
    case 5:
      if (auto allocation = pick({S::kProvisioning})) {
        return Move(tx, *allocation, random.Below(2) == 0 ? S::kPreempted : S::kReleasing);
      }
      return Ok{};
    case 6:
      if (auto allocation = pick({S::kReleasing, S::kPreempted})) {
        ALLOT_RETURN_IF_ERROR(
            tx.ReleaseClaims(allocation->id, allocation->attempt, kNow + Minutes(step)));
        // Claims alone may change, too.
        if (allocation->state == S::kPreempted && random.Below(2) == 0) return Ok{};
        return Move(tx, *allocation,
                    allocation->state == S::kReleasing ? S::kCompleted : S::kFailed);
      }
      return Ok{};
    case 7: {
      Node changed = tx.FindNode(NodeId(node)).value().value();
      changed.draining = !changed.draining;
      return tx.UpdateNodes(std::span(&changed, 1));
    }
    default: {
      Project changed = tx.FindProject(ProjectId(project)).value().value();
      changed.merit = static_cast<int>(random.Below(1001));
      ALLOT_RETURN_IF_ERROR(tx.UpdateProject(changed));
      return tx.UpdateProjectUsage(
          {.project = changed.id, .used = GpuSeconds::FromCount(step), .decayed = {step, kNow}});
    }
  }
}

/// Steps of a size until nothing is left to remove; what the last reader must not have missed.
Revision RemoveAllBefore(Store& store, Instant t, int revisions) {
  const auto step = [&](Tx& tx) { return tx.RemoveEvents(t, revisions); };
  while (Write(store, step).value() > 0) {
  }
  return Read(store, [](Tx& tx) { return tx.RemovedThrough(); }).value();
}

TEST_P(StoreConformance, EventsAreRemovedFromTheBeginningUpToTheFirstYoungOne) {
  const Instant later = kNow + Days(3'660);
  Submit("snu/llm/old");
  const Revision old = CurrentRevision();
  EXPECT_OK(Write(store(), [&](Tx& tx) {
    Allocation young = SampleAllocation("snu/llm/young");
    young.update_time = later;
    return tx.InsertAllocation(young);
  }));
  Submit("snu/llm/old-behind-the-young");
  EXPECT_EQ(Write(store(), [&](Tx& tx) { return tx.RemoveEvents(later, 2); }).value(), 2);
  EXPECT_EQ(Read(store(), [](Tx& tx) { return tx.RemovedThrough(); }).value(), 2);
  EXPECT_EQ(RemoveAllBefore(store(), later, 3), old);
  const std::vector<Event> left = EventsAfter(store(), old);
  ASSERT_EQ(left.size(), 2u);
  EXPECT_EQ(left[0].resource, "snu/llm/young");
  EXPECT_EQ(CurrentRevision(), old + 2);
  EXPECT_EQ(RemoveAllBefore(store(), later + Days(1), 100), old + 2);
  EXPECT_EQ(RemoveAllBefore(store(), later + Days(1), 100), old + 2) << "never past the present";
}

TEST_P(StoreConformance, AFollowerWhoseNextEventsAreGoneStartsAfresh) {
  Follower follower;
  follower.Follow(ChangesAfter(store(), 0));
  Submit("snu/llm/a");
  const Revision seen = CurrentRevision();
  // It would never hear that this one ended.
  follower.Follow(ChangesAfter(store(), follower.revision()));
  EXPECT_OK(Write(store(), [](Tx& tx) {
    Allocation ended = tx.FindAllocation(AllocationId("snu/llm/a")).value().value();
    return Move(tx, ended, S::kCancelled);
  }));
  RemoveAllBefore(store(), kNow + Days(3'660), 100);
  Submit("snu/llm/b");
  const Changes changes = ChangesAfter(store(), seen);
  EXPECT_TRUE(changes.complete);
  follower.Follow(changes);
  Follower fresh;
  fresh.Follow(ChangesAfter(store(), 0));
  EXPECT_TRUE(follower == fresh);
  EXPECT_FALSE(ChangesAfter(store(), CurrentRevision() - 1).complete);
}

TEST_P(StoreConformance, AFollowerOfAnotherHistoryStartsAfresh) {
  const Changes seen = ChangesAfter(store(), 0);
  const auto after = [&](Revision revision, const std::string& history) {
    return Read(store(), [&](Tx& tx) { return tx.ChangesAfter(revision, history); }).value();
  };
  EXPECT_FALSE(after(seen.revision, seen.history).complete);
  EXPECT_TRUE(after(seen.revision, "another").complete) << "the number alone says nothing";
  Submit("snu/llm/a");
  const Changes changes = after(seen.revision, seen.history);
  EXPECT_FALSE(changes.complete);
  EXPECT_EQ(changes.allocations.size(), 1U);
  EXPECT_EQ(changes.history, seen.history);
  EXPECT_TRUE(after(seen.revision, "another").complete);
}

TEST_P(StoreConformance, WhoIsFarBehindStartsAfresh) {
  const Revision seen = CurrentRevision();
  const auto submit = [&](const std::string& name, int count) {
    std::vector<Allocation> many;
    for (int i = 0; i < count; ++i) {
      many.push_back(SampleAllocation("snu/llm/" + name + std::to_string(i)));
    }
    EXPECT_OK(Write(store(), [&](Tx& tx) { return tx.InsertAllocations(many); }));
  };
  submit("a", kChangesMax);
  EXPECT_FALSE(ChangesAfter(store(), seen).complete);
  submit("b", 1);
  const Changes changes = ChangesAfter(store(), seen);
  EXPECT_TRUE(changes.complete);
  EXPECT_EQ(changes.allocations.size(), static_cast<std::size_t>(kChangesMax) + 1);
  EXPECT_EQ(changes.clusters.size(), 2U);
}

TEST_P(StoreConformance, FollowingTheStreamEqualsAFreshLoad) {
  SeededRandom random(20260301);
  Follower follower;
  follower.Follow(ChangesAfter(store(), 0));
  for (int step = 1; step <= 200; ++step) {
    const SeededRandom before = random;
    static_cast<void>(Write(store(), [&](Tx& tx) {
      random = before;  // Safe to rerun.
      return ChangeSomething(tx, random, step);
    }));
    if (random.Below(4) != 0) continue;
    follower.Follow(ChangesAfter(store(), follower.revision()));
    Follower fresh;
    fresh.Follow(ChangesAfter(store(), 0));
    ASSERT_TRUE(follower == fresh) << "after step " << step;
  }
}

}  // namespace
}  // namespace allot::store
