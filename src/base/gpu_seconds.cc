#include "allot/base/gpu_seconds.h"

#include "allot/base/text.h"

namespace allot {

std::string FormatGpuHours(GpuSeconds value) {
  constexpr int64_t kSecondsPerTenth = 360;
  // Rounded, so little would read as nothing.
  if (value.count() != 0 && value.count() > -kSecondsPerTenth && value.count() < kSecondsPerTenth) {
    return FormatCount(value.count()) + " GPU-seconds";
  }
  // Floored, so that the remainder is never negative and "half up" means the same below zero.
  int64_t tenths = value.count() / kSecondsPerTenth;
  int64_t rest = value.count() % kSecondsPerTenth;
  if (rest < 0) {
    --tenths;
    rest += kSecondsPerTenth;
  }
  if (2 * rest >= kSecondsPerTenth) ++tenths;

  const int64_t magnitude = tenths < 0 ? -tenths : tenths;
  std::string text = tenths < 0 ? "-" : "";
  text += FormatCount(magnitude / 10);
  if (magnitude % 10 != 0) text += '.' + std::to_string(magnitude % 10);
  return text + " GPU-hours";
}

}  // namespace allot
