#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "allot/scheduler/snapshot.h"

namespace allot::scheduler {

/// Who starts after whom has ended (SnapshotPending::after), and what a pass knows of those ends.
class Chains {
 public:
  explicit Chains(const Snapshot& snapshot);

  /// One more waits, at the end of Snapshot::pending, which was canonical before the first of them.
  /// It has no Turn. Requires: none of the others starts after it.
  void Append();
  /// The last that was appended goes again; it is still there.
  void RemoveLast();

  /// The order within a project: by creation, and behind those it starts after even if it was
  /// created at the same instant or, by a clock that was set back, before them.
  std::pair<Instant, int> Turn(int pending) const {
    if (turns_.empty())
      return {snapshot_.pending[static_cast<std::size_t>(pending)].create_time, 0};
    return turns_[static_cast<std::size_t>(pending)];
  }

  /// The pass gave it a window that ends then.
  void SetEnd(int pending, Instant end) { ends_[static_cast<std::size_t>(pending)] = end; }
  /// The end of the window of the one that `pending` starts after, which may be past while its GPUs
  /// are still held; nothing while that one waits without a start, or has lost its GPUs and will
  /// wait again. Requires: `pending` starts after another.
  std::optional<Instant> PredecessorEnd(int pending) const;

 private:
  // Of one that starts after another.
  struct Link {
    // Where that other one waits; -1 when it does not.
    int waiting = -1;
    std::optional<Instant> held_until;
  };

  // By whom they start after: positions in Snapshot::pending.
  using Followers = std::map<AllocationId, std::vector<int>>;

  void LinkToClaims(const Followers& followers);
  void FindTurns();
  int WhereItWaits(const AllocationId& id) const;

  const Snapshot& snapshot_;
  // How many are in the order of their ids; the others were appended.
  const std::ptrdiff_t canonical_;
  // By pending; empty when nobody starts after another, as in most snapshots.
  std::vector<Link> links_;
  std::vector<std::pair<Instant, int>> turns_;
  // By pending.
  std::vector<std::optional<Instant>> ends_;
};

}  // namespace allot::scheduler
