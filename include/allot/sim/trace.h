#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "allot/base/result.h"
#include "allot/base/time.h"

namespace allot::sim {

/// A job of a recorded workload: GPUs (or processors) for as long as it ran.
struct TraceJob {
  Instant submit;
  Seconds run;
  int gpus = 0;
  /// Whose share it counts against: a virtual cluster, a group, a user.
  std::string project;
  /// The time it had asked for; zero when the trace does not say.
  Seconds limit;
};

/// Jobs by submission; of equal times in the order of the file. Never empty.
using Trace = std::vector<TraceJob>;

/// Lines `submit_time,duration_s,gpus,virtual_cluster` under that heading, times as
/// "2017-09-07 03:58:57". config_invalid names the line and what was expected there.
Result<Trace> ReadPhilly(std::string_view text);

/// The Standard Workload Format 2.2 (Feitelson; Parallel Workloads Archive): 18 numbers a line, `;`
/// begins a comment. Taken are submit, run, requested (else allocated) processors, requested time
/// and the user. Jobs that never ran or have no size are left out, as the format's own tools do.
Result<Trace> ReadSwf(std::string_view text);

/// By the name of the file: `.swf` is SWF, everything else the Philly columns.
Result<Trace> ReadTrace(std::string_view file_name, std::string_view text);

}  // namespace allot::sim
