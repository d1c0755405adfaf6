#include "scheduler/start_bounds.h"

#include <algorithm>

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

int StartBounds::Look(int gpus, int nodes, Seconds duration) const {
  const int64_t units = duration.count / kDurationUnit.count;
  if (units < 1) return 0;
  return table_[static_cast<std::size_t>(gpus - 1)][ClassBelow(nodes, kNodeClasses)]
               [ClassBelow(units, kDurationClasses)];
}

int StartBounds::Get(int ask, const Shape& shape, Seconds duration) const {
  int bound = std::max(exact_[static_cast<std::size_t>(ask)],
                       Look(shape.gpus_per_node, shape.nodes, duration));
  if (shape.remainder_gpus > 0) {
    bound = std::max(bound, Look(shape.remainder_gpus, shape.node_count(), duration));
  }
  return bound;
}

void StartBounds::Record(int gpus, int nodes, Seconds duration, int slot) {
  const int64_t units = (duration.count + kDurationUnit.count - 1) / kDurationUnit.count;
  const std::size_t first_nodes = ClassAbove(nodes, kNodeClasses);
  const std::size_t first_duration = ClassAbove(units, kDurationClasses);
  if (first_duration == kDurationClasses) return;
  // Monotone along each axis: the first entry that is high enough ends its axis.
  for (auto g = static_cast<std::size_t>(gpus - 1); g < table_.size(); ++g) {
    for (std::size_t n = first_nodes; n < kNodeClasses; ++n) {
      if (table_[g][n][first_duration] >= slot) break;
      for (std::size_t d = first_duration; d < kDurationClasses; ++d) {
        if (table_[g][n][d] >= slot) break;
        table_[g][n][d] = slot;
      }
    }
  }
}

void StartBounds::Raise(int ask, const Shape& shape, Seconds duration, int slot) {
  int& exact = exact_[static_cast<std::size_t>(ask)];
  if (slot <= exact) return;
  exact = slot;
  // A remainder makes it larger than its whole nodes alone, so it bounds only what has one more.
  Record(shape.gpus_per_node, shape.node_count(), duration, slot);
}

}  // namespace allot::scheduler
