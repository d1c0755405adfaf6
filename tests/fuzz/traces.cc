// Recorded workloads: the Philly columns and the Standard Workload Format. Every line is a job,
// left out and counted, or none; jobs read the same again when they are written out.
#include <algorithm>
#include <string>

#include "allot/base/text.h"
#include "allot/sim/workload.h"
#include "fuzz/support/property.h"

namespace allot::fuzz {
namespace {

using sim::OnUnusable;
using sim::Trace;
using sim::TraceFile;
using sim::TraceJob;

void RequireLines(const sim::LeftOutLines& lines) {
  Require(lines.named.size() <= sim::kLeftOutNamedMax && lines.more() >= 0, "some are named");
  for (const sim::LeftOutLine& line : lines.named) {
    Require(line.line >= 1 && line.value.size() <= 128 && IsPlainText(line.value) &&
                IsPlainText(line.expected),
            "a line that is left out can be shown", line.value);
  }
}

/// As Philly's columns, to the second.
std::string WrittenOut(const Trace& jobs) {
  std::string text = "submit_time,duration_s,gpus,virtual_cluster\n";
  for (const TraceJob& job : jobs) {
    std::string time = FormatRfc3339(Instant::FromSeconds(job.submit.seconds()));
    time[10] = ' ';
    text += time.substr(0, 19) + ',' + std::to_string(job.run.count) + ',' +
            std::to_string(job.gpus) + ',' + job.project + '\n';
  }
  return text;
}

bool SameJob(const TraceJob& a, const TraceJob& b) {
  return a.submit.seconds() == b.submit.seconds() && a.run == b.run && a.gpus == b.gpus &&
         a.project == b.project;
}

void CheckJobs(const TraceFile& file, std::size_t lines) {
  Require(!file.jobs.empty(), "a trace has jobs");
  Require(std::ranges::is_sorted(file.jobs, {}, &TraceJob::submit), "jobs are in their order");
  const sim::LeftOut& left_out = file.left_out;
  RequireLines(left_out.malformed);
  Require(file.jobs.size() + static_cast<std::size_t>(left_out.malformed.count) +
                  static_cast<std::size_t>(left_out.never_ran) <=
              lines,
          "no line counts twice");
  for (const TraceJob& job : file.jobs) {
    Require(job.gpus >= 1 && job.run.count >= 1 && job.submit.micros >= 0 && job.limit.count >= 0 &&
                !job.project.empty() && job.line >= 1,
            "a job ran on something");
  }
}

void CheckTrace(std::string_view name, std::string_view text) {
  const auto lines = static_cast<std::size_t>(std::ranges::count(text, '\n')) + 1;
  const auto lenient = ReadTrace(name, text, OnUnusable::kLeaveOut);
  const auto strict = ReadTrace(name, text, OnUnusable::kRefuse);
  if (!strict.ok()) RequireOfField(strict.error());
  if (!lenient.ok()) {
    RequireOfField(lenient.error());
    Require(!strict.ok(), "what is refused leniently is refused strictly");
    return;
  }
  CheckJobs(*lenient, lines);
  Require(strict.ok() == (lenient->left_out.malformed.count == 0),
          "strictly refused is what has a malformed line");
  const std::string written = WrittenOut(lenient->jobs);
  const auto again = ReadTrace("written.csv", written, OnUnusable::kRefuse);
  Require(again.ok() && std::ranges::equal(again->jobs, lenient->jobs, SameJob), "jobs come back",
          written);
  for (const int scale : {1, 16}) {
    const auto fitting = FitToPool(*lenient, scale, OnUnusable::kLeaveOut);
    if (!fitting.ok()) {
      RequireOfField(fitting.error());
      continue;
    }
    RequireLines(fitting->left_out.too_large);
    const Status load = CheckLoad(fitting->jobs, sim::TraceLoad{});
    if (!load.ok()) RequireShowable(load.error());
  }
}

}  // namespace
}  // namespace allot::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const std::string_view text = allot::fuzz::TextOf(data, size);
  allot::fuzz::CheckTrace("trace.csv", text);
  allot::fuzz::CheckTrace("trace.swf", text);
  return 0;
}
