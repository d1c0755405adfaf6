#include "apps/allot-sim/simulation.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "allot/sim/measures.h"
#include "apps/allot-sim/settings.h"
#include "apps/allot-sim/whole_file.h"

namespace allot::apps {
namespace {

using sim::Discipline;

struct Flags {
  std::string discipline = "allot";
  std::string workload = "synthetic";
  double load = 0.95;
  sim::LoadOptions options;
  int seeds = 5;
  std::string disciplines;
  std::vector<std::string> settings;
  int threads = static_cast<int>(std::thread::hardware_concurrency());
  bool json = false;
  bool quiet = false;
};

/// A simulation that ran.
struct Run {
  uint64_t seed = 0;
  Discipline discipline = Discipline::kAllot;
  sim::Measures measures;
  std::string json;
  std::vector<std::string> violations;
};

Policy SimulatedPolicy() {
  Policy policy = DefaultPolicy();
  policy.gathering_time = Seconds{0};
  // GPUs are free the moment a job ends.
  policy.release_time = Seconds{0};
  // Nothing that runs for 14 days at most is planned further ahead, and shorter is faster.
  policy.planning_horizon = Days(120);
  return policy;
}

/// Nothing when a setting cannot be read, which is then told.
std::optional<Policy> ReadPolicy(const Flags& flags) {
  Policy policy = SimulatedPolicy();
  if (const auto unknown = SetAll(flags.settings, policy)) {
    std::cerr << "allot-sim: " << *unknown << '\n';
    return std::nullopt;
  }
  return policy;
}

/// Makes the workload of a seed. A trace is read once for all of them.
class Workloads {
 public:
  explicit Workloads(const Flags& flags) : flags_(flags) {}

  /// Why there is none, for people; nothing when it is ready.
  std::optional<std::string> Prepare() {
    if (flags_.workload == "synthetic" || flags_.workload == "national-call") return std::nullopt;
    const auto text = ReadWholeFile(flags_.workload);
    if (!text) {
      return flags_.workload +
             ": cannot be read; --workload is synthetic, national-call or a trace's file";
    }
    auto trace = sim::ReadTrace(flags_.workload, *text);
    if (!trace.ok()) {
      const Error& error = trace.error();
      return flags_.workload + ": " + error.field + ": '" + error.value + "' is not " + error.limit;
    }
    trace_ = *std::move(trace);
    return std::nullopt;
  }

  sim::Workload Make(uint64_t seed) const {
    sim::TraceLoad options;
    static_cast<sim::LoadOptions&>(options) = flags_.options;
    options.seed = seed;
    options.load_permille = static_cast<int>(std::lround(flags_.load * 1000));
    if (flags_.workload == "synthetic") return sim::LoadSynthetic(options);
    if (flags_.workload == "national-call") return sim::LoadNationalCall(options);
    return sim::LoadTrace(trace_, options);
  }

 private:
  const Flags& flags_;
  sim::Trace trace_;
};

Run RunOne(const Workloads& workloads, const Policy& policy, uint64_t seed, Discipline discipline,
           bool quiet) {
  const sim::Workload workload = workloads.Make(seed);
  sim::SimulationOptions options;
  options.discipline = discipline;
  options.policy = policy;
  if (!quiet) {
    options.on_day = [&](Instant now, int waiting, int running) {
      std::ostringstream line;  // Threads report: a line is written at once.
      line << Name(discipline) << " seed " << seed << ": " << FormatRfc3339(now) << ", " << waiting
           << " wait, " << running << " run\n";
      std::cerr << line.str();
    };
  }
  const sim::Outcome outcome = Simulate(workload, options);
  Run run;
  run.seed = seed;
  run.discipline = discipline;
  run.measures = Measure(workload, outcome);
  run.json = FormatJson(workload, outcome, run.measures);
  run.violations = outcome.violations;
  return run;
}

bool Report(const Run& run) {
  for (const std::string& violation : run.violations) {
    std::cerr << "allot-sim: " << Name(run.discipline) << " seed " << run.seed << ": " << violation
              << '\n';
  }
  return run.violations.empty();
}

int RunCommand(const Flags& flags) {
  const auto discipline = sim::ParseDiscipline(flags.discipline);
  Workloads workloads(flags);
  if (const auto problem = workloads.Prepare()) {
    std::cerr << "allot-sim: " << *problem << '\n';
    return 2;
  }
  const auto policy = ReadPolicy(flags);
  if (!policy) return 2;
  const Run run = RunOne(workloads, *policy, flags.options.seed, *discipline, flags.quiet);
  std::cout << run.json << std::endl;
  return Report(run) ? 0 : 1;
}

std::string Fixed(double value, int decimals) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(decimals) << value;
  return text.str();
}

template <class Value>
int64_t Median(const std::vector<const Run*>& runs, Value value) {
  std::vector<int64_t> values;
  values.reserve(runs.size());
  for (const Run* run : runs) values.push_back(value(run->measures));
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// One column of the comparison: hours are measured in seconds, shares in permille.
struct Figure {
  const char* title;
  int width;
  bool hours;
  int64_t (*of)(const sim::Measures&);
};

using M = sim::Measures;
constexpr Figure kFigures[] = {
    {"mean", 9, true, [](const M& m) -> int64_t { return m.all.mean_s; }},
    {"p95", 9, true, [](const M& m) -> int64_t { return m.all.p95_s; }},
    {"p99", 9, true, [](const M& m) -> int64_t { return m.all.p99_s; }},
    {"merit", 9, true, [](const M& m) -> int64_t { return m.merit_weighted_wait_s; }},
    {"work", 9, true, [](const M& m) -> int64_t { return m.work_weighted_wait_s; }},
    {"gang p99", 9, true, [](const M& m) -> int64_t { return m.large_gangs.p99_s; }},
    {"used", 7, false, [](const M& m) -> int64_t { return m.utilisation_permille; }},
    {"broken", 7, false, [](const M& m) -> int64_t { return m.fragmentation_permille; }},
    {"unfair", 7, false, [](const M& m) -> int64_t { return m.fair_share_error_permille; }},
    {"forecast", 9, true, [](const M& m) -> int64_t { return m.forecast_error_s; }},
};

void PrintTable(const std::vector<Run>& runs, const std::vector<Discipline>& disciplines) {
  constexpr int kNameWidth = 24;
  std::cout << std::left << std::setw(kNameWidth) << "hours waited: medians" << std::right;
  for (const Figure& figure : kFigures) std::cout << std::setw(figure.width) << figure.title;
  std::cout << '\n';
  for (const Discipline discipline : disciplines) {
    std::vector<const Run*> of_it;
    for (const Run& run : runs) {
      if (run.discipline == discipline) of_it.push_back(&run);
    }
    std::cout << std::left << std::setw(kNameWidth) << Name(discipline) << std::right;
    for (const Figure& figure : kFigures) {
      const auto median = static_cast<double>(Median(of_it, figure.of));
      const std::string text = figure.hours ? Fixed(median / 3600, 2) : Fixed(median / 10, 1) + "%";
      std::cout << std::setw(figure.width) << text;
    }
    std::cout << '\n';
  }
}

std::optional<std::vector<Discipline>> ParseDisciplines(const std::string& text) {
  if (text.empty()) {
    return std::vector<Discipline>(std::begin(sim::kDisciplines), std::end(sim::kDisciplines));
  }
  std::vector<Discipline> disciplines;
  std::stringstream names(text);
  for (std::string name; std::getline(names, name, ',');) {
    const auto discipline = sim::ParseDiscipline(name);
    if (!discipline) {
      std::cerr << "allot-sim: --disciplines: there is no '" << name << "'\n";
      return std::nullopt;
    }
    disciplines.push_back(*discipline);
  }
  return disciplines;
}

int CompareCommand(const Flags& flags) {
  const auto disciplines = ParseDisciplines(flags.disciplines);
  if (!disciplines) return 2;
  Workloads workloads(flags);
  if (const auto problem = workloads.Prepare()) {
    std::cerr << "allot-sim: " << *problem << '\n';
    return 2;
  }
  const auto policy = ReadPolicy(flags);
  if (!policy) return 2;
  std::vector<Run> runs;
  for (int i = 0; i < flags.seeds; ++i) {
    for (const Discipline discipline : *disciplines) {
      Run& run = runs.emplace_back();
      run.seed = flags.options.seed + static_cast<uint64_t>(i);
      run.discipline = discipline;
    }
  }
  std::atomic<std::size_t> next = 0;
  std::mutex out;
  std::size_t done = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < runs.size(); i = next++) {
      runs[i] = RunOne(workloads, *policy, runs[i].seed, runs[i].discipline, true);
      const std::lock_guard lock(out);
      ++done;
      if (!flags.quiet) {
        std::cerr << done << " of " << runs.size() << ": " << Name(runs[i].discipline) << " seed "
                  << runs[i].seed << '\n';
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < std::max(1, flags.threads); ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();

  bool sound = true;
  for (const Run& run : runs) {
    if (flags.json) std::cout << run.json << '\n';
    sound = Report(run) && sound;
  }
  if (!flags.json) PrintTable(runs, *disciplines);
  return sound ? 0 : 1;
}

void AddLoadOptions(CLI::App& command, Flags& flags) {
  command
      .add_option("--workload", flags.workload,
                  "synthetic, national-call, or a trace: Philly's CSV, or a file *.swf")
      ->capture_default_str();
  command.add_option("--load", flags.load, "GPU time asked for, over GPU time there is")
      ->check(CLI::Range(0.01, 10.0))
      ->capture_default_str();
  command.add_option("--seed", flags.options.seed, "Of the workload; compare counts up from it")
      ->capture_default_str();
  command.add_option("--days", flags.options.days, "For how long work arrives")
      ->check(CLI::Range(1, 366))
      ->capture_default_str();
  command.add_option("--scale", flags.options.scale, "The national pool divided by this")
      ->check(CLI::Range(1, 32))
      ->capture_default_str();
  command.add_option("--set", flags.settings, "A setting of the policy: promise_nodes=8");
  command.add_flag("--quiet", flags.quiet, "No progress on standard error");
}

}  // namespace

void AddSimulationCommands(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* run = app.add_subcommand(
      "run", "Runs one discipline on a workload and prints what came of it as one JSON line.");
  std::vector<std::string> names;
  for (const Discipline discipline : sim::kDisciplines) names.emplace_back(Name(discipline));
  run->add_option("--discipline", flags->discipline, "How the waiting are served")
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  AddLoadOptions(*run, *flags);
  run->callback([flags, &exit_code] { exit_code = RunCommand(*flags); });

  CLI::App* compare = app.add_subcommand(
      "compare", "Runs all disciplines on the same workloads and prints the medians as a table.");
  compare->add_option("--disciplines", flags->disciplines, "Some of them, separated by commas");
  compare->add_option("--seeds", flags->seeds, "How many workloads, one a seed")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  compare->add_option("--threads", flags->threads, "Simulations at the same time")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  compare->add_flag("--json", flags->json, "A JSON line for each simulation instead of the table");
  AddLoadOptions(*compare, *flags);
  compare->callback([flags, &exit_code] { exit_code = CompareCommand(*flags); });
}

}  // namespace allot::apps
