#include "allot/scheduler/plan.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "scheduler/fair_order.h"
#include "scheduler/fnv.h"
#include "scheduler/pass.h"

namespace allot::scheduler {

std::string_view Name(DeferralReason reason) {
  switch (reason) {
    case DeferralReason::kNoCapacity:
      return "no_capacity";
    case DeferralReason::kQuotaExhausted:
      return "quota_exhausted";
    case DeferralReason::kGpuHoursExhausted:
      return "gpu_hours_exhausted";
    case DeferralReason::kDeadlineUnreachable:
      return "deadline_unreachable";
    case DeferralReason::kLargerThanPool:
      return "larger_than_pool";
    case DeferralReason::kProjectClosed:
      return "project_closed";
  }
  return "unknown";
}

Plan Schedule(const Snapshot& snapshot, const Policy& policy) {
  Plan plan;
  plan.now = snapshot.now;
  plan.revision = snapshot.revision;
  plan.order.reserve(snapshot.pending.size());
  plan.placements.reserve(snapshot.pending.size());

  Pass pass(snapshot, policy);
  FairOrder order(snapshot, policy);
  while (!order.Done()) {
    const int pending = order.Next();
    plan.order.push_back(pending);
    auto outcome = pass.Place(pending);
    if (auto* placement = std::get_if<Placement>(&outcome)) {
      order.ChargeLast();
      plan.placements.push_back(std::move(*placement));
    } else {
      plan.deferrals.push_back(std::move(std::get<Deferral>(outcome)));
    }
  }
  std::sort(plan.deferrals.begin(), plan.deferrals.end(),
            [](const Deferral& a, const Deferral& b) { return a.pending < b.pending; });
  return plan;
}

uint64_t Hash(const Snapshot& snapshot, const Plan& plan) {
  const auto pending_id = [&](int pending) -> const std::string& {
    return snapshot.pending[static_cast<std::size_t>(pending)].id.str();
  };
  Fnv fnv;
  fnv.Add(plan.now.micros);
  fnv.Add(static_cast<int64_t>(plan.placements.size()));
  for (const Placement& placement : plan.placements) {
    fnv.Add(pending_id(placement.pending));
    fnv.Add(Name(placement.model));
    fnv.Add(snapshot.clusters[static_cast<std::size_t>(placement.cluster)].id.str());
    fnv.Add(placement.window.start().micros);
    fnv.Add(placement.window.end().micros);
    fnv.Add(static_cast<int64_t>(placement.nodes.size()));
    for (const PlacedNode& node : placement.nodes) {
      fnv.Add(snapshot.nodes[static_cast<std::size_t>(node.node)].id.str());
      fnv.Add(node.gpus);
    }
  }
  fnv.Add(static_cast<int64_t>(plan.deferrals.size()));
  for (const Deferral& deferral : plan.deferrals) {
    fnv.Add(pending_id(deferral.pending));
    fnv.Add(Name(deferral.reason));
    fnv.Add(deferral.message);
  }
  return fnv.value();
}

}  // namespace allot::scheduler
