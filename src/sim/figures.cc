#include "allot/sim/figures.h"

#include <algorithm>
#include <iomanip>
#include <sstream>

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
     .hours = false,
     .more_is_better = true,
     .of = [](const M& m) -> int64_t { return m.utilisation_permille; },
     .taken_of = [](const M& m) { return m.all.jobs; }},
    {.title = "broken",
     .meaning = "GPUs free on nodes partly taken, of the pool",
     .hours = false,
     .of = [](const M& m) -> int64_t { return m.fragmentation_permille; },
     .taken_of = [](const M& m) { return m.all.jobs; }},
    {.title = "unfair",
     .meaning = "GPU time in the wrong project's hands: half the sum of |had − entitled|, of all "
                "that was entitled to",
     .hours = false,
     .of = [](const M& m) -> int64_t { return m.fair_share_error_permille; },
     .taken_of = [](const M& m) { return m.all.jobs; }},
    {.title = "forecast",
     .meaning = "hours that the first start a waiting job was told was off, in the mean; easy "
                "tells nobody but the first of a queue before it starts",
     .of_plans = true,
     .of = [](const M& m) -> int64_t { return m.forecast_error_s; },
     .taken_of = [](const M& m) { return m.forecasts; }},
};

std::string Fixed(double value, int decimals) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(decimals) << value;
  return text.str();
}

}  // namespace

std::span<const Figure> Figures() { return kFigures; }

int64_t Median(std::vector<int64_t> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::string FormatFigure(const Figure& figure, int64_t value) {
  return figure.hours ? FormatHours(value) : FormatPercent(value);
}

std::string FormatHours(int64_t seconds) { return Fixed(static_cast<double>(seconds) / 3600, 2); }

std::string FormatPercent(int64_t permille) {
  return Fixed(static_cast<double>(permille) / 10, 1) + "%";
}

}  // namespace allot::sim
