#include "apps/allot-sim/simulation.h"

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cmath>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "allot/base/text.h"
#include "allot/sim/figures.h"
#include "allot/sim/report.h"
#include "allot/sim/seed.h"
#include "apps/allot-sim/settings.h"
#include "apps/allot-sim/whole_file.h"
#include "apps/allot-sim/workloads.h"

namespace allot::apps {
namespace {

using sim::Discipline;

struct Flags {
  std::string discipline = "allot";
  std::string workload = "synthetic";
  std::string pool = "national";
  double load = 0.95;
  sim::LoadOptions options;
  int seeds = 5;
  std::string disciplines;
  std::vector<std::string> settings;
  int preemptible_percent = 0;
  bool strict = false;
  int threads = static_cast<int>(std::thread::hardware_concurrency());
  std::optional<std::string> html;
  bool json = false;
  bool quiet = false;
};

/// A simulation that ran.
struct Run {
  sim::ReportedRun reported;
  std::string json;

  Discipline discipline() const { return reported.outcome.discipline; }
};

/// What is kept of an outcome besides its measures. All of all would be gigabytes.
enum class Keep {
  kViolations,
  kOverTime,
  /// What the chart of the pool is drawn from.
  kNodes,
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

int LoadPermille(const Flags& flags) { return static_cast<int>(std::lround(flags.load * 1000)); }

Workloads WorkloadsOf(const Flags& flags) {
  sim::TraceLoad options;
  static_cast<sim::LoadOptions&>(options) = flags.options;
  options.load_permille = LoadPermille(flags);
  options.preemptible_permille = 10 * flags.preemptible_percent;
  return {flags.workload, options,
          flags.strict ? sim::OnUnusable::kRefuse : sim::OnUnusable::kLeaveOut};
}

/// The report tells medians of all seeds, and of the first one what happened over time.
Keep KeepFor(const Flags& flags, const std::vector<Discipline>& disciplines, uint64_t seed,
             Discipline discipline) {
  if (!flags.html || seed != flags.options.seed) return Keep::kViolations;
  return discipline == sim::ChartedDiscipline(disciplines) ? Keep::kNodes : Keep::kOverTime;
}

Run RunOne(const Workloads& workloads, const Policy& policy, uint64_t seed, Discipline discipline,
           Keep keep, bool quiet) {
  const sim::Workload workload = workloads.Make(seed);
  sim::SimulationOptions options;
  options.discipline = discipline;
  options.policy = policy;
  options.keep_nodes = keep == Keep::kNodes;
  if (!quiet) {
    options.on_day = [&](Instant now, int waiting, int running) {
      std::ostringstream line;  // Threads report: a line is written at once.
      line << Name(discipline) << " seed " << seed << ": " << FormatRfc3339(now) << ", " << waiting
           << " wait, " << running << " run\n";
      std::cerr << line.str();
    };
  }
  sim::Outcome outcome = Simulate(workload, options);
  Run run;
  run.reported.seed = seed;
  run.reported.measures = Measure(workload, outcome);
  run.json = FormatJson(workload, outcome, run.reported.measures);
  if (keep == Keep::kViolations) {
    run.reported.outcome.discipline = discipline;
    run.reported.outcome.violations = std::move(outcome.violations);
    return run;
  }
  if (keep == Keep::kOverTime) outcome.jobs = {};
  run.reported.outcome = std::move(outcome);
  return run;
}

/// Says on standard error what the auditor found; whether that was nothing.
bool IsSound(const Run& run) {
  for (const std::string& violation : run.reported.outcome.violations) {
    std::cerr << "allot-sim: " << Name(run.discipline()) << " seed " << run.reported.seed << ": "
              << violation << '\n';
  }
  return run.reported.outcome.violations.empty();
}

/// Whether a report was not asked for or can be written, as far as one can tell before.
bool CanReport(const Flags& flags) {
  if (!flags.html) return true;
  const Status status = CheckWritable(*flags.html);
  if (!status.ok()) std::cerr << "allot-sim: --html: " << status.error().message << '\n';
  return status.ok();
}

/// The command with every default told: other defaults do not change what it makes.
std::string CommandOf(const Flags& flags, const std::string& what) {
  std::string command = "allot-sim " + what + " --workload " + ShellQuoted(flags.workload);
  command += " --seed " + std::to_string(flags.options.seed);
  if (flags.workload != "national-call") {
    const std::string load = std::to_string(LoadPermille(flags) + 10'000);
    command += " --load " + std::to_string(LoadPermille(flags) / 1000) + "." + load.substr(2);
    command += " --days " + std::to_string(flags.options.days);
    command += " --scale " + std::to_string(flags.options.scale);
  }
  if (flags.preemptible_percent > 0) {
    command += " --preemptible-share " + std::to_string(flags.preemptible_percent);
  }
  if (flags.strict) command += " --strict";
  for (const std::string& setting : flags.settings) command += " --set " + ShellQuoted(setting);
  return command + " --html " + ShellQuoted(*flags.html);
}

/// Writes the report if one was asked for; whether that went well.
bool WriteReport(const Flags& flags, const std::string& what, const Workloads& workloads,
                 std::vector<Run> runs) {
  if (!flags.html) return true;
  std::vector<sim::ReportedRun> reported;
  reported.reserve(runs.size());
  for (Run& run : runs) reported.push_back(std::move(run.reported));
  const std::string page =
      sim::FormatReport(CommandOf(flags, what), workloads.Make(flags.options.seed), reported);
  const Status status = WriteWholeFile(*flags.html, page);
  if (!status.ok()) {
    std::cerr << "allot-sim: --html: " << status.error().message << '\n';
  } else if (!flags.quiet) {
    std::cerr << *flags.html << ": " << FormatCount(static_cast<int64_t>(page.size()))
              << " bytes written\n";
  }
  return status.ok();
}

int RunCommand(const Flags& flags) {
  const auto discipline = sim::ParseDiscipline(flags.discipline);
  Workloads workloads = WorkloadsOf(flags);
  if (const auto problem = workloads.Prepare()) {
    std::cerr << "allot-sim: " << *problem << '\n';
    return 2;
  }
  const auto policy = ReadPolicy(flags);
  if (!policy || !CanReport(flags)) return 2;
  const uint64_t seed = flags.options.seed;
  const Keep keep = KeepFor(flags, {*discipline}, seed, *discipline);
  std::vector<Run> runs = {RunOne(workloads, *policy, seed, *discipline, keep, flags.quiet)};
  std::cout << runs[0].json << std::endl;
  const bool sound = IsSound(runs[0]);
  const std::string what = "run --discipline " + flags.discipline;
  return WriteReport(flags, what, workloads, std::move(runs)) && sound ? 0 : 1;
}

void PrintTable(const std::vector<Run>& runs, const std::vector<Discipline>& disciplines) {
  constexpr int kNameWidth = 24;
  const auto width = [](const sim::Figure& figure) {
    if (figure.of_preemption) return 12;
    return figure.unit == sim::Unit::kHours ? 9 : 7;
  };
  const auto figures = sim::Figures(runs.front().reported.measures.preemption.has_value());
  std::cout << std::left << std::setw(kNameWidth) << "hours waited: medians" << std::right;
  for (const sim::Figure& figure : figures) {
    std::cout << std::setw(width(figure)) << figure.title;
  }
  std::cout << '\n';
  for (const Discipline discipline : disciplines) {
    std::cout << std::left << std::setw(kNameWidth) << Name(discipline) << std::right;
    for (const sim::Figure& figure : figures) {
      std::vector<int64_t> values;
      for (const Run& run : runs) {
        if (run.discipline() == discipline) values.push_back(figure.of(run.reported.measures));
      }
      std::cout << std::setw(width(figure)) << FormatFigure(figure, sim::Median(std::move(values)));
    }
    std::cout << '\n';
  }
}

std::vector<std::string> DisciplineNames() {
  std::vector<std::string> names;
  for (const Discipline discipline : sim::kDisciplines) names.emplace_back(Name(discipline));
  return names;
}

/// Says on standard error what is wrong with --disciplines and what it takes.
std::nullopt_t RefuseDisciplines(const std::string& problem) {
  std::cerr << "allot-sim: --disciplines: " << problem << "; name any of ";
  const char* comma = "";
  for (const std::string& known : DisciplineNames()) {
    std::cerr << std::exchange(comma, ", ") << known;
  }
  std::cerr << ", each once\n";
  return std::nullopt;
}

std::optional<std::vector<Discipline>> ParseDisciplines(const std::string& text) {
  if (text.empty()) {
    return std::vector<Discipline>(std::begin(sim::kDisciplines), std::end(sim::kDisciplines));
  }
  std::vector<Discipline> disciplines;
  std::stringstream names(text);
  for (std::string name; std::getline(names, name, ',');) {
    const auto discipline = sim::ParseDiscipline(name);
    if (!discipline) return RefuseDisciplines("there is no '" + name + "'");
    if (std::ranges::find(disciplines, *discipline) != disciplines.end()) {
      return RefuseDisciplines("'" + name + "' is named twice");
    }
    disciplines.push_back(*discipline);
  }
  return disciplines;
}

/// The part of the command that only `compare` has.
std::string Comparison(const Flags& flags, const std::vector<Discipline>& disciplines) {
  std::string words = "compare --disciplines ";
  for (std::size_t i = 0; i < disciplines.size(); ++i) {
    if (i > 0) words += ',';
    words += Name(disciplines[i]);
  }
  return words + " --seeds " + std::to_string(flags.seeds);
}

int CompareCommand(const Flags& flags) {
  const auto disciplines = ParseDisciplines(flags.disciplines);
  if (!disciplines) return 2;
  Workloads workloads = WorkloadsOf(flags);
  if (const auto problem = workloads.Prepare()) {
    std::cerr << "allot-sim: " << *problem << '\n';
    return 2;
  }
  const auto policy = ReadPolicy(flags);
  if (!policy || !CanReport(flags)) return 2;
  std::vector<Run> runs;
  for (int i = 0; i < flags.seeds; ++i) {
    for (const Discipline discipline : *disciplines) {
      Run& run = runs.emplace_back();
      run.reported.seed = flags.options.seed + static_cast<uint64_t>(i);
      run.reported.outcome.discipline = discipline;
    }
  }
  std::atomic<std::size_t> next = 0;
  std::mutex out;
  std::size_t done = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < runs.size(); i = next++) {
      const uint64_t seed = runs[i].reported.seed;
      const Discipline discipline = runs[i].discipline();
      const Keep keep = KeepFor(flags, *disciplines, seed, discipline);
      runs[i] = RunOne(workloads, *policy, seed, discipline, keep, true);
      const std::lock_guard lock(out);
      ++done;
      if (!flags.quiet) {
        std::cerr << done << " of " << runs.size() << ": " << Name(discipline) << " seed " << seed
                  << '\n';
      }
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < std::max(1, flags.threads); ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();

  bool sound = true;
  for (const Run& run : runs) {
    if (flags.json) std::cout << run.json << '\n';
    sound = IsSound(run) && sound;
  }
  if (!flags.json) PrintTable(runs, *disciplines);
  const std::string what = Comparison(flags, *disciplines);
  return WriteReport(flags, what, workloads, std::move(runs)) && sound ? 0 : 1;
}

/// Not CLI::Range, which lets "nan" pass.
std::string WhyNoLoad(const std::string& text) {
  double load = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), load);
  const bool is_read = error == std::errc() && end == text.data() + text.size();
  if (is_read && load >= 0.01 && load <= 10.0) return "";
  return "'" + text + "': expected a number of 0.01 to 10";
}

void AddLoadOptions(CLI::App& command, Flags& flags) {
  command
      .add_option("--workload,--trace", flags.workload,
                  "synthetic, national-call, or a trace: Philly's CSV, or a file *.swf")
      ->capture_default_str();
  command.add_flag(
      "--strict", flags.strict,
      "Refuse a trace at its first line that is malformed or a job too large for the pool, "
      "which is otherwise left out");
  command.add_option("--load", flags.load, "GPU time asked for, over GPU time there is")
      ->check(WhyNoLoad)
      ->capture_default_str();
  command.add_option("--seed", flags.options.seed, "Of the workload; compare counts up from it")
      ->check(sim::WhyNoSeed)
      ->capture_default_str();
  command.add_option("--days", flags.options.days, "For how long work arrives")
      ->check(CLI::Range(1, 366))
      ->capture_default_str();
  command.add_option("--pool", flags.pool, "The pool; --scale divides it")
      ->check(CLI::IsMember({"national"}))
      ->capture_default_str();
  command.add_option("--scale", flags.options.scale, "The national pool divided by this")
      ->check(CLI::Range(1, 32))
      ->capture_default_str();
  command
      .add_option("--preemptible-share", flags.preemptible_percent,
                  "Per cent of the jobs that may be stopped for others; allot alone stops any")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  command.add_option("--set", flags.settings, "A setting of the policy: promise_nodes=8");
  command.add_option("--html", flags.html,
                     "Also writes a report with plots to this file, one page of HTML");
  command.add_flag("--quiet", flags.quiet, "No progress on standard error");
}

}  // namespace

void AddSimulationCommands(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* run = app.add_subcommand(
      "run", "Runs one discipline on a workload and prints what came of it as one JSON line.");
  run->add_option("--discipline,--policy", flags->discipline, "How the waiting are served")
      ->check(CLI::IsMember(DisciplineNames()))
      ->capture_default_str();
  run->add_flag("--json", flags->json, "One JSON line on standard output, as without it");
  AddLoadOptions(*run, *flags);
  run->callback([flags, &exit_code] { exit_code = RunCommand(*flags); });

  CLI::App* compare = app.add_subcommand(
      "compare", "Runs all disciplines on the same workloads and prints the medians as a table.");
  compare->add_option("--disciplines,--policies", flags->disciplines,
                      "Some of them, separated by commas");
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
