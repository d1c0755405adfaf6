#pragma once

#include <array>
#include <cstdint>

#include "allot/base/gpu_seconds.h"
#include "allot/base/id.h"
#include "allot/base/result.h"
#include "allot/model/gpu.h"
#include "allot/model/policy.h"
#include "allot/model/request.h"
#include "allot/model/tenant.h"

namespace allot {

/// GPUs by model. Sums are explicit: there is no raw arithmetic on a quota.
using GpusByModel = std::array<int, kGpuModelCount>;
constexpr int At(const GpusByModel& gpus, GpuModel model) {
  return gpus[static_cast<std::size_t>(model)];
}

/// What a project may hold.
struct Quota {
  ProjectId project;
  /// GPUs held at the same time, by model.
  GpusByModel concurrent_gpus{};
  /// GPU time over the project's life, all models together.
  GpuSeconds gpu_time;
  int64_t version = 1;

  friend bool operator==(const Quota&, const Quota&) = default;
};

/// What counts against a quota.
struct Usage {
  /// Held now: claims not yet confirmed released.
  GpusByModel held_gpus{};
  /// Held now beyond the quota (Request::borrow); not part of held_gpus.
  GpusByModel borrowed_gpus{};
  /// Charged by time actually held, for released claims.
  GpuSeconds used;
  /// Set aside in full for allocations that wait or hold GPUs.
  GpuSeconds committed;
  /// The part of `committed` that belongs to allocations holding GPUs now.
  GpuSeconds reserved = {};

  friend bool operator==(const Usage&, const Usage&) = default;
};

/// What is left of a budget for work that does not hold GPUs yet; below zero when it is overdrawn.
GpuSeconds GpuTimeLeft(GpuSeconds budget, GpuSeconds used, GpuSeconds reserved);

/// The largest cluster by model that serves a programme, in nodes; removed nodes do not count.
using LargestClusterByModel = std::array<int, kGpuModelCount>;

/// Whether a request may enter the queue at all. In this order: the project is open; the
/// programme's caps; some acceptable model has a cluster large enough; some acceptable model's
/// concurrent quota could hold it alone, or for what is borrowed the policy's borrowed_gpus_max;
/// the GPU-hours left cover it; and the same for all that it may grow to (field "gpus_max"). "No
/// capacity now" is not a refusal. Models that can never serve it are dropped from the request;
/// `request.models` of the result is what remains, in the order of preference. The field of an
/// error is relative to the request ("gpus", "nodes", "duration"); its caller knows where the
/// request lies.
Result<Request> Admit(const Project& project, const Quota& quota, const Usage& usage,
                      const LargestClusterByModel& largest, const Policy& policy,
                      const Request& request);

}  // namespace allot
