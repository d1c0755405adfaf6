// A full plan over the national pool: how long it takes, and that it is valid. Prints one JSON
// line.
#include <sys/resource.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "allot/base/random.h"
#include "allot/replay/recording.h"
#include "allot/scheduler/check_plan.h"
#include "allot/scheduler/explain.h"
#include "allot/scheduler/plan.h"
#include "allot/scheduler/standing_plan.h"
#include "allot/scheduler/what_if.h"
#include "allot/sim/seed.h"
#include "scheduler/fair_order.h"
#include "scheduler/in_turn.h"
#include "support/manual_clock.h"
#include "support/national_pool.h"

namespace allot {
namespace {

struct Timed {
  double wall_ms = 0;
  // Of this thread: what the work costs when others keep the machine busy.
  double cpu_ms = 0;
};

double CpuMs() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

template <class Work>
Timed Time(Work work) {
  const double cpu_start_ms = CpuMs();
  const auto start = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double, std::milli> wall = std::chrono::steady_clock::now() - start;
  return {wall.count(), CpuMs() - cpu_start_ms};
}

// The smallest measurement that at least `permille` of all do not exceed.
double Quantile(std::vector<double> values, std::size_t permille) {
  std::sort(values.begin(), values.end());
  return values[(values.size() * permille + 999) / 1000 - 1];
}

void RunOrder(const scheduler::Snapshot& snapshot, const Policy& policy) {
  scheduler::FairOrder order(snapshot, policy, std::vector<bool>(snapshot.pending.size(), false));
  while (!order.Done()) {
    order.Next();
    order.ChargeLast();
  }
}

int64_t PeakMemoryMib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

struct Flags {
  testing::MixedQueue queue;
  int pool_times = 1;
  int runs = 50;
  bool standing = false;
};

/// The pool and its queue. A standing one is as the next pass finds it: what was promised is
/// booked, nothing has started.
scheduler::Snapshot MakeSnapshot(const Flags& flags, const Policy& policy) {
  testing::MixedQueue queue = flags.queue;
  queue.projects *= flags.pool_times;
  scheduler::Snapshot snapshot =
      testing::NationalPool(testing::ManualClock::kStart, flags.pool_times);
  testing::AddMixedQueue(queue, snapshot);
  if (!flags.standing) return snapshot;
  for (const scheduler::Placement& placement : scheduler::Schedule(snapshot, policy).placements) {
    if (!placement.promised) continue;
    snapshot.pending[static_cast<std::size_t>(placement.pending)].promise = {placement.window,
                                                                             placement.nodes};
  }
  return snapshot;
}

int TimePlan(const Flags& flags) {
  const Policy policy;
  const scheduler::Snapshot snapshot = MakeSnapshot(flags, policy);
  scheduler::Plan plan = scheduler::Schedule(snapshot, policy);
  const uint64_t hash = Hash(snapshot, plan);
  std::vector<double> times_ms;
  std::vector<double> cpu_times_ms;
  bool repeats = true;
  for (int i = 0; i < flags.runs; ++i) {
    const Timed timed = Time([&] { plan = scheduler::Schedule(snapshot, policy); });
    times_ms.push_back(timed.wall_ms);
    cpu_times_ms.push_back(timed.cpu_ms);
    repeats = repeats && Hash(snapshot, plan) == hash;
  }
  const double order_ms = Time([&] { RunOrder(snapshot, policy); }).cpu_ms;
  std::vector<std::string> violations;
  const double check_ms =
      Time([&] { violations = scheduler::CheckPlan(snapshot, policy, plan); }).cpu_ms;
  const double explain_ms =
      Time([&] { Explain(snapshot, policy, plan, flags.queue.pending / 2); }).cpu_ms;
  const scheduler::PlanSummary summary = Summarise(snapshot, plan);

  for (const std::string& violation : violations) std::fprintf(stderr, "%s\n", violation.c_str());
  nlohmann::ordered_json line;
  line["bench"] = "plan";
  line["pending"] = snapshot.pending.size();
  line["nodes"] = snapshot.nodes.size();
  line["claims"] = snapshot.claims.size();
  line["standing_promises"] =
      std::count_if(snapshot.pending.begin(), snapshot.pending.end(),
                    [](const auto& row) { return row.promise.has_value(); });
  line["median_ms"] = Quantile(times_ms, 500);
  line["p99_ms"] = Quantile(times_ms, 990);
  line["cpu_median_ms"] = Quantile(cpu_times_ms, 500);
  line["order_ms"] = order_ms;
  line["check_ms"] = check_ms;
  line["explain_ms"] = explain_ms;
  line["peak_mib"] = PeakMemoryMib();
  line["planned"] = plan.placements.size();
  line["planned_now"] = summary.starts_now;
  line["promised"] = summary.promised;
  line["deferred"] = plan.deferrals.size();
  line["slips"] = plan.slips.size();
  line["violations"] = violations.size();
  line["repeats"] = repeats;
  line["plan_hash"] = replay::FormatHash(hash);
  line["seed"] = flags.queue.seed;
  line["runs"] = flags.runs;
  std::printf("%s\n", line.dump().c_str());
  return violations.empty() && repeats ? 0 : 1;
}

/// The slope of log(time) over log(size), by least squares: 1 is linear growth.
double Exponent(const std::vector<double>& sizes, const std::vector<double>& times_ms) {
  const auto n = static_cast<double>(sizes.size());
  double x = 0;
  double y = 0;
  double xx = 0;
  double xy = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    const double log_size = std::log(sizes[i]);
    const double log_time = std::log(times_ms[i]);
    x += log_size;
    y += log_time;
    xx += log_size * log_size;
    xy += log_size * log_time;
  }
  return (n * xy - x * y) / (n * xx - x * x);
}

/// CPU medians over growing queues and pools, and how fast they grow.
int TimeGrowth(Flags flags) {
  const Policy policy;
  const auto median_ms = [&] {
    const scheduler::Snapshot snapshot = MakeSnapshot(flags, policy);
    std::vector<double> times_ms;
    for (int i = 0; i < flags.runs; ++i) {
      times_ms.push_back(Time([&] { scheduler::Schedule(snapshot, policy); }).cpu_ms);
    }
    return Quantile(times_ms, 500);
  };
  nlohmann::ordered_json line;
  line["bench"] = "plan-growth";
  const auto measure = [&](const char* what, int& size, const std::vector<int>& sizes) {
    std::vector<double> xs;
    std::vector<double> times_ms;
    for (const int value : sizes) {
      size = value;
      xs.push_back(value);
      times_ms.push_back(median_ms());
    }
    line[what] = {{"sizes", sizes}, {"median_ms", times_ms}, {"exponent", Exponent(xs, times_ms)}};
  };
  measure("pending", flags.queue.pending, {1'000, 3'000, 10'000, 30'000, 100'000});
  flags.queue.pending = 10'000;
  measure("pools", flags.pool_times, {1, 2, 5, 10});
  line["seed"] = flags.queue.seed;
  line["runs"] = flags.runs;
  std::printf("%s\n", line.dump().c_str());
  return 0;
}

/// One queue in order of submission, without quotas and wishes for times, so that nothing but the
/// packing differs: the GPUs that are asked for, or the whole nodes that they are on.
scheduler::Snapshot AsOneQueue(scheduler::Snapshot snapshot, bool whole_nodes) {
  for (scheduler::SnapshotProject& project : snapshot.projects) {
    project.concurrent_gpus.fill(kGpusMax);
    project.gpu_time_left = GpuSeconds::FromCount(std::numeric_limits<int64_t>::max());
  }
  for (scheduler::SnapshotPending& row : snapshot.pending) {
    row.request.deadline.reset();
    row.request.earliest_start.reset();
    if (whole_nodes) row.request.shape = {row.request.shape.node_count(), kGpusPerNode, 0};
  }
  return snapshot;
}

/// How much earlier starts are than they would be on whole nodes, as Slurm's backfill plans.
int CompareWithWholeNodes(const Flags& flags) {
  Policy policy;
  // Everybody has waited for too long: the longest wait goes first.
  policy.starvation_bound = Seconds{0};
  policy.promise_within = Seconds{0};
  const scheduler::Snapshot snapshot = MakeSnapshot(flags, policy);
  std::array<std::vector<std::optional<Instant>>, 2> starts;
  std::array<double, 2> median_ms{};
  bool valid = true;
  for (const bool whole_nodes : {false, true}) {
    const scheduler::Snapshot queue = AsOneQueue(snapshot, whole_nodes);
    scheduler::Plan plan;
    std::vector<double> times_ms;
    for (int i = 0; i < flags.runs; ++i) {
      times_ms.push_back(Time([&] { plan = scheduler::Schedule(queue, policy); }).cpu_ms);
    }
    median_ms[whole_nodes ? 1 : 0] = Quantile(times_ms, 500);
    valid = valid && scheduler::CheckPlan(queue, policy, plan).empty();
    auto& of_plan = starts[whole_nodes ? 1 : 0];
    of_plan.resize(queue.pending.size());
    for (const scheduler::Placement& placement : plan.placements) {
      of_plan[static_cast<std::size_t>(placement.pending)] = placement.window.start();
    }
  }
  int64_t both = 0;
  double by_gpus_s = 0;
  double by_nodes_s = 0;
  int64_t later = 0;
  for (std::size_t i = 0; i < starts[0].size(); ++i) {
    if (!starts[0][i] || !starts[1][i]) continue;
    ++both;
    by_gpus_s += static_cast<double>(Between(snapshot.now, *starts[0][i]).count);
    by_nodes_s += static_cast<double>(Between(snapshot.now, *starts[1][i]).count);
    if (*starts[0][i] > *starts[1][i]) ++later;
  }
  const double hours = static_cast<double>(both) * 3600;
  nlohmann::ordered_json line;
  line["bench"] = "plan-vs-whole-node";
  line["pending"] = snapshot.pending.size();
  line["planned_by_both"] = both;
  line["mean_start_hours"] = by_gpus_s / hours;
  line["mean_start_hours_whole_node"] = by_nodes_s / hours;
  // With room for all at once nobody waits, and nobody is earlier.
  line["earlier_permille"] =
      by_nodes_s > 0 ? static_cast<int>((1 - by_gpus_s / by_nodes_s) * 1000) : 0;
  line["later"] = later;
  line["cpu_median_ms"] = median_ms[0];
  line["cpu_median_ms_whole_node"] = median_ms[1];
  line["valid"] = valid;
  line["seed"] = flags.queue.seed;
  line["runs"] = flags.runs;
  std::printf("%s\n", line.dump().c_str());
  return valid ? 0 : 1;
}

/// What one newcomer changes of a standing plan: whoever plans only what a newcomer changes has to
/// place so many anew.
int CountWhatNewcomersChange(Flags flags, int newcomers) {
  const Policy policy;
  const int pending = flags.queue.pending++;
  std::vector<double> behind;
  std::vector<double> changed;
  std::vector<double> moved;
  for (int i = 0; i < newcomers; ++i) {
    flags.queue.seed += 1;
    scheduler::Snapshot with = MakeSnapshot(flags, policy);
    // The rows are drawn alike, so any of them will do.
    const auto newcomer = static_cast<std::size_t>(i) * 7919 % with.pending.size();
    with.pending[newcomer].create_time = with.now;
    scheduler::Snapshot without = with;
    without.pending.erase(without.pending.begin() + static_cast<std::ptrdiff_t>(newcomer));
    const scheduler::Plan plan = scheduler::Schedule(with, policy);
    const scheduler::Plan standing = scheduler::Schedule(without, policy);
    std::vector<const scheduler::Placement*> before(with.pending.size(), nullptr);
    for (const scheduler::Placement& placement : standing.placements) {
      const auto row = static_cast<std::size_t>(placement.pending);
      before[row + (row >= newcomer ? 1 : 0)] = &placement;
    }
    int differ = 0;
    int later = 0;
    for (const scheduler::Placement& placement : plan.placements) {
      const auto row = static_cast<std::size_t>(placement.pending);
      if (row == newcomer || before[row] == nullptr) continue;
      if (placement.nodes != before[row]->nodes || placement.window != before[row]->window)
        ++differ;
      if (placement.window.start() != before[row]->window.start()) ++later;
    }
    const auto rank = std::find(plan.order.begin(), plan.order.end(), static_cast<int>(newcomer));
    behind.push_back(static_cast<double>(plan.order.end() - rank - 1));
    changed.push_back(differ);
    moved.push_back(later);
  }
  nlohmann::ordered_json line;
  line["bench"] = "plan-newcomers";
  line["pending"] = pending;
  line["newcomers"] = newcomers;
  line["behind_p50"] = Quantile(behind, 500);
  line["behind_p99"] = Quantile(behind, 990);
  line["placed_otherwise_p50"] = Quantile(changed, 500);
  line["placed_otherwise_p99"] = Quantile(changed, 990);
  line["start_otherwise_p50"] = Quantile(moved, 500);
  line["start_otherwise_p99"] = Quantile(moved, 990);
  std::printf("%s\n", line.dump().c_str());
  return 0;
}

/// Some of a queue that stand, and the others, who come behind: positions in the whole.
struct SplitQueue {
  scheduler::Snapshot all;
  scheduler::Snapshot standing;
  std::vector<int> stands;
  std::vector<int> comes;
};

/// The rows are drawn alike, so any of them will do for newcomers.
SplitQueue Split(Flags flags, const Policy& policy, int newcomers) {
  SplitQueue split;
  flags.queue.pending += newcomers;
  split.all = MakeSnapshot(flags, policy);
  for (int i = 0; i < flags.queue.pending; ++i) split.stands.push_back(i);
  SeededRandom random(flags.queue.seed);
  for (int i = 0; i < newcomers; ++i) {
    const auto drawn = static_cast<std::ptrdiff_t>(random.Below(split.stands.size()));
    split.comes.push_back(split.stands[static_cast<std::size_t>(drawn)]);
    split.stands.erase(split.stands.begin() + drawn);
  }
  for (const int pending : split.comes) {
    scheduler::SnapshotPending& row = split.all.pending[static_cast<std::size_t>(pending)];
    row.create_time = split.all.now;
    row.promise.reset();
  }
  split.standing = split.all;
  split.standing.pending.clear();
  for (const int pending : split.stands) {
    split.standing.pending.push_back(split.all.pending[static_cast<std::size_t>(pending)]);
  }
  return split;
}

using Outcome = std::variant<scheduler::Placement, scheduler::Deferral>;

/// Whether the full plan with the newcomers behind those who stand gives them the same.
bool IsEqualToFull(const SplitQueue& split, const Policy& policy, const scheduler::Plan& plan,
                   std::vector<Outcome> told) {
  std::vector<int> order;
  for (const int pending : plan.order) {
    order.push_back(split.stands[static_cast<std::size_t>(pending)]);
  }
  order.insert(order.end(), split.comes.begin(), split.comes.end());
  const scheduler::Plan full = scheduler::PlanInOrder(split.all, policy, order, &split.standing);
  std::vector<std::optional<Outcome>> expected(split.all.pending.size());
  for (const scheduler::Placement& placement : full.placements) {
    expected[static_cast<std::size_t>(placement.pending)] = placement;
  }
  for (const scheduler::Deferral& deferral : full.deferrals) {
    expected[static_cast<std::size_t>(deferral.pending)] = deferral;
  }
  for (std::size_t i = 0; i < told.size(); ++i) {
    const int pending = split.comes[i];
    std::visit([&](auto& one) { one.pending = pending; }, told[i]);
    if (expected[static_cast<std::size_t>(pending)] != told[i]) return false;
  }
  return true;
}

/// How long a newcomer waits for its start behind a plan that stands.
int TimeNewcomers(const Flags& flags, int newcomers) {
  const Policy policy;
  const SplitQueue split = Split(flags, policy, newcomers);
  scheduler::Plan plan;
  const double plan_ms = Time([&] { plan = scheduler::Schedule(split.standing, policy); }).wall_ms;
  std::optional<scheduler::StandingPlan> standing;
  const double make_ms = Time([&] { standing.emplace(split.standing, policy, plan); }).wall_ms;
  std::vector<Outcome> told;
  std::vector<double> times_ms;
  std::vector<double> cpu_times_ms;
  for (const int pending : split.comes) {
    scheduler::SnapshotPending row = split.all.pending[static_cast<std::size_t>(pending)];
    const Timed timed = Time([&] { told.push_back(standing->Insert(std::move(row))); });
    times_ms.push_back(timed.wall_ms);
    cpu_times_ms.push_back(timed.cpu_ms);
  }
  // And one that is only tried, behind all of these.
  std::vector<double> try_times_ms;
  for (const int pending : split.comes) {
    std::vector<scheduler::SnapshotPending> row = {
        split.all.pending[static_cast<std::size_t>(pending)]};
    row.front().id = AllocationId("institute/p/tried");
    try_times_ms.push_back(Time([&] { standing->Try(std::move(row)); }).wall_ms);
  }
  const auto placed = std::count_if(told.begin(), told.end(), [](const Outcome& outcome) {
    return std::holds_alternative<scheduler::Placement>(outcome);
  });
  const bool equal = IsEqualToFull(split, policy, plan, std::move(told));
  nlohmann::ordered_json line;
  line["bench"] = "plan-incremental";
  line["pending"] = split.standing.pending.size();
  line["newcomers"] = newcomers;
  line["plan_ms"] = plan_ms;
  line["make_ms"] = make_ms;
  line["p50_ms"] = Quantile(times_ms, 500);
  line["p99_ms"] = Quantile(times_ms, 990);
  line["max_ms"] = Quantile(times_ms, 1000);
  line["cpu_p50_ms"] = Quantile(cpu_times_ms, 500);
  line["cpu_p99_ms"] = Quantile(cpu_times_ms, 990);
  line["first_ms"] = times_ms.front();
  line["try_p50_ms"] = Quantile(try_times_ms, 500);
  line["try_p99_ms"] = Quantile(try_times_ms, 990);
  line["placed"] = placed;
  line["equal_to_full"] = equal;
  line["seed"] = flags.queue.seed;
  std::printf("%s\n", line.dump().c_str());
  return equal ? 0 : 1;
}

int Main(int argc, char** argv) {
  Flags flags;
  flags.queue.pending = 10'000;
  bool growth = false;
  std::string vs;
  int newcomers = 0;
  int incremental = 0;
  CLI::App app(
      "Times a full plan over the national pool (1,307 nodes in five clusters, partly busy).");
  app.add_option("--pending", flags.queue.pending, "Pending allocations")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  app.add_option("--pool-times", flags.pool_times, "So many national pools in one")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--seed", flags.queue.seed, "Seed of the queue")
      ->check(sim::WhyNoSeed)
      ->capture_default_str();
  app.add_option("--runs", flags.runs, "Plans to time")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  app.add_flag("--standing", flags.standing, "As the next pass finds it, with promises to keep");
  CLI::Option* instead_growth =
      app.add_flag("--growth", growth, "Instead: growing queues and pools, with fitted exponents");
  CLI::Option* instead_vs =
      app.add_option("--vs", vs, "Instead: starts against those of a plan for whole nodes")
          ->check(CLI::IsMember({"whole-node"}));
  CLI::Option* instead_newcomers =
      app.add_option("--newcomers", newcomers, "Instead: what so many newcomers, one each, change")
          ->check(CLI::Range(1, 10'000));
  CLI::Option* instead_incremental =
      app.add_option("--incremental", incremental,
                     "Instead: so many newcomers put in behind the plan that stands, each timed")
          ->expected(0, 1)
          ->default_str("1000")
          ->check(CLI::Range(1, 100'000));
  instead_vs->excludes(instead_growth);
  instead_newcomers->excludes(instead_growth)->excludes(instead_vs);
  instead_incremental->excludes(instead_growth)->excludes(instead_vs)->excludes(instead_newcomers);
  CLI11_PARSE(app, argc, argv);
  if (incremental > 0) return TimeNewcomers(flags, incremental);
  if (newcomers > 0) return CountWhatNewcomersChange(flags, newcomers);
  if (!vs.empty()) return CompareWithWholeNodes(flags);
  return growth ? TimeGrowth(flags) : TimePlan(flags);
}

}  // namespace
}  // namespace allot

int main(int argc, char** argv) { return allot::Main(argc, argv); }
