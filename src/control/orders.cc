#include <algorithm>

#include "allot/control/enact.h"
#include "allot/control/transitions.h"
#include "control/record.h"
#include "control/session.h"

namespace allot::control {
namespace {

constexpr int kOrdersMax = 1000;

/// The provider handed the GPUs over, or could not.
Status Provisioned(store::Tx& tx, const Context& context, const Order& order, bool done,
                   const std::string& message, Allocation& allocation, Instant now) {
  // What was active is ordered once more after a restore (store::BeginTimeline): the provider may
  // have taken it back since.
  const bool once_more = allocation.state == AllocationState::kActive;
  if (allocation.attempt != order.attempt ||
      (allocation.state != AllocationState::kProvisioning && !once_more)) {
    return Ok{};
  }
  if (done && once_more) return Ok{};
  if (done) {
    allocation.active_time = now;
    return Move(
        allocation, AllocationEvent::kProvisionConfirmed, now, "active",
        "runs on " + order.cluster.str() + " until " + FormatRfc3339(allocation.window->end()));
  }
  const auto policy = context.policies.At(now);
  if (once_more) {
    return TakeOff(tx, context.ids, *policy, allocation, now, 0, Loss::kLostWithRestore,
                   "its GPUs were taken back before the pool's database was restored, and could "
                   "not be handed over again (" +
                       message + ")");
  }
  ++allocation.failures;
  return TakeOff(tx, context.ids, *policy, allocation, now, 0, Loss::kProvisionFailed,
                 "the provider could not hand the GPUs over (" + message + "), failure " +
                     std::to_string(allocation.failures) + " of " +
                     std::to_string(policy->failures_max));
}

/// What was stopped for others waits for what is left of it: of what was added to another, too, for
/// what it was charged for is not set aside for it once more.
Status WaitAgain(store::Tx& tx, Allocation& allocation, Seconds left, Instant now) {
  allocation.remaining = left;
  ALLOT_RETURN_IF_ERROR(
      Move(allocation, AllocationEvent::kPreempt, now, allocation.reason, allocation.message));
  ALLOT_RETURN_IF_ERROR(Requeue(tx, allocation, now, "preempted",
                                "was stopped for work that may not be stopped; " +
                                    (allocation.grows ? "it is added again as soon as there is room"
                                                      : FormatDuration(*allocation.remaining) +
                                                            " of it are left and planned anew")));
  allocation.preempt_requested = false;
  allocation.preempt_time = now;
  return tx.Audit(RecordSystem(now, "allocation.requeue", allocation.id.str(),
                               InstituteOf(allocation.id), allocation.message));
}

/// The provider has the GPUs back: they are free from now on.
Status Released(store::Tx& tx, const Context& context, const Order& order, Allocation& allocation,
                Instant now) {
  // In the whole seconds of passes: the next one may begin within this second, on these GPUs.
  const Instant freed = Instant::FromSeconds(now.seconds());
  // An attempt lost with a node is the nation's loss; where the policy ended the allocation with
  // it, TakeOff charged it.
  const bool lost =
      allocation.attempt != order.attempt || allocation.state != AllocationState::kReleasing;
  if (lost) return tx.ReleaseClaims(allocation.id, order.attempt, freed);

  // From the moment the GPUs were to be taken back they served nobody: how long the provider takes
  // is not the project's to pay.
  ALLOT_RETURN_IF_ERROR(
      Charge(tx, *context.policies.At(now), allocation, std::min(order.create_time, freed)));
  ALLOT_RETURN_IF_ERROR(tx.ReleaseClaims(allocation.id, order.attempt, freed));
  if (allocation.preempt_requested) {
    const Seconds left = ToServe(allocation).duration - allocation.window->length();
    if (left.count > 0) return WaitAgain(tx, allocation, left, now);
    // A server of an earlier release gave a step all of its base's time, and not what it had left.
    allocation.preempt_requested = false;
  }
  // Never empty, as its claims are: what was over before it began, within a second or by another
  // clock, had its first instant.
  const Instant start = allocation.window->start();
  allocation.window = *TimeWindow::Make(start, std::max(freed, Instant{start.micros + 1}));
  const auto event = allocation.cancel_requested ? AllocationEvent::kCancelConfirmed
                                                 : AllocationEvent::kReleaseConfirmed;
  return Move(allocation, event, now, allocation.reason, allocation.message);
}

AuditEntry RecordOutcome(const Principal& principal, const Acknowledgement& ack, const Order& order,
                         Instant now) {
  const std::string what = order.kind == OrderKind::kProvision ? "hand over" : "take back";
  return Record({.principal = principal}, now, ack.done ? "order.done" : "order.failed",
                order.id.str(), InstituteOf(order.allocation),
                what + " attempt " + std::to_string(order.attempt) + " of " +
                    order.allocation.str() + " on " + order.cluster.str() +
                    (ack.message.empty() ? "" : ": " + ack.message));
}

Result<Order> Settle(store::Tx& tx, const Context& context, const Principal& principal,
                     const Acknowledgement& ack, Order order, Allocation& allocation, Instant now) {
  const OrderState outcome = ack.done ? OrderState::kDone : OrderState::kFailed;
  if (order.state == outcome) return order;
  if (order.state != OrderState::kOpen) {
    return FieldError(Reason::kOrderNotCurrent, "name", order.id.str(),
                      "an open order; this one is " + std::string(Name(order.state)));
  }
  const AllocationState before = allocation.state;
  const bool stays_open = order.kind == OrderKind::kRelease && !ack.done;
  // What is tried again and again is on record when it first fails and when it is done, in however
  // many words it fails in between.
  if (!stays_open || !order.acknowledge_time) {
    ALLOT_RETURN_IF_ERROR(tx.Audit(RecordOutcome(principal, ack, order, now)));
  }

  order.message = ack.message;
  order.acknowledge_time = now;
  if (!stays_open) order.state = outcome;
  ALLOT_RETURN_IF_ERROR(tx.UpdateOrder(order));

  if (order.kind == OrderKind::kProvision) {
    ALLOT_RETURN_IF_ERROR(Provisioned(tx, context, order, ack.done, ack.message, allocation, now));
  } else if (ack.done) {
    ALLOT_RETURN_IF_ERROR(Released(tx, context, order, allocation, now));
  }
  const bool freed = order.kind == OrderKind::kRelease && ack.done;
  if (allocation.state != before || freed) {
    // Written even when only claims changed: its event tells every view that GPUs came free.
    ALLOT_RETURN_IF_ERROR(tx.UpdateAllocations(std::span(&allocation, 1)));
  }
  return order;
}

}  // namespace

Result<std::vector<Order>> PullOrders(const Context& context, const Principal& principal,
                                      const ClusterId& cluster, int64_t session, int limit) {
  if (limit < 1 || limit > kOrdersMax) {
    return FieldError(Reason::kPageSizeOutOfRange, "max_orders", std::to_string(limit),
                      "1 to " + std::to_string(kOrdersMax));
  }
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kEnact));
  return context.store.Transact<std::vector<Order>>(
      store::Access::kRead, store::Scope::For(principal),
      [&](store::Tx& tx) -> Result<std::vector<Order>> {
        ALLOT_ASSIGN_OR_RETURN(auto found, tx.FindCluster(cluster));
        ALLOT_RETURN_IF_ERROR(SpeaksFor(principal, found, cluster, session));
        return tx.OpenOrders(cluster, limit);
      });
}

Result<Order> Acknowledge(const Context& context, const Principal& principal,
                          const Acknowledgement& ack) {
  const Instant now = context.clock.Now();
  return context.store.Transact<Order>(
      store::Access::kWrite, store::Scope::For(principal), [&](store::Tx& tx) -> Result<Order> {
        ALLOT_ASSIGN_OR_RETURN(auto cluster, LockForAgent(tx, principal, ack.cluster, ack.session));
        ALLOT_ASSIGN_OR_RETURN(const auto named, tx.FindOrder(ack.order));
        if (!named || named->cluster != cluster.id) return NotFound("name", ack.order.str());
        // The allocation before its orders, as everybody locks them.
        ALLOT_ASSIGN_OR_RETURN(auto rows, tx.LockAllocations(std::span(&named->allocation, 1)));
        ALLOT_ASSIGN_OR_RETURN(auto order, tx.LockOrder(ack.order));
        if (rows.empty() || !order)
          return StateError(Reason::kInternal, "an order without its rows");
        return Settle(tx, context, principal, ack, *std::move(order), rows[0], now);
      });
}

Result<store::Page<Order>> ListOrders(const Context& context, const Principal& principal,
                                      const ProviderId& provider, const ClusterId& cluster,
                                      const std::optional<OrderState>& state,
                                      const store::PageRequest& page) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadNodes));
  return context.store.Transact<store::Page<Order>>(
      store::Access::kRead, store::Scope::For(principal),
      [&](store::Tx& tx) -> Result<store::Page<Order>> {
        ALLOT_ASSIGN_OR_RETURN(auto found, tx.FindCluster(cluster));
        if (!found || found->provider != provider || !MaySee(principal, provider)) {
          return NotFound("parent", cluster.str());
        }
        return tx.ListOrders(cluster, state, page);
      });
}

}  // namespace allot::control
