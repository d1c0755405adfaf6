#include "scheduler/describe.h"

namespace allot::scheduler {

std::string DescribeModels(const Request& request) {
  std::string text;
  for (const GpuModel model : request.models) {
    if (!text.empty()) text += " or ";
    text += Name(model);
  }
  return text;
}

std::string DescribeAsk(const Request& request) {
  std::string what;
  if (request.exchanged) {
    for (const GpuModel model : request.models) {
      what += (what.empty() ? "" : " or ") + Describe(request.ShapeOn(model)) + " of ";
      what += Name(model);
    }
  } else {
    what = Describe(request.shape) + " of " + DescribeModels(request);
  }
  return "asks " + what + " for " + FormatDuration(request.duration);
}

std::string Count(int64_t count, const std::string& noun) {
  return std::to_string(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace allot::scheduler
