#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "allot/scheduler/plan.h"

namespace allot::sim {

/// How the waiting are served. All use the planner's own calendar and choice of nodes, so that what
/// differs is the order and what is reserved, not how well GPUs are packed.
enum class Discipline : uint8_t {
  /// First come, first served: nobody starts before who came earlier for GPUs of the same model.
  kFcfs,
  /// In order of arrival, skipping what does not fit now.
  kGreedy,
  /// The project with the smallest part of the pool next (dominant resource fairness; the GPU is
  /// the
  /// one resource here), skipping what does not fit now.
  kDrf,
  /// First come, first served with backfill: only the first of a model that does not fit has a
  /// reservation.
  kEasy,
  /// Backfill in which everybody has a reservation, in order of arrival.
  kConservative,
  /// The same with whole nodes, as Slurm's backfill reserves them.
  kConservativeWholeNode,
  /// The scheduler of this product.
  kAllot,
};
inline constexpr Discipline kDisciplines[] = {
    Discipline::kFcfs, Discipline::kGreedy,       Discipline::kDrf,
    Discipline::kEasy, Discipline::kConservative, Discipline::kConservativeWholeNode,
    Discipline::kAllot};

std::string_view Name(Discipline discipline);
std::optional<Discipline> ParseDiscipline(std::string_view name);

/// Whether somebody who waits is told a start before it has come.
constexpr bool PlansAhead(Discipline discipline) {
  return discipline != Discipline::kFcfs && discipline != Discipline::kGreedy &&
         discipline != Discipline::kDrf;
}

/// The shape a request holds: whole nodes where the discipline hands out nothing smaller.
Shape HeldShape(Discipline discipline, const Shape& shape);

/// Whether it stops running work for others. All others let everything run to its end.
constexpr bool StopsWork(Discipline discipline) { return discipline == Discipline::kAllot; }

/// What a discipline decides at one pass.
struct Decision {
  /// What starts now and, where the discipline plans ahead, what starts later.
  std::vector<scheduler::Placement> placements;
  /// What is stopped, where the discipline stops work.
  std::vector<scheduler::Preemption> preemptions;
};

/// Requires: a canonical snapshot whose pending rows are in the order of arrival, in shapes by
/// HeldShape.
Decision Decide(Discipline discipline, const scheduler::Snapshot& snapshot, const Policy& policy);

}  // namespace allot::sim
