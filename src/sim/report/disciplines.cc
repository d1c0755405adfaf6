#include <algorithm>
#include <optional>

#include "allot/sim/figures.h"
#include "sim/report/markup.h"
#include "sim/report/sections.h"

namespace allot::sim {
namespace {

constexpr const char* What(Discipline discipline) {
  switch (discipline) {
    case Discipline::kFcfs:
      return "first come, first served";
    case Discipline::kGreedy:
      return "in order of arrival, skipping what does not fit now";
    case Discipline::kDrf:
      return "the project with the smallest part of the pool next (dominant resource fairness)";
    case Discipline::kEasy:
      return "first come, first served; a later job may fill a gap unless that delays the first "
             "that waits";
    case Discipline::kConservative:
      return "first come, first served; a later job may fill a gap unless that delays anybody";
    case Discipline::kConservativeWholeNode:
      return "as conservative, but only whole nodes are handed out, as Slurm's backfill does";
    case Discipline::kAllot:
      break;
  }
  return "the scheduler of this product: shares by merit and quota, a start for everybody, "
         "promised "
         "starts for large gangs";
}

/// Of all or of none: it is told by the workload.
bool HavePreemption(const std::vector<ReportedRun>& runs) {
  return runs.front().measures.preemption.has_value();
}

constexpr const char* UnitOf(const Figure& figure) {
  switch (figure.unit) {
    case Unit::kHours:
      return ", h";
    case Unit::kGpuHours:
      return ", GPU h";
    case Unit::kPercent:
    case Unit::kCount:
      break;
  }
  return "";
}

/// The median over the seeds, or nothing where there is nothing to tell.
std::optional<int64_t> Told(const Figure& figure, Discipline discipline,
                            const std::vector<ReportedRun>& runs) {
  if (figure.of_plans && !PlansAhead(discipline)) return std::nullopt;
  std::vector<int64_t> values;
  std::vector<int64_t> taken_of;
  for (const ReportedRun& run : runs) {
    if (run.outcome.discipline != discipline) continue;
    values.push_back(figure.of(run.measures));
    taken_of.push_back(figure.taken_of(run.measures));
  }
  if (Median(std::move(taken_of)) == 0) return std::nullopt;
  return Median(std::move(values));
}

/// The best of a column as it is printed: whoever prints the same is as good.
std::string BestOf(const Figure& figure, const std::vector<std::optional<int64_t>>& column) {
  std::optional<int64_t> best;
  for (const auto& value : column) {
    if (!value) continue;
    const bool better = !best || (figure.more_is_better ? *value > *best : *value < *best);
    if (better) best = value;
  }
  return best ? FormatFigure(figure, *best) : std::string();
}

std::string Figured(const std::vector<ReportedRun>& runs) {
  const std::vector<Discipline> disciplines = DisciplinesOf(runs);
  std::string head = HeadCell("discipline");
  std::vector<std::string> cells(disciplines.size());
  for (const Figure& figure : Figures(HavePreemption(runs))) {
    head += HeadCell(std::string(figure.title) + UnitOf(figure));
    std::vector<std::optional<int64_t>> column;
    column.reserve(disciplines.size());
    for (const Discipline discipline : disciplines) {
      column.push_back(Told(figure, discipline, runs));
    }
    const std::string best = BestOf(figure, column);
    for (std::size_t d = 0; d < disciplines.size(); ++d) {
      const std::string text = column[d] ? FormatFigure(figure, *column[d]) : "–";
      cells[d] += Cell(text, column[d] && disciplines.size() > 1 && text == best);
    }
  }
  std::string rows = Row(head);
  for (std::size_t d = 0; d < disciplines.size(); ++d) {
    const bool ours = disciplines[d] == Discipline::kAllot;
    rows += std::string(ours ? "<tr class=\"ours\">" : "<tr>") + RowHead(Name(disciplines[d])) +
            cells[d] + "</tr>\n";
  }
  return Table("Medians of the seeds; ★ is the best of its column", rows);
}

std::string Meanings(const std::vector<ReportedRun>& runs) {
  std::string rows;
  for (const Figure& figure : Figures(HavePreemption(runs))) {
    rows += Row(RowHead(figure.title) + "<td class=\"text\">" + figure.meaning + "</td>");
  }
  return Table("What the columns are", rows);
}

}  // namespace

std::string DisciplinesSection(const std::vector<ReportedRun>& runs) {
  std::string rows;
  for (const Discipline discipline : DisciplinesOf(runs)) {
    rows += Row(RowHead(Name(discipline)) + "<td class=\"text\">" + What(discipline) + "</td>");
  }
  return Section("disciplines", "The disciplines compared", "배분 방식 비교표",
                 Figured(runs) + Meanings(runs) + Table("How each serves those who wait", rows));
}

}  // namespace allot::sim
