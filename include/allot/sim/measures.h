#pragma once

#include <cstdint>
#include <numeric>
#include <optional>
#include <string>
#include <vector>

#include "allot/sim/simulate.h"

namespace allot::sim {

/// Waits of some of the jobs, in seconds.
struct Waits {
  int jobs = 0;
  int64_t mean_s = 0;
  int64_t p95_s = 0;
  int64_t p99_s = 0;
  int64_t max_s = 0;
};

/// What stopping work for others brought and cost, from the first job to the last.
struct PreemptionMeasures {
  /// Of the jobs that may be stopped, and of all others.
  Waits preemptible;
  Waits others;
  /// Of the same jobs, ∑ GPU-seconds · wait ÷ ∑ GPU-seconds.
  int64_t preemptible_work_weighted_wait_s = 0;
  int64_t others_work_weighted_wait_s = 0;
  int stops = 0;
  /// How many jobs were stopped once, twice and so on.
  std::vector<int> stopped_jobs;
  /// GPU-seconds held without progress from the decision to the stop, and GPU-seconds of progress.
  int64_t lost_gpu_seconds = 0;
  int64_t run_gpu_seconds = 0;

  int jobs() const { return std::accumulate(stopped_jobs.begin(), stopped_jobs.end(), 0); }
};

/// What a simulation is judged by. Waits are from submission to start, and of what was stopped for
/// others again until it went on; of all jobs, those that started after the last arrival too.
struct Measures {
  Waits all;
  /// By what they ask for: part of a node, one node, several, 16 nodes and more.
  Waits parts;
  Waits nodes;
  Waits gangs;
  Waits large_gangs;
  /// ∑ merit · wait ÷ ∑ merit.
  int64_t merit_weighted_wait_s = 0;
  /// ∑ GPU-seconds · wait ÷ ∑ GPU-seconds: what a unit of work waits.
  int64_t work_weighted_wait_s = 0;
  /// (wait + run) ÷ max(run, 10 min), at least 1; the mean, × 1000.
  int64_t slowdown_milli = 0;
  /// Of the pool while jobs arrived: GPUs at work, and GPUs free on nodes partly taken.
  int utilisation_permille = 0;
  int fragmentation_permille = 0;
  /// ½ ∑ |had − entitled| ÷ ∑ entitled over the projects, while jobs arrived.
  int fair_share_error_permille = 0;
  /// Of jobs told a start at their first pass that was not at once: how many started later than
  /// that, and how far off the start was in the mean, either way.
  int forecasts = 0;
  int later_than_forecast_permille = 0;
  int64_t forecast_error_s = 0;
  /// Of all jobs, those of the first days too: how many were promised a start, and how many of them
  /// started later than that by more than the time between two passes.
  int promises = 0;
  int promise_slips = 0;
  /// Only of a workload in which some may be stopped.
  std::optional<PreemptionMeasures> preemption = std::nullopt;
};

Measures Measure(const Workload& workload, const Outcome& outcome);

/// One JSON object on one line, with what is needed to make it again.
std::string FormatJson(const Workload& workload, const Outcome& outcome, const Measures& measures);

}  // namespace allot::sim
