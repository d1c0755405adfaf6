#include "scheduler/fair_order.h"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "allot/base/check.h"
#include "allot/base/random.h"
#include "scheduler/at.h"
#include "scheduler/chains.h"
#include "scheduler/fnv.h"

namespace allot::scheduler {
namespace {

constexpr Charge kChargePerGpuSecond = 256;

/// Nobody knows it who does not know the seed, and everybody can work it out who does.
uint64_t Draw(int seed, const ProjectId& project) {
  Fnv fnv;
  fnv.Add(seed);
  fnv.Add(project.str());
  return SeededRandom(fnv.value()).Next();
}

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
    // it. What is borrowed nobody else had a use for.
    if (!claim.counts_against_quota || claim.borrowed) continue;
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
  return pending.told_start && !pending.overdue && !pending.after && !pending.grows &&
         !pending.request.borrow && *pending.told_start + policy.planned_slip_max < start;
}

bool IsOverdue(const SnapshotPending& pending, Instant now, const Policy& policy) {
  return pending.overdue || WaitingSince(pending) + policy.starvation_bound < now;
}

bool GoesAhead(const SnapshotPending& pending, Instant now, const Policy& policy) {
  if (pending.after || pending.grows || pending.request.borrow) return false;
  return (pending.urgent || pending.requeued || IsOverdue(pending, now, policy));
}

FairOrder::FairOrder(const Snapshot& snapshot, const Policy& policy, const std::vector<bool>& first)
    : snapshot_(snapshot),
      left_(snapshot.pending.size()),
      queues_(snapshot.projects.size()),
      borrowers_(snapshot.projects.size()),
      charges_(ChargesAtStart(snapshot, policy)),
      finishes_(charges_.size(), 0) {
  weights_.reserve(snapshot.projects.size());
  draws_.reserve(snapshot.projects.size());
  for (const SnapshotProject& project : snapshot.projects) {
    weights_.push_back(Weight(project));
    draws_.push_back(policy.tie_seed == 0 ? 0 : Draw(policy.tie_seed, project.id));
  }

  for (int i = 0; i < static_cast<int>(snapshot.pending.size()); ++i) {
    const SnapshotPending& pending = At(snapshot.pending, i);
    const bool goes_first = !pending.after && first[static_cast<std::size_t>(i)];
    if (goes_first || GoesAhead(pending, snapshot.now, policy)) {
      ahead_.push_back(i);
    } else {
      At(pending.request.borrow ? borrowers_ : queues_, pending.project).pending.push_back(i);
    }
  }
  // Total orders: positions follow the ids.
  const auto turn = [&](int i) {
    const SnapshotPending& pending = At(snapshot.pending, i);
    return std::tuple(!first[static_cast<std::size_t>(i)], !pending.urgent, !pending.requeued,
                      WaitingSince(pending), At(draws_, pending.project), i);
  };
  std::sort(ahead_.begin(), ahead_.end(), [&](int a, int b) { return turn(a) < turn(b); });
  const Chains chains(snapshot);
  for (std::vector<Queue>* queues : {&queues_, &borrowers_}) {
    for (Queue& queue : *queues) {
      std::sort(queue.pending.begin(), queue.pending.end(), [&](int a, int b) {
        // What is added takes what all its project asks for leaves.
        const auto key = [&](int i) {
          return std::tuple(At(snapshot.pending, i).grows.has_value(), chains.Turn(i), i);
        };
        return key(a) < key(b);
      });
    }
  }
}

// Total: what the project will have been charged after its next allocation, by weight; then merit,
// then the older next allocation, then the draw, then its id.
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
    return std::tuple(At(snapshot_.pending, position).create_time, At(draws_, p), position);
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

void FairOrder::Finish(int project) {
  const Queue& queue = At(queues_, project);
  const SnapshotPending& next = At(snapshot_.pending, queue.pending[queue.next]);
  // What cannot be added to anything yet asks for nothing, and is no reason to wait.
  const bool asks = !next.grows || next.beside;
  At(finishes_, project) = At(charges_, project) + (asks ? ChargeOf(next.request) : 0);
}

void FairOrder::FillHeap() {
  for (int project = 0; project < static_cast<int>(queues_.size()); ++project) {
    if (At(queues_, project).done()) continue;
    Finish(project);
    heap_.push_back(project);
  }
  std::make_heap(heap_.begin(), heap_.end(), [&](int a, int b) { return GoesAfter(a, b); });
}

int FairOrder::Next() {
  ALLOT_CHECK(!Done());
  --left_;
  if (!ahead_.empty()) {
    last_ = ahead_.front();
    ahead_.pop_front();
    return last_;
  }
  if (!heap_.empty()) {
    // Only now are the charges of the last turn complete.
    const int project = heap_.front();
    if (At(queues_, project).done()) {
      heap_.front() = heap_.back();
      heap_.pop_back();
    } else {
      Finish(project);
    }
    if (!heap_.empty()) SinkFirst();
  } else {
    FillHeap();
  }
  if (heap_.empty()) {
    queues_ = std::move(borrowers_);
    FillHeap();
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
