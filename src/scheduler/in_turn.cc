#include "scheduler/in_turn.h"

#include <algorithm>
#include <utility>

#include "scheduler/at.h"
#include "scheduler/promise.h"

namespace allot::scheduler {
namespace {

/// The promised, in the order of their starts.
std::vector<int> Promised(const Snapshot& snapshot) {
  std::vector<int> promised;
  for (int i = 0; i < static_cast<int>(snapshot.pending.size()); ++i) {
    if (At(snapshot.pending, i).promise) promised.push_back(i);
  }
  const auto start = [&](int i) { return At(snapshot.pending, i).promise->window.start(); };
  std::sort(promised.begin(), promised.end(),
            [&](int a, int b) { return std::pair(start(a), a) < std::pair(start(b), b); });
  return promised;
}

/// Lost promises are slips unless they start as early as promised all the same.
std::vector<Slip> SlipsOf(const Snapshot& snapshot, const Plan& plan, std::vector<Slip> lost) {
  std::vector<bool> kept(snapshot.pending.size(), false);
  for (const Placement& placement : plan.placements) {
    const auto position = static_cast<std::size_t>(placement.pending);
    const auto& promise = snapshot.pending[position].promise;
    kept[position] = promise && placement.window.start() <= promise->window.start();
  }
  std::erase_if(lost,
                [&](const Slip& slip) { return kept[static_cast<std::size_t>(slip.pending)]; });
  std::sort(lost.begin(), lost.end(),
            [](const Slip& a, const Slip& b) { return a.pending < b.pending; });
  return lost;
}

}  // namespace

std::variant<Placement, Deferral> PlaceInTurn(Pass& pass, const Snapshot& snapshot,
                                              const Policy& policy, int pending) {
  auto outcome = pass.Place(pending);
  if (auto* placement = std::get_if<Placement>(&outcome)) {
    placement->promised = DeservesPromise(snapshot, policy, *placement);
  }
  return outcome;
}

InTurn::InTurn(const Snapshot& snapshot, const Policy& policy, const Snapshot* demand_of)
    : snapshot_(snapshot),
      policy_(policy),
      pass_(snapshot, policy, demand_of),
      has_lost_(snapshot.pending.size(), false) {
  plan_.now = snapshot.now;
  plan_.revision = snapshot.revision;
  plan_.order.reserve(snapshot.pending.size());
  plan_.placements.reserve(snapshot.pending.size());
  for (const int pending : Promised(snapshot)) {
    if (const auto cause = pass_.Keep(pending)) {
      lost_.push_back({pending, At(snapshot.pending, pending).promise->window.start(), *cause});
      has_lost_[static_cast<std::size_t>(pending)] = true;
    }
  }
}

bool InTurn::Take(int pending) {
  plan_.order.push_back(pending);
  if (At(snapshot_.pending, pending).promise && !has_lost_[static_cast<std::size_t>(pending)]) {
    plan_.placements.push_back(pass_.MoveUp(pending));
    plan_.placements.back().promised = true;
    return true;
  }
  auto outcome = PlaceInTurn(pass_, snapshot_, policy_, pending);
  if (auto* placement = std::get_if<Placement>(&outcome)) {
    plan_.placements.push_back(std::move(*placement));
    return true;
  }
  plan_.deferrals.push_back(std::move(std::get<Deferral>(outcome)));
  return false;
}

Plan InTurn::Finish() {
  std::sort(plan_.deferrals.begin(), plan_.deferrals.end(),
            [](const Deferral& a, const Deferral& b) { return a.pending < b.pending; });
  plan_.slips = SlipsOf(snapshot_, plan_, std::move(lost_));
  return std::move(plan_);
}

Plan PlanInOrder(const Snapshot& snapshot, const Policy& policy, std::span<const int> order,
                 const Snapshot* demand_of) {
  InTurn plan(snapshot, policy, demand_of);
  for (const int pending : order) plan.Take(pending);
  return plan.Finish();
}

}  // namespace allot::scheduler
