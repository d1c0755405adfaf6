// How far from the optimum the plans are: an exact model of small windows, and a linear bound on a
// week, both solved by COIN-OR CBC. Prints one JSON line.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <exception>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "allot/base/check.h"
#include "allot/scheduler/check_plan.h"
#include "bench/bounds/cbc.h"
#include "bench/bounds/orders.h"
#include "bench/bounds/week.h"
#include "bench/bounds/window.h"

namespace allot::bounds {
namespace {

using Json = nlohmann::ordered_json;

struct Flags {
  int window = 30;
  int seeds = 5;
  bool week = false;
  int limit_s = 30;
  int tries = 1'000;
  int pool_divisor = 4;
  int load_permille = 950;
  int reach = 48;
};

// The smallest that at least `permille` of all do not exceed.
int64_t Quantile(std::vector<int64_t> values, std::size_t permille) {
  std::sort(values.begin(), values.end());
  return values[(values.size() * permille + 999) / 1000 - 1];
}

// Rounded up: never better than it is.
int64_t GapPermille(int64_t ours, int64_t bound) {
  ALLOT_CHECK(ours >= bound);
  const int64_t over = bound > 0 ? bound : 1;
  return ((ours - bound) * 1000 + over - 1) / over;
}

/// Over the seeds: of merit-weighted flow (start and run) and of the start alone.
struct Gaps {
  std::vector<int64_t> flow;
  std::vector<int64_t> start;

  void Add(int64_t ours, int64_t bound, int64_t run) {
    flow.push_back(GapPermille(ours + run, bound + run));
    start.push_back(GapPermille(ours, bound));
  }
  Json ToJson() const {
    const auto quantiles = [](const std::vector<int64_t>& of) {
      return Json{
          {"median", Quantile(of, 500)}, {"p95", Quantile(of, 950)}, {"max", Quantile(of, 1000)}};
    };
    return {{"flow", quantiles(flow)}, {"start", quantiles(start)}};
  }
};

/// A model solved, and how.
struct Solved {
  int64_t bound = 0;
  bool proven = false;
  /// Its starts were placed on physical GPUs, and the checker accepts that.
  bool realised = false;
};

class WindowBench {
 public:
  explicit WindowBench(const Flags& flags) : flags_(flags) {}

  Json Run() {
    for (int seed = 1; seed <= flags_.seeds; ++seed) {
      Compare(static_cast<uint64_t>(seed));
      std::fprintf(stderr, "window of %d, seed %d of %d\n", flags_.window, seed, flags_.seeds);
    }
    Json line;
    line["bench"] = "bounds-window";
    line["window"] = flags_.window;
    line["seeds"] = flags_.seeds;
    line["slot_s"] = kSlot.count;
    line["limit_s"] = flags_.limit_s;
    line["median_nodes"] = Quantile(nodes_, 500);
    line["median_last_start"] = Quantile(last_starts_, 500);
    line["free"] = Json{{"proven", free_.proven},
                        {"realised", free_.realised},
                        {"median_solve_ms", Quantile(free_.solve_ms, 500)},
                        {"max_solve_ms", Quantile(free_.solve_ms, 1000)}};
    line["nobody_later"] = Json{{"proven", kept_.proven},
                                {"realised", kept_.realised},
                                {"median_solve_ms", Quantile(kept_.solve_ms, 500)},
                                {"max_solve_ms", Quantile(kept_.solve_ms, 1000)}};
    for (const auto& [name, gaps] : gaps_) line["gap_permille"][name] = gaps.ToJson();
    return line;
  }

 private:
  struct Tally {
    int proven = 0;
    int realised = 0;
    std::vector<int64_t> solve_ms;
  };

  void Compare(uint64_t seed) {
    const scheduler::Snapshot window = RandomWindow(seed, flags_.window);
    const Policy policy = WindowPolicy();
    const std::vector<int> as_is = Planned(window, policy);
    const int last = *std::max_element(as_is.begin(), as_is.end());
    // Beyond our own last start there is room for those that the optimum makes wait.
    StartProblem problem = ProblemOf(window, last + 1 + last / 4);
    nodes_.push_back(static_cast<int64_t>(window.nodes.size()));
    last_starts_.push_back(last);

    const int64_t run = MeritRun(problem);
    const int64_t optimum = Solve(window, problem, free_).bound;
    const auto add = [&](const char* name, const std::vector<int>& starts, int64_t bound) {
      gaps_[name].Add(MeritStart(problem, starts), bound, run);
    };
    const auto order = scheduler::Schedule(window, policy).order;
    const auto improved = [&](const std::vector<int>& from, bool nobody_later) {
      return StartsOf(window, ImproveOrder(window, policy, from, flags_.tries, nobody_later, seed));
    };
    const std::vector<int> kept = improved(order, true);
    add("as_is", as_is, optimum);
    add("by_merit", Planned(EachOnItsOwn(window), policy), optimum);
    const auto in_order = [&](const std::vector<int>& by) {
      return StartsOf(window, PlaceInOrder(window, policy, by));
    };
    add("by_merit_over_work", in_order(SmithOrder(window)), optimum);
    add("cheapest_first_in_a_project", in_order(FairFinishOrder(window, policy, true)), optimum);
    add("by_merit_over_work_improved", improved(SmithOrder(window), false), optimum);
    add("as_is_improved_nobody_later", kept, optimum);

    for (std::size_t i = 0; i < problem.jobs.size(); ++i) problem.jobs[i].latest = as_is[i];
    const int64_t best_kept = Solve(window, problem, kept_).bound;
    add("as_is_to_nobody_later", as_is, best_kept);
    add("as_is_improved_nobody_later_to_nobody_later", kept, best_kept);
  }

  static std::vector<int> Planned(const scheduler::Snapshot& window, const Policy& policy) {
    const scheduler::Plan plan = scheduler::Schedule(window, policy);
    ALLOT_CHECK(scheduler::CheckPlan(window, policy, plan).empty());
    return StartsOf(window, plan.placements);
  }

  Solved Solve(const scheduler::Snapshot& window, const StartProblem& problem, Tally& tally) const {
    const StartModel model = BuildModel(problem, /*integer=*/true);
    const auto begin = std::chrono::steady_clock::now();
    const Answer answer = SolveInteger(model.mps, model.columns.size(), Seconds{flags_.limit_s});
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    Solved solved{.bound = answer.bound, .proven = answer.optimal};
    if (answer.optimal) {
      const auto plan = PlanAt(window, bounds::StartsOf(model, *answer.values));
      solved.realised = plan && scheduler::CheckPlan(window, WindowPolicy(), *plan).empty();
    }
    tally.proven += solved.proven ? 1 : 0;
    tally.realised += solved.realised ? 1 : 0;
    tally.solve_ms.push_back(static_cast<int64_t>(took.count()));
    return solved;
  }

  const Flags& flags_;
  std::map<std::string, Gaps> gaps_;
  Tally free_;
  Tally kept_;
  std::vector<int64_t> nodes_;
  std::vector<int64_t> last_starts_;
};

/// One week, one seed.
class WeekBench {
 public:
  explicit WeekBench(const Flags& flags) : flags_(flags) {}

  Json Run() {
    for (int seed = 1; seed <= flags_.seeds; ++seed) {
      Compare(static_cast<uint64_t>(seed));
      std::fprintf(stderr, "week, seed %d of %d\n", seed, flags_.seeds);
    }
    Json line;
    line["bench"] = "bounds-week";
    line["seeds"] = flags_.seeds;
    line["slot_s"] = kWeekSlot.count;
    line["nodes"] = nodes_;
    line["median_jobs"] = Quantile(jobs_, 500);
    line["median_offered_permille"] = Quantile(offered_, 500);
    line["max_later_than_reach_permille"] = Quantile(late_, 1000);
    line["median_bound_wait_s"] = Quantile(bound_wait_s_, 500);
    line["median_run_s"] = Quantile(run_s_, 500);
    line["median_solve_ms"] = Quantile(solve_ms_, 500);
    for (const auto& [name, gaps] : gaps_) line["gap_permille"][name] = gaps.ToJson();
    return line;
  }

 private:
  void Compare(uint64_t seed) {
    // Three days go before, so that seven days of arrivals are four to be measured in allot-sim.
    sim::LoadOptions options;
    options.seed = seed;
    options.load_permille = flags_.load_permille;
    options.days = 4;
    options.scale = flags_.pool_divisor;
    const sim::Workload week = WeekInSlots(options, /*limits_known=*/true);
    const StartProblem problem = ProblemOf(week, flags_.reach);
    nodes_ = week.pool.nodes.size();
    jobs_.push_back(static_cast<int64_t>(week.jobs.size()));
    offered_.push_back(sim::OfferedPermille(week));

    const int64_t run = MeritRun(problem);
    const int64_t bound = Bound(problem);
    const int64_t merit =
        std::accumulate(problem.jobs.begin(), problem.jobs.end(), int64_t{0},
                        [](int64_t sum, const Job& job) { return sum + job.weight; });
    bound_wait_s_.push_back(bound * kWeekSlot.count / merit);
    run_s_.push_back(run * kWeekSlot.count / merit);
    const auto add = [&](const std::string& name, const std::vector<int>& starts) {
      gaps_[name].Add(MeritStart(problem, starts), bound, run);
    };
    for (const sim::Discipline discipline :
         {sim::Discipline::kAllot, sim::Discipline::kConservative, sim::Discipline::kEasy,
          sim::Discipline::kDrf, sim::Discipline::kGreedy}) {
      add(std::string(sim::Name(discipline)), SimulatedStarts(week, discipline));
    }
    add("allot_with_limits_as_asked",
        SimulatedStarts(WeekInSlots(options, /*limits_known=*/false), sim::Discipline::kAllot));
    const auto fair = [](const scheduler::Snapshot& snapshot) {
      return FairOrder(snapshot, Policy{});
    };
    const auto cheapest_first = [](const scheduler::Snapshot& snapshot) {
      return FairFinishOrder(snapshot, Policy{}, /*cheapest_first=*/true);
    };
    add("by_merit_over_work", StartsInOrder(week, SmithOrder, Ahead::kReserved));
    add("by_merit_over_work_without_reservations",
        StartsInOrder(week, SmithOrder, Ahead::kNothing));
    add("allot_without_promises", StartsInOrder(week, fair, Ahead::kReserved));
    add("cheapest_first_in_a_project", StartsInOrder(week, cheapest_first, Ahead::kReserved));
  }

  int64_t Bound(const StartProblem& problem) {
    const StartModel model = BuildModel(problem, /*integer=*/false);
    std::fprintf(stderr, "%zu jobs, %zu unknowns, %zu bytes\n", problem.jobs.size(),
                 model.columns.size(), model.mps.size());
    const auto begin = std::chrono::steady_clock::now();
    const Answer answer = SolveLinear(model.mps, model.columns.size(), Seconds{flags_.limit_s});
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - begin;
    solve_ms_.push_back(static_cast<int64_t>(took.count()));
    double late = 0;
    for (std::size_t i = 0; i < model.columns.size(); ++i) {
      if (model.columns[i].pool < 0) late += (*answer.values)[i];
    }
    late_.push_back(static_cast<int64_t>(late * 1000 / static_cast<double>(problem.jobs.size())));
    return answer.bound;
  }

  const Flags& flags_;
  std::size_t nodes_ = 0;
  std::map<std::string, Gaps> gaps_;
  std::vector<int64_t> jobs_;
  std::vector<int64_t> offered_;
  std::vector<int64_t> late_;
  std::vector<int64_t> bound_wait_s_;
  std::vector<int64_t> run_s_;
  std::vector<int64_t> solve_ms_;
};

int Main(int argc, char** argv) {
  Flags flags;
  CLI::App app("Measures plans against proven bounds; needs cbc (apt-get install coinor-cbc).");
  app.add_option("--window", flags.window, "Windows of so many requests against their optimum")
      ->check(CLI::Range(3, 200))
      ->capture_default_str();
  app.add_flag("--week", flags.week, "Instead: a week of arrivals against a linear bound");
  app.add_option("--seeds", flags.seeds, "Seeds 1 to this")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_option("--limit", flags.limit_s, "Seconds of CPU time for one model")
      ->check(CLI::Range(1, 86'400))
      ->capture_default_str();
  app.add_option("--tries", flags.tries, "Moves tried to improve an order (window)")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  app.add_option("--pool-divisor", flags.pool_divisor, "The national pool divided by this (week)")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  app.add_option("--load", flags.load_permille, "GPU time that arrives, per mille (week)")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  app.add_option("--reach", flags.reach, "Hours of waiting told apart (week)")
      ->check(CLI::Range(1, 1'000))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (!CbcInstalled()) {
    std::fprintf(stderr, "bench-bounds: %s\n", kCbcMissing);
    return 1;
  }
  try {
    const Json line = flags.week ? WeekBench(flags).Run() : WindowBench(flags).Run();
    std::printf("%s\n", line.dump().c_str());
  } catch (const std::exception& e) {
    std::fprintf(stderr, "bench-bounds: %s\n", e.what());
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace allot::bounds

int main(int argc, char** argv) { return allot::bounds::Main(argc, argv); }
