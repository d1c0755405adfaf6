#include "apps/allot-sim/chaos.h"

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "allot/base/text.h"
#include "allot/chaos/chaos.h"
#include "allot/sim/seed.h"

namespace allot::apps {
namespace {

/// Of so many seeds every rare situation must have come about.
constexpr int kSeedsToMeetAll = 1'000;
constexpr int kViolationsShown = 20;

struct Flags {
  uint64_t seed = 1;
  int seeds = 100;
  std::string trace;
  int jobs = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  bool json = false;
  bool quiet = false;
  bool keep_going = false;
  bool twice = false;
};

/// Of many seeds, added up in their order.
struct Total {
  int seeds = 0;
  int64_t steps = 0;
  int64_t commits = 0;
  int64_t passes = 0;
  int64_t allocations = 0;
  std::map<std::string, int64_t> faults;
  std::map<std::string, int64_t> probes;
  int violations = 0;
  uint64_t trace_hash = 0;

  void Add(const chaos::Report& report) {
    ++seeds;
    steps += report.steps;
    commits += report.commits;
    passes += report.passes;
    allocations += report.allocations;
    for (const auto& [name, count] : report.faults) faults[name] += count;
    for (const auto& [name, count] : report.probes) probes[name] += count;
    if (report.violation) ++violations;
    // Whose order counts: the same seeds in another order are another run.
    trace_hash = (trace_hash ^ report.trace_hash) * 0x100000001b3ULL;
  }
};

std::string HexOf(uint64_t hash) {
  std::ostringstream text;
  text << std::hex << std::setfill('0') << std::setw(16) << hash;
  return text.str();
}

std::vector<std::string> Unmet(const Total& total) {
  std::vector<std::string> unmet;
  for (const std::string_view name : chaos::ProbeNames()) {
    if (!total.probes.contains(std::string(name))) unmet.emplace_back(name);
  }
  return unmet;
}

std::string FormatJson(const Flags& flags, const Total& total) {
  nlohmann::ordered_json json;
  json["seed"] = flags.seed;
  json["seeds"] = total.seeds;
  json["steps"] = total.steps;
  json["commits"] = total.commits;
  json["passes"] = total.passes;
  json["allocations"] = total.allocations;
  json["faults"] = total.faults;
  json["probes"] = total.probes;
  json["probes_unmet"] = Unmet(total);
  json["violations"] = total.violations;
  json["trace_hash"] = HexOf(total.trace_hash);
  return json.dump();
}

void Tell(const chaos::Report& report) {
  const chaos::Violation& violation = *report.violation;
  std::cerr << "allot-sim: seed " << report.seed << ", step " << violation.step << ": "
            << violation.rule << ": " << violation.what << "\n  to see how it came about: allot-sim"
            << " chaos --seed " << report.seed << " --seeds 1 --trace -\n";
}

void Print(const Total& total) {
  std::cout << FormatCount(total.seeds) << " seeds, " << FormatCount(total.steps) << " steps, "
            << FormatCount(total.commits) << " commits, " << FormatCount(total.passes)
            << " passes, " << FormatCount(total.allocations) << " allocations\n";
  for (const auto& [title, counts] :
       {std::pair("faults", &total.faults), {"rare situations", &total.probes}}) {
    std::cout << title << ":\n";
    for (const auto& [name, count] : *counts) {
      std::cout << "  " << std::left << std::setw(42) << name << std::right << std::setw(12)
                << FormatCount(count) << '\n';
    }
  }
  for (const std::string& name : Unmet(total)) std::cout << "  " << name << " never came about\n";
  std::cout << FormatCount(total.violations) << " violations, trace hash "
            << HexOf(total.trace_hash) << '\n';
}

/// The lines of one seed, to a file or to standard error; whether they could be written.
bool WriteTrace(const Flags& flags, chaos::Report& report) {
  std::ofstream file;
  if (flags.trace != "-") file.open(flags.trace);
  std::ostream& out = flags.trace == "-" ? std::cerr : file;
  report = chaos::RunSeed(flags.seed, [&](std::string_view line) { out << line << '\n'; });
  out.flush();
  if (!out) std::cerr << "allot-sim: --trace: " << flags.trace << " cannot be written\n";
  return static_cast<bool>(out);
}

/// With --twice: a seed that does not replay exactly is a violation as any other.
chaos::Report Run(const Flags& flags, uint64_t seed) {
  chaos::Report report = chaos::RunSeed(seed, nullptr);
  if (!flags.twice || report.violation) return report;
  const chaos::Report again = chaos::RunSeed(seed, nullptr);
  if (again.trace_hash != report.trace_hash || again.steps != report.steps) {
    report.violation = {.step = again.steps,
                        .rule = "replays_exactly",
                        .what = "its trace hash was " + HexOf(report.trace_hash) + ", and then " +
                                HexOf(again.trace_hash)};
  }
  return report;
}

int RunChaos(const Flags& flags) {
  std::vector<chaos::Report> reports(static_cast<std::size_t>(flags.seeds));
  Total total;
  int shown = 0;
  if (!flags.trace.empty()) {
    if (flags.seeds != 1) {
      std::cerr << "allot-sim: --trace is of one seed: add --seeds 1\n";
      return 2;
    }
    if (!WriteTrace(flags, reports[0])) return 1;
  } else {
    std::atomic<std::size_t> next = 0;
    std::atomic<bool> stop = false;
    std::mutex out;
    std::size_t done = 0;
    const auto work = [&] {
      for (std::size_t i = next++; i < reports.size() && !stop; i = next++) {
        reports[i] = Run(flags, flags.seed + i);
        const std::lock_guard lock(out);
        ++done;
        if (reports[i].violation) {
          if (shown++ < kViolationsShown) Tell(reports[i]);
          if (!flags.keep_going) stop = true;
        }
        if (!flags.quiet && (done % 100 == 0 || done == reports.size())) {
          std::cerr << done << " of " << reports.size() << " seeds\n";
        }
      }
    };
    std::vector<std::thread> threads;
    for (int i = 0; i < flags.jobs; ++i) threads.emplace_back(work);
    for (std::thread& thread : threads) thread.join();
  }
  for (const chaos::Report& report : reports) {
    if (report.steps > 0) total.Add(report);
  }
  if (!flags.trace.empty() && reports[0].violation) Tell(reports[0]);
  if (flags.json) {
    std::cout << FormatJson(flags, total) << std::endl;
  } else {
    Print(total);
  }
  const bool met = total.seeds < kSeedsToMeetAll || Unmet(total).empty();
  if (!met) std::cerr << "allot-sim: rare situations never came about: see probes\n";
  return total.violations == 0 && met ? 0 : 1;
}

}  // namespace

void AddChaosCommand(CLI::App& app, int& exit_code) {
  const auto flags = std::make_shared<Flags>();
  CLI::App* chaos = app.add_subcommand(
      "chaos",
      "Runs servers, agents and tenants by a simulated clock, network and store under faults drawn "
      "from a seed, and audits every step. Ends with 1 at a violation.");
  chaos->add_option("--seed", flags->seed, "The first seed")
      ->check(sim::WhyNoSeed)
      ->capture_default_str();
  chaos->add_option("--seeds", flags->seeds, "How many seeds, counting up from the first")
      ->check(CLI::Range(1, 10'000'000))
      ->capture_default_str();
  chaos->add_option("--jobs", flags->jobs, "Seeds at the same time")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  chaos->add_option("--trace", flags->trace,
                    "Writes every step of a single seed to this file; - is standard error");
  chaos->add_flag("--keep-going", flags->keep_going, "Go on after a seed with a violation");
  chaos
      ->add_flag("--twice", flags->twice,
                 "Runs each seed twice: one that does not replay exactly is a violation")
      ->excludes("--trace");
  chaos->add_flag("--json", flags->json, "One JSON line instead of a table");
  chaos->add_flag("--quiet", flags->quiet, "No progress on standard error");
  chaos->callback([flags, &exit_code] { exit_code = RunChaos(*flags); });
}

}  // namespace allot::apps
