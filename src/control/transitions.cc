#include "allot/control/transitions.h"

#include <algorithm>
#include <utility>

#include "control/record.h"

namespace allot::control {
namespace {

constexpr int kOrderIdLength = 20;

std::string ReasonOf(Loss loss) {
  switch (loss) {
    case Loss::kNodeLost:
      return "node_lost";
    case Loss::kProvisionFailed:
      return "provision_failed";
    case Loss::kBaseLost:
      return "base_lost";
    case Loss::kLostWithRestore:
      return "lost_with_restore";
  }
  ALLOT_CHECK(false);
}

}  // namespace

Status Move(Allocation& allocation, AllocationEvent event, Instant now, std::string reason,
            std::string message) {
  ALLOT_ASSIGN_OR_RETURN(const AllocationState next, Next(allocation.state, event));
  allocation.state = next;
  allocation.update_time = now;
  allocation.reason = std::move(reason);
  allocation.message = std::move(message);
  if (IsFinal(next)) allocation.end_time = now;
  return Ok{};
}

Status OrderRelease(store::Tx& tx, IdSource& ids, const Allocation& allocation, Instant now,
                    int64_t epoch) {
  ALLOT_RETURN_IF_ERROR(tx.SupersedeProvisionOrders(allocation.id, allocation.attempt));
  const AllocationId id = allocation.id;
  ALLOT_ASSIGN_OR_RETURN(auto claims, tx.OpenClaims(std::span(&id, 1)));
  Order order;
  order.id = OrderId(ids.Mint(kOrderIdLength));
  order.cluster = allocation.cluster;
  order.allocation = allocation.id;
  order.attempt = allocation.attempt;
  order.kind = OrderKind::kRelease;
  order.epoch = epoch;
  order.create_time = now;
  for (const Claim& claim : claims) {
    if (claim.attempt != allocation.attempt) continue;
    order.window = claim.window;
    order.nodes.push_back({.node = claim.node, .gpus = claim.gpus});
  }
  if (order.nodes.empty()) {
    return StateError(Reason::kInternal, "an allocation that holds GPUs has no claims");
  }
  return tx.InsertOrders(std::span(&order, 1));
}

Status Charge(store::Tx& tx, const Policy& policy, const Allocation& allocation, Instant until) {
  // Two charges of one project would else both add to what they read.
  ALLOT_ASSIGN_OR_RETURN(auto project, tx.LockProject(allocation.project));
  if (!project) return StateError(Reason::kInternal, "an allocation without its project");
  ALLOT_ASSIGN_OR_RETURN(auto usage, tx.ProjectUsageOf(allocation.project));
  const AllocationId id = allocation.id;
  ALLOT_ASSIGN_OR_RETURN(auto claims, tx.OpenClaims(std::span(&id, 1)));
  for (const Claim& claim : claims) {
    if (claim.attempt != allocation.attempt) continue;
    const auto held = TimeWindow::Make(claim.window.start(), std::min(until, claim.window.end()));
    if (!held) continue;
    const int gpus = CountGpus(claim.gpus);
    const auto cost = GpuSeconds::Of(gpus, held->length());
    const auto used = cost ? usage.used.Plus(*cost) : std::nullopt;
    if (!used) return StateError(Reason::kInternal, "GPU time overflows");
    usage.used = *used;
    // What it borrowed nobody else had a use for: it costs GPU time and no rank.
    if (allocation.request.borrow) continue;
    usage.decayed = AddHeld(usage.decayed, gpus, *held, policy.usage_half_life);
  }
  return tx.UpdateProjectUsage(usage);
}

Status Requeue(store::Tx& tx, Allocation& allocation, Instant now, const std::string& reason,
               const std::string& message) {
  // The database, too, takes only the steps of the table: each is written.
  ALLOT_RETURN_IF_ERROR(tx.UpdateAllocations(std::span(&allocation, 1)));
  ALLOT_RETURN_IF_ERROR(Move(allocation, AllocationEvent::kRequeue, now, reason, message));
  allocation.window.reset();
  allocation.active_time.reset();
  allocation.cluster = ClusterId();
  // It is told anew: what it was told before was kept, or its loss is on record.
  allocation.told_start.reset();
  allocation.overdue_under.clear();
  return Ok{};
}

Status TakeOff(store::Tx& tx, IdSource& ids, const Policy& policy, Allocation& allocation,
               Instant now, int64_t epoch, Loss loss, const std::string& message) {
  ALLOT_RETURN_IF_ERROR(OrderRelease(tx, ids, allocation, now, epoch));
  const bool lost = loss == Loss::kNodeLost;
  const bool failed = loss == Loss::kProvisionFailed;
  const std::string reason = ReasonOf(loss);
  // Not for others, in the end.
  if (std::exchange(allocation.preempt_requested, false)) --allocation.preemptions;
  allocation.preempt_time.reset();
  allocation.moved = false;
  allocation.setback = FormatRfc3339(Instant::FromSeconds(now.seconds())) + ": " + message;
  const bool give_up = (lost && policy.node_loss == NodeLoss::kFail) ||
                       (failed && allocation.failures >= policy.failures_max);
  if (give_up) {
    // From now on nothing is set aside for it: what it had must be charged before another of the
    // project is given that much. What the provider could not hand over nobody had.
    if (lost) ALLOT_RETURN_IF_ERROR(Charge(tx, policy, allocation, now));
    ALLOT_RETURN_IF_ERROR(Move(allocation, AllocationEvent::kFail, now, reason, message));
  } else {
    const auto event = failed ? AllocationEvent::kProvisionFailed : AllocationEvent::kPreempt;
    ALLOT_RETURN_IF_ERROR(Move(allocation, event, now, reason, message));
    ALLOT_RETURN_IF_ERROR(Requeue(tx, allocation, now, reason, message + "; it is planned anew"));
  }
  return tx.Audit(RecordSystem(now, give_up ? "allocation.fail" : "allocation.requeue",
                               allocation.id.str(), InstituteOf(allocation.id), message));
}

}  // namespace allot::control
