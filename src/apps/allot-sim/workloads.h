#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "allot/sim/workload.h"

namespace allot::apps {

/// Makes the workload of a seed. A trace is read once for all of them.
class Workloads {
 public:
  /// `source` is "synthetic", "national-call" or the file of a trace. `options.seed` is not used.
  Workloads(std::string source, const sim::TraceLoad& options, sim::OnUnusable on_unusable);

  /// Why there is none, for people; nothing when it is ready. What is left out of a trace is told
  /// on standard error.
  std::optional<std::string> Prepare();

  /// Requires: Prepare found nothing.
  sim::Workload Make(uint64_t seed) const;

 private:
  Result<sim::TraceFile> ReadJobs(const std::string& text) const;
  void TellLeftOut() const;
  void Tell(const sim::LeftOutLines& lines, const std::string& what) const;

  const std::string source_;
  const sim::TraceLoad options_;
  const sim::OnUnusable on_unusable_;
  sim::TraceFile trace_;
};

}  // namespace allot::apps
