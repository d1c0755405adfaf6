#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "allot/sim/measures.h"

namespace allot::sim {

/// One simulation that a report tells of.
struct ReportedRun {
  uint64_t seed = 0;
  Measures measures;
  /// Of the workload's own seed whole, but for the jobs that only the chart of the pool needs. Of
  /// the other seeds the discipline and the violations are enough.
  Outcome outcome;
};

/// Whose placements the chart of the pool shows: allot, or else the first. Requires: not empty.
Discipline ChartedDiscipline(std::span<const Discipline> disciplines);

/// A page of HTML that needs nothing beside itself, with the plots inside, for paper and screens,
/// light and dark; well-formed XML too. Equal runs give equal bytes on any machine. The size is
/// bounded whatever was simulated: 3 MB, unless projects have names of a hundred letters.
///
/// `workload` is that of the first seed; `command` makes the report again. In `runs` every
/// discipline ran with the same seeds, the workload's among them; they are told in the order in
/// which they stand there. Requires: there are some, and something was measured (begin < end).
std::string FormatReport(const std::string& command, const Workload& workload,
                         const std::vector<ReportedRun>& runs);

}  // namespace allot::sim
