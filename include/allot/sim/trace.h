#pragma once

#include <cstddef>
#include <cstdint>
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
  /// Where it stands in the file, counted from 1.
  int line = 0;
};

/// Jobs by submission; of equal times in the order of the file. Never empty.
using Trace = std::vector<TraceJob>;

/// A line of a trace that is not simulated.
struct LeftOutLine {
  /// Counted from 1.
  int line = 0;
  /// The part of it that is wrong, or all of it; printable, cut to 128 bytes.
  std::string value;
  /// What would have been read there ("1 to 8 GPUs").
  std::string expected;
  friend bool operator==(const LeftOutLine&, const LeftOutLine&) = default;
};

/// Of so many lines left out for one cause it is told what is wrong; the others are counted.
inline constexpr std::size_t kLeftOutNamedMax = 10;

/// Lines left out for one cause.
struct LeftOutLines {
  int count = 0;
  /// The first kLeftOutNamedMax of them.
  std::vector<LeftOutLine> named;

  void Add(LeftOutLine line);
  /// How many of them are not named.
  int more() const { return count - static_cast<int>(named.size()); }
};

/// What a file has beside the jobs that are simulated.
struct LeftOut {
  LeftOutLines malformed;
  /// Records that are well formed and ran for no time or on no processors, such as jobs cancelled
  /// while they waited.
  int never_ran = 0;
  /// Jobs that the pool has no room for (FitToPool).
  LeftOutLines too_large;
};

/// A trace as its file has it.
struct TraceFile {
  Trace jobs;
  LeftOut left_out;
};

/// What becomes of a line that is malformed or too large.
enum class OnUnusable : uint8_t {
  /// It is left out and counted.
  kLeaveOut,
  /// The file is refused.
  kRefuse,
};

// Lines end with LF or CRLF, the last one with or without; a byte order mark before the first is
// skipped. Every line is the heading, a comment, blank, a job, or told in LeftOut. config_invalid
// names the line and what was expected there: of the heading, of the first malformed line when
// those are refused, and when no line is a job.

/// Lines `submit_time,duration_s,gpus,virtual_cluster` under that heading, times as
/// "2017-09-07 03:58:57". A virtual cluster's name is plain text of at most 200 bytes.
Result<TraceFile> ReadPhilly(std::string_view text, OnUnusable on_malformed);

/// The Standard Workload Format 2.2 (Feitelson; Parallel Workloads Archive): 18 numbers a line, `;`
/// begins a comment line. Taken are submit, run, requested (else allocated) processors, requested
/// time and the user.
Result<TraceFile> ReadSwf(std::string_view text, OnUnusable on_malformed);

/// By the name of the file: `.swf`, in capitals or not, is SWF, everything else the Philly columns.
Result<TraceFile> ReadTrace(std::string_view file_name, std::string_view text,
                            OnUnusable on_malformed = OnUnusable::kLeaveOut);

}  // namespace allot::sim
