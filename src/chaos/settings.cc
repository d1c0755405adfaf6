#include "chaos/settings.h"

#include <algorithm>
#include <utility>

namespace allot::chaos {

Settings::Number Settings::Asked(const std::vector<Change>& changes) {
  std::vector<Open>& open = open_[++newest_];
  for (const Change& change : changes) {
    open.push_back({.change = change, .was_so = Of(change.setting) == change.value});
  }
  return newest_;
}

void Settings::Acknowledged(Number number) {
  const auto asked = open_.find(number);
  // Answered again.
  if (asked == open_.end()) return;
  for (const Open& one : asked->second) {
    if (one.was_so) continue;
    world_.Violate("acknowledged_is_done", "the " + one.change.setting + " was to be " +
                                               std::to_string(one.change.value) +
                                               ", and that was acknowledged, but it never was");
  }
  open_.erase(asked);
}

void Settings::Seen(const std::string& setting, int64_t value) {
  const auto [found, is_new] = values_.emplace(setting, value);
  if (is_new || std::exchange(found->second, value) == value) return;
  bool explained = false;
  for (auto& [number, changes] : open_) {
    for (Open& one : changes) {
      if (one.change.setting != setting || one.change.value != value) continue;
      one.was_so = true;
      // Of two that ask for the same it was the earlier one, as far as anybody can tell.
      if (!explained && !one.used) explained = one.used = true;
    }
  }
  if (explained) return;
  world_.Violate("set_by_somebody",
                 "the " + setting + " is " + std::to_string(value) + ", which nobody asked for");
}

int64_t Settings::Of(const std::string& setting) const {
  const auto found = values_.find(setting);
  return found == values_.end() ? 0 : found->second;
}

}  // namespace allot::chaos
