#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "allot/sim/report.h"

namespace allot::sim {

// The parts of a report, each a piece of markup that stands by itself. `runs` is as FormatReport
// takes it; "first" means of the workload's own seed.

/// Each discipline once, in the order in which they stand in the runs.
std::vector<Discipline> DisciplinesOf(const std::vector<ReportedRun>& runs);
/// The same with allot in front.
std::vector<Discipline> OursFirst(std::vector<Discipline> disciplines);
/// Requires: there is one.
const ReportedRun& FirstRunOf(const std::vector<ReportedRun>& runs, uint64_t seed,
                              Discipline discipline);

std::string SubjectSection(const std::string& command, const Workload& workload,
                           const std::vector<ReportedRun>& runs);
std::string DisciplinesSection(const std::vector<ReportedRun>& runs);
std::string WaitsSection(const std::vector<ReportedRun>& runs);
std::string UseSections(const Workload& workload, const std::vector<ReportedRun>& runs);
std::string SharesSection(const Workload& workload, const std::vector<ReportedRun>& runs);
std::string PoolSection(const Workload& workload, const std::vector<ReportedRun>& runs);

/// The style sheet of the page.
std::string StyleSheet();

}  // namespace allot::sim
