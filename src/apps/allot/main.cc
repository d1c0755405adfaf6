#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "allot/base/clock.h"
#include "allot/base/random.h"
#include "allot/cli/command_line.h"

namespace {

std::optional<std::string> Variable(const std::string& name) {
  // Read before any thread is started.
  const char* value = std::getenv(name.c_str());  // NOLINT(concurrency-mt-unsafe)
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  const allot::SystemClock clock;
  allot::SystemIdSource ids;
  const allot::cli::Environment environment{
      .in = std::cin,
      .out = std::cout,
      .err = std::cerr,
      .out_is_terminal = ::isatty(STDOUT_FILENO) == 1,
      .err_is_terminal = ::isatty(STDERR_FILENO) == 1,
      .variable = Variable,
      .clock = clock,
      .ids = ids,
      .pause =
          [](allot::Seconds length) {
            std::this_thread::sleep_for(std::chrono::seconds(length.count));
          },
      .seed = std::random_device{}()};
  return allot::cli::RunCommandLine(std::vector<std::string>(argv + 1, argv + argc), environment);
}
