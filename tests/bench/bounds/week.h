#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "allot/sim/discipline.h"
#include "allot/sim/workload.h"
#include "bench/bounds/start_problem.h"

namespace allot::bounds {

/// What weeks are counted in: a time on the planner's grid.
inline constexpr Seconds kWeekSlot = Hours(1);

/// A synthetic load (allot-sim's) with every arrival, run and limit brought to
/// whole slots, so that
/// the relaxation loses nothing to rounding. With `limits_known` everybody asks for exactly as long
/// as it will run.
sim::Workload WeekInSlots(const sim::LoadOptions& options, bool limits_known);

/// What a planner that knew every arrival and run beforehand would solve, with GPUs counted by
/// model.
StartProblem ProblemOf(const sim::Workload& workload, int reach);

/// In slots from the first arrival, by job.
std::vector<int> SimulatedStarts(const sim::Workload& workload, sim::Discipline discipline);
/// Who goes first, of those that wait now.
using Order = std::function<std::vector<int>(const scheduler::Snapshot&)>;
enum class Ahead : uint8_t {
  kReserved,  ///< everybody has a reservation, as in our plans
  kNothing,   ///< whoever fits starts, nobody is waited for
};
/// The same loop on the planner's own calendar in another order, without promises: what that alone
/// would bring.
std::vector<int> StartsInOrder(const sim::Workload& workload, const Order& order, Ahead ahead);

}  // namespace allot::bounds
