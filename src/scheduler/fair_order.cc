#include "scheduler/fair_order.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "allot/base/check.h"
#include "scheduler/at.h"
#include "scheduler/chains.h"

namespace allot::scheduler {
namespace {

constexpr Charge kChargePerGpuSecond = 256;

}  // namespace

int64_t Weight(const SnapshotProject& project) {
  const int64_t quota =
      std::accumulate(project.concurrent_gpus.begin(), project.concurrent_gpus.end(), int64_t{0});
  return std::max<int64_t>(quota, 1) * std::max(project.merit, 1);
}

std::vector<Charge> ChargesAtStart(const Snapshot& snapshot, const Policy& policy) {
  std::vector<DecayedUsage> used;
  used.reserve(snapshot.projects.size());
  for (const SnapshotProject& project : snapshot.projects) used.push_back(project.usage);
  std::vector<Charge> charges(snapshot.projects.size(), 0);

  for (const SnapshotClaim& claim : snapshot.claims) {
    // Lost with its node: what it was used for until then is charged when the provider has cleared
    // it.
    if (!claim.counts_against_quota) continue;
    const int gpus = CountGpus(claim.gpus);
    const Instant held_until = std::max(snapshot.now, claim.start);
    if (const auto held = TimeWindow::Make(claim.start, held_until)) {
      At(used, claim.project) =
          AddHeld(At(used, claim.project), gpus, *held, policy.usage_half_life);
    }
    const Seconds to_come = Between(held_until, std::max(claim.until, held_until));
    At(charges, claim.project) += Charge{gpus} * to_come.count * kChargePerGpuSecond;
  }
  for (std::size_t i = 0; i < charges.size(); ++i) {
    const Instant t = std::max(snapshot.now, used[i].as_of);
    charges[i] += DecayTo(used[i], t, policy.usage_half_life).value;
  }
  return charges;
}

Charge ChargeOf(const Request& request) {
  return Charge{request.shape.gpus()} * request.duration.count * kChargePerGpuSecond;
}

Instant WaitingSince(const SnapshotPending& pending) {
  return std::max(pending.create_time, pending.request.earliest_start.value_or(Instant{0}));
}

bool IsLate(const SnapshotPending& pending, Instant start, const Policy& policy) {
  return pending.told_start && !pending.overdue && !pending.after &&
         *pending.told_start + policy.planned_slip_max < start;
}

bool IsOverdue(const SnapshotPending& pending, Instant now, const Policy& policy) {
  return pending.overdue || WaitingSince(pending) + policy.starvation_bound < now;
}

bool GoesAhead(const SnapshotPending& pending, Instant now, const Policy& policy) {
  return !pending.after && (pending.urgent || pending.requeued || IsOverdue(pending, now, policy));
}

FairOrder::FairOrder(const Snapshot& snapshot, const Policy& policy, const std::vector<bool>& first)
    : snapshot_(snapshot),
      left_(snapshot.pending.size()),
      queues_(snapshot.projects.size()),
      charges_(ChargesAtStart(snapshot, policy)),
      finishes_(charges_.size(), 0) {
  weights_.reserve(snapshot.projects.size());
  for (const SnapshotProject& project : snapshot.projects) weights_.push_back(Weight(project));

  for (int i = 0; i < static_cast<int>(snapshot.pending.size()); ++i) {
    const SnapshotPending& pending = At(snapshot.pending, i);
    const bool goes_first = !pending.after && first[static_cast<std::size_t>(i)];
    if (goes_first || GoesAhead(pending, snapshot.now, policy)) {
      ahead_.push_back(i);
    } else {
      At(queues_, pending.project).pending.push_back(i);
    }
  }
  // Total orders: positions follow the ids.
  const auto turn = [&](int i) {
    const SnapshotPending& pending = At(snapshot.pending, i);
    return std::tuple(!first[static_cast<std::size_t>(i)], !pending.urgent, !pending.requeued,
                      WaitingSince(pending), i);
  };
  std::sort(ahead_.begin(), ahead_.end(), [&](int a, int b) { return turn(a) < turn(b); });
  const Chains chains(snapshot);
  for (Queue& queue : queues_) {
    std::sort(queue.pending.begin(), queue.pending.end(), [&](int a, int b) {
      return std::tuple(chains.Turn(a), a) < std::tuple(chains.Turn(b), b);
    });
  }
}

// Total: what the project will have been charged after its next allocation, by weight; then merit,
// then the older next allocation, then its id.
bool FairOrder::GoesAfter(int project, int other) const {
  const Charge mine = At(finishes_, project) * At(weights_, other);
  const Charge theirs = At(finishes_, other) * At(weights_, project);
  if (mine != theirs) return mine > theirs;
  const int merit = At(snapshot_.projects, project).merit;
  const int other_merit = At(snapshot_.projects, other).merit;
  if (merit != other_merit) return merit < other_merit;
  const auto next = [&](int p) {
    const Queue& queue = At(queues_, p);
    const int position = queue.pending[queue.next];
    return std::tuple(At(snapshot_.pending, position).create_time, position);
  };
  return next(project) > next(other);
}

// The first one's charge or next allocation has changed: it moves to its place, half as many steps
// as leaving the heap and coming back.
void FairOrder::SinkFirst() {
  const int project = heap_.front();
  std::size_t at = 0;
  for (;;) {
    std::size_t child = 2 * at + 1;
    if (child >= heap_.size()) break;
    if (child + 1 < heap_.size() && GoesAfter(heap_[child], heap_[child + 1])) ++child;
    if (!GoesAfter(project, heap_[child])) break;
    heap_[at] = heap_[child];
    at = child;
  }
  heap_[at] = project;
}

int FairOrder::Next() {
  ALLOT_CHECK(!Done());
  --left_;
  if (!ahead_.empty()) {
    last_ = ahead_.front();
    ahead_.pop_front();
    return last_;
  }
  const auto has_more = [&](int project) {
    const Queue& queue = At(queues_, project);
    return queue.next < queue.pending.size();
  };
  const auto finish = [&](int project) {
    const Queue& queue = At(queues_, project);
    const SnapshotPending& next = At(snapshot_.pending, queue.pending[queue.next]);
    At(finishes_, project) = At(charges_, project) + ChargeOf(next.request);
  };
  if (heap_filled_) {
    // Only now are the charges of the last turn complete.
    const int project = heap_.front();
    if (has_more(project)) {
      finish(project);
    } else {
      heap_.front() = heap_.back();
      heap_.pop_back();
    }
    SinkFirst();
  } else {
    for (int project = 0; project < static_cast<int>(queues_.size()); ++project) {
      if (!has_more(project)) continue;
      finish(project);
      heap_.push_back(project);
    }
    std::make_heap(heap_.begin(), heap_.end(), [&](int a, int b) { return GoesAfter(a, b); });
    heap_filled_ = true;
  }
  Queue& queue = At(queues_, heap_.front());
  last_ = queue.pending[queue.next++];
  return last_;
}

void FairOrder::ChargeLast() {
  const SnapshotPending& pending = At(snapshot_.pending, last_);
  At(charges_, pending.project) += ChargeOf(pending.request);
}

}  // namespace allot::scheduler
