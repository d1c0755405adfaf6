#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "allot/model/policy.h"
#include "allot/sim/discipline.h"
#include "allot/sim/workload.h"

namespace allot::sim {

/// What became of one job.
struct JobOutcome {
  Instant start;
  /// The start it was told at its first pass, where the discipline plans ahead.
  std::optional<Instant> first_forecast;
  /// The earliest start it was promised before it started, if any.
  std::optional<Instant> promised;
  /// Where it ran; only with SimulationOptions::keep_nodes.
  std::vector<scheduler::PlacedNode> nodes;
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
  /// What the auditor found: GPUs given twice, not as asked, to whom they are not open. Empty, or
  /// the discipline is broken.
  std::vector<std::string> violations;
};

struct SimulationOptions {
  Discipline discipline = Discipline::kAllot;
  Policy policy;
  /// Keeps JobOutcome::nodes, which a chart of the pool needs and nothing else.
  bool keep_nodes = false;
  /// Told after every simulated day, for whoever waits.
  std::function<void(Instant now, int waiting, int running)> on_day = nullptr;
};

/// Runs a workload to the end of its last job. Jobs that arrived and GPUs that came free since the
/// last pass are seen by the next one, at multiples of Workload::pass_every. Deterministic.
Outcome Simulate(const Workload& workload, const SimulationOptions& options);

}  // namespace allot::sim
