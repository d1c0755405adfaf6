#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "support/process.h"
#include "support/temp_dir.h"

namespace allot::sim {
namespace {

using testing::Binary;
using testing::Ended;
using testing::RunToEnd;

TEST(Usage, WrongUsageExitsWithTwoAndSaysWhatIsExpected) {
  using Words = std::vector<std::string>;
  const std::string seeds = "expected a whole number of 0 to 9223372036854775807";
  const std::string load = "expected a number of 0.01 to 10";
  const std::string commands =
      "Its subcommands: national-call, run, compare, replay, what-if, chaos\n";
  for (const auto& [words, told] : std::vector<std::pair<Words, std::string>>{
           {{}, commands},
           {{"nonsense"}, commands},
           {{"run", "--no-such-flag"}, "--no-such-flag"},
           {{"run", "--scale", "99"}, "--scale"},
           {{"replay"}, "file"},
           {{"run", "--load", "0"}, load},
           {{"run", "--load", "nan"}, "--load: 'nan': " + load},
           {{"run", "--load", "-nan"}, load},
           {{"run", "--load", "10.5"}, load},
           {{"compare", "--load", "nan"}, load},
           {{"run", "--seed", "-1"}, "--seed: '-1': " + seeds},
           {{"run", "--seed", "99999999999999999999"}, seeds},
           {{"run", "--seed", "010"}, seeds},
           {{"run", "--seed", ""}, seeds},
           {{"compare", "--seed", "-1"}, seeds},
           {{"national-call", "--seed", "9223372036854775808"}, seeds},
           {{"compare", "--disciplines", "easy,allot,easy"}, "'easy' is named twice"}}) {
    Words line = {Binary("allot-sim")};
    line.insert(line.end(), words.begin(), words.end());
    const Ended ended = RunToEnd(line);
    EXPECT_EQ(ended.exit_code, 2) << told;
    EXPECT_EQ(ended.out, "");
    EXPECT_NE(ended.err.find(told), std::string::npos) << ended.err;
  }
  EXPECT_EQ(RunToEnd({Binary("allot-sim"), "--help"}).exit_code, 0);
  EXPECT_EQ(RunToEnd({Binary("allot-sim"), "national-call", "--seed", "0"}).exit_code, 0);
}

TEST(Usage, ATraceThatCannotMakeTheLoadIsRefused) {
  const testing::TempDir dir;
  const std::string trace = dir / "jobs.csv";
  const auto run = [&](const std::string& job) {
    std::ofstream(trace) << "submit_time,duration_s,gpus,virtual_cluster\n" << job;
    return RunToEnd({Binary("allot-sim"), "run", "--trace", trace, "--days", "1", "--scale", "32"});
  };
  const Ended tiny = run("2017-10-01 00:00:00,1,1,v\n");
  EXPECT_EQ(tiny.exit_code, 2);
  EXPECT_EQ(tiny.out, "");
  for (const char* told : {"the load would take about ", "at most 10,000 copies",
                           "; give a lower --load, fewer --days, a larger --scale or a trace"}) {
    EXPECT_NE(tiny.err.find(told), std::string::npos) << tiny.err;
  }
  const Ended large = run("2017-10-01 00:00:00,3600,512,v\n");
  EXPECT_EQ(large.exit_code, 2);
  EXPECT_EQ(large.err, "allot-sim: " + trace +
                           ": line 2: '512' is not at most 56 GPUs, the largest gang of this pool; "
                           "none of its jobs fits; a smaller --scale has larger ones\n");
}

}  // namespace
}  // namespace allot::sim
