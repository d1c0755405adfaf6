#include "allot/sim/simulate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "allot/sim/measures.h"
#include "sim/entitlement.h"
#include "sim/small.h"

namespace allot::sim {
namespace {

constexpr Shape kNode{1, 8, 0};

// A two-node gang waits behind one busy node; behind it come a job that would end before the busy
// node is free, and one that would not.
Small Backfill() {
  Small small(2);
  small.Add(0, kNode, Hours(2), Hours(2));
  small.Add(1, {2, 8, 0}, Hours(1), Hours(1));
  small.Add(2, kNode, Hours(3), Hours(3));
  small.Add(3, kNode, Hours(1), Hours(1));
  return small;
}

using Starts = std::vector<int64_t>;

TEST(Simulate, FcfsWaitsBehindTheFirst) {
  EXPECT_EQ(Backfill().Starts(Discipline::kFcfs), (Starts{0, 120, 180, 180}));
}
TEST(Simulate, GreedyLetsTheGangWait) {
  EXPECT_EQ(Backfill().Starts(Discipline::kGreedy), (Starts{0, 182, 2, 120}));
}
TEST(Simulate, EasyHoldsTheFirstOnesPlace) {
  EXPECT_EQ(Backfill().Starts(Discipline::kEasy), (Starts{0, 120, 180, 3}));
}
TEST(Simulate, ConservativeDelaysNobodyAhead) {
  EXPECT_EQ(Backfill().Starts(Discipline::kConservative), (Starts{0, 120, 180, 3}));
}
TEST(Simulate, OursDelaysNobodyAheadEither) {
  EXPECT_EQ(Backfill().Starts(Discipline::kAllot), (Starts{0, 120, 180, 3}));
}

TEST(Simulate, WholeNodesHoldMoreThanWasAskedFor) {
  Small small(1);
  small.Add(0, {1, 4, 0}, Hours(1), Hours(1)).Add(0, {1, 4, 0}, Hours(1), Hours(1));
  EXPECT_EQ(small.Starts(Discipline::kConservative), (Starts{0, 0}));
  EXPECT_EQ(small.Starts(Discipline::kConservativeWholeNode), (Starts{0, 60}));
  EXPECT_EQ(small.measures().utilisation_permille, 2 * 4 * 1000 / (8 * 8)) << "asked, not held";
}

TEST(Simulate, DrfServesWhoHoldsLeast) {
  Small small(1);
  for (int i = 0; i < 3; ++i) small.Add(0, {1, 4, 0}, Hours(1), Hours(1), 0);
  small.Add(1, {1, 4, 0}, Hours(1), Hours(1), 1);
  EXPECT_EQ(small.Starts(Discipline::kGreedy), (Starts{0, 0, 60, 60}));
  small.Add(1, {1, 4, 0}, Hours(1), Hours(1), 1);
  EXPECT_EQ(small.Starts(Discipline::kDrf), (Starts{0, 0, 60, 60, 120}));
}

TEST(Simulate, AnEarlyEndIsUsedAtTheNextPass) {
  Small small(1);
  small.Add(0, kNode, Hours(4), Minutes(30)).Add(1, kNode, Hours(1), Hours(1));
  EXPECT_EQ(small.Starts(Discipline::kAllot), (Starts{0, 30}));
  const Measures measures = small.measures();
  EXPECT_EQ(measures.all.mean_s, 29 * 60 / 2);
  EXPECT_EQ(measures.forecasts, 1);
  EXPECT_EQ(measures.forecast_error_s, (240 - 30) * 60);
  EXPECT_EQ(measures.later_than_forecast_permille, 0);
}

TEST(Simulate, SamplesThePoolEveryHourToTheEnd) {
  Small small(2);
  small.Add(0, {1, 6, 0}, Hours(2), Hours(2)).Add(70, kNode, Hours(1), Minutes(30));
  small.Starts(Discipline::kAllot);
  const std::vector<Sample>& samples = small.outcome().samples;
  ASSERT_EQ(samples.size(), 8U);
  const Instant begin = small.workload().begin;
  EXPECT_EQ(samples[0], (Sample{begin, 6, 2}));
  EXPECT_EQ(samples[1], (Sample{begin + Hours(1), 6, 2}));
  EXPECT_EQ(samples[2], (Sample{begin + Hours(2), 0, 0}));
  EXPECT_EQ(samples[7], (Sample{begin + Hours(7), 0, 0})) << "the pool stands empty";
}

TEST(Simulate, KeepsTheNodesOfAJobOnlyWhenAsked) {
  Small small(3);
  small.Add(0, {2, 8, 0}, Hours(1), Hours(1));
  SimulationOptions options{.discipline = Discipline::kAllot, .policy = Policy()};
  EXPECT_TRUE(Simulate(small.workload(), options).jobs[0].stays.empty());
  options.keep_nodes = true;
  const auto stays = Simulate(small.workload(), options).jobs[0].stays;
  ASSERT_EQ(stays.size(), 1U);
  EXPECT_EQ(Between(stays[0].start, stays[0].until), Hours(1));
  const auto& nodes = stays[0].nodes;
  ASSERT_EQ(nodes.size(), 2U);
  for (const scheduler::PlacedNode& node : nodes) EXPECT_EQ(node.gpus, 0xff);
}

TEST(Entitlement, FillsByWeightUpToWhatIsWanted) {
  scheduler::Snapshot pool;
  pool.nodes.resize(10);
  for (const int merit : {100, 300, 400}) {
    scheduler::SnapshotProject project;
    project.merit = merit;
    project.concurrent_gpus = {0, 1};
    pool.projects.push_back(project);
  }
  Entitlement entitlement(pool);
  entitlement.Want(0, 100);
  EXPECT_EQ(entitlement.Shares(), (std::vector<int64_t>{80, 0, 0}));
  entitlement.Want(1, 100);
  EXPECT_EQ(entitlement.Shares(), (std::vector<int64_t>{20, 60, 0}));
  entitlement.Want(2, 16);
  EXPECT_EQ(entitlement.Shares(), (std::vector<int64_t>{16, 48, 16}));
}

Workload OverloadOfADay() {
  LoadOptions options;
  options.scale = 16;
  options.days = 1;
  options.load_permille = 1'200;
  return LoadSynthetic(options);
}

class EveryDiscipline : public ::testing::TestWithParam<Discipline> {};

TEST_P(EveryDiscipline, RunsASeededLoadToItsEndSoundlyAndAlike) {
  const Workload workload = OverloadOfADay();
  const SimulationOptions simulation{.discipline = GetParam(), .policy = Policy()};
  const Outcome outcome = Simulate(workload, simulation);
  EXPECT_EQ(outcome.violations, std::vector<std::string>{});
  for (std::size_t i = 0; i < workload.jobs.size(); ++i) {
    EXPECT_GE(outcome.jobs[i].start, workload.jobs[i].submit);
  }
  const auto line = [&](const Outcome& of) {
    return FormatJson(workload, of, Measure(workload, of));
  };
  EXPECT_EQ(line(outcome), line(Simulate(workload, simulation)));
}

TEST(Simulate, NoPromiseSlipsUnderOverload) {
  const Workload workload = OverloadOfADay();
  Policy policy;
  policy.promise_nodes = 4;
  const Outcome outcome = Simulate(workload, {.discipline = Discipline::kAllot, .policy = policy});
  const Measures measures = Measure(workload, outcome);
  EXPECT_GT(measures.promises, 20);
  EXPECT_EQ(measures.promise_slips, 0);
  EXPECT_EQ(outcome.violations, std::vector<std::string>{});
}

INSTANTIATE_TEST_SUITE_P(All, EveryDiscipline, ::testing::ValuesIn(kDisciplines),
                         [](const auto& tested) {
                           std::string name(Name(tested.param));
                           std::erase(name, '-');
                           return name;
                         });

TEST(Workload, ATraceArrivesAtTheLoadAskedForWithGangs) {
  Trace trace;
  for (int i = 0; i < 400; ++i) {
    trace.push_back({.submit = Instant::FromSeconds(1'000 * i),
                     .run = Hours(1 + i % 5),
                     .gpus = 1 + i % 8,
                     .project = "vc" + std::to_string(i % 3),
                     .limit = {}});
  }
  TraceLoad options;
  options.scale = 8;
  options.days = 2;
  for (const int load : {700, 950, 1'200}) {
    options.load_permille = load;
    const Workload workload = LoadTrace({trace, {}}, options);
    EXPECT_NEAR(OfferedPermille(workload), load, 60) << "to within one gang";
    const auto gangs =
        std::count_if(workload.jobs.begin(), workload.jobs.end(),
                      [](const Job& job) { return job.request.shape.node_count() > 1; });
    EXPECT_GT(gangs, 0);
    EXPECT_TRUE(std::is_sorted(workload.jobs.begin(), workload.jobs.end(),
                               [](const Job& a, const Job& b) { return a.submit < b.submit; }));
  }
}

TEST(Workload, TheNationalCallIsServedAtOnceAsFarAsItGoes) {
  const Workload workload = LoadNationalCall({});
  EXPECT_EQ(workload.jobs.size(), 520U);
  EXPECT_EQ(workload.pool.nodes.size(), 1'307U);
}

}  // namespace
}  // namespace allot::sim
