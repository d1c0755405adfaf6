#include "scheduler/start_bounds.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace allot::scheduler {
namespace {

// 1, 2, 3, 4, 6, 8, 12, 16, 24 …: the class of a number rounded down or up.
template <std::size_t kClasses>
constexpr std::array<int64_t, kClasses> MakeClasses() {
  std::array<int64_t, kClasses> classes{1, 2};
  for (std::size_t i = 2; i < kClasses; ++i) {
    classes[i] = i % 2 == 0 ? classes[i - 1] / 2 * 3 : classes[i - 2] * 2;
  }
  return classes;
}
constexpr auto kClasses = MakeClasses<32>();
static_assert(kClasses[2] == 3 && kClasses[3] == 4 && kClasses[4] == 6 && kClasses[5] == 8);

constexpr Seconds kDurationUnit = Minutes(15);

// The largest class not above `value`, which is at least 1.
std::size_t ClassBelow(int64_t value, std::size_t count) {
  const auto end = kClasses.begin() + static_cast<std::ptrdiff_t>(count);
  return static_cast<std::size_t>(std::upper_bound(kClasses.begin(), end, value) -
                                  kClasses.begin()) -
         1;
}
// The smallest class not below `value`; `count` when there is none.
std::size_t ClassAbove(int64_t value, std::size_t count) {
  const auto end = kClasses.begin() + static_cast<std::ptrdiff_t>(count);
  return static_cast<std::size_t>(std::lower_bound(kClasses.begin(), end, value) -
                                  kClasses.begin());
}

}  // namespace

StartBounds::Ask StartBounds::MakeAsk(int number, const Shape& shape, Seconds duration) {
  const int64_t units_below = duration.count / kDurationUnit.count;
  const int64_t units_above = (duration.count + kDurationUnit.count - 1) / kDurationUnit.count;
  return {.number = number,
          .gpus = shape.gpus_per_node,
          .remainder_gpus = shape.remainder_gpus,
          .nodes_below = ClassBelow(shape.nodes, kNodeClasses),
          .all_nodes_below = ClassBelow(shape.node_count(), kNodeClasses),
          .all_nodes_above = ClassAbove(shape.node_count(), kNodeClasses),
          .duration_below =
              units_below < 1 ? kDurationClasses : ClassBelow(units_below, kDurationClasses),
          .duration_above = ClassAbove(units_above, kDurationClasses)};
}

int StartBounds::Get(const Ask& ask, std::size_t cluster) const {
  const int exact = ask.number == kUnnumbered
                        ? 0
                        : exact_[static_cast<std::size_t>(ask.number) * clusters_ + cluster];
  if (ask.duration_below == kDurationClasses) return exact;
  const auto look = [&](int gpus, std::size_t nodes) {
    const std::size_t place = Place(static_cast<std::size_t>(gpus), nodes, ask.duration_below);
    return table_[place * clusters_ + cluster];
  };
  const int bound = std::max(exact, look(ask.gpus, ask.nodes_below));
  if (ask.remainder_gpus == 0) return bound;
  return std::max(bound, look(ask.remainder_gpus, ask.all_nodes_below));
}

void StartBounds::Raise(const Ask& ask, std::size_t cluster, int slot) {
  if (ask.number != kUnnumbered) {
    int& exact = exact_[static_cast<std::size_t>(ask.number) * clusters_ + cluster];
    if (slot <= exact) return;
    exact = slot;
  }
  if (ask.duration_above == kDurationClasses) return;
  // A remainder makes it larger than its whole nodes alone, so it bounds only what has one more.
  // Monotone along each axis: the first entry that is high enough ends its axis.
  const auto at = [&](std::size_t g, std::size_t n, std::size_t d) -> int& {
    return table_[Place(g, n, d) * clusters_ + cluster];
  };
  for (auto g = static_cast<std::size_t>(ask.gpus); g <= kGpusPerNode; ++g) {
    for (std::size_t n = ask.all_nodes_above; n < kNodeClasses; ++n) {
      if (at(g, n, ask.duration_above) >= slot) break;
      for (std::size_t d = ask.duration_above; d < kDurationClasses; ++d) {
        if (at(g, n, d) >= slot) break;
        at(g, n, d) = slot;
      }
    }
  }
}

void StartBounds::Clear(std::size_t cluster) {
  for (std::size_t i = cluster; i < exact_.size(); i += clusters_) exact_[i] = 0;
  for (std::size_t i = cluster; i < table_.size(); i += clusters_) table_[i] = 0;
}

}  // namespace allot::scheduler
