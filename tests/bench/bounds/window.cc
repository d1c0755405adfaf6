#include "bench/bounds/window.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "allot/base/check.h"
#include "allot/base/random.h"
#include "bench/bounds/realise.h"
#include "support/manual_clock.h"

namespace allot::bounds {
namespace {

using scheduler::Snapshot;
using scheduler::SnapshotClaim;
using scheduler::SnapshotPending;

constexpr Instant kNow = testing::ManualClock::kStart;
constexpr const char* kProgramme = "window";
/// More than any window asks for together.
constexpr int kQuotaGpus = 100'000;
constexpr std::array<int64_t, 5> kDurations = {1, 2, 3, 4, 6};
constexpr int kPlacementSteps = 200'000;

std::string Numbered(const std::string& name, int number) {
  const std::string digits = std::to_string(number);
  return name + std::string(4 - std::min<std::size_t>(digits.size(), 3), '0') + digits;
}

int SlotsOf(Seconds duration) {
  ALLOT_CHECK(duration.count % kSlot.count == 0);
  return static_cast<int>(duration.count / kSlot.count);
}

scheduler::SnapshotProject MakeProject(std::string id, int merit) {
  scheduler::SnapshotProject project;
  project.id = ProjectId(std::move(id));
  project.programme = ProgrammeId(kProgramme);
  project.merit = merit;
  project.concurrent_gpus.fill(kQuotaGpus);
  project.usage.as_of = kNow;
  return project;
}

class WindowMaker {
 public:
  WindowMaker(uint64_t seed, int requests) : random_(seed), requests_(requests) {}

  Snapshot Make() {
    snapshot_.now = kNow;
    // Enough for about a day and a half of what waits.
    AddCluster("a", GpuModel::kH200, 2 + requests_ / 10);
    AddCluster("b", GpuModel::kB200, 2 + requests_ / 20);
    for (int i = 0; i < requests_ / 3; ++i) {
      snapshot_.projects.push_back(MakeProject(Numbered("p", i), Pick(300, kMeritMax)));
    }
    for (int node = 0; node < static_cast<int>(snapshot_.nodes.size()); ++node) AddClaims(node);
    for (int i = 0; i < requests_; ++i) AddPending(i);
    Canonicalise(snapshot_);
    return std::move(snapshot_);
  }

 private:
  int Pick(int low, int high) { return static_cast<int>(random_.Between(low, high)); }
  int PickProject() { return Pick(0, static_cast<int>(snapshot_.projects.size()) - 1); }

  void AddCluster(const std::string& id, GpuModel model, int nodes) {
    const int position = static_cast<int>(snapshot_.clusters.size());
    snapshot_.clusters.push_back({ClusterId(id), model, {ProgrammeId(kProgramme)}});
    nodes_[static_cast<std::size_t>(model)] = nodes;
    for (int i = 0; i < nodes; ++i) {
      scheduler::SnapshotNode node;
      node.id = NodeId(Numbered(id + "/n", i));
      node.cluster = position;
      snapshot_.nodes.push_back(std::move(node));
    }
  }

  void AddClaim(int node, GpuMask gpus) {
    SnapshotClaim claim;
    claim.allocation = AllocationId(Numbered("running", static_cast<int>(snapshot_.claims.size())));
    claim.project = PickProject();
    claim.node = node;
    claim.gpus = gpus;
    claim.start = kNow - Hours(Pick(1, 12));
    claim.until = kNow + Seconds{kSlot.count * Pick(1, 6)};
    snapshot_.claims.push_back(std::move(claim));
  }

  // A quarter of the nodes is free, half is taken by one, the rest is shared by two.
  void AddClaims(int node) {
    const int kind = Pick(0, 3);
    if (kind == 0) return;
    if (kind < 3) return AddClaim(node, 0xff);
    AddClaim(node, 0x0f);
    AddClaim(node, Pick(0, 1) == 0 ? 0x30 : 0xf0);
  }

  std::vector<GpuModel> PickModels(int nodes) {
    const GpuModel preferred = Pick(0, 2) < 2 ? GpuModel::kH200 : GpuModel::kB200;
    const GpuModel other = preferred == GpuModel::kH200 ? GpuModel::kB200 : GpuModel::kH200;
    const auto fits = [&](GpuModel model) {
      return nodes <= nodes_[static_cast<std::size_t>(model)];
    };
    if (!fits(preferred)) return {other};
    if (Pick(0, 4) > 0 || !fits(other)) return {preferred};
    return {preferred, other};
  }

  void AddPending(int number) {
    SnapshotPending pending;
    pending.id = AllocationId(Numbered("r", number));
    pending.project = PickProject();
    const int kind = Pick(0, 5);
    Shape shape{1, kGpusPerNode, 0};
    if (kind < 3) shape.gpus_per_node = Pick(1, 7);
    if (kind == 5) shape.nodes = Pick(2, nodes_[static_cast<std::size_t>(GpuModel::kH200)] / 2 + 1);
    pending.request.shape = shape;
    pending.request.models = PickModels(shape.nodes);
    const int64_t slots = kDurations[random_.Below(kDurations.size())];
    pending.request.duration = Seconds{kSlot.count * slots};
    pending.create_time = kNow - Minutes(Pick(1, 120));
    snapshot_.pending.push_back(std::move(pending));
  }

  SeededRandom random_;
  const int requests_;
  Snapshot snapshot_;
  std::array<int, kGpuModelCount> nodes_{};
};

int64_t MeritOf(const Snapshot& window, const SnapshotPending& pending) {
  return std::max(1, window.projects[static_cast<std::size_t>(pending.project)].merit);
}

std::vector<NodeHolds> HoldsOf(const Snapshot& window) {
  std::vector<NodeHolds> nodes;
  nodes.reserve(window.nodes.size());
  for (const scheduler::SnapshotNode& node : window.nodes) nodes.push_back({node.cluster, {}});
  for (const SnapshotClaim& claim : window.claims) {
    auto& until = nodes[static_cast<std::size_t>(claim.node)].until;
    for (std::size_t gpu = 0; gpu < until.size(); ++gpu) {
      if ((claim.gpus >> gpu & 1) != 0) until[gpu] = SlotsOf(Between(window.now, claim.until));
    }
  }
  return nodes;
}

std::vector<Pool> PoolsOf(const Snapshot& window) {
  const std::vector<NodeHolds> nodes = HoldsOf(window);
  int last = 0;
  for (const NodeHolds& node : nodes) {
    last = std::max(last, *std::max_element(node.until.begin(), node.until.end()));
  }
  std::vector<Pool> pools(window.clusters.size());
  for (Pool& pool : pools) pool.free.resize(static_cast<std::size_t>(last) + 1);
  for (const NodeHolds& node : nodes) {
    for (int slot = 0; slot <= last; ++slot) {
      const auto free = std::count_if(node.until.begin(), node.until.end(),
                                      [&](int until) { return until <= slot; });
      const Blocks blocks = BlocksOfNode(static_cast<int>(free));
      Blocks& sum = pools[static_cast<std::size_t>(node.pool)].free[static_cast<std::size_t>(slot)];
      for (std::size_t k = 0; k < blocks.size(); ++k) sum[k] += blocks[k];
    }
  }
  return pools;
}

std::vector<int> ClustersFor(const Snapshot& window, const Request& request) {
  std::vector<int> clusters;
  for (int i = 0; i < static_cast<int>(window.clusters.size()); ++i) {
    const GpuModel model = window.clusters[static_cast<std::size_t>(i)].model;
    if (std::find(request.models.begin(), request.models.end(), model) != request.models.end()) {
      clusters.push_back(i);
    }
  }
  return clusters;
}

}  // namespace

Policy WindowPolicy() {
  Policy policy;
  policy.planning_horizon = Days(14);
  return policy;
}

Snapshot RandomWindow(uint64_t seed, int requests) { return WindowMaker(seed, requests).Make(); }

Snapshot EachOnItsOwn(const Snapshot& window) {
  Snapshot apart = window;
  apart.projects.clear();
  for (SnapshotPending& pending : apart.pending) {
    const int merit = window.projects[static_cast<std::size_t>(pending.project)].merit;
    pending.project = static_cast<int>(apart.projects.size());
    apart.projects.push_back(MakeProject("p-" + pending.id.str(), merit));
  }
  // Running work is somebody else's.
  for (SnapshotClaim& claim : apart.claims) {
    claim.project = static_cast<int>(apart.projects.size());
  }
  apart.projects.push_back(MakeProject("running", 1));
  Canonicalise(apart);
  return apart;
}

StartProblem ProblemOf(const Snapshot& window, int reach) {
  StartProblem problem;
  problem.pools = PoolsOf(window);
  problem.reach = reach;
  for (const SnapshotPending& pending : window.pending) {
    Job job;
    job.weight = MeritOf(window, pending);
    job.shape = pending.request.shape;
    job.slots = SlotsOf(pending.request.duration);
    job.pools = ClustersFor(window, pending.request);
    problem.jobs.push_back(std::move(job));
  }
  return problem;
}

std::vector<int> StartsOf(const Snapshot& window,
                          const std::vector<scheduler::Placement>& placements) {
  ALLOT_CHECK(placements.size() == window.pending.size());
  std::vector<int> starts(placements.size(), 0);
  for (const scheduler::Placement& placement : placements) {
    starts[static_cast<std::size_t>(placement.pending)] =
        SlotsOf(Between(window.now, placement.window.start()));
  }
  return starts;
}

int64_t MeritStart(const StartProblem& problem, const std::vector<int>& starts) {
  int64_t sum = 0;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    sum += problem.jobs[i].weight * (starts[i] - problem.jobs[i].release);
  }
  return sum;
}

int64_t MeritRun(const StartProblem& problem) {
  int64_t sum = 0;
  for (const Job& job : problem.jobs) sum += job.weight * job.slots;
  return sum;
}

std::optional<scheduler::Plan> PlanAt(const Snapshot& window, const std::vector<JobStart>& starts) {
  std::vector<Timed> jobs;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const Request& request = window.pending[i].request;
    if (starts[i].pool < 0) return std::nullopt;
    jobs.push_back({request.shape, starts[i].pool, starts[i].start,
                    starts[i].start + SlotsOf(request.duration)});
  }
  const auto found = Realise(HoldsOf(window), jobs, kPlacementSteps);
  if (!found) return std::nullopt;
  scheduler::Plan plan;
  plan.now = window.now;
  plan.revision = window.revision;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    scheduler::Placement placement;
    placement.pending = static_cast<int>(i);
    placement.cluster = starts[i].pool;
    placement.model = window.clusters[static_cast<std::size_t>(starts[i].pool)].model;
    const Instant start = window.now + Seconds{kSlot.count * starts[i].start};
    placement.window = *TimeWindow::Make(start, start + window.pending[i].request.duration);
    for (const NodeGpus& node : (*found)[i]) placement.nodes.push_back({node.node, node.gpus});
    plan.placements.push_back(std::move(placement));
    plan.order.push_back(static_cast<int>(i));
  }
  return plan;
}

}  // namespace allot::bounds
