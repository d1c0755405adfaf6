// Running preemptible work that is stopped for others: what becomes of it, and what is told of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "allot/sim/figures.h"
#include "allot/sim/measures.h"
#include "allot/sim/simulate.h"
#include "sim/small.h"

namespace allot::sim {
namespace {

constexpr Shape kNode{1, 8, 0};

/// A node, and on it a preemptible job of ten hours that asked for 24. An hour and a half later
/// comes one of two hours that may not be stopped, of another project.
Small OneStopped() {
  Small small(1);
  small.Add(0, kNode, Hours(24), Hours(10)).Add(90, kNode, Hours(2), Hours(2), 1);
  small.workload().jobs[0].request.preemptible = true;
  return small;
}

Outcome Simulated(const Workload& workload, Discipline discipline,
                  const Policy& policy = Policy()) {
  return Simulate(workload, {.discipline = discipline, .policy = policy, .keep_nodes = true});
}

std::vector<std::pair<int64_t, int64_t>> InMinutes(const Workload& workload,
                                                   const JobOutcome& job) {
  std::vector<std::pair<int64_t, int64_t>> minutes;
  for (const Stay& stay : job.stays) {
    minutes.emplace_back(Between(workload.begin, stay.start).count / 60,
                         Between(workload.begin, stay.until).count / 60);
  }
  return minutes;
}

using Times = std::vector<std::pair<int64_t, int64_t>>;

TEST(Preemption, WhatIsStoppedGoesOnWithWhatIsLeftOfIt) {
  const Small small = OneStopped();
  const Outcome outcome = Simulated(small.workload(), Discipline::kAllot);
  EXPECT_EQ(outcome.violations, std::vector<std::string>{});
  // Decided at 90, stopped after ten minutes of grace; of its 600 minutes 510 are left.
  EXPECT_EQ(InMinutes(small.workload(), outcome.jobs[0]), (Times{{0, 100}, {220, 730}}));
  EXPECT_EQ(InMinutes(small.workload(), outcome.jobs[1]), (Times{{100, 220}}));
  EXPECT_EQ(outcome.jobs[0].start, small.workload().begin);
  EXPECT_EQ(outcome.jobs[0].stops, 1);
  EXPECT_EQ(outcome.jobs[0].waited_again, Hours(2));
  EXPECT_EQ(outcome.lost_gpu_seconds, 8 * 10 * 60);
  // Measured are eight hours, of which the grace alone was of no use.
  EXPECT_EQ(outcome.useful_gpu_seconds, 8 * (480 - 10) * 60);
  // While it waits to go on its project wants it no less: two of the hours are shared.
  EXPECT_EQ(outcome.entitled_gpu_seconds,
            (std::vector<int64_t>{(6 * 8 + 2 * 4) * 3'600, 2 * 4 * 3'600}));

  const auto told = Measure(small.workload(), outcome).preemption;
  ASSERT_TRUE(told);
  EXPECT_EQ(told->stops, 1);
  EXPECT_EQ(told->stopped_jobs, std::vector<int>{1});
  EXPECT_EQ(told->preemptible.mean_s, 2 * 3'600) << "what it waited to go on";
  EXPECT_EQ(told->preemptible_work_weighted_wait_s, 2 * 3'600);
  EXPECT_EQ(told->others.mean_s, 10 * 60);
  EXPECT_EQ(told->others_work_weighted_wait_s, 10 * 60);
  EXPECT_EQ(told->lost_gpu_seconds, 8 * 10 * 60);
  EXPECT_EQ(told->run_gpu_seconds, 8 * 12 * 3'600);
}

TEST(Preemption, IsLookedAtAgainWhenWorkHasRunForLongEnough) {
  Small small(1);
  small.Add(0, kNode, Hours(24), Hours(10)).Add(30, kNode, Hours(2), Hours(2), 1);
  small.workload().jobs[0].request.preemptible = true;
  const Outcome outcome = Simulated(small.workload(), Discipline::kAllot);
  EXPECT_EQ(InMinutes(small.workload(), outcome.jobs[1]), (Times{{70, 190}}));
}

TEST(Preemption, IsCountedWithFromTheDecisionOn) {
  Small small = OneStopped();
  small.Add(95, kNode, Hours(2), Hours(2), 1);
  const Outcome outcome = Simulated(small.workload(), Discipline::kAllot);
  // It comes within the grace and is told a start behind the one that others are stopped for.
  ASSERT_TRUE(outcome.jobs[2].first_forecast);
  EXPECT_EQ(Between(small.workload().begin, *outcome.jobs[2].first_forecast), Minutes(225));
}

TEST(Preemption, OfOneProjectNoMoreIsStoppedWithinAnHourThanThePolicySays) {
  Small small(3);
  for (int i = 0; i < 3; ++i) small.Add(0, kNode, Hours(48), Hours(40), 0);
  for (int i = 0; i < 3; ++i) small.Add(90, kNode, Hours(30), Hours(30), 1);
  for (std::size_t i = 0; i < 3; ++i) small.workload().jobs[i].request.preemptible = true;
  Policy policy;
  policy.preemptions_per_project = 1;
  const Outcome outcome = Simulated(small.workload(), Discipline::kAllot, policy);
  std::vector<int64_t> starts;
  for (std::size_t i = 3; i < 6; ++i) {
    starts.push_back(InMinutes(small.workload(), outcome.jobs[i]).front().first);
  }
  std::sort(starts.begin(), starts.end());
  // An hour after the first was stopped the next may be, with ten minutes of grace.
  EXPECT_EQ(starts, (std::vector<int64_t>{100, 170, 240}));
}

TEST(Preemption, WhatIsDoneWithinTheGraceEndsByItself) {
  Small small = OneStopped();
  small.workload().jobs[0].run = Minutes(95);
  const Outcome outcome = Simulated(small.workload(), Discipline::kAllot);
  EXPECT_EQ(InMinutes(small.workload(), outcome.jobs[0]), (Times{{0, 95}}));
  EXPECT_EQ(outcome.jobs[0].stops, 0);
  EXPECT_EQ(outcome.lost_gpu_seconds, 0);
  EXPECT_GE(outcome.jobs[1].start, small.workload().begin + Minutes(95));
}

TEST(Preemption, WhatAskedForNoMoreThanItRunsStillRunsForItsWholeTime) {
  Small small = OneStopped();
  small.workload().jobs[0].run = Hours(24);
  const Outcome outcome = Simulated(small.workload(), Discipline::kAllot);
  EXPECT_EQ(outcome.violations, std::vector<std::string>{});
  EXPECT_EQ(InMinutes(small.workload(), outcome.jobs[0]),
            (Times{{0, 100}, {220, 220 + 24 * 60 - 90}}));
}

TEST(Preemption, NobodyElseIsStopped) {
  Small small = OneStopped();
  for (const Discipline discipline : kDisciplines) {
    if (StopsWork(discipline)) continue;
    EXPECT_EQ(Simulated(small.workload(), discipline).jobs[0].stops, 0);
  }
  small.workload().jobs[0].request.preemptible = false;
  const Outcome outcome = Simulated(small.workload(), Discipline::kAllot);
  EXPECT_EQ(outcome.jobs[0].stops, 0);
  EXPECT_EQ(outcome.jobs[1].start, small.workload().begin + Hours(10));
  EXPECT_FALSE(Measure(small.workload(), outcome).preemption);
}

Workload Loaded(uint64_t seed, int preemptible_permille) {
  LoadOptions options;
  options.seed = seed;
  options.scale = 16;
  options.days = 1;
  options.load_permille = 1'200;
  options.preemptible_permille = preemptible_permille;
  return LoadSynthetic(options);
}

/// Whether any GPU of a node has two jobs at a time.
bool SomeGpuIsUsedTwice(const Outcome& outcome) {
  std::map<int, std::vector<std::pair<TimeWindow, GpuMask>>> by_node;
  for (const JobOutcome& job : outcome.jobs) {
    for (const Stay& stay : job.stays) {
      const auto window = TimeWindow::Make(stay.start, stay.until);
      for (const auto& placed : stay.nodes) by_node[placed.node].emplace_back(*window, placed.gpus);
    }
  }
  for (auto& [node, uses] : by_node) {
    std::sort(uses.begin(), uses.end(),
              [](const auto& a, const auto& b) { return a.first.start() < b.first.start(); });
    for (std::size_t i = 0; i < uses.size(); ++i) {
      for (std::size_t k = i + 1; k < uses.size(); ++k) {
        if (uses[k].first.start() >= uses[i].first.end()) break;
        if ((uses[i].second & uses[k].second) != 0) return true;
      }
    }
  }
  return false;
}

TEST(Preemption, EveryJobRunsForItsWholeTimeAndNoGpuIsUsedTwice) {
  Policy policy;
  // Much is stopped, some of it many times.
  policy.preemption_gain = Hours(1);
  int stops = 0;
  std::size_t most = 0;
  for (uint64_t seed = 1; seed <= 6; ++seed) {
    const Workload workload = Loaded(seed, 400);
    const Outcome outcome = Simulated(workload, Discipline::kAllot, policy);
    EXPECT_EQ(outcome.violations, std::vector<std::string>{});
    EXPECT_FALSE(SomeGpuIsUsedTwice(outcome)) << seed;
    int64_t lost = 0;
    for (std::size_t i = 0; i < workload.jobs.size(); ++i) {
      const Job& job = workload.jobs[i];
      const JobOutcome& of = outcome.jobs[i];
      ASSERT_EQ(of.stays.size(), static_cast<std::size_t>(of.stops) + 1) << i;
      EXPECT_LE(of.stops, job.request.preemptible ? policy.preemptions_max : 0);
      Seconds held;
      Seconds waited = Between(job.submit, of.start);
      for (std::size_t k = 0; k < of.stays.size(); ++k) {
        held = held + Between(of.stays[k].start, of.stays[k].until);
        if (k > 0) waited = waited + Between(of.stays[k - 1].until, of.stays[k].start);
      }
      const Seconds grace{of.stops * policy.preemption_grace.count};
      EXPECT_EQ(held, job.run + grace) << i;
      EXPECT_EQ(waited, Between(job.submit, of.start) + of.waited_again) << i;
      lost += grace.count * job.request.shape.gpus();
    }
    EXPECT_EQ(outcome.lost_gpu_seconds, lost);
    const auto told = Measure(workload, outcome).preemption;
    ASSERT_TRUE(told);
    stops += told->stops;
    most = std::max(most, told->stopped_jobs.size());
    EXPECT_EQ(told->preemptible.jobs + told->others.jobs, Measure(workload, outcome).all.jobs);
  }
  EXPECT_GT(stops, 30) << "too few were stopped to say anything";
  EXPECT_GT(most, 1U) << "no job was stopped twice";
}

TEST(Preemption, ThePartIsDrawnAndTheJobsAreTheSame) {
  const Workload none = Loaded(3, 0);
  const Workload some = Loaded(3, 300);
  ASSERT_EQ(none.jobs.size(), some.jobs.size());
  int preemptible = 0;
  for (std::size_t i = 0; i < none.jobs.size(); ++i) {
    EXPECT_FALSE(none.jobs[i].request.preemptible);
    preemptible += some.jobs[i].request.preemptible ? 1 : 0;
    Job same = some.jobs[i];
    same.request.preemptible = false;
    EXPECT_EQ(same.request, none.jobs[i].request);
    EXPECT_EQ(same.submit, none.jobs[i].submit);
    EXPECT_EQ(same.run, none.jobs[i].run);
  }
  EXPECT_NEAR(preemptible, static_cast<double>(some.jobs.size()) * 0.3,
              static_cast<double>(some.jobs.size()) * 0.05);
  // Nobody is stopped: nothing is different.
  Policy policy;
  policy.preemptions_per_pass = 0;
  const Outcome without = Simulated(none, Discipline::kAllot, policy);
  const Outcome with = Simulated(some, Discipline::kAllot, policy);
  for (std::size_t i = 0; i < none.jobs.size(); ++i) {
    EXPECT_EQ(without.jobs[i].start, with.jobs[i].start) << i;
  }
}

TEST(Preemption, ItsFiguresAreToldOnlyWhereSomeMayBeStopped) {
  const Small small = OneStopped();
  Small plain = OneStopped();
  plain.workload().jobs[0].request.preemptible = false;
  const auto line = [](const Small& of) {
    const Outcome outcome = Simulated(of.workload(), Discipline::kAllot);
    return FormatJson(of.workload(), outcome, Measure(of.workload(), outcome));
  };
  EXPECT_EQ(line(plain).find("preempt"), std::string::npos);
  EXPECT_NE(line(small).find("\"stops\":1,\"stopped_jobs\":1,\"stopped_jobs_by_stops\":[1],"
                             "\"lost_gpu_s\":4800,\"run_gpu_s\":345600"),
            std::string::npos)
      << line(small);
  for (const Figure& figure : Figures()) EXPECT_FALSE(figure.of_preemption);
  const auto all = Figures(true);
  EXPECT_STREQ(all.back().title, "lost");
  const Measures measures =
      Measure(small.workload(), Simulated(small.workload(), Discipline::kAllot));
  EXPECT_EQ(FormatFigure(all.back(), all.back().of(measures)), "1.33") << "8 GPUs, ten minutes";
}

}  // namespace
}  // namespace allot::sim
