#pragma once

#include <memory>
#include <string>
#include <vector>

#include "allot/control/context.h"
#include "allot/control/planner.h"

namespace allot::control {

/// How much it matters that a decision is written now.
enum class Weight {
  /// Somebody is promised GPUs, loses what was promised, gives it up, or has others stopped.
  kPromise,
  /// GPUs that nobody is promised are handed over.
  kStart,
  /// A planned start, or a reason, that binds nobody.
  kForetold,
};

/// What a pass decided for one waiting allocation, where that differs from its row.
struct Decision {
  std::shared_ptr<const Allocation> seen;
  /// One of the two.
  const scheduler::Placement* placement = nullptr;
  const scheduler::Deferral* deferral = nullptr;
  /// With either, when it loses what it was promised.
  const scheduler::Slip* slip = nullptr;
  /// What is placed starts in this pass.
  bool starts = false;
  /// Its predecessor has ended since it was last decided upon.
  bool ready = false;
  Weight weight = Weight::kForetold;
  /// Of the provision order, when it starts now; minted before the transaction.
  OrderId order;

  bool BooksGpus() const { return starts || (placement != nullptr && placement->promised); }
};

/// Only what differs is written: a pass that changes nothing costs no transaction. What is being
/// stopped has a place in the plan and is decided upon once it waits. In the order in which they
/// are to be written: by weight, and what is only foretold to those first who were told nothing
/// yet, then to those whose rows were not written for longest.
std::vector<Decision> Differences(const Context& context, const Pass& pass);

/// Whom the positions in a plan stand for.
const ClusterId& ClusterOf(const Pass& pass, const scheduler::Placement& placement);
const NodeId& NodeOf(const Pass& pass, const scheduler::PlacedNode& placed);

std::string PlannedMessage(const Pass& pass, const scheduler::Placement& placement);
/// Even a start at `now` would end too late. Until then a release of others may still make room.
bool DeadlinePassedBy(const Allocation& allocation, Instant now);
/// What is planned for it is the first that it can be held to. What comes together is ranked
/// together, and what follows another starts when that one lets it: before, a start is a guess.
bool IsToldFirst(const Pass& pass, const Allocation& seen, const scheduler::Placement& placement);
/// The policy it is overdue under, as the plan has it; empty when it is not.
std::string OverdueUnder(const Pass& pass, int pending);
/// What keeps it from starting is its own project's, not the pool's: what it was told before does
/// not bind any more.
bool IsTheirsToWait(const scheduler::Deferral& deferral);

}  // namespace allot::control
