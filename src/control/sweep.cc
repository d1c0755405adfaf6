#include "allot/control/sweep.h"

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <span>
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

/// What is due of allocations that are locked, in one transaction.
class Sweeping {
 public:
  Sweeping(const Context& context, store::Tx& tx, const Policy& policy, Instant now, int64_t epoch,
           Swept& swept)
      : tx_(tx), policy_(policy), now_(now), swept_(swept), recall_(tx, context.ids, now, epoch) {}

  Status Run(std::vector<Allocation> rows) {
    ALLOT_RETURN_IF_ERROR(recall_.Read(rows));
    ALLOT_RETURN_IF_ERROR(ReadBases(rows));
    std::vector<Allocation> changed;
    for (Allocation& row : rows) {
      const AllocationState before = row.state;
      ALLOT_RETURN_IF_ERROR(EndWindow(row));
      ALLOT_RETURN_IF_ERROR(FollowBase(row));
      ALLOT_RETURN_IF_ERROR(LeaveLostNodes(row));
      if (row.state != before) changed.push_back(row);
    }
    ALLOT_RETURN_IF_ERROR(recall_.Write());
    return tx_.UpdateAllocations(changed);
  }

 private:
  /// What is added to others follows what those are now.
  Status ReadBases(std::span<const Allocation> rows) {
    std::vector<AllocationId> ids;
    for (const Allocation& row : rows) {
      if (row.grows) ids.push_back(*row.grows);
    }
    if (ids.empty()) return Ok{};
    ALLOT_ASSIGN_OR_RETURN(auto bases, tx_.FindAllocations(ids));
    for (Allocation& base : bases) bases_.emplace(base.id, std::move(base));
    return Ok{};
  }

  Status EndWindow(Allocation& allocation) {
    if (!UsesNodes(allocation) || allocation.window->end() > now_) return Ok{};
    if (allocation.state == AllocationState::kProvisioning) {
      // Whatever the provider is still doing for it comes too late.
      ++allocation.failures;
      ++swept_.taken_off;
      return recall_.TakeOff(
          policy_, allocation, Loss::kProvisionFailed,
          "the provider did not hand the GPUs over before its time was over, failure " +
              std::to_string(allocation.failures) + " of " + std::to_string(policy_.failures_max));
    }
    const bool stopped = allocation.preempt_requested;
    ALLOT_RETURN_IF_ERROR(
        Move(allocation, AllocationEvent::kRelease, now_, stopped ? "preempted" : "window_over",
             stopped ? allocation.message
                     : "its time ended " + FormatRfc3339(allocation.window->end())));
    ALLOT_RETURN_IF_ERROR(recall_.OrderRelease(allocation));
    ++swept_.releasing;
    return tx_.Audit(RecordSystem(now_, "allocation.end", allocation.id.str(),
                                  InstituteOf(allocation.id), allocation.message));
  }

  Status FollowBase(Allocation& allocation) {
    if (!allocation.grows || !(IsWaiting(allocation.state) || UsesNodes(allocation))) return Ok{};
    const auto base = bases_.find(*allocation.grows);
    const Following following =
        FollowingOf(allocation, base == bases_.end() ? nullptr : &base->second);
    if (following == Following::kGoesOn) return Ok{};
    ++swept_.without_base;
    const std::string what = "what it was added to, " + allocation.grows->str() + ", ";
    if (following == Following::kWaitsAgain) {
      return recall_.TakeOff(policy_, allocation, Loss::kBaseLost, what + "lost its GPUs");
    }
    const std::string message =
        what + (UsesNodes(allocation) ? "hands its GPUs back" : "has ended");
    if (UsesNodes(allocation)) ALLOT_RETURN_IF_ERROR(recall_.OrderRelease(allocation));
    // Nobody wants what is left of it.
    if (std::exchange(allocation.preempt_requested, false)) --allocation.preemptions;
    ALLOT_RETURN_IF_ERROR(tx_.Audit(RecordSystem(now_, "allocation.base_ended", allocation.id.str(),
                                                 InstituteOf(allocation.id), message)));
    const bool active = allocation.state == AllocationState::kActive;
    allocation.cancel_requested = allocation.state == AllocationState::kProvisioning;
    return Move(allocation, active ? AllocationEvent::kRelease : AllocationEvent::kCancel, now_,
                "base_ended", message);
  }

  Status LeaveLostNodes(Allocation& allocation) {
    if (!UsesNodes(allocation)) return Ok{};
    ALLOT_ASSIGN_OR_RETURN(const std::string lost, LostNodes(allocation));
    if (lost.empty()) return Ok{};
    ++swept_.taken_off;
    return recall_.TakeOff(policy_, allocation, Loss::kNodeLost, lost);
  }

  /// "node naver-a/n7 is down: fan failure", for each node lost; empty when none is any more.
  Result<std::string> LostNodes(const Allocation& allocation) {
    auto nodes = nodes_.find(allocation.cluster);
    if (nodes == nodes_.end()) {
      nodes = nodes_.emplace(allocation.cluster, std::map<NodeId, Node>()).first;
      ALLOT_ASSIGN_OR_RETURN(auto found, tx_.NodesOfCluster(allocation.cluster));
      for (Node& node : found) nodes->second.emplace(node.id, std::move(node));
    }
    std::string lost;
    int more = 0;
    for (const Claim& claim : recall_.HeldBy(allocation)) {
      const auto node = nodes->second.find(claim.node);
      if (node == nodes->second.end() || !Lost(node->second)) continue;
      if (!lost.empty()) {
        ++more;
        continue;
      }
      lost = "node " + claim.node.str() + " is " + std::string(Name(node->second.health));
      if (!node->second.reason.empty()) lost += " (" + node->second.reason + ")";
    }
    if (more > 0) lost += " and " + std::to_string(more) + " more";
    return lost;
  }

  store::Tx& tx_;
  const Policy& policy_;
  const Instant now_;
  Swept& swept_;
  Recall recall_;
  std::map<AllocationId, Allocation> bases_;
  std::map<ClusterId, std::map<NodeId, Node>> nodes_;
};

/// So many allocations are a transaction, of those that others wait for: their rows and their
/// projects', for which submissions wait, are locked until its end.
constexpr std::size_t kPartMax = 200;

void Add(Swept& sum, const Swept& part) {
  sum.releasing += part.releasing;
  sum.nodes_unknown += part.nodes_unknown;
  sum.nodes_down += part.nodes_down;
  sum.taken_off += part.taken_off;
  sum.without_base += part.without_base;
}

}  // namespace

Result<Swept> Sweep(const Context& context, const Due& due, int64_t epoch, const GoOn& goes_on) {
  const Instant now = context.clock.Now();
  const auto policy = context.policies.At(now);
  Swept swept;
  bool first = true;
  const auto transact = [&](const std::function<Status(store::Tx&, Swept&)>& work) -> Result<bool> {
    if (!std::exchange(first, false) && !goes_on()) return false;
    ALLOT_ASSIGN_OR_RETURN(const Swept part, context.store.Transact<Swept>(
                                                 store::Access::kWrite, store::Scope::Everything(),
                                                 [&](store::Tx& tx) -> Result<Swept> {
                                                   Swept part;
                                                   ALLOT_RETURN_IF_ERROR(tx.AssertLeader(epoch));
                                                   ALLOT_RETURN_IF_ERROR(work(tx, part));
                                                   return part;
                                                 }));
    Add(swept, part);
    return true;
  };
  for (const Silent& silent : due.silent) {
    ALLOT_ASSIGN_OR_RETURN(const bool done, transact([&](store::Tx& tx, Swept& part) {
                             return JudgeSilence(tx, silent, now, part);
                           }));
    if (!done) return swept;
  }
  std::vector<AllocationId> ids = due.window_over;
  ids.insert(ids.end(), due.on_lost_nodes.begin(), due.on_lost_nodes.end());
  ids.insert(ids.end(), due.without_base.begin(), due.without_base.end());
  for (std::size_t next = 0; next < ids.size(); next += kPartMax) {
    const auto some = std::span(ids).subspan(next, std::min(kPartMax, ids.size() - next));
    ALLOT_ASSIGN_OR_RETURN(
        const bool done, transact([&](store::Tx& tx, Swept& part) -> Status {
          ALLOT_ASSIGN_OR_RETURN(auto rows, tx.LockAllocations(some));
          // At once and in their order, as submissions lock them: what follows takes what they
          // have set aside, one by one.
          std::set<ProjectId> projects;
          for (const Allocation& row : rows) projects.insert(row.project);
          ALLOT_RETURN_IF_ERROR(tx.LockProjects(std::vector(projects.begin(), projects.end())));
          return Sweeping(context, tx, *policy, now, epoch, part).Run(std::move(rows));
        }));
    if (!done) return swept;
  }
  return swept;
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
