// What bench-bounds measures against: the models, and that no plan is better than a bound.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "allot/scheduler/check_plan.h"
#include "bench/bounds/cbc.h"
#include "bench/bounds/orders.h"
#include "bench/bounds/realise.h"
#include "bench/bounds/start_problem.h"
#include "bench/bounds/window.h"
#include "support/snapshot_builder.h"

namespace allot::bounds {
namespace {

constexpr Shape kWholeNode = {1, 8, 0};
constexpr Seconds kLimit{30};

/// `nodes` free nodes for ever.
Pool FreeNodes(int nodes) {
  Blocks free = BlocksOfNode(kGpusPerNode);
  for (int64_t& blocks : free) blocks *= nodes;
  return {{free}};
}

Job MakeJob(int64_t weight, Shape shape, int slots) {
  return {.weight = weight, .shape = shape, .slots = slots, .pools = {0}};
}

Answer Solve(const StartProblem& problem, bool integer = true) {
  const StartModel model = BuildModel(problem, integer);
  return integer ? SolveInteger(model.mps, model.columns.size(), kLimit)
                 : SolveLinear(model.mps, model.columns.size(), kLimit);
}

#define ALLOT_NEEDS_CBC() \
  if (!CbcInstalled()) GTEST_SKIP() << kCbcMissing

TEST(BoundsModel, PiecesTakeBlocksOfEverySize) {
  EXPECT_EQ(BlocksOfNode(8), (Blocks{8, 4, 2, 2, 1, 1, 1, 1}));
  EXPECT_EQ(BlocksOfNode(5), (Blocks{5, 2, 1, 1, 1, 0, 0, 0}));
  EXPECT_EQ(BlocksOfShape({2, 8, 3}), (Blocks{19, 9, 5, 4, 2, 2, 2, 2}));
}

TEST(BoundsModel, EveryUnknownIsAGroupInAPoolAtATime) {
  StartProblem problem{.pools = {FreeNodes(1)}, .jobs = {}, .reach = 2};
  problem.jobs = {MakeJob(5, kWholeNode, 1), MakeJob(5, kWholeNode, 1)};
  const StartModel model = BuildModel(problem, /*integer=*/true);
  EXPECT_EQ(model.groups, (std::vector<std::vector<int>>{{0, 1}}));
  ASSERT_EQ(model.columns.size(), 3U);
  // Two at once are one too many in either slot; that they take the only node is all there is to
  // say.
  EXPECT_EQ(model.mps,
            "NAME          STARTS\n"
            "ROWS\n"
            " N  cost\n"
            " E  j0\n"
            " L  c0\n"
            " L  c1\n"
            "COLUMNS\n"
            "    MARKER                 'MARKER'                 'INTORG'\n"
            "    x0        j0        1\n"
            "    x0        c0        1\n"
            "    x1        cost      5\n"
            "    x1        j0        1\n"
            "    x1        c1        1\n"
            "    x2        cost      10\n"
            "    x2        j0        1\n"
            "    MARKER                 'MARKER'                 'INTEND'\n"
            "RHS\n"
            "    RHS       j0        2\n"
            "    RHS       c0        1\n"
            "    RHS       c1        1\n"
            "BOUNDS\n"
            " UP BOUND     x0        2\n"
            " UP BOUND     x1        2\n"
            " UP BOUND     x2        2\n"
            "ENDATA\n");
}

TEST(BoundsModel, ASeedGivesTheSameText) {
  const auto text = [] { return BuildModel(ProblemOf(RandomWindow(3, 40), 30), true).mps; };
  EXPECT_EQ(text(), text());
}

TEST(BoundsModel, TheHeavierAndShorterGoesFirst) {
  ALLOT_NEEDS_CBC();
  StartProblem problem{.pools = {FreeNodes(1)}, .jobs = {}, .reach = 10};
  problem.jobs = {MakeJob(3, kWholeNode, 4), MakeJob(2, kWholeNode, 1), MakeJob(1, kWholeNode, 2)};
  // 2 at 0, 3 at 1, 1 at 5: 0 + 3 + 5. The other orders cost 10 and more.
  const StartModel model = BuildModel(problem, /*integer=*/true);
  const Answer answer = SolveInteger(model.mps, model.columns.size(), kLimit);
  EXPECT_TRUE(answer.optimal);
  EXPECT_EQ(answer.bound, 8);
  std::vector<int> starts;
  for (const JobStart& start : StartsOf(model, *answer.values)) starts.push_back(start.start);
  EXPECT_EQ(starts, (std::vector<int>{1, 0, 5}));
  EXPECT_LE(Solve(problem, /*integer=*/false).bound, 8);
}

// 15 of 16 GPUs would be taken, but no node holds two fives.
TEST(BoundsModel, PartsThatDoNotShareANodeWait) {
  ALLOT_NEEDS_CBC();
  StartProblem problem{.pools = {FreeNodes(2)}, .jobs = {}, .reach = 10};
  problem.jobs.assign(3, MakeJob(1, {1, 5, 0}, 4));
  EXPECT_EQ(Solve(problem).bound, 4);
  problem.gpus_only = true;
  EXPECT_EQ(Solve(problem).bound, 0);
}

TEST(BoundsModel, GpusThatAreHeldComeFreeInTime) {
  ALLOT_NEEDS_CBC();
  Pool pool = FreeNodes(2);
  pool.free.insert(pool.free.begin(), 3, BlocksOfNode(8));
  StartProblem problem{.pools = {pool}, .jobs = {}, .reach = 10};
  problem.jobs = {MakeJob(1, {2, 8, 0}, 1)};
  EXPECT_EQ(Solve(problem).bound, 3);
}

TEST(BoundsModel, WhoStartsLaterThanToldApartCountsAsRightBehind) {
  ALLOT_NEEDS_CBC();
  StartProblem problem{.pools = {FreeNodes(1)}, .jobs = {}, .reach = 3};
  problem.jobs.assign(3, MakeJob(1, kWholeNode, 5));
  EXPECT_EQ(Solve(problem).bound, 6);
}

TEST(BoundsModel, WhoMayNotStartLaterDoesNot) {
  ALLOT_NEEDS_CBC();
  StartProblem problem{.pools = {FreeNodes(1)}, .jobs = {}, .reach = 10};
  problem.jobs = {MakeJob(1, kWholeNode, 5), MakeJob(9, kWholeNode, 1)};
  EXPECT_EQ(Solve(problem).bound, 1);
  problem.jobs.front().latest = 0;
  EXPECT_EQ(Solve(problem).bound, 45);
}

TEST(BoundsCbc, WhatIsProvenWhenTimeRunsOutIsRead) {
  const Answer answer = ReadInteger(
      "Result - Stopped on time limit\n\n"
      "Objective value:                110.00000000\n"
      "Lower bound:                    101.250\n"
      "Gap:                            0.09\n",
      "Stopped on time - objective value 110.00000000\n      1 x1          1           0\n", 3);
  EXPECT_FALSE(answer.optimal);
  EXPECT_EQ(answer.bound, 102);
  EXPECT_EQ(answer.values, (std::vector<double>{0, 1, 0}));
}

TEST(BoundsCbc, ARelaxationsCostIsRoundedDown) {
  const Answer answer =
      ReadLinear("", "Optimal - objective value 101.75000000\n      0 x0   0.5   0\n", 1);
  EXPECT_EQ(answer.bound, 101);
  EXPECT_EQ(answer.values, (std::vector<double>{0.5}));
}

TEST(BoundsCbc, WhatIsNotUnderstoodIsNotTakenForABound) {
  EXPECT_THROW(ReadInteger("", "Infeasible - objective value 3\n", 1), std::runtime_error);
  EXPECT_THROW(ReadLinear("", "Stopped on time - objective value 3\n", 1), std::runtime_error);
  EXPECT_THROW(ReadLinear("", "", 1), std::runtime_error);
}

TEST(BoundsRealise, PartsKeepTheirNodeToTheirEnd) {
  const std::vector<NodeHolds> nodes(2);
  const Shape half{1, 4, 0};
  // The short halves share a node, so that the whole node finds one.
  const std::vector<Timed> jobs = {
      {half, 0, 0, 2}, {half, 0, 0, 5}, {half, 0, 0, 2}, {half, 0, 0, 5}, {kWholeNode, 0, 2, 4}};
  const auto placed = Realise(nodes, jobs, 1'000);
  ASSERT_TRUE(placed.has_value());
  EXPECT_EQ((*placed)[0].front().node, (*placed)[2].front().node);
  EXPECT_EQ((*placed)[4].front().node, (*placed)[0].front().node);
  EXPECT_EQ((*placed)[0].front().gpus & (*placed)[2].front().gpus, 0);
}

// The half would rather share the first node, which the whole node needs.
TEST(BoundsRealise, AChoiceThatBlocksALaterJobIsTakenBack) {
  std::vector<NodeHolds> nodes(2);
  std::fill_n(nodes[0].until.begin(), 4, 4);
  std::fill_n(nodes[1].until.begin(), 4, 6);
  const auto placed = Realise(nodes, {{{1, 4, 0}, 0, 0, 5}, {kWholeNode, 0, 4, 5}}, 1'000);
  ASSERT_TRUE(placed.has_value());
  EXPECT_EQ((*placed)[0].front().node, 1);
  EXPECT_EQ((*placed)[1].front().node, 0);
}

TEST(BoundsRealise, CountsThatNoPlacementKeepsAreFound) {
  // Each node has half of its GPUs until slot 5: 8 free GPUs are not a free node.
  std::vector<NodeHolds> nodes(2);
  for (NodeHolds& node : nodes) std::fill_n(node.until.begin(), 4, 5);
  EXPECT_FALSE(Realise(nodes, {{kWholeNode, 0, 4, 6}}, 1'000).has_value());
  EXPECT_TRUE(Realise(nodes, {{kWholeNode, 0, 5, 6}}, 1'000).has_value());
}

TEST(BoundsWindow, RunningWorkHoldsItsGpus) {
  testing::SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 2);
  builder.Project("p").merit = 7;
  builder.Claim("running", "p", "a/n01", 0x0f, builder.kNow + Hours(6));
  builder.Pending("gang", "p", {2, 8, 0}, Hours(4));
  const scheduler::Snapshot window = builder.Build();
  const StartProblem problem = ProblemOf(window, 10);
  ASSERT_EQ(problem.pools.size(), 1U);
  ASSERT_EQ(problem.pools[0].free.size(), 4U);
  EXPECT_EQ(problem.pools[0].free[2], (Blocks{12, 6, 3, 3, 1, 1, 1, 1}));
  EXPECT_EQ(problem.pools[0].free[3], (Blocks{16, 8, 4, 4, 2, 2, 2, 2}));
  const auto ours = StartsOf(window, Schedule(window, WindowPolicy()).placements);
  EXPECT_EQ(ours, (std::vector<int>{3}));
  EXPECT_EQ(MeritStart(problem, ours), 21);
  EXPECT_EQ(MeritRun(problem), 14);
}

// Equal shares: a project's cheap request goes before another's dear one, whoever came first; what
// each is charged counts.
TEST(BoundsOrders, TheFairFinishCountsWhatTheNextOneCosts) {
  testing::SnapshotBuilder builder;
  builder.Cluster("a", GpuModel::kH200, 2);
  for (const char* project : {"p", "q"}) builder.Project(project);
  builder.Pending("p/1", "p", kWholeNode, Hours(8)).create_time = builder.kNow - Hours(2);
  builder.Pending("p/2", "p", kWholeNode, Hours(2));
  for (const char* id : {"q/1", "q/2"}) builder.Pending(id, "q", kWholeNode, Hours(6));
  const scheduler::Snapshot window = builder.Build();
  const Policy policy;
  EXPECT_EQ(FairOrder(window, policy), (std::vector<int>{2, 0, 1, 3}));
  EXPECT_EQ(FairFinishOrder(window, policy, false), (std::vector<int>{2, 0, 1, 3}));
  EXPECT_EQ(FairFinishOrder(window, policy, true), (std::vector<int>{1, 2, 0, 3}));
  EXPECT_EQ(SmithOrder(window), (std::vector<int>{1, 2, 3, 0}));
}

// The planner's plans, as they are and in other orders, cost what the bound says or more; and where
// the optimum is placed, the independent checker accepts it.
TEST(BoundsWindow, NoPlanIsBetterThanTheBound) {
  ALLOT_NEEDS_CBC();
  const Policy policy = WindowPolicy();
  int better_than_ours = 0;
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const scheduler::Snapshot window = RandomWindow(seed, 10);
    const scheduler::Plan plan = scheduler::Schedule(window, policy);
    ASSERT_EQ(scheduler::CheckPlan(window, policy, plan), std::vector<std::string>{});
    const std::vector<int> ours = StartsOf(window, plan.placements);
    StartProblem problem = ProblemOf(window, *std::max_element(ours.begin(), ours.end()) + 1);
    const StartModel model = BuildModel(problem, /*integer=*/true);
    const Answer answer = SolveInteger(model.mps, model.columns.size(), kLimit);
    ASSERT_TRUE(answer.optimal);
    EXPECT_LE(answer.bound, MeritStart(problem, ours));
    EXPECT_LE(Solve(problem, /*integer=*/false).bound, answer.bound);
    const auto smith = StartsOf(window, PlaceInOrder(window, policy, SmithOrder(window)));
    EXPECT_LE(answer.bound, MeritStart(problem, smith));
    if (answer.bound < MeritStart(problem, ours)) ++better_than_ours;
    const std::vector<JobStart> best = StartsOf(model, *answer.values);
    if (const auto placed = PlanAt(window, best)) {
      EXPECT_EQ(scheduler::CheckPlan(window, policy, *placed), std::vector<std::string>{});
      EXPECT_EQ(MeritStart(problem, StartsOf(window, placed->placements)), answer.bound);
    }
    for (std::size_t i = 0; i < ours.size(); ++i) problem.jobs[i].latest = ours[i];
    const int64_t nobody_later = Solve(problem).bound;
    EXPECT_LE(answer.bound, nobody_later);
    EXPECT_LE(nobody_later, MeritStart(problem, ours));
  }
  EXPECT_GT(better_than_ours, 5);
}

}  // namespace
}  // namespace allot::bounds
