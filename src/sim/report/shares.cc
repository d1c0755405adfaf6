#include <algorithm>

#include "allot/base/text.h"
#include "allot/sim/figures.h"
#include "sim/report/markup.h"
#include "sim/report/plot.h"
#include "sim/report/sections.h"

namespace allot::sim {
namespace {

/// Of more projects the plot shows those that are entitled to most.
constexpr std::size_t kProjectsMax = 600;
constexpr std::size_t kTableMax = 15;
constexpr int kStripHeight = 92;
constexpr int kStripGap = 28;
constexpr int kPlotLeft = 190;
constexpr int kPlotWidth = 740;
/// Eight times too little and eight times too much, per mille.
constexpr int64_t kLeast = 125;
constexpr int64_t kMost = 8'000;

/// Had ÷ entitled, per mille. Requires: entitled to something.
int64_t RatioOf(const Outcome& outcome, std::size_t project) {
  return outcome.held_gpu_seconds[project] * 1000 / outcome.entitled_gpu_seconds[project];
}

std::string Times(int64_t permille) {
  const int64_t hundredths = (permille + 5) / 10;
  const std::string cents = std::to_string(hundredths % 100);
  return std::to_string(hundredths / 100) + "." + (cents.size() < 2 ? "0" : "") + cents;
}

/// Positions of projects, those entitled to most first; of equal ones in the order of their ids.
std::vector<std::size_t> ByEntitlement(const Outcome& outcome) {
  std::vector<std::size_t> order;
  for (std::size_t p = 0; p < outcome.entitled_gpu_seconds.size(); ++p) {
    if (outcome.entitled_gpu_seconds[p] > 0) order.push_back(p);
  }
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return outcome.entitled_gpu_seconds[a] > outcome.entitled_gpu_seconds[b];
  });
  return order;
}

/// What half of the projects had, told beside their strip.
std::string Middle(const Outcome& outcome) {
  std::vector<int64_t> ratios;
  for (const std::size_t p : ByEntitlement(outcome)) ratios.push_back(RatioOf(outcome, p));
  if (ratios.empty()) return "nobody is entitled to anything";
  std::sort(ratios.begin(), ratios.end());
  return "half of the projects " + Times(ratios[ratios.size() / 4]) + " to " +
         Times(ratios[ratios.size() * 3 / 4]);
}

std::string Strip(const Workload& workload, const ReportedRun& run,
                  const std::vector<std::size_t>& shown, const Frame& frame) {
  const Outcome& outcome = run.outcome;
  const LogScale scale(kLeast, kMost, frame.bottom(), frame.top);
  const std::string name(Name(outcome.discipline));
  std::string out;
  for (const int64_t permille :
       {int64_t{125}, int64_t{500}, int64_t{1'000}, int64_t{2'000}, kMost}) {
    const int64_t y = scale.At(permille);
    out += Line(permille == 1'000 ? "even" : "grid", frame.left * 10, y, frame.right() * 10, y);
    out += Text(frame.left - 6, static_cast<int>(y / 10) + 4, "tick end",
                (permille < 1'000 ? "1/" + std::to_string(1'000 / permille)
                                  : std::to_string(permille / 1'000)) +
                    "×");
  }
  out +=
      Text(4, frame.top + 14, outcome.discipline == Discipline::kAllot ? "strong" : "label", name);
  out +=
      Text(frame.right(), frame.top - 6, "tick end",
           Middle(outcome) + "; unfair " + FormatPercent(run.measures.fair_share_error_permille));
  for (std::size_t i = 0; i < shown.size(); ++i) {
    const std::size_t p = shown[i];
    if (outcome.entitled_gpu_seconds[p] == 0) continue;
    const int64_t ratio = RatioOf(outcome, p);
    const int64_t x = frame.left * int64_t{10} + (2 * static_cast<int64_t>(i) + 1) * frame.width *
                                                     5 / static_cast<int64_t>(shown.size());
    out += "<circle class=\"dot " + LookOf(outcome.discipline) + "\" cx=\"" + Tenths(x) +
           "\" cy=\"" + Tenths(scale.At(ratio)) + "\" r=\"2.5\"><title>" +
           EscapedName(workload.pool.projects[p].id.str()) + ": " + Times(ratio) +
           "</title></circle>\n";
  }
  return out;
}

std::string Largest(const Workload& workload, const std::vector<ReportedRun>& runs,
                    const std::vector<Discipline>& disciplines,
                    const std::vector<std::size_t>& shown) {
  std::string head = HeadCell("project") + HeadCell("entitled to, GPU-hours");
  for (const Discipline discipline : disciplines) head += HeadCell(Name(discipline));
  std::string rows = Row(head);
  for (std::size_t i = 0; i < std::min(shown.size(), kTableMax); ++i) {
    const std::size_t p = shown[i];
    const ReportedRun& first = FirstRunOf(runs, workload.seed, disciplines.front());
    std::string cells = RowHead(EscapedName(workload.pool.projects[p].id.str()));
    cells += Cell(FormatCount(first.outcome.entitled_gpu_seconds[p] / 3'600));
    for (const Discipline discipline : disciplines) {
      const Outcome& outcome = FirstRunOf(runs, workload.seed, discipline).outcome;
      cells += Cell(outcome.entitled_gpu_seconds[p] > 0 ? Times(RatioOf(outcome, p)) : "–");
    }
    rows += Row(cells);
  }
  return Table(
      "Had ÷ entitled of those entitled to most under " + std::string(Name(disciplines.front())),
      rows);
}

}  // namespace

std::string SharesSection(const Workload& workload, const std::vector<ReportedRun>& runs) {
  const std::vector<Discipline> disciplines = OursFirst(DisciplinesOf(runs));
  std::vector<std::size_t> shown =
      ByEntitlement(FirstRunOf(runs, workload.seed, disciplines.front()).outcome);
  const std::size_t in_all = shown.size();
  shown.resize(std::min(shown.size(), kProjectsMax));
  std::string body;
  Frame frame{kPlotLeft, 20, kPlotWidth, kStripHeight};
  for (const Discipline discipline : disciplines) {
    body += Strip(workload, FirstRunOf(runs, workload.seed, discipline), shown, frame);
    frame.top = frame.bottom() + kStripGap;
  }
  body += Text(kPlotLeft + kPlotWidth / 2, frame.top + 6, "axis mid",
               "projects, those entitled to most at the left; had ÷ entitled, logarithmic");
  std::string remark =
      "A dot is a project: on the line at 1 it had what its merit and quota entitle it to among "
      "those that wanted something, on 2 twice as much. What lies beyond is on the edge. First "
      "seed, while jobs arrived.";
  if (in_all > shown.size()) {
    remark += " Of " + FormatCount(static_cast<int64_t>(in_all)) + " projects the plot shows the " +
              FormatCount(static_cast<int64_t>(shown.size())) + " that are entitled to most.";
  }
  return Section("shares", "Share against entitlement", "배정 몫 대비 실제 사용량",
                 Paragraph(remark) +
                     Picture("shares-plot", kPictureWidth, frame.top + 16,
                             "What each project had of what it was entitled to",
                             "One strip for each discipline, a dot for each project; the table "
                             "below has the largest.",
                             body) +
                     Largest(workload, runs, disciplines, shown));
}

}  // namespace allot::sim
