#include "allot/sim/workload.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "allot/base/check.h"
#include "allot/base/random.h"
#include "allot/base/text.h"
#include "allot/sim/national_call.h"

namespace allot::sim {
namespace {

/// A Monday; what the simulated calendar begins at means nothing else.
constexpr Instant kFirstDay = Instant::FromSeconds(1'772'409'600);  // 2026-03-02T00:00:00Z
constexpr const char* kEveryone = "everyone";
constexpr Seconds kRunMax = Days(3);
/// As long as the longest run: from then on the pool is as full as it will be.
constexpr Seconds kWarmUp = kRunMax;
constexpr int kMeritMin = 300;

/// Not published; as in the DGX SuperPOD reference design.
constexpr int kNodesPerLeaf = 32;

struct PoolCluster {
  const char* id;
  GpuModel model;
  int nodes;
  const char* programme;
};
/// The national pool and the programme each cluster serves in the first call.
constexpr std::array kNationalClusters = {
    PoolCluster{"kakao-a", GpuModel::kB200, 255, "call-2026-1"},
    PoolCluster{"naver-a", GpuModel::kH200, 255, "call-2026-1"},
    PoolCluster{"naver-b", GpuModel::kH200, 32, "call-2026-1"},
    PoolCluster{"nhn-a", GpuModel::kB200, 510, "national"},
    PoolCluster{"nhn-b", GpuModel::kB200, 255, "national"},
};

int ScaledNodes(const PoolCluster& cluster, int scale) {
  return std::max(1, cluster.nodes / scale);
}

/// Every job must fit the largest cluster of each model it may draw; H200 has the smaller one.
int LargestGang(int scale) { return ScaledNodes(kNationalClusters[1], scale); }

std::string Numbered(const std::string& prefix, int number) {
  const std::string digits = std::to_string(number);
  return prefix + std::string(7 - std::min<std::size_t>(digits.size(), 6), '0') + digits;
}

scheduler::Snapshot EmptyPool(int scale, bool programmes_apart) {
  scheduler::Snapshot pool;
  pool.now = kFirstDay;
  for (const PoolCluster& cluster : kNationalClusters) {
    const int position = static_cast<int>(pool.clusters.size());
    pool.clusters.push_back({ClusterId(cluster.id),
                             cluster.model,
                             {ProgrammeId(programmes_apart ? cluster.programme : kEveryone)}});
    for (int i = 0; i < ScaledNodes(cluster, scale); ++i) {
      scheduler::SnapshotNode node;
      node.id = NodeId(Numbered(std::string(cluster.id) + "/n", i));
      node.cluster = position;
      node.leaf = Numbered("su-", i / kNodesPerLeaf);
      pool.nodes.push_back(std::move(node));
    }
  }
  return pool;
}

int64_t GpusOf(const scheduler::Snapshot& pool) {
  return static_cast<int64_t>(pool.nodes.size()) * kGpusPerNode;
}

Seconds ArrivalTime(const LoadOptions& options) { return kWarmUp + Days(options.days); }

/// GPU time that is to arrive.
int64_t WantedWork(int64_t gpus, const LoadOptions& options) {
  return gpus * ArrivalTime(options).count / 1000 * options.load_permille;
}

/// Of that what copies of the trace are to bring; gangs bring the rest.
int64_t OfCopies(int64_t wanted, const TraceLoad& options) {
  return wanted / 1000 * (1000 - options.gang_permille);
}

/// As the pool runs it, however long it ran on its own.
Seconds CutRun(Seconds run) { return std::clamp(run, Minutes(1), kRunMax); }

int64_t LengthOf(const Trace& trace) {
  return Between(trace.front().submit, trace.back().submit).count + 1;
}

int64_t Work(const Job& job) { return job.run.count * job.request.shape.gpus(); }

/// By draws of their own, so that nothing else changes.
void MarkPreemptible(const LoadOptions& options, Workload& workload) {
  workload.preemptible_permille = options.preemptible_permille;
  // Of all jobs: a call's own wishes do not count.
  SeededRandom random(~options.seed);
  for (Job& job : workload.jobs) {
    job.request.preemptible = random.Between(0, 999) < options.preemptible_permille;
  }
}

/// Fills a workload job by job until the wanted GPU time has arrived.
class Loader {
 public:
  Loader(std::string name, const LoadOptions& options) : options_(options), random_(options.seed) {
    workload_.name = std::move(name);
    workload_.seed = options.seed;
    workload_.pool = EmptyPool(options.scale, false);
    workload_.first = kFirstDay;
    workload_.begin = kFirstDay + kWarmUp;
    workload_.end = workload_.begin + Days(options.days);
    workload_.pass_every = Minutes(1);
    for (const scheduler::SnapshotNode& node : workload_.pool.nodes) {
      const auto cluster = static_cast<std::size_t>(node.cluster);
      if (workload_.pool.clusters[cluster].model == GpuModel::kB200) ++b200_nodes_;
    }
    wanted_ = WantedWork(GpusOf(workload_.pool), options);
  }

  SeededRandom& random() { return random_; }
  int64_t wanted() const { return wanted_; }
  int64_t arrived() const { return arrived_; }

  int AddProject(const std::string& id) {
    const auto [found, is_new] = projects_.emplace(id, static_cast<int>(projects_.size()));
    if (!is_new) return found->second;
    scheduler::SnapshotProject project;
    project.id = ProjectId(id);
    project.programme = ProgrammeId(kEveryone);
    project.merit = static_cast<int>(random_.Between(kMeritMin, kMeritMax));
    project.concurrent_gpus.fill(static_cast<int>(GpusOf(workload_.pool)));
    project.usage.as_of = kFirstDay;
    workload_.pool.projects.push_back(std::move(project));
    return found->second;
  }

  /// `limit` zero: drawn, 1 to 5 times the run, in quarters of an hour as people think.
  void AddJob(int project, Instant submit, const Shape& shape, Seconds run, Seconds limit) {
    Job job;
    job.project = project;
    job.submit = Instant::FromSeconds(submit.seconds());
    job.run = CutRun(run);
    job.request.shape = shape;
    job.request.models = DrawModels();
    const int64_t quarter = Minutes(15).count;
    if (limit.count == 0) limit = Seconds{job.run.count * random_.Between(100, 500) / 100};
    const Seconds longest = std::max(job.run, std::min(limit, Days(14)));
    job.request.duration = Seconds{(longest.count + quarter - 1) / quarter * quarter};
    arrived_ += Work(job);
    workload_.jobs.push_back(std::move(job));
  }

  /// Log-uniform: each octave is as likely as the next.
  Seconds DrawRun(Seconds shortest, int octaves) {
    const int64_t low = shortest.count << random_.Below(static_cast<uint64_t>(octaves));
    return Seconds{random_.Between(low, 2 * low - 1)};
  }
  Instant DrawTime() {
    return workload_.first + Seconds{random_.Between(0, ArrivalTime(options_).count - 1)};
  }
  int DrawGangNodes() {
    const int64_t nodes = random_.Between(2, 3) << random_.Below(4);  // 2, 3, 4, 6, … 24
    return static_cast<int>(std::min<int64_t>(nodes, LargestGang(options_.scale)));
  }

  Workload Done() {
    // Positions in the sorted vectors: projects first, then jobs.
    std::vector<int> order;
    for (const auto& [id, position] : projects_) order.push_back(position);
    std::vector<int> moved(order.size());
    std::vector<scheduler::SnapshotProject> sorted;
    for (const int position : order) {
      moved[static_cast<std::size_t>(position)] = static_cast<int>(sorted.size());
      sorted.push_back(std::move(workload_.pool.projects[static_cast<std::size_t>(position)]));
    }
    workload_.pool.projects = std::move(sorted);
    for (Job& job : workload_.jobs) job.project = moved[static_cast<std::size_t>(job.project)];
    std::stable_sort(workload_.jobs.begin(), workload_.jobs.end(),
                     [](const Job& a, const Job& b) { return a.submit < b.submit; });
    MarkPreemptible(options_, workload_);
    return std::move(workload_);
  }

 private:
  /// One model or either, each by its part of the pool, so that no cluster is loaded more than
  /// another.
  std::vector<GpuModel> DrawModels() {
    const auto pool_nodes = static_cast<int64_t>(workload_.pool.nodes.size());
    const GpuModel drawn =
        random_.Between(0, pool_nodes - 1) < b200_nodes_ ? GpuModel::kB200 : GpuModel::kH200;
    const GpuModel other = drawn == GpuModel::kB200 ? GpuModel::kH200 : GpuModel::kB200;
    const bool either = random_.Between(0, 99) < 20;
    return either ? std::vector{drawn, other} : std::vector{drawn};
  }

  const LoadOptions options_;
  SeededRandom random_;
  Workload workload_;
  int64_t b200_nodes_ = 0;
  std::map<std::string, int> projects_;
  int64_t wanted_ = 0;
  int64_t arrived_ = 0;
};

}  // namespace

int OfferedPermille(const Workload& workload) {
  int64_t work = 0;
  for (const Job& job : workload.jobs) work += Work(job);
  const int64_t there = GpusOf(workload.pool) * Between(workload.first, workload.end).count;
  return there == 0 ? 0 : static_cast<int>(work / (there / 1000));
}

Result<TraceFile> FitToPool(TraceFile file, int scale, OnUnusable on_too_large) {
  const int gpus_max = LargestGang(scale) * kGpusPerNode;
  const std::string expected =
      "at most " + FormatCount(gpus_max) + " GPUs, the largest gang of this pool";
  LeftOutLines& too_large = file.left_out.too_large;
  const auto is_too_large = [&](const TraceJob& job) { return job.gpus > gpus_max; };
  // In the order of the file, as all lines are told.
  std::vector<LeftOutLine> lines;
  for (const TraceJob& job : file.jobs) {
    if (is_too_large(job)) lines.push_back({job.line, std::to_string(job.gpus), expected});
  }
  std::ranges::sort(lines, {}, &LeftOutLine::line);
  for (LeftOutLine& line : lines) too_large.Add(std::move(line));
  std::erase_if(file.jobs, is_too_large);
  if (too_large.count == 0 || (!file.jobs.empty() && on_too_large == OnUnusable::kLeaveOut)) {
    return file;
  }
  const LeftOutLine& first = too_large.named.front();
  return FieldError(Reason::kConfigInvalid, "line " + std::to_string(first.line), first.value,
                    file.jobs.empty() ? expected + "; none of its jobs fits" : expected);
}

Status CheckLoad(const Trace& trace, const TraceLoad& options) {
  const int64_t wanted =
      OfCopies(WantedWork(GpusOf(EmptyPool(options.scale, false)), options), options);
  int64_t work = 0;
  for (const TraceJob& job : trace) work += CutRun(job.run).count * job.gpus;
  // A copy of a trace longer than the time in which work arrives is a part of it.
  const double part = std::min(
      1.0, static_cast<double>(ArrivalTime(options).count) / static_cast<double>(LengthOf(trace)));
  const double traces = static_cast<double>(wanted) / static_cast<double>(work);
  const auto copies = static_cast<int64_t>(traces / part);
  const auto jobs = static_cast<int64_t>(traces * static_cast<double>(trace.size()));
  if (copies <= kTraceCopiesMax && jobs <= kTraceJobsMax) return Ok{};
  return StateError(Reason::kConfigInvalid,
                    "the load would take about " + FormatCount(copies) + " copies of the trace, " +
                        FormatCount(jobs) + " jobs; at most " + FormatCount(kTraceCopiesMax) +
                        " copies and " + FormatCount(kTraceJobsMax) + " jobs are made");
}

Workload LoadTrace(const TraceFile& file, const TraceLoad& options) {
  const Trace& trace = file.jobs;
  const int gpus_max = LargestGang(options.scale) * kGpusPerNode;
  ALLOT_CHECK(
      std::ranges::all_of(trace, [&](const TraceJob& job) { return job.gpus <= gpus_max; }));
  Loader loader("trace", options);
  SeededRandom& random = loader.random();
  const int64_t length = LengthOf(trace);
  const int64_t window = ArrivalTime(options).count;
  const int64_t wanted_of_copies = OfCopies(loader.wanted(), options);
  for (int copy = 0; loader.arrived() < wanted_of_copies; ++copy) {
    // Which part of the trace this copy takes; it wraps round at its end.
    const int64_t shift = random.Between(0, length - 1);
    std::vector<TraceJob> part;
    for (const TraceJob& job : trace) {
      const int64_t at = (Between(trace.front().submit, job.submit).count + shift) % length;
      if (at >= window) continue;
      part.push_back(job);
      part.back().submit = kFirstDay + Seconds{at};
    }
    // The last copy is thinned, evenly over its time, to what is still wanted.
    int64_t work = 0;
    for (const TraceJob& job : part) work += std::min(job.run, kRunMax).count * job.gpus;
    const int64_t missing = wanted_of_copies - loader.arrived();
    const int64_t kept_permille = work > missing ? missing * 1000 / work : 1000;
    for (const TraceJob& job : part) {
      if (random.Between(0, 999) >= kept_permille) continue;
      const int project = loader.AddProject(Numbered("copy", copy) + "/" + job.project);
      loader.AddJob(project, job.submit, ShapeForGpus(job.gpus), job.run, job.limit);
    }
    if (work > missing) break;
  }
  while (loader.arrived() < loader.wanted()) {
    const int project = loader.AddProject(Numbered("gangs/p", static_cast<int>(random.Below(20))));
    loader.AddJob(project, loader.DrawTime(), {loader.DrawGangNodes(), kGpusPerNode, 0},
                  loader.DrawRun(Minutes(30), 7), Seconds{0});
  }
  Workload workload = loader.Done();
  workload.left_out = file.left_out;
  return workload;
}

Workload LoadSynthetic(const LoadOptions& options) {
  Loader loader("synthetic", options);
  SeededRandom& random = loader.random();
  while (loader.arrived() < loader.wanted()) {
    const int project = loader.AddProject(Numbered("some/p", static_cast<int>(random.Below(200))));
    const int64_t kind = random.Between(0, 5);
    Shape shape{1, kGpusPerNode, 0};
    if (kind < 3) shape = {1, static_cast<int>(random.Between(1, 7)), 0};
    if (kind == 5) shape.nodes = loader.DrawGangNodes();
    loader.AddJob(project, loader.DrawTime(), shape, loader.DrawRun(Minutes(15), 8), Seconds{0});
  }
  return loader.Done();
}

Workload LoadNationalCall(const LoadOptions& options) {
  Workload workload;
  workload.name = "national-call";
  workload.seed = options.seed;
  workload.pool = EmptyPool(1, true);
  workload.first = kFirstDay;
  workload.begin = kFirstDay;
  workload.end = kFirstDay + Days(366);
  workload.pass_every = Hours(1);
  const NationalCall call = MakeNationalCall(options.seed);
  // With the part of its time that each runs, per cent; drawn in the order of the call.
  std::vector<std::pair<const CallProject*, int64_t>> asks;
  SeededRandom random(options.seed);
  for (const CallInstitute& institute : call.institutes) {
    for (const CallProject& asked : institute.projects) {
      asks.emplace_back(&asked, random.Between(70, 100));
    }
  }
  std::sort(asks.begin(), asks.end(),
            [](const auto& a, const auto& b) { return a.first->project.id < b.first->project.id; });
  for (const auto& [asked, percent] : asks) {
    const auto request = ParseRequest(asked->request, kFirstDay, DefaultPolicy(), "request");
    ALLOT_CHECK(request.ok());
    scheduler::SnapshotProject project;
    project.id = asked->project.id;
    project.programme = asked->project.programme;
    project.merit = asked->project.merit;
    project.concurrent_gpus = asked->quota.concurrent_gpus;
    project.usage.as_of = kFirstDay;
    Job job;
    job.project = static_cast<int>(workload.pool.projects.size());
    job.submit = kFirstDay;
    job.request = *request;
    job.run = Seconds{request->duration.count / 100 * percent};
    workload.jobs.push_back(std::move(job));
    workload.pool.projects.push_back(std::move(project));
  }
  MarkPreemptible(options, workload);
  return workload;
}

}  // namespace allot::sim
