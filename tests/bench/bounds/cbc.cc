#include "bench/bounds/cbc.h"

#include <chrono>
#include <cmath>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "support/process.h"
#include "support/temp_dir.h"

namespace allot::bounds {
namespace {

using testing::Ended;

// What execvp's failure looks like from outside.
constexpr int kNoSuchCommand = 127;
// Costs are integers, the solver's numbers are not: wider than its tolerances, narrower than 1.
constexpr double kTolerance = 1e-3;

[[noreturn]] void NotUnderstood(const std::string& log) {
  throw std::runtime_error("cbc's answer is not understood; it printed:\n" + log);
}

/// The number behind the last "<label>" in the log.
std::optional<double> Labelled(const std::string& log, std::string_view label) {
  const std::size_t at = log.rfind(label);
  if (at == std::string::npos) return std::nullopt;
  std::istringstream rest(log.substr(at + label.size()));
  double value = 0;
  if (!(rest >> value)) return std::nullopt;
  return value;
}

/// The first line of the solution file: what became of it, and what it costs.
struct Verdict {
  std::string status;
  std::optional<double> cost;
};
Verdict ReadVerdict(std::istream& solution) {
  std::string line;
  std::getline(solution, line);
  return {line.substr(0, line.find(" - ")), Labelled(line, "objective value")};
}

/// Lines "<number> x<column> <value> <reduced cost>", zeros left out; "**" marks what is
/// infeasible.
std::vector<double> ReadValues(std::istream& solution, std::size_t columns,
                               const std::string& log) {
  std::vector<double> values(columns, 0);
  for (std::string line; std::getline(solution, line);) {
    std::istringstream fields(line);
    std::size_t number = 0;
    std::string name;
    double value = 0;
    if (!(fields >> number >> name >> value) || name.size() < 2 || name.front() != 'x') {
      NotUnderstood(log + line);
    }
    values.at(std::stoul(name.substr(1))) = value;
  }
  return values;
}

struct Run {
  std::string log;
  std::string solution;
};
Run RunCbc(const std::string& mps, Seconds limit) {
  const testing::TempDir folder;
  const std::string model = folder / "model.mps";
  const std::string solution = folder / "solution";
  std::ofstream(model) << mps;
  // Its limit is CPU time, looked at between steps; a busy machine takes several times as long.
  const std::chrono::seconds patience(limit.count * 20 + 60);
  const Ended ended =
      testing::RunToEnd({"cbc", model, "sec", std::to_string(limit.count), "ratioGap", "0",
                         "allowableGap", "0", "solve", "solution", solution},
                        patience);
  if (ended.exit_code == kNoSuchCommand) throw std::runtime_error(kCbcMissing);
  if (ended.exit_code != 0) NotUnderstood(ended.out + ended.err);
  std::ifstream file(solution);
  return {ended.out, {std::istreambuf_iterator<char>(file), {}}};
}

}  // namespace

bool CbcInstalled() { return testing::RunToEnd({"cbc", "quit"}).exit_code != kNoSuchCommand; }

Answer ReadInteger(const std::string& log, const std::string& solution, std::size_t columns) {
  std::istringstream file(solution);
  const Verdict verdict = ReadVerdict(file);
  Answer answer;
  answer.optimal = verdict.status == "Optimal";
  const std::optional<double> bound =
      answer.optimal ? verdict.cost : Labelled(log, "\nLower bound:");
  if (!bound) NotUnderstood(log);
  answer.bound = static_cast<int64_t>(std::ceil(*bound - kTolerance));
  const bool has_solution =
      answer.optimal || log.find("No feasible solution found") == std::string::npos;
  if (has_solution) answer.values = ReadValues(file, columns, log);
  return answer;
}

Answer ReadLinear(const std::string& log, const std::string& solution, std::size_t columns) {
  std::istringstream file(solution);
  const Verdict verdict = ReadVerdict(file);
  if (verdict.status != "Optimal" || !verdict.cost) NotUnderstood(log);
  Answer answer;
  answer.optimal = true;
  answer.bound = static_cast<int64_t>(std::floor(*verdict.cost + kTolerance));
  answer.values = ReadValues(file, columns, log);
  return answer;
}

Answer SolveInteger(const std::string& mps, std::size_t columns, Seconds limit) {
  const Run run = RunCbc(mps, limit);
  return ReadInteger(run.log, run.solution, columns);
}

Answer SolveLinear(const std::string& mps, std::size_t columns, Seconds limit) {
  const Run run = RunCbc(mps, limit);
  return ReadLinear(run.log, run.solution, columns);
}

}  // namespace allot::bounds
