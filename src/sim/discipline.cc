#include "allot/sim/discipline.h"

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "scheduler/pass.h"

namespace allot::sim {
namespace {

using scheduler::Pass;
using scheduler::Placement;
using scheduler::Snapshot;

constexpr std::array<std::string_view, std::size(kDisciplines)> kNames = {
    "fcfs", "greedy", "drf", "easy", "conservative", "conservative-whole-node", "allot"};

int Count(const Snapshot& snapshot) { return static_cast<int>(snapshot.pending.size()); }

/// Models of which somebody waits already: each is a queue of its own, as partitions are.
class Taken {
 public:
  bool Any(const Request& request) const {
    return std::any_of(request.models.begin(), request.models.end(),
                       [&](GpuModel model) { return taken_[static_cast<std::size_t>(model)]; });
  }
  void Take(const Request& request) {
    for (const GpuModel model : request.models) taken_[static_cast<std::size_t>(model)] = true;
  }

 private:
  std::array<bool, kGpuModelCount> taken_{};
};

const Request& RequestOf(const Snapshot& snapshot, int pending) {
  return snapshot.pending[static_cast<std::size_t>(pending)].request;
}

std::vector<Placement> Fcfs(const Snapshot& snapshot, Pass& pass) {
  std::vector<Placement> started;
  Taken blocked;
  for (int i = 0; i < Count(snapshot); ++i) {
    const Request& request = RequestOf(snapshot, i);
    std::optional<Placement> placement;
    if (!blocked.Any(request)) placement = pass.PlaceNow(i);
    if (placement) {
      started.push_back(*std::move(placement));
    } else {
      blocked.Take(request);
    }
  }
  return started;
}

std::vector<Placement> Greedy(const Snapshot& snapshot, Pass& pass) {
  std::vector<Placement> started;
  for (int i = 0; i < Count(snapshot); ++i) {
    if (auto placement = pass.PlaceNow(i)) started.push_back(*std::move(placement));
  }
  return started;
}

/// Each project's waiting in order of arrival; of all, the project that holds least goes next.
std::vector<Placement> Drf(const Snapshot& snapshot, Pass& pass) {
  std::vector<int64_t> held(snapshot.projects.size(), 0);
  for (const auto& claim : snapshot.claims) {
    held[static_cast<std::size_t>(claim.project)] += CountGpus(claim.gpus);
  }
  std::vector<std::vector<int>> waiting(snapshot.projects.size());
  for (int i = Count(snapshot) - 1; i >= 0; --i) {
    waiting[static_cast<std::size_t>(snapshot.pending[static_cast<std::size_t>(i)].project)]
        .push_back(i);
  }
  std::set<std::pair<int64_t, std::size_t>> turns;
  for (std::size_t p = 0; p < waiting.size(); ++p) {
    if (!waiting[p].empty()) turns.emplace(held[p], p);
  }
  std::vector<Placement> started;
  while (!turns.empty()) {
    const auto [share, project] = *turns.begin();
    turns.erase(turns.begin());
    const int next = waiting[project].back();
    waiting[project].pop_back();
    if (auto placement = pass.PlaceNow(next)) {
      held[project] += snapshot.pending[static_cast<std::size_t>(next)].request.shape.gpus();
      started.push_back(*std::move(placement));
    }
    if (!waiting[project].empty()) turns.emplace(held[project], project);
  }
  return started;
}

std::vector<Placement> Easy(const Snapshot& snapshot, Pass& pass) {
  std::vector<Placement> decided;
  Taken reserved;
  for (int i = 0; i < Count(snapshot); ++i) {
    const Request& request = RequestOf(snapshot, i);
    if (auto placement = pass.PlaceNow(i)) {
      decided.push_back(*std::move(placement));
    } else if (!reserved.Any(request)) {
      auto first = pass.Place(i);
      if (auto* later = std::get_if<Placement>(&first)) decided.push_back(std::move(*later));
      reserved.Take(request);
    }
  }
  return decided;
}

std::vector<Placement> Conservative(const Snapshot& snapshot, Pass& pass) {
  std::vector<Placement> decided;
  for (int i = 0; i < Count(snapshot); ++i) {
    auto outcome = pass.Place(i);
    if (auto* placement = std::get_if<Placement>(&outcome)) {
      decided.push_back(std::move(*placement));
    }
  }
  return decided;
}

}  // namespace

std::string_view Name(Discipline discipline) {
  return kNames[static_cast<std::size_t>(discipline)];
}

std::optional<Discipline> ParseDiscipline(std::string_view name) {
  for (const Discipline discipline : kDisciplines) {
    if (Name(discipline) == name) return discipline;
  }
  return std::nullopt;
}

Shape HeldShape(Discipline discipline, const Shape& shape) {
  if (discipline != Discipline::kConservativeWholeNode) return shape;
  return {shape.node_count(), kGpusPerNode, 0};
}

Decision Decide(Discipline discipline, const Snapshot& snapshot, const Policy& policy) {
  if (discipline == Discipline::kAllot) {
    scheduler::Plan plan = scheduler::Schedule(snapshot, policy);
    return {std::move(plan.placements), std::move(plan.preemptions)};
  }
  Pass pass(snapshot, policy);
  switch (discipline) {
    case Discipline::kFcfs:
      return {Fcfs(snapshot, pass), {}};
    case Discipline::kGreedy:
      return {Greedy(snapshot, pass), {}};
    case Discipline::kDrf:
      return {Drf(snapshot, pass), {}};
    case Discipline::kEasy:
      return {Easy(snapshot, pass), {}};
    case Discipline::kConservative:
    case Discipline::kConservativeWholeNode:
    case Discipline::kAllot:
      break;
  }
  return {Conservative(snapshot, pass), {}};
}

}  // namespace allot::sim
