// The linear bound of bench-bounds on a week, against what really happens in a simulation.
#include <gtest/gtest.h>

#include <vector>

#include "bench/bounds/cbc.h"
#include "bench/bounds/orders.h"
#include "bench/bounds/start_problem.h"
#include "bench/bounds/week.h"
#include "bench/bounds/window.h"

namespace allot::bounds {
namespace {

sim::Workload SmallWeek(bool limits_known) {
  sim::LoadOptions options;
  options.load_permille = 1'100;
  options.days = 1;
  options.scale = 32;
  return WeekInSlots(options, limits_known);
}

TEST(BoundsWeek, EverythingIsInWholeSlotsAndRunsAreNotOverLimits) {
  for (const bool limits_known : {true, false}) {
    const sim::Workload week = SmallWeek(limits_known);
    ASSERT_GT(week.jobs.size(), 50U);
    for (const sim::Job& job : week.jobs) {
      EXPECT_EQ(Between(week.first, job.submit).count % kWeekSlot.count, 0);
      EXPECT_EQ(job.run.count % kWeekSlot.count, 0);
      EXPECT_EQ(job.request.duration.count % kWeekSlot.count, 0);
      EXPECT_LE(job.run, job.request.duration);
      EXPECT_TRUE(!limits_known || job.run == job.request.duration);
    }
  }
}

TEST(BoundsWeek, NobodyDoesBetterThanTheBound) {
  if (!CbcInstalled()) GTEST_SKIP() << kCbcMissing;
  const sim::Workload week = SmallWeek(true);
  const StartProblem problem = ProblemOf(week, 48);
  const StartModel model = BuildModel(problem, /*integer=*/false);
  const int64_t bound = SolveLinear(model.mps, model.columns.size(), Seconds{60}).bound;
  EXPECT_GT(bound, 0);
  const auto fair = [](const scheduler::Snapshot& now) { return FairOrder(now, Policy{}); };
  for (const auto& starts : {SimulatedStarts(week, sim::Discipline::kAllot),
                             SimulatedStarts(SmallWeek(false), sim::Discipline::kAllot),
                             StartsInOrder(week, fair, Ahead::kReserved),
                             StartsInOrder(week, SmithOrder, Ahead::kReserved),
                             StartsInOrder(week, SmithOrder, Ahead::kNothing)}) {
    EXPECT_LE(bound, MeritStart(problem, starts));
    for (std::size_t i = 0; i < starts.size(); ++i) {
      EXPECT_GE(starts[i], problem.jobs[i].release);
    }
  }
}

}  // namespace
}  // namespace allot::bounds
