#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "allot/model/policy.h"
#include "allot/sim/discipline.h"
#include "allot/sim/workload.h"

namespace allot::sim {

/// GPUs that a job held without a break.
struct Stay {
  Instant start;
  Instant until;
  std::vector<scheduler::PlacedNode> nodes;
};

/// What became of one job.
struct JobOutcome {
  /// For the first time, if it was stopped for others and went on later.
  Instant start;
  /// The start it was told at its first pass, where the discipline plans ahead.
  std::optional<Instant> first_forecast;
  /// The earliest start it was promised before it started, if any.
  std::optional<Instant> promised;
  /// How often it was stopped for others.
  int stops = 0;
  /// From each stop until it went on.
  Seconds waited_again;
  /// Where it ran, in the order of time; only with SimulationOptions::keep_nodes.
  std::vector<Stay> stays;
};

/// The pool at an instant: GPUs that jobs run on, and GPUs free on nodes partly taken.
struct Sample {
  Instant at;
  int useful_gpus = 0;
  int stranded_gpus = 0;
  friend bool operator==(const Sample&, const Sample&) = default;
};

/// One simulation: what happened, and the sums taken over time while jobs arrived.
struct Outcome {
  Discipline discipline = Discipline::kAllot;
  /// By position in Workload::jobs; all of them ran.
  std::vector<JobOutcome> jobs;
  /// GPU-seconds that jobs ran for within [begin, end).
  int64_t useful_gpu_seconds = 0;
  /// GPU-seconds that were held without progress because work was stopped, from the first job to
  /// the last.
  int64_t lost_gpu_seconds = 0;
  /// GPU-seconds in which GPUs were free on nodes partly taken: of no use to whole-node work.
  int64_t stranded_gpu_seconds = 0;
  /// GPU-seconds a project should have had by its weight and demand (weighted max-min, sampled
  /// every hour), and had; by position in Workload::pool.projects.
  std::vector<int64_t> entitled_gpu_seconds;
  std::vector<int64_t> held_gpu_seconds;
  /// Of every hour within [begin, end).
  std::vector<Sample> samples;
  int passes = 0;
  int largest_queue = 0;
  /// What the auditor found: GPUs given twice, not as asked or not for as long as needed, to whom
  /// they are not open. Empty, or the discipline is broken.
  std::vector<std::string> violations;
};

struct SimulationOptions {
  Discipline discipline = Discipline::kAllot;
  Policy policy;
  /// Keeps JobOutcome::stays, which a chart of the pool needs and nothing else.
  bool keep_nodes = false;
  /// Told after every simulated day, for whoever waits.
  std::function<void(Instant now, int waiting, int running)> on_day = nullptr;
};

/// Runs a workload to the end of its last job. Jobs that arrived and GPUs that came free since the
/// last pass are seen by the next one, at multiples of Workload::pass_every. Deterministic.
///
/// Where the discipline stops preemptible work, a job makes no progress from the decision until it
/// is stopped, the policy's preemption_grace later: it saves its state. That time is lost, and is
/// all that is lost. What is left of the job then waits again with what is left of the time it had
/// asked for, or with as much as it still needs when that is more, so that every job runs for its
/// whole time. A job that would be done within the grace ends by itself, and counts as not stopped.
/// The release_time passes in plans only: GPUs are free as soon as a job ends or is stopped.
Outcome Simulate(const Workload& workload, const SimulationOptions& options);

}  // namespace allot::sim
