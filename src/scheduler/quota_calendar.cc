#include "scheduler/quota_calendar.h"

#include <algorithm>

namespace allot::scheduler {

void QuotaCalendar::Book(GpuModel model, int gpus, int first_slot, int last_slot) {
  std::vector<int>& held = held_[static_cast<std::size_t>(model)];
  int& peak = peaks_[static_cast<std::size_t>(model)];
  if (held.empty()) held.resize(static_cast<std::size_t>(grid_.slots()));
  for (int slot = first_slot; slot <= last_slot; ++slot) {
    peak = std::max(peak, held[static_cast<std::size_t>(slot)] += gpus);
  }
}

void QuotaCalendar::Unbook(GpuModel model, int gpus, int first_slot, int last_slot) {
  std::vector<int>& held = held_[static_cast<std::size_t>(model)];
  for (int slot = first_slot; slot <= last_slot; ++slot) {
    held[static_cast<std::size_t>(slot)] -= gpus;
  }
}

bool QuotaCalendar::Allows(GpuModel model, int gpus, int first_slot, int last_slot) const {
  const int most_held = Limit(model) - gpus;
  if (most_held < 0) return false;
  if (Peak(model) <= most_held) return true;
  const std::vector<int>& held = held_[static_cast<std::size_t>(model)];
  return std::all_of(held.begin() + first_slot, held.begin() + last_slot + 1,
                     [=](int gpus_held) { return gpus_held <= most_held; });
}

int QuotaCalendar::EarliestStart(GpuModel model, int gpus, const Span& span, int from,
                                 int last) const {
  const int most_held = Limit(model) - gpus;
  if (most_held < 0) return last + 1;
  if (Peak(model) <= most_held) return from;

  // As in the clusters' calendars: the last obstacle of a window refuses every start up to it.
  const std::vector<int>& held = held_[static_cast<std::size_t>(model)];
  int slot = from;
  while (slot <= last) {
    int obstacle = grid_.LastSlot(slot, span);
    while (obstacle >= slot && held[static_cast<std::size_t>(obstacle)] <= most_held) --obstacle;
    if (obstacle < slot) return slot;
    slot = obstacle + 1;
  }
  return last + 1;
}

}  // namespace allot::scheduler
