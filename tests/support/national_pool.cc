#include "support/national_pool.h"

#include <algorithm>
#include <string>
#include <utility>

#include "allot/base/random.h"

namespace allot::testing {
namespace {

using scheduler::Snapshot;

constexpr int kNodesPerLeaf = 32;

std::string Numbered(const std::string& name, int number) {
  const std::string digits = std::to_string(number);
  return name + std::string(5 - std::min<std::size_t>(digits.size(), 4), '0') + digits;
}

void AddCluster(const std::string& id, GpuModel model, int nodes, Snapshot& snapshot) {
  const int position = static_cast<int>(snapshot.clusters.size());
  snapshot.clusters.push_back({ClusterId(id), model, {ProgrammeId(kPoolProgramme)}});
  for (int i = 0; i < nodes; ++i) {
    scheduler::SnapshotNode node;
    node.id = NodeId(Numbered(id + "/n", i));
    node.cluster = position;
    node.leaf = "su-" + std::to_string(i / kNodesPerLeaf);
    snapshot.nodes.push_back(std::move(node));
  }
}

class Mixer {
 public:
  Mixer(const MixedQueue& queue, Snapshot& snapshot)
      : queue_(queue), snapshot_(snapshot), random_(queue.seed) {}

  void Run() {
    for (int i = 0; i < queue_.projects; ++i) AddProject(i);
    for (scheduler::SnapshotNode& node : snapshot_.nodes) {
      if (Chance(queue_.unschedulable_permille)) Stop(node);
    }
    AddClaims();
    for (int i = 0; i < queue_.pending; ++i) AddPending(i);
    Canonicalise(snapshot_);
  }

 private:
  bool Chance(int permille) { return random_.Between(0, 999) < permille; }
  int Pick(int low, int high) { return static_cast<int>(random_.Between(low, high)); }

  // 1 hour to 7 days in minutes, each octave of hours as likely as the next.
  Seconds Duration() {
    const int64_t octave = int64_t{60} << Pick(0, 7);
    return Minutes(std::min<int64_t>(random_.Between(octave, 2 * octave - 1), 7 * 24 * 60));
  }

  void AddProject(int number) {
    scheduler::SnapshotProject project;
    project.id = ProjectId(Numbered("institute/p", number));
    project.programme = ProgrammeId(kPoolProgramme);
    project.merit = Pick(0, kMeritMax);
    // The programme's caps, and smaller ones.
    const int eighths = Pick(4, 8);
    project.concurrent_gpus[static_cast<std::size_t>(GpuModel::kH200)] = 32 * eighths;
    project.concurrent_gpus[static_cast<std::size_t>(GpuModel::kB200)] = 16 * eighths;
    project.usage = {random_.Between(0, int64_t{1} << 36), snapshot_.now};
    snapshot_.projects.push_back(std::move(project));
  }

  void Stop(scheduler::SnapshotNode& node) {
    node.schedulable = false;
    node.draining = Chance(500);
    node.health = node.draining ? NodeHealth::kReady : NodeHealth::kDown;
  }

  // Single nodes and gangs, some that leave part of a node free, one in fifty overdue.
  void AddClaims() {
    int number = 0;
    for (std::size_t i = 0; i < snapshot_.nodes.size();) {
      const std::size_t nodes = Chance(300) ? static_cast<std::size_t>(Pick(2, 16)) : 1;
      const std::size_t end = std::min(i + nodes, snapshot_.nodes.size());
      const GpuMask gpus = Chance(300) ? static_cast<GpuMask>(Pick(1, 255)) : GpuMask{0xff};
      const int project = Pick(0, queue_.projects - 1);
      const Instant until =
          Chance(20) ? snapshot_.now : snapshot_.now + Minutes(random_.Between(1, 14 * 24 * 60));
      const AllocationId id(Numbered("institute/p/running", number++));
      const bool busy = Chance(queue_.busy_permille);
      for (; i < end; ++i) {
        if (!busy) continue;
        snapshot_.claims.push_back(
            {id, project, static_cast<int>(i), gpus, snapshot_.now - Hours(30), until});
      }
    }
  }

  Shape AnyShape() {
    const int kind = Pick(0, 99);
    if (kind < 40) return ShapeForGpus(Pick(1, 7));
    if (kind < 60) return {1, 8, 0};
    if (kind < 70) return {Pick(2, 8), 4, 0};
    if (kind < 75) return ShapeForGpus(Pick(9, 64));
    if (kind < 90) return {Pick(2, 4), 8, 0};
    return {Pick(5, 16), 8, 0};
  }

  void AddPending(int number) {
    scheduler::SnapshotPending pending;
    pending.id = AllocationId(Numbered("institute/p/waiting", number));
    pending.project = Pick(0, queue_.projects - 1);
    pending.create_time = snapshot_.now - Minutes(random_.Between(0, 10 * 24 * 60));
    Request& request = pending.request;
    request.shape = AnyShape();
    request.duration = Duration();
    const int models = Pick(0, 9);
    if (models < 4) {
      request.models = {GpuModel::kH200};
    } else if (models < 8) {
      request.models = {GpuModel::kB200};
    } else {
      request.models = {GpuModel::kH200, GpuModel::kB200};
    }
    if (Chance(50)) request.earliest_start = snapshot_.now + Minutes(random_.Between(1, 30'000));
    if (Chance(50)) {
      request.deadline = request.earliest_start.value_or(snapshot_.now) + request.duration +
                         Minutes(random_.Between(1, 30'000));
    }
    snapshot_.pending.push_back(std::move(pending));
  }

  const MixedQueue& queue_;
  Snapshot& snapshot_;
  SeededRandom random_;
};

}  // namespace

Snapshot NationalPool(Instant now, int times) {
  Snapshot snapshot;
  snapshot.now = now;
  for (int i = 1; i <= times; ++i) {
    const std::string copy = i == 1 ? "" : "-" + std::to_string(i);
    AddCluster("kakao-a" + copy, GpuModel::kB200, 255, snapshot);
    AddCluster("naver-a" + copy, GpuModel::kH200, 255, snapshot);
    AddCluster("naver-b" + copy, GpuModel::kH200, 32, snapshot);
    AddCluster("nhn-a" + copy, GpuModel::kB200, 510, snapshot);
    AddCluster("nhn-b" + copy, GpuModel::kB200, 255, snapshot);
  }
  return snapshot;
}

void AddMixedQueue(const MixedQueue& queue, Snapshot& snapshot) { Mixer(queue, snapshot).Run(); }

}  // namespace allot::testing
