#include "allot/model/allocation.h"

#include "model/name_table.h"

namespace allot {
namespace {

constexpr NameTable<AllocationState, kAllocationStateCount> kStates = {
    {"pending", "planned", "provisioning", "active", "releasing", "completed", "rejected",
     "cancelled", "expired", "preempted", "failed"}};

constexpr NameTable<AllocationEvent, kAllocationEventCount> kEvents = {
    {"plan", "unplan", "reserve", "provision_confirmed", "provision_failed", "release",
     "release_confirmed", "cancel", "cancel_confirmed", "reject", "expire", "preempt", "requeue",
     "fail"}};

using S = AllocationState;
using E = AllocationEvent;

constexpr Transition kTransitions[] = {
    {S::kPending, E::kPlan, S::kPlanned},
    {S::kPending, E::kReserve, S::kProvisioning},
    {S::kPending, E::kCancel, S::kCancelled},
    {S::kPending, E::kReject, S::kRejected},
    {S::kPending, E::kExpire, S::kExpired},

    {S::kPlanned, E::kUnplan, S::kPending},
    {S::kPlanned, E::kReserve, S::kProvisioning},
    {S::kPlanned, E::kCancel, S::kCancelled},
    {S::kPlanned, E::kReject, S::kRejected},
    {S::kPlanned, E::kExpire, S::kExpired},

    {S::kProvisioning, E::kProvisionConfirmed, S::kActive},
    {S::kProvisioning, E::kProvisionFailed, S::kPreempted},
    {S::kProvisioning, E::kRelease, S::kReleasing},
    {S::kProvisioning, E::kCancel, S::kReleasing},
    {S::kProvisioning, E::kPreempt, S::kPreempted},
    {S::kProvisioning, E::kFail, S::kFailed},

    {S::kActive, E::kRelease, S::kReleasing},
    {S::kActive, E::kPreempt, S::kPreempted},
    {S::kActive, E::kFail, S::kFailed},

    {S::kReleasing, E::kReleaseConfirmed, S::kCompleted},
    {S::kReleasing, E::kCancelConfirmed, S::kCancelled},
    {S::kReleasing, E::kPreempt, S::kPreempted},

    {S::kPreempted, E::kRequeue, S::kPending},
    {S::kPreempted, E::kCancel, S::kCancelled},
    {S::kPreempted, E::kFail, S::kFailed},
};

}  // namespace

std::string_view Name(AllocationState state) { return kStates.NameOf(state); }
std::optional<AllocationState> ParseAllocationState(std::string_view name) {
  return kStates.Parse(name);
}

std::string_view Name(AllocationEvent event) { return kEvents.NameOf(event); }
std::optional<AllocationEvent> ParseAllocationEvent(std::string_view name) {
  return kEvents.Parse(name);
}

bool IsFinal(AllocationState state) {
  switch (state) {
    case S::kCompleted:
    case S::kRejected:
    case S::kCancelled:
    case S::kExpired:
    case S::kFailed:
      return true;
    case S::kPending:
    case S::kPlanned:
    case S::kProvisioning:
    case S::kActive:
    case S::kReleasing:
    case S::kPreempted:
      return false;
  }
  ALLOT_CHECK(false);
}

bool IsWaiting(AllocationState state) { return state == S::kPending || state == S::kPlanned; }

bool HoldsGpus(AllocationState state) {
  return state == S::kProvisioning || state == S::kActive || state == S::kReleasing;
}

std::span<const Transition> Transitions() { return kTransitions; }

Result<AllocationState> Next(AllocationState from, AllocationEvent event) {
  for (const Transition& transition : kTransitions) {
    if (transition.from == from && transition.event == event) return transition.to;
  }
  return Error{Reason::kTransitionNotAllowed, "state", std::string(Name(from)),
               "a state that allows " + std::string(Name(event)),
               "The allocation is " + std::string(Name(from)) + ", which does not allow " +
                   std::string(Name(event)) + "."};
}

}  // namespace allot
