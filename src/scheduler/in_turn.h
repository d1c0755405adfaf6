#pragma once

#include <span>
#include <variant>
#include <vector>

#include "allot/scheduler/plan.h"
#include "scheduler/pass.h"

namespace allot::scheduler {

/// What one that is promised nothing gets at its turn: the earliest start that is left, promised
/// where it deserves that, or the reason why there is none. `pass` is over that snapshot and
/// policy.
std::variant<Placement, Deferral> PlaceInTurn(Pass& pass, const Snapshot& snapshot,
                                              const Policy& policy, int pending);

/// A plan that stops nobody, made one after the other; whose turn it is, others decide.
class InTurn {
 public:
  /// All promises that can be kept are booked.
  InTurn(const Snapshot& snapshot, const Policy& policy, const Snapshot* demand_of = nullptr);

  /// By position in Snapshot::pending: whose promise is gone.
  const std::vector<bool>& has_lost() const { return has_lost_; }

  /// The next turn is this one's; whether it has a start by it.
  bool Take(int pending);

  /// Requires: everybody had a turn.
  Plan Finish();

 private:
  const Snapshot& snapshot_;
  const Policy& policy_;
  Pass pass_;
  Plan plan_;
  std::vector<Slip> lost_;
  std::vector<bool> has_lost_;
};

/// The full plan in an order that is given: all positions in Snapshot::pending, each once.
/// `demand_of`: as Pass takes it.
Plan PlanInOrder(const Snapshot& snapshot, const Policy& policy, std::span<const int> order,
                 const Snapshot* demand_of = nullptr);

}  // namespace allot::scheduler
