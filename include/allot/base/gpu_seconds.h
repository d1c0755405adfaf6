#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>

#include "allot/base/time.h"

namespace allot {

/// GPU time. Checked: arithmetic that would overflow gives nothing instead of a wrong number.
/// Hours exist only in formatting.
class GpuSeconds {
 public:
  constexpr GpuSeconds() = default;
  static constexpr GpuSeconds FromCount(int64_t count) { return GpuSeconds(count); }
  static constexpr std::optional<GpuSeconds> Of(int64_t gpus, Seconds length) {
    int64_t product = 0;
    if (__builtin_mul_overflow(gpus, length.count, &product)) return std::nullopt;
    return GpuSeconds(product);
  }

  constexpr int64_t count() const { return count_; }
  constexpr std::optional<GpuSeconds> Plus(GpuSeconds other) const {
    int64_t sum = 0;
    if (__builtin_add_overflow(count_, other.count_, &sum)) return std::nullopt;
    return GpuSeconds(sum);
  }
  constexpr std::optional<GpuSeconds> Minus(GpuSeconds other) const {
    int64_t difference = 0;
    if (__builtin_sub_overflow(count_, other.count_, &difference)) return std::nullopt;
    return GpuSeconds(difference);
  }

  friend auto operator<=>(GpuSeconds, GpuSeconds) = default;

 private:
  explicit constexpr GpuSeconds(int64_t count) : count_(count) {}
  int64_t count_ = 0;
};

/// "1,024.5 GPU-hours", rounded half up to one decimal, which is left out when zero; less than a
/// tenth of an hour in seconds: "60 GPU-seconds".
std::string FormatGpuHours(GpuSeconds value);

}  // namespace allot
