#include "allot/control/policy_book.h"

#include <algorithm>
#include <set>

namespace allot::control {

std::shared_ptr<const Policy> PolicyBook::At(Instant time) const {
  const std::lock_guard lock(mutex_);
  const auto later = std::ranges::upper_bound(published_, time, {}, &Dated::effective_time);
  if (later != published_.begin()) return std::prev(later)->policy;
  // Not owned: it outlives the book, and whoever set it may still change it.
  return {std::shared_ptr<const Policy>(), &configured_};
}

Instant PolicyBook::NextChange(Instant time) const {
  const std::lock_guard lock(mutex_);
  const auto later = std::ranges::upper_bound(published_, time, {}, &Dated::effective_time);
  return later == published_.end() ? kEndOfTime : later->effective_time;
}

Status PolicyBook::CheckProgramme(const ProgrammeId& programme, Instant now,
                                  const std::string& field) const {
  const auto in_force = At(now);
  std::set<std::string> known;
  for (const ProgrammeCaps& caps : in_force->programmes) known.insert(caps.programme.str());
  {
    const std::lock_guard lock(mutex_);
    for (const Dated& dated : published_) {
      if (dated.effective_time <= now) continue;
      for (const auto& caps : dated.policy->programmes) known.insert(caps.programme.str());
    }
  }
  if (known.contains(programme.str())) return Ok{};
  std::string list;
  for (const std::string& name : known) list += (list.empty() ? "" : ", ") + name;
  return FieldError(Reason::kEnumUnknown, field, programme.str(), list);
}

void PolicyBook::Replace(const std::vector<PublishedPolicy>& published) {
  std::vector<Dated> dated;
  for (const PublishedPolicy& row : published) {
    if (row.withdraw_time) continue;
    dated.push_back({row.effective_time, std::make_shared<const Policy>(row.policy)});
  }
  std::ranges::sort(dated, {}, &Dated::effective_time);
  const std::lock_guard lock(mutex_);
  published_ = std::move(dated);
}

}  // namespace allot::control
