#include "allot/control/allocations.h"

#include <algorithm>

#include "allot/control/once.h"
#include "allot/control/transitions.h"
#include "allot/control/what_if.h"
#include "control/record.h"
#include "control/staff.h"

namespace allot::control {
namespace {

Result<Allocation> ReadAllocation(store::Tx& tx, const std::string& id) {
  ALLOT_ASSIGN_OR_RETURN(auto found, tx.FindAllocation(AllocationId(id)));
  if (!found) return NotFound("name", id);
  return *found;
}

/// Locked, visible to the caller and as the caller saw it.
Result<Allocation> LockForEnd(store::Tx& tx, const EndRequest& request) {
  ALLOT_ASSIGN_OR_RETURN(auto locked, tx.LockAllocations(std::span(&request.id, 1)));
  if (locked.empty()) return NotFound("name", request.id.str());
  if (request.version != 0 && request.version != locked[0].version) {
    return FieldError(Reason::kEtagStale, "etag", std::to_string(request.version),
                      std::to_string(locked[0].version));
  }
  return locked[0];
}

/// Of what waits: where and when it would have run is no fact of its history.
Status ForgetForecast(store::Tx& tx, Allocation& allocation) {
  if (allocation.promised) ALLOT_RETURN_IF_ERROR(tx.RemovePromises(std::span(&allocation.id, 1)));
  allocation.promised = false;
  allocation.window.reset();
  allocation.cluster = ClusterId();
  return Ok{};
}

/// No decision makes room for what only takes what is left.
Error IsAdded(const Allocation& allocation) {
  return StateError(Reason::kTransitionNotAllowed,
                    "It is added to " + allocation.grows->str() +
                        " where there is room: nothing makes way for it.");
}

/// What the owner reads: whose decision it was and, where one was given, why.
std::string Ended(const std::string& how, const Call& call, const std::string& reason) {
  if (IsStaff(call.principal.role)) return how + " by the ministry: " + reason;
  return how + (reason.empty() ? " by its owner" : ": " + reason);
}

/// Runs `step` on the locked allocation, once for a request_id, with an audit row.
Result<Allocation> End(const Context& context, const Call& call, const EndRequest& request,
                       Permission permission, const std::string& action,
                       const std::function<Result<bool>(store::Tx&, Allocation&, Instant)>& step) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, permission));
  // Owners may end what is theirs without a word.
  if (IsStaff(call.principal.role)) {
    ALLOT_RETURN_IF_ERROR(RequireReason(request.reason, "why, for its owner to read"));
  }
  if (!MaySee(call.principal, InstituteOf(request.id))) return NotFound("name", request.id.str());
  const Instant now = context.clock.Now();
  return Once<Allocation>(
      context, call, now,
      [&](store::Tx& tx) -> Result<Allocation> {
        ALLOT_ASSIGN_OR_RETURN(auto allocation, LockForEnd(tx, request));
        ALLOT_ASSIGN_OR_RETURN(const bool changed, step(tx, allocation, now));
        if (!changed) return allocation;
        ALLOT_RETURN_IF_ERROR(tx.UpdateAllocations(std::span(&allocation, 1)));
        ALLOT_RETURN_IF_ERROR(tx.Audit(
            Record(call, now, action, request.id.str(), InstituteOf(request.id), request.reason)));
        return allocation;
      },
      [](const Allocation& a) { return a.id.str(); }, ReadAllocation);
}

/// Whether a plan made now would move work for it.
Status WouldMove(const Context& context, const Principal& principal, Planner& planner,
                 const AllocationId& id) {
  WhatIfQuestion question;
  question.changes.emplace_back(scheduler::SetConsolidate{id});
  const auto answered = PlanWhatIf(context, principal, planner, question);
  if (!answered.ok() && answered.error().reason == Reason::kNotFound) {
    return NotFound("name", id.str());
  }
  ALLOT_ASSIGN_OR_RETURN(const auto answer, answered);
  const bool moves = std::any_of(answer.stopped.begin(), answer.stopped.end(),
                                 [&](const auto& stopped) { return stopped.for_allocation == id; });
  if (moves) return Ok{};
  const auto& start = answer.fares.front().planned_start;
  std::string why =
      "No work that may be stopped can be moved and go on at once so that it starts sooner";
  if (start) why += " than " + FormatRfc3339(*start);
  const auto policy = context.policies.At(context.clock.Now());
  why += ". Work is left alone that has run for less than " +
         FormatDuration(policy->preemption_min_run) + ", ends by itself within " +
         FormatDuration(policy->preemption_grace) + ", or was stopped " +
         std::to_string(policy->preemptions_max) + " times";
  return StateError(Reason::kConsolidationImpossible, why + ".");
}

}  // namespace

Result<AllocationDetail> GetAllocation(const Context& context, const Principal& principal,
                                       const AllocationId& id) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadTenant));
  if (!MaySee(principal, InstituteOf(id))) return NotFound("name", id.str());
  return context.store.Transact<AllocationDetail>(
      store::Access::kRead, store::Scope::For(principal),
      [&](store::Tx& tx) -> Result<AllocationDetail> {
        AllocationDetail detail;
        ALLOT_ASSIGN_OR_RETURN(detail.allocation, ReadAllocation(tx, id.str()));
        if (detail.allocation.request.gpus_max) {
          ALLOT_ASSIGN_OR_RETURN(detail.growths, tx.GrowthsOf(id));
        }
        // What it lost with a node is held until the provider has cleared it, but not by it.
        if (IsWaiting(detail.allocation.state)) return detail;
        ALLOT_ASSIGN_OR_RETURN(auto claims, tx.OpenClaims(std::span(&id, 1)));
        for (Claim& claim : claims) {
          if (claim.attempt == detail.allocation.attempt) detail.claims.push_back(std::move(claim));
        }
        return detail;
      });
}

Result<store::Page<Allocation>> ListAllocations(const Context& context, const Principal& principal,
                                                store::AllocationFilter filter,
                                                const store::PageRequest& page) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadTenant));
  if (filter.project && !filter.institute) filter.institute = InstituteOf(*filter.project);
  if (filter.institute && !MaySee(principal, *filter.institute)) return store::Page<Allocation>{};
  if (!filter.institute && !principal.institute.empty()) filter.institute = principal.institute;
  return context.store.Transact<store::Page<Allocation>>(
      store::Access::kRead, store::Scope::For(principal),
      [&](store::Tx& tx) { return tx.ListAllocations(filter, page); });
}

Result<Allocation> Cancel(const Context& context, const Call& call, const EndRequest& request) {
  const std::string message = Ended("cancelled", call, request.reason);
  return End(context, call, request, Permission::kSubmit, "allocation.cancel",
             [&](store::Tx& tx, Allocation& a, Instant now) -> Result<bool> {
               const bool under_way = a.state == AllocationState::kReleasing && a.cancel_requested;
               if (under_way || a.state == AllocationState::kCancelled) return false;
               if (a.state == AllocationState::kActive) {
                 Error error = Next(a.state, AllocationEvent::kCancel).error();
                 error.message = "The allocation is active: release it to hand its GPUs back.";
                 return error;
               }
               const bool provisioning = a.state == AllocationState::kProvisioning;
               if (provisioning) ALLOT_RETURN_IF_ERROR(OrderRelease(tx, context.ids, a, now, 0));
               if (!provisioning) ALLOT_RETURN_IF_ERROR(ForgetForecast(tx, a));
               ALLOT_RETURN_IF_ERROR(Move(a, AllocationEvent::kCancel, now, "cancelled", message));
               a.cancel_requested = provisioning;
               return true;
             });
}

Result<Allocation> Release(const Context& context, const Call& call, const EndRequest& request) {
  const std::string message = Ended("handed back", call, request.reason);
  return End(
      context, call, request, Permission::kSubmit, "allocation.release",
      [&](store::Tx& tx, Allocation& a, Instant now) -> Result<bool> {
        if (a.state == AllocationState::kReleasing && a.preempt_requested) {
          // It is being stopped for others anyway: its owner does not want it back.
          a.preempt_requested = false;
          a.reason = "released";
          a.message = message;
          a.update_time = now;
          return true;
        }
        if (a.state == AllocationState::kReleasing || a.state == AllocationState::kCompleted) {
          return false;
        }
        a.preempt_requested = false;
        ALLOT_RETURN_IF_ERROR(Move(a, AllocationEvent::kRelease, now, "released", message));
        ALLOT_RETURN_IF_ERROR(OrderRelease(tx, context.ids, a, now, 0));
        return true;
      });
}

Result<Allocation> SetUrgency(const Context& context, const Call& call, const EndRequest& request,
                              bool urgent) {
  return End(context, call, request, Permission::kManageTenants,
             urgent ? "allocation.set_urgent" : "allocation.unset_urgent",
             [&](store::Tx&, Allocation& a, Instant now) -> Result<bool> {
               if (!IsWaiting(a.state)) {
                 return StateError(Reason::kTransitionNotAllowed,
                                   "An allocation that is " + std::string(Name(a.state)) +
                                       " does not wait: there is nothing to go before.");
               }
               if (urgent && a.grows) return IsAdded(a);
               if (urgent && a.request.borrow) {
                 return StateError(Reason::kTransitionNotAllowed,
                                   "It borrows what nobody within a quota has a use for, and goes "
                                   "behind all of those.");
               }
               if (urgent && a.after && !a.ready_time) {
                 return StateError(Reason::kTransitionNotAllowed,
                                   "It starts after " + a.after->str() +
                                       ", which has not ended: make that one urgent.");
               }
               if (a.urgent == urgent) return false;
               a.urgent = urgent;
               a.urgent_reason = urgent ? request.reason : std::string();
               a.update_time = now;
               return true;
             });
}

Result<Allocation> SetConsolidation(const Context& context, const Call& call, Planner& planner,
                                    const EndRequest& request, bool consolidate) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kManageTenants));
  ALLOT_RETURN_IF_ERROR(RequireReason(request.reason, "why room is made for it, or no more"));
  // Before the row is locked: a plan takes too long for that.
  Status would_move = Ok{};
  if (consolidate) would_move = WouldMove(context, call.principal, planner, request.id);
  return End(context, call, request, Permission::kManageTenants,
             consolidate ? "allocation.set_consolidate" : "allocation.unset_consolidate",
             [&](store::Tx&, Allocation& a, Instant now) -> Result<bool> {
               if (!IsWaiting(a.state)) {
                 return StateError(Reason::kTransitionNotAllowed,
                                   "An allocation that is " + std::string(Name(a.state)) +
                                       " does not wait: there is no room to be made.");
               }
               if (a.consolidate == consolidate) return false;
               if (consolidate && a.grows) return IsAdded(a);
               if (consolidate && a.request.preemptible) {
                 return StateError(Reason::kConsolidationImpossible,
                                   "It may be stopped itself, and no work is moved for such.");
               }
               if (consolidate && a.after && !a.ready_time) {
                 return StateError(Reason::kTransitionNotAllowed,
                                   "It starts after " + a.after->str() + ", which has not ended.");
               }
               if (!would_move.ok()) return would_move.error();
               a.consolidate = consolidate;
               a.consolidate_reason = consolidate ? request.reason : std::string();
               a.update_time = now;
               return true;
             });
}

Result<Allocation> Reject(const Context& context, const Call& call, const EndRequest& request) {
  return End(context, call, request, Permission::kManageTenants, "allocation.reject",
             [&](store::Tx& tx, Allocation& a, Instant now) -> Result<bool> {
               if (a.state == AllocationState::kRejected) return false;
               ALLOT_RETURN_IF_ERROR(Move(a, AllocationEvent::kReject, now, "rejected",
                                          "turned down by the ministry: " + request.reason));
               ALLOT_RETURN_IF_ERROR(ForgetForecast(tx, a));
               return true;
             });
}

}  // namespace allot::control
