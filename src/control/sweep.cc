#include "allot/control/sweep.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "allot/control/transitions.h"
#include "control/record.h"

namespace allot::control {
namespace {

bool Lost(const Node& node) {
  return node.health == NodeHealth::kDown || node.health == NodeHealth::kRemoved;
}

bool UsesNodes(const Allocation& allocation) {
  return allocation.state == AllocationState::kProvisioning ||
         allocation.state == AllocationState::kActive;
}

/// What becomes of what was added, or is to be, to one that is as it is now.
enum class Following : uint8_t {
  kGoesOn,
  kWaitsAgain,  ///< the base lost its GPUs and will have others
  kEnds,        ///< the base hands its GPUs back, or never had any and never will
};
/// `base`: its state; nothing when it has ended and holds nothing any more.
Following FollowingOf(const Allocation& growth, const Allocation* base) {
  const bool for_good = base == nullptr || IsFinal(base->state) ||
                        (base->state == AllocationState::kReleasing && !base->preempt_requested);
  if (for_good) return Following::kEnds;
  // It may run again already, somewhere else.
  const bool runs_on = HoldsGpus(base->state) && growth.window && base->cluster == growth.cluster &&
                       base->window->start() <= growth.window->start();
  return UsesNodes(growth) && !runs_on ? Following::kWaitsAgain : Following::kGoesOn;
}

std::string SilentSince(const Silent& silent) {
  return "no heartbeat of the agent of " + silent.cluster.str() + " since " +
         FormatRfc3339(silent.last_heartbeat);
}

bool Worsens(const Node& node, NodeHealth by_silence) {
  return node.health == NodeHealth::kReady ||
         (node.health == NodeHealth::kUnknown && by_silence == NodeHealth::kDown);
}

}  // namespace

Due WhatIsDue(const PoolView& view, std::vector<Silent> silent, Instant now) {
  Due due;
  for (const auto& row : view.allocations()) {
    const AllocationId& id = row.first;
    const auto& allocation = row.second;
    if (allocation->grows && (IsWaiting(allocation->state) || UsesNodes(*allocation))) {
      const auto base = view.allocations().find(*allocation->grows);
      const auto* found = base == view.allocations().end() ? nullptr : base->second.get();
      if (FollowingOf(*allocation, found) != Following::kGoesOn) {
        due.without_base.push_back(id);
        continue;
      }
    }
    if (!UsesNodes(*allocation)) continue;
    if (allocation->window->end() <= now) {
      due.window_over.push_back(id);
      continue;
    }
    const auto claims = view.claims().find(id);
    if (claims == view.claims().end()) continue;
    const bool lost =
        std::any_of(claims->second.begin(), claims->second.end(), [&](const Claim& claim) {
          const auto node = view.nodes().find(claim.node);
          return claim.attempt == allocation->attempt && node != view.nodes().end() &&
                 Lost(node->second);
        });
    if (lost) due.on_lost_nodes.push_back(id);
  }
  std::erase_if(silent, [&](const Silent& one) {
    return std::none_of(view.nodes().begin(), view.nodes().end(), [&](const auto& entry) {
      return entry.second.cluster == one.cluster && Worsens(entry.second, one.health);
    });
  });
  due.silent = std::move(silent);
  return due;
}

namespace {

Status JudgeSilence(store::Tx& tx, const Silent& silent, Instant now, Swept& swept) {
  // The lock keeps a heartbeat that arrives at this moment from being overruled.
  ALLOT_ASSIGN_OR_RETURN(auto cluster, tx.LockCluster(silent.cluster));
  if (!cluster || cluster->last_heartbeat != silent.last_heartbeat) return Ok{};
  ALLOT_ASSIGN_OR_RETURN(auto nodes, tx.NodesOfCluster(silent.cluster));
  std::vector<Node> changed;
  for (Node& node : nodes) {
    if (!Worsens(node, silent.health)) continue;
    node.health = silent.health;
    node.reason = SilentSince(silent);
    changed.push_back(node);
  }
  if (changed.empty()) return Ok{};
  (silent.health == NodeHealth::kDown ? swept.nodes_down : swept.nodes_unknown) +=
      static_cast<int>(changed.size());
  ALLOT_RETURN_IF_ERROR(tx.UpdateNodes(changed));
  return tx.Audit(RecordSystem(now, "cluster.silent", silent.cluster.str(), {},
                               SilentSince(silent) + ": " + std::to_string(changed.size()) +
                                   " nodes are " + std::string(Name(silent.health))));
}

Status EndWindow(store::Tx& tx, IdSource& ids, const Policy& policy, Allocation& allocation,
                 Instant now, int64_t epoch, Swept& swept) {
  if (!UsesNodes(allocation) || allocation.window->end() > now) return Ok{};
  if (allocation.state == AllocationState::kProvisioning) {
    // Whatever the provider is still doing for it comes too late.
    ++allocation.failures;
    ++swept.taken_off;
    return TakeOff(tx, ids, policy, allocation, now, epoch, Loss::kProvisionFailed,
                   "the provider did not hand the GPUs over before its time was over, failure " +
                       std::to_string(allocation.failures) + " of " +
                       std::to_string(policy.failures_max));
  }
  const bool stopped = allocation.preempt_requested;
  ALLOT_RETURN_IF_ERROR(Move(
      allocation, AllocationEvent::kRelease, now, stopped ? "preempted" : "window_over",
      stopped ? allocation.message : "its time ended " + FormatRfc3339(allocation.window->end())));
  ALLOT_RETURN_IF_ERROR(OrderRelease(tx, ids, allocation, now, epoch));
  ++swept.releasing;
  return tx.Audit(RecordSystem(now, "allocation.end", allocation.id.str(),
                               InstituteOf(allocation.id), allocation.message));
}

/// What was added to one that does not run any more; what that one is now is looked up again.
Status FollowBase(store::Tx& tx, const Context& context, const Policy& policy,
                  Allocation& allocation, Instant now, int64_t epoch, Swept& swept) {
  if (!allocation.grows || !(IsWaiting(allocation.state) || UsesNodes(allocation))) return Ok{};
  ALLOT_ASSIGN_OR_RETURN(const auto base, tx.FindAllocation(*allocation.grows));
  const Following following = FollowingOf(allocation, base ? &*base : nullptr);
  if (following == Following::kGoesOn) return Ok{};
  ++swept.without_base;
  const std::string what = "what it was added to, " + allocation.grows->str() + ", ";
  if (following == Following::kWaitsAgain) {
    return TakeOff(tx, context.ids, policy, allocation, now, epoch, Loss::kBaseLost,
                   what + "lost its GPUs");
  }
  const std::string message = what + (UsesNodes(allocation) ? "hands its GPUs back" : "has ended");
  if (UsesNodes(allocation)) {
    ALLOT_RETURN_IF_ERROR(OrderRelease(tx, context.ids, allocation, now, epoch));
  }
  // Nobody wants what is left of it.
  if (std::exchange(allocation.preempt_requested, false)) --allocation.preemptions;
  ALLOT_RETURN_IF_ERROR(tx.Audit(RecordSystem(now, "allocation.base_ended", allocation.id.str(),
                                              InstituteOf(allocation.id), message)));
  const bool active = allocation.state == AllocationState::kActive;
  allocation.cancel_requested = allocation.state == AllocationState::kProvisioning;
  return Move(allocation, active ? AllocationEvent::kRelease : AllocationEvent::kCancel, now,
              "base_ended", message);
}

/// "node naver-a/n7 is down: fan failure", for each node lost; empty when none is any more.
Result<std::string> LostNodes(store::Tx& tx, const Allocation& allocation) {
  const AllocationId id = allocation.id;
  ALLOT_ASSIGN_OR_RETURN(auto claims, tx.OpenClaims(std::span(&id, 1)));
  std::string lost;
  int more = 0;
  for (const Claim& claim : claims) {
    if (claim.attempt != allocation.attempt) continue;
    ALLOT_ASSIGN_OR_RETURN(auto node, tx.FindNode(claim.node));
    if (!node || !Lost(*node)) continue;
    if (!lost.empty()) {
      ++more;
      continue;
    }
    lost = "node " + node->id.str() + " is " + std::string(Name(node->health));
    if (!node->reason.empty()) lost += " (" + node->reason + ")";
  }
  if (more > 0) lost += " and " + std::to_string(more) + " more";
  return lost;
}

}  // namespace

Result<Swept> Sweep(const Context& context, const Due& due, int64_t epoch) {
  const Instant now = context.clock.Now();
  const auto policy = context.policies.At(now);
  return context.store.Transact<Swept>(
      store::Access::kWrite, store::Scope::Everything(), [&](store::Tx& tx) -> Result<Swept> {
        Swept swept;
        ALLOT_RETURN_IF_ERROR(tx.AssertLeader(epoch));
        for (const Silent& silent : due.silent) {
          ALLOT_RETURN_IF_ERROR(JudgeSilence(tx, silent, now, swept));
        }
        std::vector<AllocationId> ids = due.window_over;
        ids.insert(ids.end(), due.on_lost_nodes.begin(), due.on_lost_nodes.end());
        ids.insert(ids.end(), due.without_base.begin(), due.without_base.end());
        ALLOT_ASSIGN_OR_RETURN(auto rows, tx.LockAllocations(ids));
        // At once and in their order, as submissions lock them: what follows takes them, or what
        // they have set aside, one by one.
        std::set<ProjectId> projects;
        for (const Allocation& row : rows) projects.insert(row.project);
        ALLOT_RETURN_IF_ERROR(tx.LockProjects(std::vector(projects.begin(), projects.end())));
        std::vector<Allocation> changed;
        for (Allocation& row : rows) {
          const AllocationState before = row.state;
          ALLOT_RETURN_IF_ERROR(EndWindow(tx, context.ids, *policy, row, now, epoch, swept));
          ALLOT_RETURN_IF_ERROR(FollowBase(tx, context, *policy, row, now, epoch, swept));
          if (UsesNodes(row)) {
            ALLOT_ASSIGN_OR_RETURN(const std::string lost, LostNodes(tx, row));
            if (!lost.empty()) {
              ALLOT_RETURN_IF_ERROR(
                  TakeOff(tx, context.ids, *policy, row, now, epoch, Loss::kNodeLost, lost));
              ++swept.taken_off;
            }
          }
          if (row.state != before) changed.push_back(row);
        }
        if (!changed.empty()) ALLOT_RETURN_IF_ERROR(tx.UpdateAllocations(changed));
        return swept;
      });
}

Instant NextDue(const PoolView& view, const Policy& policy, Instant last_pass) {
  Instant next = kEndOfTime;
  for (const auto& [id, allocation] : view.allocations()) {
    if (IsWaiting(allocation->state)) {
      const Instant due = WholeSecondFrom(allocation->create_time + policy.gathering_time);
      if (due > last_pass) next = std::min(next, due);
    }
    if (!allocation->window) continue;
    if (UsesNodes(*allocation)) next = std::min(next, allocation->window->end());
    if (allocation->state == AllocationState::kPlanned) {
      next = std::min(next, allocation->window->start());
    }
  }
  return next;
}

}  // namespace allot::control
