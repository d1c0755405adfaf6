#include "allot/sim/report.h"

#include <algorithm>

#include "allot/base/check.h"
#include "allot/base/text.h"
#include "sim/report/markup.h"
#include "sim/report/sections.h"

namespace allot::sim {
namespace {

std::string Fact(std::string_view name, const std::string& content) {
  return Row(RowHead(name) + "<td class=\"text\">" + content + "</td>");
}

std::string Pool(const Workload& workload) {
  const scheduler::Snapshot& pool = workload.pool;
  std::vector<int> nodes(pool.clusters.size(), 0);
  for (const auto& node : pool.nodes) ++nodes[static_cast<std::size_t>(node.cluster)];
  const auto in_all = static_cast<int64_t>(pool.nodes.size());
  std::string out =
      FormatCount(in_all) + " nodes with " + FormatCount(in_all * kGpusPerNode) + " GPUs: ";
  for (std::size_t c = 0; c < pool.clusters.size(); ++c) {
    if (c > 0) out += ", ";
    out += EscapedName(pool.clusters[c].id.str()) + " " + FormatCount(nodes[c]) + " of " +
           std::string(Name(pool.clusters[c].model));
  }
  return out;
}

std::string Times(const Workload& workload) {
  const Seconds before = Between(workload.first, workload.begin);
  std::string out = FormatDuration(Between(workload.begin, workload.end)) + " are measured";
  if (before.count > 0) out += ", after " + FormatDuration(before) + " that fill the pool";
  return out + "; whoever waits is looked at every " + FormatDuration(workload.pass_every) +
         ", and the simulation ends with its last job";
}

std::string Jobs(const Workload& workload) {
  const int offered = OfferedPermille(workload);
  return FormatCount(static_cast<int64_t>(workload.jobs.size())) + " of " +
         FormatCount(static_cast<int64_t>(workload.pool.projects.size())) +
         " projects, which ask for " + Tenths(offered) + " % of the GPU time there is" +
         (workload.preemptible_permille == 0
              ? std::string()
              : "; of a hundred " + Tenths(workload.preemptible_permille) +
                    " may be stopped for others");
}

std::string Left(const LeftOutLines& lines, const std::string& what) {
  std::string out = "<span class=\"warn\">" + FormatCount(lines.count) + " " + what + "</span>";
  for (const LeftOutLine& line : lines.named) {
    out += "<br/>line " + std::to_string(line.line) + ": '" + Escaped(line.value) + "' is not " +
           Escaped(line.expected);
  }
  if (lines.more() > 0) out += "<br/>and " + FormatCount(lines.more()) + " more";
  return out;
}

/// What of the file did not become jobs.
std::string Left(const LeftOut& left_out) {
  std::vector<std::string> parts;
  if (left_out.malformed.count > 0) parts.push_back(Left(left_out.malformed, "malformed lines"));
  if (left_out.too_large.count > 0) parts.push_back(Left(left_out.too_large, "jobs too large"));
  if (left_out.never_ran > 0) {
    parts.push_back(FormatCount(left_out.never_ran) +
                    " records without a running time or processors");
  }
  std::string out;
  for (const std::string& part : parts) out += (out.empty() ? "" : "<br/>") + part;
  return out.empty() ? "nothing" : out;
}

std::string Seeds(const std::vector<ReportedRun>& runs) {
  std::vector<uint64_t> seeds;
  seeds.reserve(runs.size());
  for (const ReportedRun& run : runs) seeds.push_back(run.seed);
  std::sort(seeds.begin(), seeds.end());
  seeds.erase(std::unique(seeds.begin(), seeds.end()), seeds.end());
  if (seeds.size() == 1) return std::to_string(seeds.front());
  return std::to_string(seeds.front()) + " to " + std::to_string(seeds.back()) +
         ": every discipline met the same jobs with each; tables tell medians, what goes over time "
         "is of the first";
}

/// What the auditor found, in a few lines.
std::string Audit(const std::vector<ReportedRun>& runs) {
  constexpr std::size_t kToldMax = 10;
  std::vector<std::string> found;
  for (const ReportedRun& run : runs) {
    for (const std::string& violation : run.outcome.violations) {
      found.push_back(std::string(Name(run.outcome.discipline)) + " seed " +
                      std::to_string(run.seed) + ": " + Escaped(violation));
    }
  }
  if (found.empty()) {
    return "an auditor that knows nothing of plans checked every start of " +
           FormatCount(static_cast<int64_t>(runs.size())) +
           " simulations: no GPU was given twice, not as asked, or to whom it is not open";
  }
  std::string out = "<span class=\"warn\">" + FormatCount(static_cast<int64_t>(found.size())) +
                    " violations: this report must not be relied on.</span>";
  for (std::size_t i = 0; i < std::min(found.size(), kToldMax); ++i) out += "<br/>" + found[i];
  return out;
}

}  // namespace

Discipline ChartedDiscipline(std::span<const Discipline> disciplines) {
  const auto ours = std::find(disciplines.begin(), disciplines.end(), Discipline::kAllot);
  return ours != disciplines.end() ? *ours : disciplines.front();
}

std::vector<Discipline> DisciplinesOf(const std::vector<ReportedRun>& runs) {
  std::vector<Discipline> found;
  for (const ReportedRun& run : runs) {
    if (std::find(found.begin(), found.end(), run.outcome.discipline) == found.end()) {
      found.push_back(run.outcome.discipline);
    }
  }
  return found;
}

std::vector<Discipline> OursFirst(std::vector<Discipline> disciplines) {
  std::stable_partition(disciplines.begin(), disciplines.end(),
                        [](Discipline one) { return one == Discipline::kAllot; });
  return disciplines;
}

const ReportedRun& FirstRunOf(const std::vector<ReportedRun>& runs, uint64_t seed,
                              Discipline discipline) {
  const auto found = std::find_if(runs.begin(), runs.end(), [&](const ReportedRun& run) {
    return run.seed == seed && run.outcome.discipline == discipline;
  });
  ALLOT_CHECK(found != runs.end());
  return *found;
}

std::string SubjectSection(const std::string& command, const Workload& workload,
                           const std::vector<ReportedRun>& runs) {
  std::string facts = Fact("workload", EscapedName(workload.name));
  if (workload.left_out) facts += Fact("left out", Left(*workload.left_out));
  facts += Fact("seeds", Seeds(runs));
  facts += Fact("pool", Pool(workload));
  facts += Fact("jobs", Jobs(workload));
  facts += Fact("time", Times(workload));
  facts += Fact("audit", Audit(runs));
  return Section("subject", "What was simulated", "모의실험 조건",
                 Table("Of the first seed where seeds differ", facts) +
                     Paragraph("This command makes the report again, byte for byte:") + "<pre>" +
                     Escaped(command) + "</pre>\n");
}

std::string FormatReport(const std::string& command, const Workload& workload,
                         const std::vector<ReportedRun>& runs) {
  const std::string title = "Who waits how long for GPUs";
  std::string page = "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n";
  page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n<title>";
  page += title + "</title>\n<style>\n" + StyleSheet() + "</style>\n</head>\n<body>\n<h1>" + title +
          "<br/><span class=\"ko\" lang=\"ko\">GPU 배분 방식 비교 보고서</span></h1>\n";
  page += SubjectSection(command, workload, runs);
  page += DisciplinesSection(runs);
  page += WaitsSection(runs);
  page += UseSections(workload, runs);
  page += SharesSection(workload, runs);
  page += PoolSection(workload, runs);
  return page + "</body>\n</html>\n";
}

}  // namespace allot::sim
