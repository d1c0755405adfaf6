#include "allot/model/decayed_usage.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>

#include "allot/base/check.h"

namespace allot {
namespace {

// Products of two 63-bit numbers, exact.
__extension__ using Wide = unsigned __int128;

constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int64_t kValueScale = 256;

/// Factors are fixed point: 1 is 2^62, so a step of one second still moves a usage that halves in
/// years.
constexpr int kFactorBits = 62;
constexpr uint64_t kOne = uint64_t{1} << kFactorBits;

constexpr int kTableBits = 8;
constexpr std::size_t kTableSteps = std::size_t{1} << kTableBits;

/// 2^-(i/256) for i = 0..256, each the one before times 2^-(1/256), rounded.
constexpr std::array<uint64_t, kTableSteps + 1> MakeTable() {
  constexpr uint64_t kStepFactor = 9'198'432'556'164'277'331ULL;  // 2^-(1/256) · 2^63
  std::array<uint64_t, kTableSteps + 1> table{};
  table[0] = kOne;
  for (std::size_t i = 1; i < table.size(); ++i) {
    const Wide product = Wide{table[i - 1]} * kStepFactor;
    table[i] = static_cast<uint64_t>((product + (Wide{1} << 62)) >> 63);
  }
  return table;
}
constexpr auto kTable = MakeTable();
static_assert(kTable[kTableSteps] > kOne / 2 - 256 && kTable[kTableSteps] < kOne / 2 + 256);

/// 1 / ln 2, times 2^32: the area under a curve that halves once in each unit.
constexpr uint64_t kInverseLn2 = 6'196'328'019ULL;
constexpr int kInverseLn2Bits = 32;

/// 2^-(elapsed / half_life), linear between two entries of the table.
uint64_t DecayFactor(uint64_t elapsed_micros, uint64_t half_life_micros) {
  const uint64_t halvings = elapsed_micros / half_life_micros;
  if (halvings > kFactorBits) return 0;
  constexpr int kFractionBits = 40;
  const Wide position =
      (Wide{elapsed_micros % half_life_micros} << (kTableBits + kFractionBits)) / half_life_micros;
  const auto index = static_cast<std::size_t>(position >> kFractionBits);
  const Wide fraction = position & ((Wide{1} << kFractionBits) - 1);
  const Wide drop = (Wide{kTable[index] - kTable[index + 1]} * fraction) >> kFractionBits;
  return (kTable[index] - static_cast<uint64_t>(drop)) >> halvings;
}

uint64_t MicrosBetween(Instant from, Instant to) {
  return to <= from ? 0 : static_cast<uint64_t>(to.micros) - static_cast<uint64_t>(from.micros);
}

uint64_t HalfLifeMicros(Seconds half_life) {
  ALLOT_CHECK(half_life.count > 0 && half_life <= kUsageHalfLifeMax);
  return static_cast<uint64_t>(half_life.count * kMicrosPerSecond);
}

constexpr uint64_t kValueMax = std::numeric_limits<int64_t>::max();

/// Rounded to the nearest, so that many small steps do not drift down.
int64_t Scaled(uint64_t value, uint64_t factor) {
  const Wide product = Wide{value} * factor + kOne / 2;
  return static_cast<int64_t>(product >> kFactorBits);
}

/// gpus · ∫ over the window, as seen at its end.
uint64_t HeldValue(int gpus, uint64_t length_micros, uint64_t half_life_micros) {
  const uint64_t lost = kOne - DecayFactor(length_micros, half_life_micros);
  const Wide area_micros =
      (((Wide{half_life_micros} * lost) >> kFactorBits) * kInverseLn2) >> kInverseLn2Bits;
  const Wide value = area_micros * static_cast<uint64_t>(gpus) * kValueScale / kMicrosPerSecond;
  return static_cast<uint64_t>(std::min(value, Wide{kValueMax}));
}

}  // namespace

DecayedUsage DecayTo(const DecayedUsage& usage, Instant t, Seconds half_life) {
  ALLOT_CHECK(usage.value >= 0);
  if (t <= usage.as_of) return usage;
  const uint64_t factor = DecayFactor(MicrosBetween(usage.as_of, t), HalfLifeMicros(half_life));
  return {Scaled(static_cast<uint64_t>(usage.value), factor), t};
}

DecayedUsage AddHeld(const DecayedUsage& usage, int gpus, const TimeWindow& held,
                     Seconds half_life) {
  ALLOT_CHECK(gpus >= 0);
  const uint64_t half_life_micros = HalfLifeMicros(half_life);
  DecayedUsage sum = DecayTo(usage, std::max(usage.as_of, held.end()), half_life);
  const uint64_t at_end =
      HeldValue(gpus, MicrosBetween(held.start(), held.end()), half_life_micros);
  const int64_t added =
      Scaled(at_end, DecayFactor(MicrosBetween(held.end(), sum.as_of), half_life_micros));
  if (__builtin_add_overflow(sum.value, added, &sum.value)) {
    sum.value = std::numeric_limits<int64_t>::max();
  }
  return sum;
}

}  // namespace allot
