#include "scheduler/chains.h"

#include <algorithm>

#include "scheduler/at.h"

namespace allot::scheduler {

Chains::Chains(const Snapshot& snapshot)
    : snapshot_(snapshot),
      canonical_(static_cast<std::ptrdiff_t>(snapshot.pending.size())),
      ends_(snapshot.pending.size()) {
  Followers followers;
  const int pending = static_cast<int>(snapshot.pending.size());
  for (int i = 0; i < pending; ++i) {
    const auto& after = At(snapshot.pending, i).after;
    if (after) followers[*after].push_back(i);
  }
  if (followers.empty()) return;
  links_.resize(snapshot.pending.size());
  for (int i = 0; i < pending; ++i) {
    const auto found = followers.find(At(snapshot.pending, i).id);
    if (found == followers.end()) continue;
    for (const int follower : found->second) At(links_, follower).waiting = i;
  }
  LinkToClaims(followers);
  FindTurns();
}

void Chains::Append() {
  ends_.emplace_back();
  const auto& after = snapshot_.pending.back().after;
  if (!after) return;
  links_.resize(snapshot_.pending.size());
  links_.back().waiting = WhereItWaits(*after);
  LinkToClaims({{*after, {static_cast<int>(links_.size()) - 1}}});
}

void Chains::RemoveLast() {
  ends_.pop_back();
  if (links_.size() > ends_.size()) links_.pop_back();
}

void Chains::LinkToClaims(const Followers& followers) {
  for (const SnapshotClaim& claim : snapshot_.claims) {
    const auto found = followers.find(claim.allocation);
    // What an earlier attempt lost with a node says nothing about this one's end.
    if (found == followers.end() || !claim.counts_against_quota) continue;
    for (const int follower : found->second) {
      auto& until = At(links_, follower).held_until;
      until = std::max(until.value_or(claim.until), claim.until);
    }
  }
}

int Chains::WhereItWaits(const AllocationId& id) const {
  const auto begin = snapshot_.pending.begin();
  const auto appended = begin + canonical_;
  const auto end = snapshot_.pending.end();
  auto row = std::ranges::lower_bound(begin, appended, id, {}, &SnapshotPending::id);
  if (row == appended || row->id != id) {
    row = std::ranges::find(appended, end, id, &SnapshotPending::id);
  }
  return row == end ? -1 : static_cast<int>(row - begin);
}

void Chains::FindTurns() {
  turns_.reserve(links_.size());
  for (const SnapshotPending& row : snapshot_.pending) turns_.emplace_back(row.create_time, 0);
  std::vector<bool> seen(links_.size(), false);
  for (int i = 0; i < static_cast<int>(links_.size()); ++i) {
    // A circle, which only a recording made up by hand holds, ends where it was entered.
    std::vector<int> chain;
    for (int at = i; at >= 0 && !seen[static_cast<std::size_t>(at)]; at = At(links_, at).waiting) {
      seen[static_cast<std::size_t>(at)] = true;
      chain.push_back(at);
    }
    for (auto at = chain.rbegin(); at != chain.rend(); ++at) {
      const int before = At(links_, *at).waiting;
      if (before < 0) continue;
      const auto [time, depth] = At(turns_, before);
      At(turns_, *at) = std::max(At(turns_, *at), std::pair(time, depth + 1));
    }
  }
}

std::optional<Instant> Chains::PredecessorEnd(int pending) const {
  const Link& link = At(links_, pending);
  return link.waiting >= 0 ? At(ends_, link.waiting) : link.held_until;
}

}  // namespace allot::scheduler
