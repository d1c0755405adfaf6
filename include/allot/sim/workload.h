#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "allot/base/result.h"
#include "allot/model/request.h"
#include "allot/scheduler/snapshot.h"
#include "allot/sim/trace.h"

namespace allot::sim {

/// Something that will be asked for, and how long it will really run.
struct Job {
  /// Position in Workload::pool.projects.
  int project = 0;
  Instant submit;
  /// `request.duration` is the limit it asks for; it hands its GPUs back after `run`.
  Request request;
  Seconds run;
};

/// What one simulation is fed: the same for every discipline.
struct Workload {
  std::string name;
  uint64_t seed = 0;
  /// Clusters, nodes and projects; canonical, nothing held and nothing pending.
  scheduler::Snapshot pool;
  /// By submission; of equal times by position.
  std::vector<Job> jobs;
  /// The first job arrives; until `begin` the pool fills and nothing is measured.
  Instant first;
  /// Measured are the jobs that arrive within [begin, end), and shares and utilisation then.
  Instant begin;
  Instant end;
  /// How often a discipline is asked; what happens in between waits for the next pass.
  Seconds pass_every;
  /// So many of a thousand jobs were to be preemptible.
  int preemptible_permille = 0;
  /// Of the file it was made from, if from one.
  std::optional<LeftOut> left_out = std::nullopt;
};

/// GPU time asked for within [first, end), by how long it really runs, over what the pool has then.
/// Per mille; may be far over 1,000.
int OfferedPermille(const Workload& workload);

struct LoadOptions {
  uint64_t seed = 1;
  /// GPU time that arrives, over GPU time there is, per mille: 950 for a load of 0.95.
  int load_permille = 950;
  /// Measured days; 3 more go before them.
  int days = 7;
  /// The national pool divided by this, cluster by cluster: 1 is all 1,307 nodes.
  int scale = 1;
  /// So many of a thousand jobs may be stopped for others, drawn job by job. The jobs are the same
  /// whatever part of them that is.
  int preemptible_permille = 0;
};

/// Time-shifted copies of a trace, until `gang_permille` of the load is left, which gangs of 2 to
/// 32 nodes fill; what the traces of the world lack. Runs are cut at 3 days. A job's limit is its
/// own where the trace tells it, else drawn as users draw them: 1 to 5 times what it runs. Each
/// copy's projects are projects of their own, of merit 300 to 1000.
struct TraceLoad : LoadOptions {
  int gang_permille = 400;
};

/// Leaves out of a trace the jobs larger than any gang of the pool may be. config_invalid names the
/// line of the first when those are refused or no other job is left.
Result<TraceFile> FitToPool(TraceFile file, int scale, OnUnusable on_too_large);

/// A trace of next to no work makes a load only in copies without end; every copy has projects of
/// its own.
inline constexpr int64_t kTraceCopiesMax = 10'000;
inline constexpr int64_t kTraceJobsMax = 2'000'000;
/// Whether so many copies and jobs, about, are enough to make the load: config_invalid says how
/// many it would take.
Status CheckLoad(const Trace& trace, const TraceLoad& options);

/// Requires: the trace fits the pool (FitToPool) and can make the load (CheckLoad).
Workload LoadTrace(const TraceFile& file, const TraceLoad& options);

/// Arrivals at random from 200 projects: half of the jobs take part of a node, a third a node, the
/// rest gangs of up to 32; each octave of 15 minutes to 3 days as likely as the next.
Workload LoadSynthetic(const LoadOptions& options);

/// The first national call, all at once, on the clusters that serve it; each runs 70 to 100 % of
/// the time it asked for. `options.load_permille` and `.days` are not used.
Workload LoadNationalCall(const LoadOptions& options);

}  // namespace allot::sim
