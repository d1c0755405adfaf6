#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "allot/base/time.h"

namespace allot::bounds {

/// What COIN-OR CBC says about a model whose costs are all integers.
struct Answer {
  /// The solution below is proven to be the best.
  bool optimal = false;
  /// No solution costs less: proven, also when time ran out. Rounded down for a relaxation, up for
  /// an integer model, both by more than the solver's tolerance.
  int64_t bound = 0;
  /// By column; nothing when no solution was found in time.
  std::optional<std::vector<double>> values;
};

/// Whether the command `cbc` can be started.
bool CbcInstalled();
inline constexpr const char* kCbcMissing = "cbc is missing: apt-get install coinor-cbc";

/// Solves a model in MPS format with columns "x0", "x1", … on one thread; the limit is
/// CPU time. Throws std::runtime_error with what cbc printed when that is not understood.
Answer SolveInteger(const std::string& mps, std::size_t columns, Seconds limit);
/// A linear one. Throws when the limit is reached: half a simplex proves nothing.
Answer SolveLinear(const std::string& mps, std::size_t columns, Seconds limit);

/// What cbc left behind, read: its log and its solution file.
Answer ReadInteger(const std::string& log, const std::string& solution, std::size_t columns);
Answer ReadLinear(const std::string& log, const std::string& solution, std::size_t columns);

}  // namespace allot::bounds
