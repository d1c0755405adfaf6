#include "allot/sim/measures.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>

namespace allot::sim {
namespace {

constexpr int kLargeGangNodes = 16;
constexpr Seconds kSlowdownBound = Minutes(10);
__extension__ using Wide = __int128;

int64_t Ratio(Wide part, Wide whole) { return whole == 0 ? 0 : static_cast<int64_t>(part / whole); }
int Permille(Wide part, Wide whole) { return static_cast<int>(Ratio(part * 1000, whole)); }

/// The smallest value that at least `permille` of all do not exceed. Requires: sorted.
int64_t Quantile(const std::vector<int64_t>& sorted, std::size_t permille) {
  if (sorted.empty()) return 0;
  return sorted[(sorted.size() * permille + 999) / 1000 - 1];
}

Waits Sum(std::vector<int64_t> waits) {
  std::sort(waits.begin(), waits.end());
  Wide sum = 0;
  for (const int64_t wait : waits) sum += wait;
  return {.jobs = static_cast<int>(waits.size()),
          .mean_s = Ratio(sum, static_cast<Wide>(waits.size())),
          .p95_s = Quantile(waits, 950),
          .p99_s = Quantile(waits, 990),
          .max_s = waits.empty() ? 0 : waits.back()};
}

/// In all: before its first start, and after it was stopped.
int64_t WaitOf(const Job& job, const JobOutcome& outcome) {
  return Between(job.submit, outcome.start).count + outcome.waited_again.count;
}

void MeasureWaits(const Workload& workload, const Outcome& outcome, Measures& measures) {
  std::vector<int64_t> all;
  std::vector<int64_t> parts;
  std::vector<int64_t> nodes;
  std::vector<int64_t> gangs;
  std::vector<int64_t> large_gangs;
  Wide by_merit = 0;
  Wide merits = 0;
  Wide by_work = 0;
  Wide works = 0;
  Wide slowdowns = 0;
  for (std::size_t i = 0; i < workload.jobs.size(); ++i) {
    const Job& job = workload.jobs[i];
    if (job.submit < workload.begin) continue;
    const Shape& shape = job.request.shape;
    const int64_t wait = WaitOf(job, outcome.jobs[i]);
    all.push_back(wait);
    if (shape.node_count() > 1) {
      gangs.push_back(wait);
    } else {
      (shape.gpus() < kGpusPerNode ? parts : nodes).push_back(wait);
    }
    if (shape.node_count() >= kLargeGangNodes) large_gangs.push_back(wait);
    const int64_t merit = workload.pool.projects[static_cast<std::size_t>(job.project)].merit;
    by_merit += Wide{wait} * merit;
    merits += merit;
    const Wide work = Wide{job.run.count} * shape.gpus();
    by_work += wait * work;
    works += work;
    const int64_t bound = std::max(job.run, kSlowdownBound).count;
    slowdowns += std::max<int64_t>(1000, (wait + job.run.count) * 1000 / bound);
  }
  measures.slowdown_milli = Ratio(slowdowns, static_cast<Wide>(all.size()));
  measures.all = Sum(std::move(all));
  measures.parts = Sum(std::move(parts));
  measures.nodes = Sum(std::move(nodes));
  measures.gangs = Sum(std::move(gangs));
  measures.large_gangs = Sum(std::move(large_gangs));
  measures.merit_weighted_wait_s = Ratio(by_merit, merits);
  measures.work_weighted_wait_s = Ratio(by_work, works);
}

void MeasureForecasts(const Workload& workload, const Outcome& outcome, Measures& measures) {
  Wide errors = 0;
  int later = 0;
  for (std::size_t i = 0; i < workload.jobs.size(); ++i) {
    const JobOutcome& job = outcome.jobs[i];
    if (job.promised) {
      ++measures.promises;
      if (job.start > *job.promised + workload.pass_every) ++measures.promise_slips;
    }
    if (workload.jobs[i].submit < workload.begin) continue;
    // Told to start at the pass that saw it first: no forecast, a start.
    if (!job.first_forecast ||
        *job.first_forecast <= workload.jobs[i].submit + workload.pass_every) {
      continue;
    }
    ++measures.forecasts;
    if (job.start > *job.first_forecast) ++later;
    errors += std::abs(Between(*job.first_forecast, job.start).count);
  }
  measures.later_than_forecast_permille = Permille(later, measures.forecasts);
  measures.forecast_error_s = Ratio(errors, measures.forecasts);
}

/// Waits of some jobs, and what a unit of their work waits.
struct WorkWaits {
  std::vector<int64_t> waits;
  Wide by_work = 0;
  Wide works = 0;

  void Add(int64_t wait, int64_t work) {
    waits.push_back(wait);
    by_work += Wide{wait} * work;
    works += work;
  }
};

std::optional<PreemptionMeasures> MeasurePreemption(const Workload& workload,
                                                    const Outcome& outcome) {
  const bool some = std::any_of(workload.jobs.begin(), workload.jobs.end(),
                                [](const Job& job) { return job.request.preemptible; });
  if (!some && workload.preemptible_permille == 0) return std::nullopt;
  PreemptionMeasures measures;
  WorkWaits preemptible;
  WorkWaits others;
  for (std::size_t i = 0; i < workload.jobs.size(); ++i) {
    const Job& job = workload.jobs[i];
    const JobOutcome& of = outcome.jobs[i];
    const int64_t work = job.run.count * job.request.shape.gpus();
    measures.run_gpu_seconds += work;
    measures.stops += of.stops;
    const auto stops = static_cast<std::size_t>(of.stops);
    if (stops > measures.stopped_jobs.size()) measures.stopped_jobs.resize(stops);
    if (stops > 0) ++measures.stopped_jobs[stops - 1];
    if (job.submit < workload.begin) continue;
    (job.request.preemptible ? preemptible : others).Add(WaitOf(job, of), work);
  }
  measures.preemptible_work_weighted_wait_s = Ratio(preemptible.by_work, preemptible.works);
  measures.others_work_weighted_wait_s = Ratio(others.by_work, others.works);
  measures.preemptible = Sum(std::move(preemptible.waits));
  measures.others = Sum(std::move(others.waits));
  measures.lost_gpu_seconds = outcome.lost_gpu_seconds;
  return measures;
}

nlohmann::ordered_json ToJson(const Waits& waits) {
  return {{"jobs", waits.jobs},
          {"mean_s", waits.mean_s},
          {"p95_s", waits.p95_s},
          {"p99_s", waits.p99_s},
          {"max_s", waits.max_s}};
}

nlohmann::ordered_json ToJson(const PreemptionMeasures& measures) {
  return {{"wait_preemptible", ToJson(measures.preemptible)},
          {"wait_others", ToJson(measures.others)},
          {"preemptible_work_weighted_wait_s", measures.preemptible_work_weighted_wait_s},
          {"others_work_weighted_wait_s", measures.others_work_weighted_wait_s},
          {"stops", measures.stops},
          {"stopped_jobs", measures.jobs()},
          {"stopped_jobs_by_stops", measures.stopped_jobs},
          {"lost_gpu_s", measures.lost_gpu_seconds},
          {"run_gpu_s", measures.run_gpu_seconds}};
}

nlohmann::ordered_json ToJson(const std::vector<LeftOutLine>& named) {
  auto lines = nlohmann::ordered_json::array();
  for (const LeftOutLine& line : named) {
    lines.push_back({{"line", line.line}, {"value", line.value}, {"expected", line.expected}});
  }
  return lines;
}

nlohmann::ordered_json ToJson(const LeftOut& left_out) {
  return {{"malformed", left_out.malformed.count},
          {"malformed_first", ToJson(left_out.malformed.named)},
          {"never_ran", left_out.never_ran},
          {"too_large", left_out.too_large.count},
          {"too_large_first", ToJson(left_out.too_large.named)}};
}

}  // namespace

Measures Measure(const Workload& workload, const Outcome& outcome) {
  Measures measures;
  MeasureWaits(workload, outcome, measures);
  MeasureForecasts(workload, outcome, measures);
  measures.preemption = MeasurePreemption(workload, outcome);
  const Wide there = Wide{static_cast<int64_t>(workload.pool.nodes.size()) * kGpusPerNode} *
                     Between(workload.begin, workload.end).count;
  measures.utilisation_permille = Permille(outcome.useful_gpu_seconds, there);
  measures.fragmentation_permille = Permille(outcome.stranded_gpu_seconds, there);
  Wide entitled = 0;
  Wide apart = 0;
  for (std::size_t p = 0; p < outcome.entitled_gpu_seconds.size(); ++p) {
    entitled += outcome.entitled_gpu_seconds[p];
    apart += std::abs(outcome.held_gpu_seconds[p] - outcome.entitled_gpu_seconds[p]);
  }
  measures.fair_share_error_permille = Permille(apart, 2 * entitled);
  return measures;
}

std::string FormatJson(const Workload& workload, const Outcome& outcome, const Measures& measures) {
  nlohmann::ordered_json line;
  line["sim"] = Name(outcome.discipline);
  line["workload"] = workload.name;
  line["seed"] = workload.seed;
  if (workload.left_out) line["left_out"] = ToJson(*workload.left_out);
  line["offered_permille"] = OfferedPermille(workload);
  line["nodes"] = workload.pool.nodes.size();
  line["wait"] = ToJson(measures.all);
  line["wait_parts"] = ToJson(measures.parts);
  line["wait_nodes"] = ToJson(measures.nodes);
  line["wait_gangs"] = ToJson(measures.gangs);
  line["wait_large_gangs"] = ToJson(measures.large_gangs);
  line["merit_weighted_wait_s"] = measures.merit_weighted_wait_s;
  line["work_weighted_wait_s"] = measures.work_weighted_wait_s;
  line["slowdown_milli"] = measures.slowdown_milli;
  line["utilisation_permille"] = measures.utilisation_permille;
  line["fragmentation_permille"] = measures.fragmentation_permille;
  line["fair_share_error_permille"] = measures.fair_share_error_permille;
  line["forecasts"] = measures.forecasts;
  line["later_than_forecast_permille"] = measures.later_than_forecast_permille;
  line["forecast_error_s"] = measures.forecast_error_s;
  line["promises"] = measures.promises;
  line["promise_slips"] = measures.promise_slips;
  if (measures.preemption) {
    line["preemptible_permille"] = workload.preemptible_permille;
    line["preemption"] = ToJson(*measures.preemption);
  }
  line["passes"] = outcome.passes;
  line["largest_queue"] = outcome.largest_queue;
  line["violations"] = outcome.violations.size();
  return line.dump();
}

}  // namespace allot::sim
