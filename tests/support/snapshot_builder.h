#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "allot/base/check.h"
#include "allot/scheduler/snapshot.h"
#include "support/manual_clock.h"

namespace allot::testing {

/// A small pool and its queue, put together row by row and named by id; `Build` makes it canonical.
class SnapshotBuilder {
 public:
  static constexpr Instant kNow = ManualClock::kStart;

  SnapshotBuilder() { snapshot_.now = kNow; }

  /// Nodes "<id>/n01" to "<id>/nNN".
  SnapshotBuilder& Cluster(const std::string& id, GpuModel model, int nodes,
                           std::vector<ProgrammeId> programmes = {ProgrammeId("call")}) {
    const int position = static_cast<int>(snapshot_.clusters.size());
    snapshot_.clusters.push_back({ClusterId(id), model, std::move(programmes)});
    for (int i = 1; i <= nodes; ++i) {
      scheduler::SnapshotNode node;
      node.id = NodeId(id + (i < 10 ? "/n0" : "/n") + std::to_string(i));
      node.cluster = position;
      snapshot_.nodes.push_back(std::move(node));
    }
    return *this;
  }

  /// Of merit 500, with as many GPUs of each model as nobody asks for in a small pool.
  scheduler::SnapshotProject& Project(const std::string& id) {
    scheduler::SnapshotProject project;
    project.id = ProjectId(id);
    project.programme = ProgrammeId("call");
    project.merit = 500;
    project.concurrent_gpus = {1'000, 1'000};
    project.usage.as_of = kNow;
    snapshot_.projects.push_back(std::move(project));
    return snapshot_.projects.back();
  }

  scheduler::SnapshotProject& ProjectNamed(const std::string& id) {
    return snapshot_.projects[static_cast<std::size_t>(PositionOf(snapshot_.projects, id))];
  }

  scheduler::SnapshotNode& Node(const std::string& id) {
    return snapshot_.nodes[static_cast<std::size_t>(PositionOf(snapshot_.nodes, id))];
  }

  /// Held since an hour ago.
  scheduler::SnapshotClaim& Claim(const std::string& allocation, const std::string& project,
                                  const std::string& node, GpuMask gpus, Instant until) {
    snapshot_.claims.push_back({AllocationId(allocation), PositionOf(snapshot_.projects, project),
                                PositionOf(snapshot_.nodes, node), gpus, kNow - Hours(1), until});
    return snapshot_.claims.back();
  }

  /// Created an hour ago, for H200 only.
  scheduler::SnapshotPending& Pending(const std::string& id, const std::string& project,
                                      Shape shape, Seconds duration) {
    scheduler::SnapshotPending pending;
    pending.id = AllocationId(id);
    pending.project = PositionOf(snapshot_.projects, project);
    pending.request.shape = shape;
    pending.request.duration = duration;
    pending.request.models = {GpuModel::kH200};
    pending.create_time = kNow - Hours(1);
    snapshot_.pending.push_back(std::move(pending));
    return snapshot_.pending.back();
  }

  /// Of H200, since an hour ago; what it holds is to be claimed.
  scheduler::SnapshotPreemptible& Preemptible(const std::string& id, const std::string& project,
                                              Shape shape, Instant until) {
    scheduler::SnapshotPreemptible row;
    row.id = AllocationId(id);
    row.project = PositionOf(snapshot_.projects, project);
    row.request.shape = shape;
    row.request.models = {GpuModel::kH200};
    row.start = kNow - Hours(1);
    row.create_time = row.start;
    row.until = until;
    row.request.duration = Between(row.start, until);
    row.request.preemptible = true;
    snapshot_.preemptible.push_back(std::move(row));
    return snapshot_.preemptible.back();
  }

  scheduler::Snapshot Build() const {
    scheduler::Snapshot snapshot = snapshot_;
    Canonicalise(snapshot);
    return snapshot;
  }

  template <class Row>
  static int PositionOf(const std::vector<Row>& rows, const std::string& id) {
    const auto found =
        std::find_if(rows.begin(), rows.end(), [&](const Row& row) { return row.id.str() == id; });
    ALLOT_CHECK(found != rows.end());
    return static_cast<int>(found - rows.begin());
  }

 private:
  scheduler::Snapshot snapshot_;
};

}  // namespace allot::testing
