#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "allot/model/policy.h"
#include "allot/scheduler/snapshot.h"

namespace allot::scheduler {

/// GPU-seconds × 256, as in DecayedUsage: wide enough for sums over a whole queue and for exact
/// cross products of charge and weight.
__extension__ using Charge = __int128;

/// A project's weight in the fair order: its concurrent quota in GPUs × merit, both at least 1.
int64_t Weight(const SnapshotProject& project);
/// What each project is charged before a pass places anything: usage decayed to now, plus what its
/// claims held until now, decayed alike, plus what they hold from now to their end.
std::vector<Charge> ChargesAtStart(const Snapshot& snapshot, const Policy& policy);
/// What a placement of the request adds.
Charge ChargeOf(const Request& request);
/// Since when it could have been running, had there been room.
Instant WaitingSince(const SnapshotPending& pending);
/// To start then would be later than it was told by more than the policy allows, and it is not
/// marked for that yet. Who starts after another waits for that one.
bool IsLate(const SnapshotPending& pending, Instant start, const Policy& policy);
/// Past the policy's bound of waiting, or of what it was told.
bool IsOverdue(const SnapshotPending& pending, Instant now, const Policy& policy);
/// It goes before all who are ranked by shares, promises lost aside. Who starts after another comes
/// behind it, wherever that is; who borrows never goes ahead.
bool GoesAhead(const SnapshotPending& pending, Instant now, const Policy& policy);

/// Hands out the pending allocations in rank order (the formula: plan.h, Schedule).
class FairOrder {
 public:
  /// `first`, by position: those who go before all others, for they lost what they were promised.
  FairOrder(const Snapshot& snapshot, const Policy& policy, const std::vector<bool>& first);

  bool Done() const { return left_ == 0; }
  /// Position of the next one. Requires: not done.
  int Next();
  /// The last one handed out was placed.
  void ChargeLast();

 private:
  struct Queue {
    // Positions of its pending allocations, oldest first.
    std::vector<int> pending;
    std::size_t next = 0;

    bool done() const { return next == pending.size(); }
  };

  bool GoesAfter(int project, int other) const;
  void Finish(int project);
  void FillHeap();
  void SinkFirst();

  const Snapshot& snapshot_;
  std::size_t left_ = 0;
  // Those who lost a promise, urgent ones, requeued ones, then overdue ones; the longest waiting
  // first.
  std::deque<int> ahead_;
  std::vector<Queue> queues_;
  // Of those who borrow, who come when all others had their turn.
  std::vector<Queue> borrowers_;
  std::vector<Charge> charges_;
  // Of projects in the heap: their charge after their next allocation.
  std::vector<Charge> finishes_;
  std::vector<int64_t> weights_;
  // What decides between projects of equal rank.
  std::vector<uint64_t> draws_;
  // Projects with pending allocations, the next one at the front, which had the last turn and is
  // put in its place when the next is asked for; filled when those ahead are done, and again with
  // those who borrow.
  std::vector<int> heap_;
  int last_ = -1;
};

}  // namespace allot::scheduler
