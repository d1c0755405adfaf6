#include "bench/bounds/orders.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <tuple>
#include <utility>
#include <variant>

#include "allot/base/random.h"
#include "scheduler/fair_order.h"
#include "scheduler/pass.h"

namespace allot::bounds {
namespace {

using scheduler::Placement;
using scheduler::Snapshot;

int64_t MeritOf(const Snapshot& snapshot, int pending) {
  const int project = snapshot.pending[static_cast<std::size_t>(pending)].project;
  return std::max(1, snapshot.projects[static_cast<std::size_t>(project)].merit);
}

std::vector<Instant> StartsByPending(const Snapshot& snapshot,
                                     const std::vector<Placement>& placements) {
  std::vector<Instant> starts(snapshot.pending.size(), kEndOfTime);
  for (const Placement& placement : placements) {
    starts[static_cast<std::size_t>(placement.pending)] = placement.window.start();
  }
  return starts;
}

int64_t MeritStart(const Snapshot& snapshot, const std::vector<Instant>& starts) {
  int64_t sum = 0;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    sum += MeritOf(snapshot, static_cast<int>(i)) * Between(snapshot.now, starts[i]).count;
  }
  return sum;
}

}  // namespace

std::vector<Placement> PlaceInOrder(const Snapshot& snapshot, const Policy& policy,
                                    const std::vector<int>& order) {
  scheduler::Pass pass(snapshot, policy);
  std::vector<Placement> placements;
  for (const int pending : order) {
    auto outcome = pass.Place(pending);
    if (auto* placement = std::get_if<Placement>(&outcome)) {
      placements.push_back(std::move(*placement));
    }
  }
  return placements;
}

std::vector<Placement> StartInOrder(const Snapshot& snapshot, const Policy& policy,
                                    const std::vector<int>& order) {
  scheduler::Pass pass(snapshot, policy);
  std::vector<Placement> placements;
  for (const int pending : order) {
    if (auto placement = pass.PlaceNow(pending)) placements.push_back(std::move(*placement));
  }
  return placements;
}

std::vector<int> SmithOrder(const Snapshot& snapshot) {
  std::vector<int> order(snapshot.pending.size());
  std::iota(order.begin(), order.end(), 0);
  const auto cost = [&](int pending) {
    return HighestCost(snapshot.pending[static_cast<std::size_t>(pending)].request)->count();
  };
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return MeritOf(snapshot, a) * cost(b) > MeritOf(snapshot, b) * cost(a);
  });
  return order;
}

std::vector<int> FairOrder(const Snapshot& snapshot, const Policy& policy) {
  scheduler::FairOrder fair(snapshot, policy, std::vector<bool>(snapshot.pending.size(), false));
  std::vector<int> order;
  while (!fair.Done()) {
    order.push_back(fair.Next());
    fair.ChargeLast();
  }
  return order;
}

std::vector<int> FairFinishOrder(const Snapshot& snapshot, const Policy& policy,
                                 bool cheapest_first) {
  const auto row = [&](int pending) -> const scheduler::SnapshotPending& {
    return snapshot.pending[static_cast<std::size_t>(pending)];
  };
  // By project, the next one at the end.
  std::vector<std::vector<int>> queues(snapshot.projects.size());
  for (int i = 0; i < static_cast<int>(snapshot.pending.size()); ++i) {
    queues[static_cast<std::size_t>(row(i).project)].push_back(i);
  }
  for (std::vector<int>& queue : queues) {
    std::sort(queue.begin(), queue.end(), [&](int a, int b) {
      const auto turn = [&](int i) {
        const int64_t cost = cheapest_first ? HighestCost(row(i).request)->count() : 0;
        return std::tuple(cost, row(i).create_time, i);
      };
      return turn(a) > turn(b);
    });
  }
  std::vector<scheduler::Charge> charges = scheduler::ChargesAtStart(snapshot, policy);
  const auto finish = [&](std::size_t project) {
    return charges[project] + scheduler::ChargeOf(row(queues[project].back()).request);
  };
  const auto goes_before = [&](std::size_t a, std::size_t b) {
    return finish(a) * scheduler::Weight(snapshot.projects[b]) <
           finish(b) * scheduler::Weight(snapshot.projects[a]);
  };
  std::vector<int> order;
  while (order.size() < snapshot.pending.size()) {
    std::optional<std::size_t> next;
    for (std::size_t project = 0; project < queues.size(); ++project) {
      if (queues[project].empty()) continue;
      if (!next || goes_before(project, *next)) next = project;
    }
    charges[*next] = finish(*next);
    order.push_back(queues[*next].back());
    queues[*next].pop_back();
  }
  return order;
}

std::vector<Placement> ImproveOrder(const Snapshot& snapshot, const Policy& policy,
                                    std::vector<int> order, int tries, bool nobody_later,
                                    uint64_t seed) {
  SeededRandom random(seed);
  std::vector<Placement> best = PlaceInOrder(snapshot, policy, order);
  const std::vector<Instant> given = StartsByPending(snapshot, best);
  int64_t best_sum = MeritStart(snapshot, given);
  for (int i = 0; i < tries; ++i) {
    std::vector<int> other = order;
    const auto from = static_cast<std::ptrdiff_t>(random.Below(other.size()));
    const auto to = static_cast<std::ptrdiff_t>(random.Below(other.size()));
    if (from < to) {
      std::rotate(other.begin() + from, other.begin() + from + 1, other.begin() + to + 1);
    } else {
      std::rotate(other.begin() + to, other.begin() + from, other.begin() + from + 1);
    }
    std::vector<Placement> placements = PlaceInOrder(snapshot, policy, other);
    const std::vector<Instant> starts = StartsByPending(snapshot, placements);
    const int64_t sum = MeritStart(snapshot, starts);
    if (sum > best_sum) continue;
    if (nobody_later) {
      const auto later = std::mismatch(starts.begin(), starts.end(), given.begin(),
                                       [](Instant now, Instant before) { return now <= before; });
      if (later.first != starts.end()) continue;
    }
    best_sum = sum;
    best = std::move(placements);
    order = std::move(other);
  }
  return best;
}

}  // namespace allot::bounds
