#include "cli/progress_line.h"

#include "allot/base/text.h"

namespace allot::cli {

ProgressLine::~ProgressLine() {
  if (open_) environment_.err << std::endl;
}

void ProgressLine::Show(std::string_view what, int done, int of) {
  const auto pause = environment_.err_is_terminal ? std::chrono::milliseconds(50)
                                                  : std::chrono::milliseconds(1'000);
  const auto now = Steady::now();
  if (done < of && now - shown_at_ < pause) return;
  shown_at_ = now;
  const std::string text = std::string(what) + " " + FormatCount(done) + " of " + FormatCount(of);
  if (!environment_.err_is_terminal) {
    environment_.err << text << std::endl;
    return;
  }
  environment_.err << "\r" << text << "\x1b[K" << std::flush;
  open_ = done < of;
  if (!open_) environment_.err << std::endl;
}

}  // namespace allot::cli
