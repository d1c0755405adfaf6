// allot-sim: what the national pool is tried with, and how the scheduler compares on it.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <string>

#include "allot/sim/national_call.h"
#include "allot/sim/seed.h"
#include "apps/allot-sim/chaos.h"
#include "apps/allot-sim/recordings.h"
#include "apps/allot-sim/simulation.h"

namespace {

/// "-" is standard output. Says on standard error what went wrong.
bool Write(const std::string& path, const std::string& text) {
  std::FILE* file = path == "-" ? stdout : std::fopen(path.c_str(), "w");
  bool written = file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size();
  if (file == stdout) {
    written = std::fflush(file) == 0 && written;
  } else if (file != nullptr) {
    written = std::fclose(file) == 0 && written;
  }
  if (!written) std::perror(("allot-sim: " + path).c_str());
  return written;
}

constexpr int kFailed = 1;
constexpr int kUsage = 2;

std::string NamesOfCommands(const CLI::App& app) {
  std::string names;
  const auto every = [](const CLI::App* /*command*/) { return true; };
  for (const CLI::App* command : app.get_subcommands(every)) {
    names += (names.empty() ? "" : ", ") + command->get_name();
  }
  return names;
}

int Main(int argc, char** argv) {
  CLI::App app{
      "Tries the scheduler on the national pool: workloads from a seed, simulations, comparisons, "
      "recorded passes decided again, and the whole service under faults."};
  app.require_subcommand(1);

  uint64_t seed = allot::sim::kNationalCallSeed;
  std::string out = "-";
  CLI::App* national_call = app.add_subcommand(
      "national-call", "Writes the first national call as a file for `allot apply -f`.");
  national_call->add_option("--seed", seed, "Another seed gives another call with the same totals")
      ->check(allot::sim::WhyNoSeed)
      ->capture_default_str();
  national_call->add_option("--out", out, "The file to write; - is standard output")
      ->capture_default_str();

  int exit_code = 0;
  national_call->callback([&] {
    const std::string text = FormatNationalCall(allot::sim::MakeNationalCall(seed));
    exit_code = Write(out, text) ? 0 : 1;
  });
  allot::apps::AddSimulationCommands(app, exit_code);
  allot::apps::AddRecordingCommands(app, exit_code);
  allot::apps::AddChaosCommand(app, exit_code);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    if (app.exit(problem) == 0) return 0;
    if (app.get_subcommands().empty()) {
      std::fprintf(stderr, "Its subcommands: %s\n", NamesOfCommands(app).c_str());
    }
    return kUsage;
  }
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Main(argc, argv);
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "allot-sim: %s\n", problem.what());
    return kFailed;
  }
}
