#include "allot/sim/figures.h"

#include <algorithm>
#include <iomanip>
#include <iterator>
#include <sstream>

#include "allot/base/text.h"

namespace allot::sim {
namespace {

using M = Measures;

constexpr Figure kFigures[] = {
    {.title = "mean",
     .meaning = "hours from submission to start, mean of all jobs",
     .of = [](const M& m) -> int64_t { return m.all.mean_s; },
     .taken_of = [](const M& m) { return m.all.jobs; }},
    {.title = "p95",
     .meaning = "hours that 95 % of all jobs do not wait longer than",
     .of = [](const M& m) -> int64_t { return m.all.p95_s; },
     .taken_of = [](const M& m) { return m.all.jobs; }},
    {.title = "p99",
     .meaning = "hours that 99 % of all jobs do not wait longer than",
     .of = [](const M& m) -> int64_t { return m.all.p99_s; },
     .taken_of = [](const M& m) { return m.all.jobs; }},
    {.title = "merit",
     .meaning = "mean wait in hours, weighted by the project's merit",
     .of = [](const M& m) -> int64_t { return m.merit_weighted_wait_s; },
     .taken_of = [](const M& m) { return m.all.jobs; }},
    {.title = "work",
     .meaning = "mean wait in hours, weighted by the job's GPU time",
     .of = [](const M& m) -> int64_t { return m.work_weighted_wait_s; },
     .taken_of = [](const M& m) { return m.all.jobs; }},
    {.title = "gang p99",
     .meaning = "hours that 99 % of the gangs of 16 nodes and more do not wait longer than",
     .of = [](const M& m) -> int64_t { return m.large_gangs.p99_s; },
     .taken_of = [](const M& m) { return m.large_gangs.jobs; }},
    {.title = "used",
     .meaning = "GPUs at work, of the pool, while jobs arrived",
     .unit = Unit::kPercent,
     .more_is_better = true,
     .of = [](const M& m) -> int64_t { return m.utilisation_permille; },
     .taken_of = [](const M& m) { return m.all.jobs; }},
    {.title = "broken",
     .meaning = "GPUs free on nodes partly taken, of the pool",
     .unit = Unit::kPercent,
     .of = [](const M& m) -> int64_t { return m.fragmentation_permille; },
     .taken_of = [](const M& m) { return m.all.jobs; }},
    {.title = "unfair",
     .meaning = "GPU time in the wrong project's hands: half the sum of |had − entitled|, of all "
                "that was entitled to",
     .unit = Unit::kPercent,
     .of = [](const M& m) -> int64_t { return m.fair_share_error_permille; },
     .taken_of = [](const M& m) { return m.all.jobs; }},
    {.title = "forecast",
     .meaning = "hours that the first start a waiting job was told was off, in the mean; easy "
                "tells nobody but the first of a queue before it starts",
     .of_plans = true,
     .of = [](const M& m) -> int64_t { return m.forecast_error_s; },
     .taken_of = [](const M& m) { return m.forecasts; }},
    {.title = "pre mean",
     .meaning =
         "hours that preemptible jobs wait, before their start and after a stop, in the mean",
     .of_preemption = true,
     .of = [](const M& m) -> int64_t { return m.preemption->preemptible.mean_s; },
     .taken_of = [](const M& m) { return m.preemption->preemptible.jobs; }},
    {.title = "pre p95",
     .meaning = "hours that 95 % of the preemptible jobs do not wait longer than",
     .of_preemption = true,
     .of = [](const M& m) -> int64_t { return m.preemption->preemptible.p95_s; },
     .taken_of = [](const M& m) { return m.preemption->preemptible.jobs; }},
    {.title = "pre work",
     .meaning = "hours that preemptible jobs wait, weighted by the job's GPU time",
     .of_preemption = true,
     .of = [](const M& m) { return m.preemption->preemptible_work_weighted_wait_s; },
     .taken_of = [](const M& m) { return m.preemption->preemptible.jobs; }},
    {.title = "other mean",
     .meaning = "hours that jobs wait which may not be stopped, in the mean",
     .of_preemption = true,
     .of = [](const M& m) -> int64_t { return m.preemption->others.mean_s; },
     .taken_of = [](const M& m) { return m.preemption->others.jobs; }},
    {.title = "other p95",
     .meaning = "hours that 95 % of the jobs that may not be stopped do not wait longer than",
     .of_preemption = true,
     .of = [](const M& m) -> int64_t { return m.preemption->others.p95_s; },
     .taken_of = [](const M& m) { return m.preemption->others.jobs; }},
    {.title = "other work",
     .meaning = "hours that jobs wait which may not be stopped, weighted by the job's GPU time",
     .of_preemption = true,
     .of = [](const M& m) { return m.preemption->others_work_weighted_wait_s; },
     .taken_of = [](const M& m) { return m.preemption->others.jobs; }},
    {.title = "stops",
     .meaning = "how often a job was stopped for others",
     .unit = Unit::kCount,
     .of_preemption = true,
     .of = [](const M& m) -> int64_t { return m.preemption->stops; },
     .taken_of = [](const M& m) { return m.preemption->stops; }},
    {.title = "stopped",
     .meaning = "how many jobs were stopped",
     .unit = Unit::kCount,
     .of_preemption = true,
     .of = [](const M& m) -> int64_t { return m.preemption->jobs(); },
     .taken_of = [](const M& m) { return m.preemption->stops; }},
    {.title = "most",
     .meaning = "how often the job was stopped that was stopped most",
     .unit = Unit::kCount,
     .of_preemption = true,
     .of = [](const M& m) { return static_cast<int64_t>(m.preemption->stopped_jobs.size()); },
     .taken_of = [](const M& m) { return m.preemption->stops; }},
    {.title = "lost",
     .meaning = "GPU hours held without progress, from the decision to stop a job until it is "
                "stopped",
     .unit = Unit::kGpuHours,
     .of_preemption = true,
     .of = [](const M& m) -> int64_t { return m.preemption->lost_gpu_seconds; },
     .taken_of = [](const M& m) { return m.preemption->stops; }},
};

std::string Fixed(double value, int decimals) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(decimals) << value;
  return text.str();
}

}  // namespace

std::span<const Figure> Figures(bool with_preemption) {
  const auto* end = with_preemption ? std::end(kFigures)
                                    : std::find_if(std::begin(kFigures), std::end(kFigures),
                                                   [](const Figure& f) { return f.of_preemption; });
  return {std::begin(kFigures), end};
}

int64_t Median(std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::string FormatFigure(const Figure& figure, int64_t value) {
  switch (figure.unit) {
    case Unit::kPercent:
      return FormatPercent(value);
    case Unit::kCount:
      return FormatCount(value);
    case Unit::kHours:
    case Unit::kGpuHours:
      break;
  }
  return FormatHours(value);
}

std::string FormatHours(int64_t seconds) { return Fixed(static_cast<double>(seconds) / 3600, 2); }

std::string FormatPercent(int64_t permille) {
  return Fixed(static_cast<double>(permille) / 10, 1) + "%";
}

}  // namespace allot::sim
