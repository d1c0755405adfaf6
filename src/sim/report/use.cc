#include <algorithm>

#include "allot/base/check.h"
#include "sim/report/markup.h"
#include "sim/report/plot.h"
#include "sim/report/sections.h"

namespace allot::sim {
namespace {

/// More points than this are taken together: the plot is not wider.
constexpr std::size_t kPointsMax = 400;
constexpr int kPlotHeight = 260;

struct Point {
  /// From the beginning of the measurement.
  int64_t second = 0;
  int permille = 0;
};
using Series = std::vector<Point>;

/// Means of equally many samples each, of the whole pool.
Series SeriesOf(const Workload& workload, const Outcome& outcome, int Sample::*part) {
  const std::vector<Sample>& samples = outcome.samples;
  const auto gpus = static_cast<int64_t>(workload.pool.nodes.size()) * kGpusPerNode;
  Series series;
  if (samples.empty()) return series;
  const std::size_t together = 1 + (samples.size() - 1) / kPointsMax;
  for (std::size_t i = 0; i < samples.size(); i += together) {
    const std::size_t count = std::min(together, samples.size() - i);
    int64_t sum = 0;
    for (std::size_t s = i; s < i + count; ++s) sum += samples[s].*part;
    const int64_t whole = gpus * static_cast<int64_t>(count);
    ALLOT_CHECK(whole > 0);
    series.push_back(
        {Between(workload.begin, samples[i].at).count, static_cast<int>(sum * 1000 / whole)});
  }
  return series;
}

std::string Curve(const Series& series, const Frame& frame, Seconds length, int most,
                  Discipline discipline) {
  std::string out = "<path class=\"series " + LookOf(discipline) + "\" d=\"";
  char command = 'M';
  for (const Point& point : series) {
    const int64_t x = frame.left * int64_t{10} + point.second * frame.width * 10 / length.count;
    const int64_t y =
        frame.bottom() * int64_t{10} - int64_t{point.permille} * frame.height * 10 / most;
    out += command + Tenths(x) + " " + Tenths(y);
    command = 'L';
  }
  // A single sample has a mark too.
  if (series.size() == 1) out += "h1";
  return out + "\"><title>" + std::string(Name(discipline)) + "</title></path>\n";
}

struct Topic {
  const char* id;
  const char* english;
  const char* korean;
  const char* axis;
  const char* remark;
  int Sample::*part;
  /// The axis ends at all of the pool; else at what there is.
  bool to_the_whole;
};

std::string UseSection(const Topic& topic, const Workload& workload,
                       const std::vector<ReportedRun>& runs) {
  const std::vector<Discipline> disciplines = DisciplinesOf(runs);
  const int legend = LegendHeight(disciplines.size());
  const Frame frame{70, legend + 34, kPictureWidth - 90, kPlotHeight};
  const Seconds length = Between(workload.begin, workload.end);
  std::vector<Series> all;
  int most = topic.to_the_whole ? 1000 : 1;
  for (const Discipline discipline : disciplines) {
    const ReportedRun& run = FirstRunOf(runs, workload.seed, discipline);
    all.push_back(SeriesOf(workload, run.outcome, topic.part));
    for (const Point& point : all.back()) most = std::max(most, point.permille);
  }
  most = RoundPermille(most);
  std::string body = Legend(frame.left, 4, disciplines);
  body += Text(10, frame.top - 12, "axis", topic.axis);
  body += PercentAxis(frame, most) + DaysAxis(frame, length);
  // Ours last, on top of the others.
  const std::vector<Discipline> ours_first = OursFirst(disciplines);
  for (auto one = ours_first.rbegin(); one != ours_first.rend(); ++one) {
    const auto position = std::find(disciplines.begin(), disciplines.end(), *one);
    body += Curve(all[static_cast<std::size_t>(position - disciplines.begin())], frame, length,
                  most, *one);
  }
  return Section(topic.id, topic.english, topic.korean,
                 Paragraph(topic.remark) +
                     Picture(std::string(topic.id) + "-plot", kPictureWidth, frame.bottom() + 44,
                             topic.english,
                             std::string(topic.axis) + ", one line for each discipline.", body));
}

}  // namespace

std::string UseSections(const Workload& workload, const std::vector<ReportedRun>& runs) {
  return UseSection({"utilisation", "Utilisation over time", "시간별 GPU 이용률",
                     "GPUs at work, % of the pool",
                     "Sampled every hour, first seed. What whole-node work holds and does not use "
                     "counts as idle.",
                     &Sample::useful_gpus, true},
                    workload, runs) +
         UseSection({"fragmentation", "Fragmentation over time", "시간별 파편화율",
                     "GPUs free on nodes partly taken, % of the pool",
                     "Sampled every hour, first seed. Such GPUs are of no use to whoever needs "
                     "whole nodes.",
                     &Sample::stranded_gpus, false},
                    workload, runs);
}

}  // namespace allot::sim
