#pragma once

#include <cstdint>

#include "allot/scheduler/snapshot.h"

namespace allot::testing {

/// The programme every cluster of the pools below serves.
inline constexpr const char* kPoolProgramme = "national-pool";

/// The five clusters with their 1,307 nodes (naver-a 255 and naver-b 32 of H200; nhn-a 510, nhn-b
/// 255 and kakao-a 255 of B200), all free, and nobody on them; `times` as many of each.
scheduler::Snapshot NationalPool(Instant now, int times = 1);

/// What a mixed queue is made of; the same seed gives the same queue on any machine.
struct MixedQueue {
  uint64_t seed = 1;
  int pending = 0;
  int projects = 514;
  /// Of all nodes, per mille: taken by running work at the start, and draining or down.
  int busy_permille = 400;
  int unschedulable_permille = 10;
};

/// Adds projects of mixed merit, running work, and requests from 1 GPU to 16 nodes and 1 hour to 7
/// days, for H200, B200 or either; one in twenty with an earliest start, one in twenty with a
/// deadline. Leaves the snapshot canonical.
void AddMixedQueue(const MixedQueue& queue, scheduler::Snapshot& snapshot);

}  // namespace allot::testing
