#include <algorithm>
#include <array>
#include <iterator>

#include "allot/sim/figures.h"
#include "sim/report/markup.h"
#include "sim/report/plot.h"
#include "sim/report/sections.h"

namespace allot::sim {
namespace {

struct Size {
  const char* title;
  const char* korean;
  Waits Measures::*of;
};
constexpr std::array kSizes = {
    Size{"part of a node", "노드 일부", &Measures::parts},
    Size{"one node", "노드 1대", &Measures::nodes},
    Size{"several nodes, 2 and more", "노드 2대 이상", &Measures::gangs},
    Size{"of these, 16 nodes and more", "그중 노드 16대 이상", &Measures::large_gangs},
};

constexpr int kRowHeight = 18;
constexpr int kPanelHead = 26;
constexpr int kPlotLeft = 190;
constexpr int kPlotWidth = 740;
constexpr int kMarksHeight = 30;

struct Tick {
  int64_t seconds;
  const char* name;
};
constexpr std::array kTicks = {Tick{60, "1 min"},
                               Tick{600, "10 min"},
                               Tick{3'600, "1 h"},
                               Tick{6 * 3'600, "6 h"},
                               Tick{86'400, "1 day"},
                               Tick{7 * 86'400, "7 days"},
                               Tick{30 * 86'400, "30 days"},
                               Tick{365 * 86'400, "365 days"}};

/// Each number by itself the median over the seeds.
Waits MedianWaits(const Size& size, Discipline discipline, const std::vector<ReportedRun>& runs) {
  const auto median = [&](auto member) {
    std::vector<int64_t> values;
    for (const ReportedRun& run : runs) {
      if (run.outcome.discipline == discipline) values.push_back((run.measures.*size.of).*member);
    }
    return Median(std::move(values));
  };
  return {.jobs = static_cast<int>(median(&Waits::jobs)),
          .mean_s = median(&Waits::mean_s),
          .p95_s = median(&Waits::p95_s),
          .p99_s = median(&Waits::p99_s)};
}

/// The ticks between which the waits lie.
struct Range {
  const Tick* least = kTicks.begin();
  int64_t most = 0;

  LogScale scale() const { return {least->seconds, most, kPlotLeft, kPlotLeft + kPlotWidth}; }
};

Range RangeOf(const std::vector<ReportedRun>& runs) {
  int64_t shortest = 86'400;
  int64_t longest = 3'600;
  for (const ReportedRun& run : runs) {
    for (const Size& size : kSizes) {
      const Waits& waits = run.measures.*size.of;
      if (waits.jobs == 0) continue;
      shortest = std::min({shortest, waits.mean_s, waits.p95_s});
      longest = std::max({longest, waits.mean_s, waits.p99_s});
    }
  }
  Range range;
  while (std::next(range.least)->seconds <= shortest) ++range.least;
  const auto* last = std::find_if(kTicks.begin(), kTicks.end(),
                                  [&](const Tick& tick) { return tick.seconds >= longest; });
  range.most = last == kTicks.end() ? longest : last->seconds;
  // A scale needs a length.
  if (range.most <= range.least->seconds) range.least = kTicks.begin();
  return range;
}

std::string Mean(std::string_view look, int64_t x, int64_t y) {
  return "<circle class=\"mean " + std::string(look) + "\" cx=\"" + Tenths(x) + "\" cy=\"" +
         Tenths(y) + "\" r=\"4.5\"/>\n";
}

std::string P95(std::string_view look, int64_t x, int64_t y) {
  return "<path class=\"p95 " + std::string(look) + "\" d=\"M" + Tenths(x) + " " + Tenths(y - 50) +
         "l5 5l-5 5l-5 -5z\"/>\n";
}

std::string P99(std::string_view look, int64_t x, int64_t y) {
  return Line("p99 " + std::string(look), x, y - 60, x, y + 60);
}

std::string Marks() {
  std::string out =
      Mean("d-allot", kPlotLeft * 10, 120) + Text(kPlotLeft + 10, 16, "label", "mean");
  out += P95("d-allot", (kPlotLeft + 90) * 10, 120);
  out += Text(kPlotLeft + 100, 16, "label", "95 % wait no longer");
  out += P99("d-allot", (kPlotLeft + 260) * 10, 120);
  return out + Text(kPlotLeft + 270, 16, "label", "99 % wait no longer");
}

std::string WaitRow(const Size& size, Discipline discipline, const Waits& waits,
                    const LogScale& scale, int y) {
  const std::string look = LookOf(discipline);
  const std::string name(Name(discipline));
  const int64_t middle = y * int64_t{10};
  std::string out = Text(kPlotLeft - 10, y + 4,
                         discipline == Discipline::kAllot ? "strong end" : "label end", name);
  const int64_t mean = scale.At(waits.mean_s);
  const int64_t p95 = scale.At(waits.p95_s);
  const int64_t p99 = scale.At(waits.p99_s);
  out += "<g><title>" + name + ", " + size.title + ": mean " + FormatHours(waits.mean_s) +
         " h, p95 " + FormatHours(waits.p95_s) + " h, p99 " + FormatHours(waits.p99_s) +
         " h</title>\n";
  out +=
      Line("range " + look, std::min({mean, p95, p99}), middle, std::max({mean, p95, p99}), middle);
  return out + P99(look, p99, middle) + P95(look, p95, middle) + Mean(look, mean, middle) +
         "</g>\n";
}

std::string Plot(const std::vector<ReportedRun>& runs, const Range& range) {
  const LogScale scale = range.scale();
  const std::vector<Discipline> disciplines = OursFirst(DisciplinesOf(runs));
  const int panel = kPanelHead + static_cast<int>(disciplines.size()) * kRowHeight;
  const int bottom = kMarksHeight + static_cast<int>(kSizes.size()) * panel + 8;
  std::string out = Marks();
  const int64_t right = (kPlotLeft + kPlotWidth) * int64_t{10};
  for (const Tick& tick : kTicks) {
    if (tick.seconds < range.least->seconds) continue;
    const int64_t x = scale.At(tick.seconds);
    out += Line("grid", x, kMarksHeight * 10, x, bottom * 10);
    out += Text(static_cast<int>(x / 10), bottom + 16, "tick mid", tick.name);
    if (x == right) break;
  }
  out += Text(kPlotLeft + kPlotWidth / 2, bottom + 34, "axis mid",
              std::string("wait from submission to start, logarithmic; ") + range.least->name +
                  " and less is on the left edge");
  int top = kMarksHeight;
  for (const Size& size : kSizes) {
    out += Text(10, top + 16, "strong", std::string(size.title) + " · " + size.korean);
    int y = top + kPanelHead + kRowHeight / 2;
    for (const Discipline discipline : disciplines) {
      const Waits waits = MedianWaits(size, discipline, runs);
      out += waits.jobs > 0 ? WaitRow(size, discipline, waits, scale, y)
                            : Text(kPlotLeft + 6, y + 4, "tick", "no such job");
      y += kRowHeight;
    }
    top += panel;
  }
  return Picture("waits-plot", kPictureWidth, bottom + 44, "Wait by size of the request",
                 "For each size and each discipline the mean, the 95th and the 99th percentile of "
                 "the wait; the table below has the numbers.",
                 out);
}

std::string Numbers(const std::vector<ReportedRun>& runs) {
  std::string sizes = "<td></td>";
  std::string heads = HeadCell("discipline");
  for (const Size& size : kSizes) {
    sizes += std::string("<th scope=\"colgroup\" colspan=\"3\">") + size.title + "</th>";
    heads += HeadCell("mean") + HeadCell("p95") + HeadCell("p99");
  }
  std::string rows = Row(sizes) + Row(heads);
  for (const Discipline discipline : OursFirst(DisciplinesOf(runs))) {
    std::string cells = RowHead(Name(discipline));
    for (const Size& size : kSizes) {
      const Waits waits = MedianWaits(size, discipline, runs);
      for (const int64_t seconds : {waits.mean_s, waits.p95_s, waits.p99_s}) {
        cells += Cell(waits.jobs > 0 ? FormatHours(seconds) : "–");
      }
    }
    rows += Row(cells);
  }
  return Table("Hours, medians of the seeds", rows);
}

}  // namespace

std::string WaitsSection(const std::vector<ReportedRun>& runs) {
  return Section("waits", "Wait by size", "요청 크기별 대기 시간",
                 Plot(runs, RangeOf(runs)) + Numbers(runs));
}

}  // namespace allot::sim
