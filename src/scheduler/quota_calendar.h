#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "allot/model/gpu.h"
#include "allot/model/quota.h"
#include "scheduler/time_grid.h"

namespace allot::scheduler {

/// One project's GPUs held over all slots, by model, against its concurrent quota. Rounded outward
/// like the clusters' calendars.
class QuotaCalendar {
 public:
  QuotaCalendar(const TimeGrid& grid, const GpusByModel& limits) : grid_(grid), limits_(limits) {}

  int Limit(GpuModel model) const { return At(limits_, model); }
  /// At least the most held in any slot.
  int Peak(GpuModel model) const { return peaks_[static_cast<std::size_t>(model)]; }

  void Book(GpuModel model, int gpus, int first_slot, int last_slot);
  void Unbook(GpuModel model, int gpus, int first_slot, int last_slot);
  /// Whether `gpus` more stay within the quota in all of these slots.
  bool Allows(GpuModel model, int gpus, int first_slot, int last_slot) const;
  /// The first slot in [from, last] from which `gpus` more stay within the quota over the whole
  /// window; last + 1 when there is none.
  int EarliestStart(GpuModel model, int gpus, const Span& span, int from, int last) const;

 private:
  const TimeGrid& grid_;
  GpusByModel limits_;
  GpusByModel peaks_{};
  // By slot; empty until something is booked.
  std::array<std::vector<int>, kGpuModelCount> held_;
};

}  // namespace allot::scheduler
