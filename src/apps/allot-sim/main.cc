// allot-sim: what the national pool is tried with, and how the scheduler compares on it.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <string>

#include "allot/sim/national_call.h"
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

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Tries the scheduler on the national pool: workloads from a seed, simulations, comparisons, "
      "and "
      "recorded passes decided again."};
  app.require_subcommand(1);

  uint64_t seed = allot::sim::kNationalCallSeed;
  std::string out = "-";
  CLI::App* national_call = app.add_subcommand(
      "national-call", "Writes the first national call as a file for `allot apply -f`.");
  national_call->add_option("--seed", seed, "Another seed gives another call with the same totals")
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
  CLI11_PARSE(app, argc, argv);
  return exit_code;
}
