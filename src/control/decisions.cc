#include "control/decisions.h"

#include <algorithm>
#include <map>
#include <set>

namespace allot::control {
namespace {

using scheduler::Deferral;
using scheduler::Placement;

constexpr int kOrderIdLength = 20;

bool StartsNow(const Pass& pass, const Placement& placement) {
  return placement.window.start() <= pass.plan.now;
}

/// It is promised these GPUs for this window already, or neither was nor is promised anything.
bool SamePromise(const Pass& pass, const Placement& placement) {
  const auto& promise = pass.snapshot.pending[static_cast<std::size_t>(placement.pending)].promise;
  if (!promise || !placement.promised) return promise.has_value() == placement.promised;
  return promise->window == placement.window && promise->nodes == placement.nodes;
}

/// What it starts after has ended, and that is not on record yet.
bool IsReadyNow(const Pass& pass, int pending) {
  const Allocation& seen = *pass.waiting[static_cast<std::size_t>(pending)];
  return seen.after && !seen.ready_time &&
         !pass.snapshot.pending[static_cast<std::size_t>(pending)].after;
}

bool ComesBefore(const Decision& a, const Decision& b) {
  if (a.weight != b.weight) return a.weight < b.weight;
  if (a.weight == Weight::kForetold) {
    const bool told_a = a.seen->state == AllocationState::kPlanned;
    const bool told_b = b.seen->state == AllocationState::kPlanned;
    if (told_a != told_b) return told_b;
    if (a.seen->update_time != b.seen->update_time) {
      return a.seen->update_time < b.seen->update_time;
    }
  }
  return a.seen->id < b.seen->id;
}

}  // namespace

const ClusterId& ClusterOf(const Pass& pass, const scheduler::Placement& placement) {
  return pass.snapshot.clusters[static_cast<std::size_t>(placement.cluster)].id;
}

const NodeId& NodeOf(const Pass& pass, const scheduler::PlacedNode& placed) {
  return pass.snapshot.nodes[static_cast<std::size_t>(placed.node)].id;
}

std::string PlannedMessage(const Pass& pass, const Placement& placement) {
  return (placement.promised ? "promised to start " : "planned to start ") +
         FormatRfc3339(placement.window.start()) + " on " + ClusterOf(pass, placement).str();
}

bool DeadlinePassedBy(const Allocation& allocation, Instant now) {
  const Request request = ToServe(allocation);
  return request.deadline && now + request.duration > *request.deadline;
}

bool IsToldFirst(const Pass& pass, const Allocation& seen, const Placement& placement) {
  const auto& row = pass.snapshot.pending[static_cast<std::size_t>(placement.pending)];
  const Instant created = Instant::FromSeconds(seen.create_time.seconds());
  // What borrows is held to nothing.
  return !seen.told_start && !row.after && !row.request.borrow &&
         created + pass.policy->gathering_time <= pass.plan.now;
}

std::string OverdueUnder(const Pass& pass, int pending) {
  const bool marked = pass.snapshot.pending[static_cast<std::size_t>(pending)].overdue ||
                      std::ranges::binary_search(pass.plan.overdue, pending);
  return marked ? pass.policy->version : std::string();
}

bool IsTheirsToWait(const Deferral& deferral) {
  using enum scheduler::DeferralReason;
  return deferral.reason == kQuotaExhausted || deferral.reason == kGpuHoursExhausted ||
         deferral.reason == kProjectClosed;
}

std::vector<Decision> Differences(const Context& context, const Pass& pass) {
  std::vector<Decision> decisions;
  std::map<int, const scheduler::Slip*> slips;
  for (const scheduler::Slip& slip : pass.plan.slips) slips.emplace(slip.pending, &slip);
  const auto slip_of = [&](int pending) {
    const auto found = slips.find(pending);
    return found == slips.end() ? nullptr : found->second;
  };
  std::set<int> others_stop_for;
  for (const auto& preemption : pass.plan.preemptions) others_stop_for.insert(preemption.pending);
  const auto weight_of = [&](int pending, const Placement* placement) {
    const bool is_promised = pass.waiting[static_cast<std::size_t>(pending)]->promised;
    const bool is_to_be = placement != nullptr && placement->promised;
    if (is_promised || is_to_be || others_stop_for.contains(pending) || slips.contains(pending)) {
      return Weight::kPromise;
    }
    if (placement != nullptr && StartsNow(pass, *placement)) return Weight::kStart;
    return Weight::kForetold;
  };
  for (const Placement& placement : pass.plan.placements) {
    const auto& seen = pass.waiting[static_cast<std::size_t>(placement.pending)];
    if (!IsWaiting(seen->state)) continue;
    const auto& cluster = ClusterOf(pass, placement);
    const bool now = StartsNow(pass, placement);
    const bool same = seen->state == AllocationState::kPlanned &&
                      seen->window == placement.window && seen->cluster == cluster &&
                      SamePromise(pass, placement);
    const bool ready = IsReadyNow(pass, placement.pending);
    const bool told = IsToldFirst(pass, *seen, placement) ||
                      seen->overdue_under != OverdueUnder(pass, placement.pending);
    if (same && !now && !ready && !told) continue;
    decisions.push_back({.seen = seen,
                         .placement = &placement,
                         .deferral = nullptr,
                         .slip = slip_of(placement.pending),
                         .starts = now,
                         .ready = ready,
                         .weight = weight_of(placement.pending, &placement),
                         .order = now ? OrderId(context.ids.Mint(kOrderIdLength)) : OrderId()});
  }
  for (const Deferral& deferral : pass.plan.deferrals) {
    const auto& seen = pass.waiting[static_cast<std::size_t>(deferral.pending)];
    if (!IsWaiting(seen->state)) continue;
    const bool same = seen->state == AllocationState::kPending &&
                      seen->reason == Name(deferral.reason) && seen->message == deferral.message;
    const bool ready = IsReadyNow(pass, deferral.pending);
    const bool told = IsTheirsToWait(deferral)
                          ? seen->told_start.has_value()
                          : seen->overdue_under != OverdueUnder(pass, deferral.pending);
    if (same && !ready && !told && !DeadlinePassedBy(*seen, pass.plan.now)) continue;
    decisions.push_back({.seen = seen,
                         .placement = nullptr,
                         .deferral = &deferral,
                         .slip = slip_of(deferral.pending),
                         .starts = false,
                         .ready = ready,
                         .weight = weight_of(deferral.pending, nullptr),
                         .order = OrderId()});
  }
  std::sort(decisions.begin(), decisions.end(), ComesBefore);
  return decisions;
}

}  // namespace allot::control
