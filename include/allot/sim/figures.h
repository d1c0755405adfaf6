#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "allot/sim/measures.h"

namespace allot::sim {

/// What a number is measured in, and how it is told.
enum class Unit : uint8_t {
  kHours,     ///< seconds, told in hours
  kPercent,   ///< per mille, told in per cent
  kCount,     ///< as it is
  kGpuHours,  ///< GPU-seconds, told in GPU hours
};

/// One number that disciplines are compared by, as every table tells it.
struct Figure {
  /// The head of its column, and what it is.
  const char* title = nullptr;
  const char* meaning = nullptr;
  Unit unit = Unit::kHours;
  bool more_is_better = false;
  /// Nothing to tell of a discipline that does not plan ahead.
  bool of_plans = false;
  /// Takes Measures::preemption, which must be there.
  bool of_preemption = false;
  int64_t (*of)(const Measures&) = nullptr;
  /// Of how many it was taken; of none, there is nothing to tell.
  int (*taken_of)(const Measures&) = nullptr;
};

/// In the order of the columns; those of preemption come last.
std::span<const Figure> Figures(bool with_preemption = false);

/// Of an even number the upper of the two in the middle. Requires: not empty.
int64_t Median(std::vector<int64_t> values);

/// "1.25" hours, "86.1%".
std::string FormatFigure(const Figure& figure, int64_t value);

/// Seconds in hours with two decimals: "1.25".
std::string FormatHours(int64_t seconds);
/// "86.1%" of 861.
std::string FormatPercent(int64_t permille);

}  // namespace allot::sim
