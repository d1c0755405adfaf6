#include "apps/allot-sim/workloads.h"

#include <iostream>
#include <utility>

#include "allot/base/text.h"
#include "apps/allot-sim/whole_file.h"

namespace allot::apps {

Workloads::Workloads(std::string source, const sim::TraceLoad& options, sim::OnUnusable on_unusable)
    : source_(std::move(source)), options_(options), on_unusable_(on_unusable) {}

std::optional<std::string> Workloads::Prepare() {
  if (source_ == "synthetic" || source_ == "national-call") return std::nullopt;
  const auto text = ReadWholeFile(source_);
  if (!text) {
    return source_ + ": cannot be read; --workload is synthetic, national-call or a trace's file";
  }
  auto trace = ReadJobs(*text);
  if (!trace.ok()) {
    const Error& error = trace.error();
    return source_ + ": " + error.field + ": '" + error.value + "' is not " + error.limit;
  }
  trace_ = *std::move(trace);
  TellLeftOut();
  if (const Status enough = CheckLoad(trace_.jobs, options_); !enough.ok()) {
    return source_ + ": " + enough.error().message +
           "; give a lower --load, fewer --days, a larger --scale or a trace of more work";
  }
  return std::nullopt;
}

sim::Workload Workloads::Make(uint64_t seed) const {
  sim::TraceLoad options = options_;
  options.seed = seed;
  if (source_ == "synthetic") return sim::LoadSynthetic(options);
  if (source_ == "national-call") return sim::LoadNationalCall(options);
  return sim::LoadTrace(trace_, options);
}

Result<sim::TraceFile> Workloads::ReadJobs(const std::string& text) const {
  ALLOT_ASSIGN_OR_RETURN(sim::TraceFile read, sim::ReadTrace(source_, text, on_unusable_));
  auto fitting = sim::FitToPool(std::move(read), options_.scale, on_unusable_);
  if (fitting.ok() || options_.scale == 1) return fitting;
  Error error = fitting.error();
  error.limit += "; a smaller --scale has larger ones";
  return error;
}

/// On standard error, --quiet or not: figures of a file read in part are no figures of the file.
void Workloads::TellLeftOut() const {
  const sim::LeftOut& left_out = trace_.left_out;
  Tell(left_out.malformed, "malformed lines");
  Tell(left_out.too_large, "jobs too large");
  if (left_out.never_ran > 0) {
    std::cerr << "allot-sim: warning: " << source_
              << ": left out: " << FormatCount(left_out.never_ran)
              << " records without a running time or processors\n";
  }
}

void Workloads::Tell(const sim::LeftOutLines& lines, const std::string& what) const {
  const std::string file = "allot-sim: warning: " + source_ + ": ";
  for (const sim::LeftOutLine& line : lines.named) {
    std::cerr << file << "line " << line.line << ": '" << line.value << "' is not " << line.expected
              << "; left out\n";
  }
  if (lines.more() > 0) {
    std::cerr << file << "and " << FormatCount(lines.more()) << " more, "
              << FormatCount(lines.count) << " " << what << " in all\n";
  }
}

}  // namespace allot::apps
