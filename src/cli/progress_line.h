#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "allot/cli/command_line.h"

namespace allot::cli {

/// How far something is, on stderr: rewritten in place on a terminal; elsewhere a line now and then
/// and one at the end, so that a log stays readable.
class ProgressLine {
 public:
  explicit ProgressLine(const Environment& environment) : environment_(environment) {}
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  /// Ends a line that was being rewritten.
  ~ProgressLine();

  void Show(std::string_view what, int done, int of);

 private:
  using Steady = std::chrono::steady_clock;

  const Environment& environment_;
  /// Quick work ends before the first line is due.
  Steady::time_point shown_at_ = Steady::now();
  bool open_ = false;
};

}  // namespace allot::cli
