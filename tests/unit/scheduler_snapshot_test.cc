#include "allot/scheduler/snapshot.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

#include "support/snapshot_builder.h"

namespace allot::scheduler {
namespace {

constexpr Instant kNow = testing::SnapshotBuilder::kNow;

Snapshot Sample() {
  Snapshot snapshot;
  snapshot.now = kNow;
  snapshot.clusters = {{ClusterId("b"), GpuModel::kB200, {ProgrammeId("y"), ProgrammeId("x")}},
                       {ClusterId("a"), GpuModel::kH200, {ProgrammeId("x")}}};
  snapshot.nodes = {{.id = NodeId("b/n1"), .cluster = 0}, {.id = NodeId("a/n1"), .cluster = 1}};
  snapshot.projects = {{.id = ProjectId("i/q"), .programme = ProgrammeId("y"), .merit = 7},
                       {.id = ProjectId("i/p"), .programme = ProgrammeId("x"), .merit = 8}};
  snapshot.claims = {{AllocationId("i/q/2"), 0, 0, 0x0f, kNow, kNow + Hours(1)},
                     {AllocationId("i/q/1"), 0, 0, 0xf0, kNow, kNow + Hours(1)},
                     {AllocationId("i/p/1"), 1, 1, 0xff, kNow, kNow + Hours(1)}};
  SnapshotPending pending;
  pending.request.shape = {1, 8, 0};
  pending.request.models = {GpuModel::kH200};
  pending.request.duration = Hours(1);
  pending.create_time = kNow;
  for (const auto& [id, project] : {std::pair("i/q/9", 0), std::pair("i/p/9", 1)}) {
    pending.id = AllocationId(id);
    pending.project = project;
    snapshot.pending.push_back(pending);
  }
  return snapshot;
}

TEST(Snapshot, CanonicaliseSortsByIdAndPositionsFollow) {
  Snapshot snapshot = Sample();
  Canonicalise(snapshot);
  EXPECT_EQ(snapshot.clusters[0].id, ClusterId("a"));
  EXPECT_EQ(snapshot.clusters[1].programmes, (std::vector{ProgrammeId("x"), ProgrammeId("y")}));
  EXPECT_EQ(snapshot.nodes[0].id, NodeId("a/n1"));
  EXPECT_EQ(snapshot.nodes[0].cluster, 0);
  EXPECT_EQ(snapshot.nodes[1].cluster, 1);
  EXPECT_EQ(snapshot.projects[0].id, ProjectId("i/p"));
  EXPECT_EQ(snapshot.pending[0].id, AllocationId("i/p/9"));
  EXPECT_EQ(snapshot.pending[0].project, 0);
  EXPECT_EQ(snapshot.pending[1].project, 1);
  // By node, then allocation.
  EXPECT_EQ(snapshot.claims[0].allocation, AllocationId("i/p/1"));
  EXPECT_EQ(snapshot.claims[0].node, 0);
  EXPECT_EQ(snapshot.claims[0].project, 0);
  EXPECT_EQ(snapshot.claims[1].allocation, AllocationId("i/q/1"));
  EXPECT_EQ(snapshot.claims[2].allocation, AllocationId("i/q/2"));
  EXPECT_EQ(snapshot.claims[2].project, 1);
}

TEST(Snapshot, TheEarliestStartIsAWholeSecondAfterAskAndGatheringTime) {
  SnapshotPending pending;
  Policy policy;
  policy.gathering_time = Minutes(1);
  pending.create_time = Instant{kNow.micros + 1};
  EXPECT_EQ(EarliestStart(pending, policy), kNow + Seconds{61});
  pending.create_time = kNow;
  EXPECT_EQ(EarliestStart(pending, policy), kNow + Seconds{60});
  pending.request.earliest_start = Instant{kNow.micros + 90'000'001};
  EXPECT_EQ(EarliestStart(pending, policy), kNow + Seconds{91});
}

TEST(Snapshot, CanonicaliseAgainChangesNothing) {
  Snapshot snapshot = Sample();
  Canonicalise(snapshot);
  const uint64_t digest = Digest(snapshot);
  Canonicalise(snapshot);
  EXPECT_EQ(Digest(snapshot), digest);
}

SnapshotPromise PromiseOn(int node, GpuMask gpus, Instant start, Seconds length) {
  return {*TimeWindow::Make(start, start + length), {{node, gpus}}};
}

TEST(Snapshot, EveryFieldMovesTheDigest) {
  const std::vector<std::function<void(Snapshot&)>> changes = {
      [](Snapshot&) {},
      [](Snapshot& s) { s.now = s.now + Seconds{1}; },
      [](Snapshot& s) { ++s.revision; },
      [](Snapshot& s) { s.clusters[0].id = ClusterId("a2"); },
      [](Snapshot& s) { s.clusters[0].model = GpuModel::kB200; },
      [](Snapshot& s) { s.clusters[0].programmes.emplace_back("z"); },
      [](Snapshot& s) { s.clusters.pop_back(); },
      [](Snapshot& s) { s.nodes[0].id = NodeId("a/n2"); },
      [](Snapshot& s) { s.nodes[0].cluster = 1; },
      [](Snapshot& s) { s.nodes[0].schedulable = false; },
      [](Snapshot& s) { s.nodes[0].health = NodeHealth::kDown; },
      [](Snapshot& s) { s.nodes[0].draining = true; },
      [](Snapshot& s) { s.nodes[0].leaf = "su-1"; },
      [](Snapshot& s) { s.projects[0].id = ProjectId("i/p2"); },
      [](Snapshot& s) { s.projects[0].programme = ProgrammeId("y"); },
      [](Snapshot& s) { ++s.projects[0].merit; },
      [](Snapshot& s) { s.projects[0].open = false; },
      [](Snapshot& s) { ++s.projects[0].concurrent_gpus[1]; },
      [](Snapshot& s) { s.projects[0].gpu_time_left = GpuSeconds(); },
      [](Snapshot& s) { ++s.projects[0].usage.value; },
      [](Snapshot& s) { ++s.projects[0].usage.as_of.micros; },
      [](Snapshot& s) { ++s.projects[0].stopped_lately; },
      [](Snapshot& s) { s.claims[0].allocation = AllocationId("i/p/2"); },
      [](Snapshot& s) { s.claims[0].project = 1; },
      [](Snapshot& s) { s.claims[0].node = 1; },
      [](Snapshot& s) { s.claims[0].gpus = 1; },
      [](Snapshot& s) { ++s.claims[0].start.micros; },
      [](Snapshot& s) { ++s.claims[0].until.micros; },
      [](Snapshot& s) { s.claims[0].counts_against_quota = false; },
      [](Snapshot& s) { s.claims[0].borrowed = true; },
      [](Snapshot& s) { s.pending[0].id = AllocationId("i/p/8"); },
      [](Snapshot& s) { s.pending[0].project = 1; },
      [](Snapshot& s) { ++s.pending[0].request.shape.nodes; },
      [](Snapshot& s) {
        s.pending[0].request.exchanged = ExchangedShape{GpuModel::kB200, {1, 8, 0}};
      },
      [](Snapshot& s) { --s.pending[0].request.shape.gpus_per_node; },
      [](Snapshot& s) { ++s.pending[0].request.shape.remainder_gpus; },
      [](Snapshot& s) { s.pending[0].request.models.push_back(GpuModel::kB200); },
      [](Snapshot& s) { ++s.pending[0].request.duration.count; },
      [](Snapshot& s) { s.pending[0].request.earliest_start = kNow; },
      [](Snapshot& s) { s.pending[0].request.deadline = kNow; },
      [](Snapshot& s) { s.pending[0].request.preemptible = true; },
      [](Snapshot& s) { s.pending[0].request.borrow = true; },
      [](Snapshot& s) { s.pending[0].request.same_leaf_wait = Hours(1); },
      [](Snapshot& s) { ++s.pending[0].create_time.micros; },
      [](Snapshot& s) { s.pending[0].requeued = true; },
      [](Snapshot& s) { s.pending[0].told_start = kNow; },
      [](Snapshot& s) { s.pending[0].overdue = true; },
      [](Snapshot& s) { s.pending[0].urgent = true; },
      [](Snapshot& s) { s.pending[0].consolidate = true; },
      [](Snapshot& s) { s.pending[0].planned_start = kNow; },
      [](Snapshot& s) { s.pending[0].promise = PromiseOn(0, 1, kNow, Hours(1)); },
      [](Snapshot& s) { s.pending[0].promise = PromiseOn(1, 1, kNow, Hours(1)); },
      [](Snapshot& s) { s.pending[0].promise = PromiseOn(0, 2, kNow, Hours(1)); },
      [](Snapshot& s) { s.pending[0].promise = PromiseOn(0, 1, kNow + Hours(1), Hours(1)); },
      [](Snapshot& s) { s.pending[0].promise = PromiseOn(0, 1, kNow, Hours(2)); },
  };
  std::set<uint64_t> digests;
  for (const auto& change : changes) {
    Snapshot snapshot = Sample();
    Canonicalise(snapshot);
    change(snapshot);
    digests.insert(Digest(snapshot));
  }
  EXPECT_EQ(digests.size(), changes.size());
}

}  // namespace
}  // namespace allot::scheduler
