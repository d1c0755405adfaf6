#include "allot/control/transitions.h"

#include <algorithm>
#include <utility>

#include "control/record.h"

namespace allot::control {
namespace {

constexpr int kOrderIdLength = 20;

/// Those of its present attempt, not of one that was lost with its node.
std::vector<Claim> Present(const std::vector<Claim>& claims, const Allocation& allocation) {
  std::vector<Claim> present;
  for (const Claim& claim : claims) {
    if (claim.attempt == allocation.attempt) present.push_back(claim);
  }
  return present;
}

Status AddCharge(store::ProjectUsage& usage, const std::vector<Claim>& claims, const Policy& policy,
                 const Allocation& allocation, Instant until) {
  for (const Claim& claim : claims) {
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
  return Ok{};
}

/// Two charges of one project would else both add to what they read.
Result<store::ProjectUsage> LockUsage(store::Tx& tx, const ProjectId& id) {
  ALLOT_ASSIGN_OR_RETURN(const auto project, tx.LockProject(id));
  if (!project) return StateError(Reason::kInternal, "an allocation without its project");
  return tx.ProjectUsageOf(id);
}

/// From preempted to waiting. The database, too, takes only the steps of the table: the one before
/// is written by itself.
Status WaitAnew(Allocation& allocation, Instant now, const std::string& reason,
                const std::string& message) {
  ALLOT_RETURN_IF_ERROR(Move(allocation, AllocationEvent::kRequeue, now, reason, message));
  allocation.window.reset();
  allocation.active_time.reset();
  allocation.cluster = ClusterId();
  // It is told anew: what it was told before was kept, or its loss is on record.
  allocation.told_start.reset();
  allocation.overdue_under.clear();
  return Ok{};
}

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

Status Recall::Read(std::span<const Allocation> allocations) {
  std::vector<AllocationId> ids;
  for (const Allocation& allocation : allocations) ids.push_back(allocation.id);
  ALLOT_ASSIGN_OR_RETURN(const auto claims, tx_.OpenClaims(ids));
  for (const AllocationId& id : ids) claims_[id];
  for (const Claim& claim : claims) claims_[claim.allocation].push_back(claim);
  return Ok{};
}

std::vector<Claim> Recall::HeldBy(const Allocation& allocation) const {
  const auto claims = claims_.find(allocation.id);
  ALLOT_CHECK(claims != claims_.end());
  return Present(claims->second, allocation);
}

Status Recall::OrderRelease(const Allocation& allocation) {
  Order order;
  order.id = OrderId(ids_.Mint(kOrderIdLength));
  order.cluster = allocation.cluster;
  order.allocation = allocation.id;
  order.attempt = allocation.attempt;
  order.kind = OrderKind::kRelease;
  order.epoch = epoch_;
  order.create_time = now_;
  for (const Claim& claim : HeldBy(allocation)) {
    order.window = claim.window;
    order.nodes.push_back({.node = claim.node, .gpus = claim.gpus});
  }
  if (order.nodes.empty()) {
    return StateError(Reason::kInternal, "an allocation that holds GPUs has no claims");
  }
  attempts_.push_back({.allocation = allocation.id, .number = allocation.attempt});
  orders_.push_back(std::move(order));
  return Ok{};
}

Status Recall::TakeOff(const Policy& policy, Allocation& allocation, Loss loss,
                       const std::string& message) {
  ALLOT_RETURN_IF_ERROR(OrderRelease(allocation));
  const bool lost = loss == Loss::kNodeLost;
  const bool failed = loss == Loss::kProvisionFailed;
  const std::string reason = ReasonOf(loss);
  // Not for others, in the end.
  if (std::exchange(allocation.preempt_requested, false)) --allocation.preemptions;
  allocation.preempt_time.reset();
  allocation.moved = false;
  allocation.setback = FormatRfc3339(Instant::FromSeconds(now_.seconds())) + ": " + message;
  const bool give_up = (lost && policy.node_loss == NodeLoss::kFail) ||
                       (failed && allocation.failures >= policy.failures_max);
  if (give_up) {
    // From now on nothing is set aside for it: what it had must be charged before another of the
    // project is given that much. What the provider could not hand over nobody had.
    if (lost) ALLOT_RETURN_IF_ERROR(Charge(policy, allocation));
    ALLOT_RETURN_IF_ERROR(Move(allocation, AllocationEvent::kFail, now_, reason, message));
  } else {
    const auto event = failed ? AllocationEvent::kProvisionFailed : AllocationEvent::kPreempt;
    ALLOT_RETURN_IF_ERROR(Move(allocation, event, now_, reason, message));
    steps_.push_back(allocation);
    ++allocation.version;
    ALLOT_RETURN_IF_ERROR(WaitAnew(allocation, now_, reason, message + "; it is planned anew"));
  }
  return tx_.Audit(RecordSystem(now_, give_up ? "allocation.fail" : "allocation.requeue",
                                allocation.id.str(), InstituteOf(allocation.id), message));
}

Status Recall::Charge(const Policy& policy, const Allocation& allocation) {
  auto usage = usages_.find(allocation.project);
  if (usage == usages_.end()) {
    ALLOT_ASSIGN_OR_RETURN(const auto locked, LockUsage(tx_, allocation.project));
    usage = usages_.emplace(allocation.project, locked).first;
  }
  return AddCharge(usage->second, HeldBy(allocation), policy, allocation, now_);
}

Status Recall::Write() {
  ALLOT_RETURN_IF_ERROR(tx_.SupersedeProvisionOrders(attempts_));
  ALLOT_RETURN_IF_ERROR(tx_.InsertOrders(orders_));
  for (const auto& [project, usage] : usages_) {
    ALLOT_RETURN_IF_ERROR(tx_.UpdateProjectUsage(usage));
  }
  return tx_.UpdateAllocations(steps_);
}

Status OrderRelease(store::Tx& tx, IdSource& ids, const Allocation& allocation, Instant now,
                    int64_t epoch) {
  Recall recall(tx, ids, now, epoch);
  ALLOT_RETURN_IF_ERROR(recall.Read(std::span(&allocation, 1)));
  ALLOT_RETURN_IF_ERROR(recall.OrderRelease(allocation));
  return recall.Write();
}

Status Charge(store::Tx& tx, const Policy& policy, const Allocation& allocation, Instant until) {
  ALLOT_ASSIGN_OR_RETURN(auto usage, LockUsage(tx, allocation.project));
  const AllocationId id = allocation.id;
  ALLOT_ASSIGN_OR_RETURN(const auto claims, tx.OpenClaims(std::span(&id, 1)));
  ALLOT_RETURN_IF_ERROR(AddCharge(usage, Present(claims, allocation), policy, allocation, until));
  return tx.UpdateProjectUsage(usage);
}

Status Requeue(store::Tx& tx, Allocation& allocation, Instant now, const std::string& reason,
               const std::string& message) {
  ALLOT_RETURN_IF_ERROR(tx.UpdateAllocations(std::span(&allocation, 1)));
  return WaitAnew(allocation, now, reason, message);
}

Status TakeOff(store::Tx& tx, IdSource& ids, const Policy& policy, Allocation& allocation,
               Instant now, int64_t epoch, Loss loss, const std::string& message) {
  Recall recall(tx, ids, now, epoch);
  ALLOT_RETURN_IF_ERROR(recall.Read(std::span(&allocation, 1)));
  ALLOT_RETURN_IF_ERROR(recall.TakeOff(policy, allocation, loss, message));
  return recall.Write();
}

}  // namespace allot::control
