#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "allot/sim/workload.h"

namespace allot::sim {
namespace {

/// An eighth of a day of jobs of an hour.
TraceFile Hourly(int jobs) {
  TraceFile file;
  for (int i = 0; i < jobs; ++i) {
    file.jobs.push_back({.submit = Instant::FromSeconds(60 * i),
                         .run = Hours(1),
                         .gpus = 8,
                         .project = "a",
                         .limit = {},
                         .line = 2 + i});
  }
  return file;
}

TraceLoad SmallLoad() {
  TraceLoad options;
  options.scale = 32;
  options.days = 1;
  return options;
}

TEST(TraceLoad, JobsLargerThanThePoolAreLeftOutAndNamedByLine) {
  TraceFile file = Hourly(180);
  // What the largest gang of the pool may have, and one more.
  file.jobs[1].gpus = 56;
  for (const int job : {5, 3, 150}) file.jobs[static_cast<std::size_t>(job)].gpus = 57;
  file.jobs[3].gpus = 1'000'000;
  // The last of the file is the first to be submitted.
  file.jobs[150].submit = Instant::FromSeconds(0);
  const auto fitting = FitToPool(file, 32, OnUnusable::kLeaveOut);
  ASSERT_TRUE(fitting.ok()) << Describe(fitting.error());
  EXPECT_EQ(fitting->jobs.size(), 177U);
  const LeftOutLines& too_large = fitting->left_out.too_large;
  const std::string expected = "at most 56 GPUs, the largest gang of this pool";
  EXPECT_EQ(too_large.count, 3);
  EXPECT_EQ(too_large.named,
            (std::vector<LeftOutLine>{
                {5, "1000000", expected}, {7, "57", expected}, {152, "57", expected}}));
  EXPECT_TRUE(FitToPool(file, 16, OnUnusable::kLeaveOut)->left_out.too_large.count == 1);

  const auto strict = FitToPool(file, 32, OnUnusable::kRefuse);
  ASSERT_FALSE(strict.ok());
  EXPECT_EQ(strict.error().field, "line 5");
  EXPECT_EQ(strict.error().limit, expected);
}

TEST(TraceLoad, AJobThatIsTooLargeTakesNothingFromTheOthers) {
  TraceFile file = Hourly(180);
  const TraceLoad options = SmallLoad();
  const Workload without = LoadTrace(file, options);
  file.jobs.push_back(file.jobs.back());
  file.jobs.back().gpus = 1'000'000;
  file.jobs.back().run = Days(3);
  const Workload with =
      LoadTrace(FitToPool(file, options.scale, OnUnusable::kLeaveOut).value(), options);
  EXPECT_EQ(with.jobs.size(), without.jobs.size());
  EXPECT_EQ(OfferedPermille(with), OfferedPermille(without));
  ASSERT_TRUE(with.left_out);
  EXPECT_EQ(with.left_out->too_large.count, 1);
}

TEST(TraceLoad, ATraceNoneOfWhoseJobsFitsIsRefused) {
  TraceFile file = Hourly(3);
  for (TraceJob& job : file.jobs) job.gpus = 500;
  for (const auto on_too_large : {OnUnusable::kLeaveOut, OnUnusable::kRefuse}) {
    const auto fitting = FitToPool(file, 32, on_too_large);
    ASSERT_FALSE(fitting.ok());
    EXPECT_EQ(fitting.error().reason, Reason::kConfigInvalid);
    EXPECT_EQ(fitting.error().field, "line 2");
    EXPECT_NE(fitting.error().limit.find("none of its jobs fits"), std::string::npos)
        << fitting.error().limit;
  }
}

TEST(TraceLoad, NoTraceIsCopiedWithoutBound) {
  TraceLoad options = SmallLoad();
  TraceFile tiny = Hourly(1);
  tiny.jobs[0].run = Seconds{1};
  tiny.jobs[0].gpus = 1;
  const Status copies = CheckLoad(tiny.jobs, options);
  ASSERT_FALSE(copies.ok());
  EXPECT_EQ(copies.error().reason, Reason::kConfigInvalid);
  EXPECT_NE(copies.error().message.find("at most 10,000 copies and 2,000,000 jobs"),
            std::string::npos)
      << copies.error().message;

  // Few copies, of too many jobs each.
  TraceFile many = Hourly(100'000);
  for (TraceJob& job : many.jobs) {
    job.run = Seconds{5};
    job.gpus = 1;
  }
  EXPECT_TRUE(CheckLoad(many.jobs, options).ok());
  options.scale = 1;
  EXPECT_FALSE(CheckLoad(many.jobs, options).ok());
  EXPECT_TRUE(CheckLoad(Hourly(1).jobs, SmallLoad()).ok());

  // Of two jobs a century apart most copies take neither.
  TraceFile apart = Hourly(2);
  apart.jobs[1].submit = Instant::FromSeconds(Days(36'500).count);
  EXPECT_FALSE(CheckLoad(apart.jobs, SmallLoad()).ok());
}

}  // namespace
}  // namespace allot::sim
