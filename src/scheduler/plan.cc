#include "allot/scheduler/plan.h"

#include <algorithm>
#include <utility>

#include "model/name_table.h"
#include "scheduler/fair_order.h"
#include "scheduler/fnv.h"
#include "scheduler/improve.h"
#include "scheduler/in_turn.h"
#include "scheduler/preempt.h"

namespace allot::scheduler {
namespace {

constexpr NameTable<DeferralReason, 9> kDeferralReasons = {
    {"no_capacity", "quota_exhausted", "gpu_hours_exhausted", "deadline_unreachable",
     "larger_than_pool", "project_closed", "predecessor_unfinished", "base_not_running",
     "no_room_to_grow"}};
constexpr NameTable<SlipCause, 9> kSlipCauses = {
    {"node_lost", "node_draining", "release_overdue", "missed", "quota_exhausted",
     "gpu_hours_exhausted", "cluster_closed", "project_closed", "reserved"}};

// Putting some before others may make others late; a count and not a time, so that it replays.
constexpr int kMarkingRoundsMax = 4;

/// Those that the plan starts too long after what they were told, or not at all for want of GPUs;
/// sorted.
std::vector<int> Late(const Snapshot& snapshot, const Policy& policy, const Plan& plan) {
  std::vector<int> late;
  const auto look = [&](int pending, Instant start) {
    if (IsLate(snapshot.pending[static_cast<std::size_t>(pending)], start, policy)) {
      late.push_back(pending);
    }
  };
  for (const Placement& placement : plan.placements) {
    look(placement.pending, placement.window.start());
  }
  for (const Deferral& deferral : plan.deferrals) {
    if (deferral.reason == DeferralReason::kNoCapacity) look(deferral.pending, kEndOfTime);
  }
  std::sort(late.begin(), late.end());
  return late;
}

}  // namespace

std::string_view Name(DeferralReason reason) { return kDeferralReasons.NameOf(reason); }
std::optional<DeferralReason> ParseDeferralReason(std::string_view name) {
  return kDeferralReasons.Parse(name);
}
std::string_view Name(SlipCause cause) { return kSlipCauses.NameOf(cause); }
std::optional<SlipCause> ParseSlipCause(std::string_view name) { return kSlipCauses.Parse(name); }

Plan Schedule(const Snapshot& snapshot, const Policy& policy) {
  Plan plan = PlanAround(snapshot, policy);
  std::vector<int> late = Late(snapshot, policy, plan);
  if (late.empty()) {
    plan = Improve(snapshot, policy, WithPreemptions(snapshot, policy, std::move(plan)));
    plan.overdue = Late(snapshot, policy, plan);
    return plan;
  }
  Snapshot marked = snapshot;
  for (int round = 0; round < kMarkingRoundsMax && !late.empty(); ++round) {
    for (const int pending : late) marked.pending[static_cast<std::size_t>(pending)].overdue = true;
    plan = PlanAround(marked, policy);
    late = Late(marked, policy, plan);
  }
  plan = Improve(marked, policy, WithPreemptions(marked, policy, std::move(plan)));
  for (const int pending : Late(marked, policy, plan)) {
    marked.pending[static_cast<std::size_t>(pending)].overdue = true;
  }
  for (int i = 0; i < static_cast<int>(snapshot.pending.size()); ++i) {
    const auto position = static_cast<std::size_t>(i);
    if (marked.pending[position].overdue && !snapshot.pending[position].overdue) {
      plan.overdue.push_back(i);
    }
  }
  return plan;
}

Plan PlanAround(const Snapshot& snapshot, const Policy& policy, std::span<const int> first) {
  InTurn plan(snapshot, policy);
  std::vector<bool> goes_first = plan.has_lost();
  for (const int pending : first) goes_first[static_cast<std::size_t>(pending)] = true;
  FairOrder order(snapshot, policy, goes_first);
  while (!order.Done()) {
    if (plan.Take(order.Next())) order.ChargeLast();
  }
  return plan.Finish();
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
    fnv.Add(placement.promised ? 1 : 0);
    if (placement.reservation) {
      fnv.Add(snapshot.reservations[static_cast<std::size_t>(*placement.reservation)].id.str());
    }
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
  fnv.Add(static_cast<int64_t>(plan.slips.size()));
  for (const Slip& slip : plan.slips) {
    fnv.Add(pending_id(slip.pending));
    fnv.Add(slip.promised.micros);
    fnv.Add(Name(slip.cause));
  }
  for (const int pending : plan.overdue) fnv.Add(pending_id(pending));
  for (const Preemption& preemption : plan.preemptions) {
    fnv.Add(snapshot.preemptible[static_cast<std::size_t>(preemption.preemptible)].id.str());
    fnv.Add(pending_id(preemption.pending));
    fnv.Add(preemption.stop.micros);
  }
  return fnv.value();
}

}  // namespace allot::scheduler
