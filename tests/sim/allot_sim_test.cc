#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "allot/replay/recording.h"
#include "allot/sim/national_call.h"
#include "sim/well_formed.h"
#include "support/process.h"
#include "support/random_snapshot.h"
#include "support/temp_dir.h"

namespace allot::sim {
namespace {

using testing::Binary;
using testing::Ended;
using testing::RunToEnd;

std::string ReadBack(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(AllotSim, WritesTheCallOfTheSeedToStandardOutput) {
  const Ended ended = RunToEnd({Binary("allot-sim"), "national-call", "--seed", "42"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_TRUE(ended.out == FormatNationalCall(MakeNationalCall(42)));
}

TEST(AllotSim, SaysWhyNothingWasWritten) {
  const Ended bad_seed = RunToEnd({Binary("allot-sim"), "national-call", "--seed", "many"});
  EXPECT_NE(bad_seed.exit_code, 0);
  EXPECT_NE(bad_seed.err.find("--seed"), std::string::npos) << bad_seed.err;

  const Ended no_folder =
      RunToEnd({Binary("allot-sim"), "national-call", "--out", "/no/such/folder/call.yaml"});
  EXPECT_EQ(no_folder.exit_code, 1);
  EXPECT_NE(no_folder.err.find("/no/such/folder/call.yaml: No such file"), std::string::npos)
      << no_folder.err;
}

TEST(AllotSim, AFullDiskIsAnError) {
  const Ended ended = RunToEnd({Binary("allot-sim"), "national-call", "--out", "/dev/full"});
  EXPECT_EQ(ended.exit_code, 1) << ended.err;
}

TEST(AllotSim, ComparesDisciplinesInATable) {
  const Ended ended = RunToEnd({Binary("allot-sim"), "compare", "--disciplines", "greedy,allot",
                                "--seeds", "1", "--days", "1", "--scale", "32", "--quiet"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_NE(ended.out.find("\ngreedy "), std::string::npos) << ended.out;
  EXPECT_NE(ended.out.find("\nallot "), std::string::npos) << ended.out;
}

TEST(AllotSim, AWorkloadIsATraceAndADisciplineAPolicyByTheirOtherNames) {
  const testing::TempDir dir;
  const std::string trace = dir / "jobs.swf";
  std::ofstream(trace) << "1 0 -1 3600 8 -1 -1 8 7200 -1 1 1 1 -1 1 -1 -1 -1\n"
                          "2 60 -1 600 16 -1 -1 16 1200 -1 1 1 1 -1 1 -1 -1 -1\n";
  const std::vector<std::string> common = {"--load", "0.5",     "--seed", "3",      "--days",
                                           "1",      "--scale", "32",     "--quiet"};
  const auto run = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {Binary("allot-sim"), "run"});
    arguments.insert(arguments.end(), common.begin(), common.end());
    const Ended ended = RunToEnd(arguments);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return ended.out;
  };
  const std::string out =
      run({"--pool", "national", "--trace", trace, "--policy", "easy", "--json"});
  EXPECT_TRUE(nlohmann::json::accept(out)) << out;
  EXPECT_EQ(out, run({"--workload", trace, "--discipline", "easy"}));
}

/// A trace of two jobs with a dozen malformed lines, a record of a cancelled job and a job larger
/// than the pool among them.
std::string BrokenTrace() {
  std::string text = "1 0 -1 3600 8 -1 -1 8 7200 -1 1 1 1 -1 1 -1 -1 -1\n";
  for (int i = 0; i < 12; ++i) text += "<junk> & \xff" + std::to_string(i) + "\n";
  text += "2 30 -1 -1 8 -1 -1 8 7200 -1 5 1 1 -1 1 -1 -1 -1\n";
  text += "3 45 -1 3600 512 -1 -1 512 7200 -1 5 1 1 -1 1 -1 -1 -1\n";
  return text + "4 60 -1 600 16 -1 -1 16 1200 -1 1 1 1 -1 1 -1 -1 -1";
}

TEST(AllotSim, WhatIsLeftOutOfATraceIsToldWhereverItsFiguresAre) {
  const testing::TempDir dir;
  const std::string trace = dir / "jobs.swf";
  const std::string html = dir / "report.html";
  std::ofstream(trace, std::ios::binary) << BrokenTrace();
  for (const char* what : {"run", "compare"}) {
    std::vector<std::string> words = {
        Binary("allot-sim"), what,    "--trace", trace, "--days", "1",
        "--scale",           "32",    "--html",  html,  "--load", "0.5",
        "--quiet",           "--json"};
    if (what == std::string("compare")) {
      words.insert(words.end(), {"--disciplines", "easy", "--seeds", "1"});
    }
    const Ended ended = RunToEnd(words);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    const std::string warning = "allot-sim: warning: " + trace + ": ";
    for (const std::string& told :
         {warning + "line 2: '<junk>' is not a number in field 1; left out\n",
          warning + "line 11: '<junk>' is not", warning + "and 2 more, 12 malformed lines in all\n",
          warning +
              "line 15: '512' is not at most 56 GPUs, the largest gang of this pool; left out\n",
          warning + "left out: 1 records without a running time or processors\n"}) {
      EXPECT_NE(ended.err.find(told), std::string::npos) << told << ended.err;
    }
    EXPECT_EQ(ended.err.find("line 12"), std::string::npos) << ended.err;
    const auto left_out = nlohmann::json::parse(ended.out)["left_out"];
    EXPECT_EQ(left_out["malformed"], 12);
    EXPECT_EQ(left_out["malformed_first"].size(), 10U);
    EXPECT_EQ(
        left_out["malformed_first"][0],
        nlohmann::json({{"line", 2}, {"value", "<junk>"}, {"expected", "a number in field 1"}}));
    EXPECT_EQ(left_out["never_ran"], 1);
    EXPECT_EQ(left_out["too_large"], 1);
    EXPECT_EQ(left_out["too_large_first"][0]["line"], 15);
    const std::string page = ReadBack(html);
    EXPECT_EQ(WhatIsMalformed(page), std::nullopt);
    for (const char* told :
         {"12 malformed lines</span><br/>line 2: '&lt;junk&gt;' is not a number in field 1",
          "and 2 more<br/><span class=\"warn\">1 jobs too large</span><br/>line 15: '512' is not "
          "at "
          "most 56 GPUs, the largest gang of this pool<br/>1 records without a running time or "
          "processors"}) {
      EXPECT_NE(page.find(told), std::string::npos) << told;
    }
    words.emplace_back("--strict");
    const Ended strict = RunToEnd(words);
    EXPECT_EQ(strict.exit_code, 2);
    EXPECT_EQ(strict.out, "");
    EXPECT_EQ(strict.err,
              "allot-sim: " + trace + ": line 2: '<junk>' is not a number in field 1\n");
  }
}

TEST(AllotSim, NothingIsSaidOfATraceThatIsWhole) {
  const testing::TempDir dir;
  const std::string trace = dir / "jobs.csv";
  std::ofstream(trace) << "submit_time,duration_s,gpus,virtual_cluster\r\n"
                          "2017-09-07 03:58:57,36000,8,a\r\n\r\n";
  const Ended ended = RunToEnd({Binary("allot-sim"), "run", "--trace", trace, "--days", "1",
                                "--scale", "32", "--discipline", "easy", "--quiet", "--strict"});
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_EQ(ended.err, "");
  EXPECT_EQ(nlohmann::json::parse(ended.out)["left_out"]["malformed"], 0);
}

TEST(AllotSim, RefusesWhatItCannotRun) {
  const Ended no_file = RunToEnd({Binary("allot-sim"), "run", "--workload", "/no/such/trace.swf"});
  EXPECT_EQ(no_file.exit_code, 2);
  EXPECT_NE(no_file.err.find("/no/such/trace.swf: cannot be read"), std::string::npos);
  EXPECT_EQ(RunToEnd({Binary("allot-sim"), "run", "--workload", "/"}).exit_code, 2);
  const Ended nobody =
      RunToEnd({Binary("allot-sim"), "compare", "--disciplines", "allot,slurm", "--quiet"});
  EXPECT_EQ(nobody.exit_code, 2);
  EXPECT_NE(nobody.err.find("there is no 'slurm'; name any of fcfs, "), std::string::npos)
      << nobody.err;
}

// ---- Reports

std::vector<std::string> SmallComparison(const std::string& html) {
  return {Binary("allot-sim"), "compare", "--disciplines", "easy,allot",
          "--seeds",           "2",       "--days",        "1",
          "--scale",           "32",      "--html",        html};
}

TEST(AllotSim, WritesAReportBesideTheTable) {
  const testing::TempDir dir;
  const std::string html = dir / "it's a report.html";
  std::ofstream(html) << "an older one";
  const Ended ended = RunToEnd(SmallComparison(html));
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_NE(ended.out.find("\nallot "), std::string::npos) << ended.out;
  EXPECT_NE(ended.err.find("bytes written"), std::string::npos) << ended.err;
  const std::string page = ReadBack(html);
  EXPECT_EQ(WhatIsMalformed(page), std::nullopt);
  EXPECT_NE(page.find("1 to 2: every discipline met the same jobs"), std::string::npos);
  const std::filesystem::directory_iterator files(dir.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1) << "a draft was left behind";
}

TEST(AllotSim, TheCommandInTheReportMakesItAgain) {
  const testing::TempDir dir;
  const std::string html = dir / "it's a report.html";
  auto words = SmallComparison(html);
  for (const char* word : {"--set", "promise_nodes=4", "--threads", "1"}) words.emplace_back(word);
  ASSERT_EQ(RunToEnd(words).exit_code, 0);
  const std::string page = ReadBack(html);
  const std::size_t begin = page.find("<pre>") + 5;
  std::string command = page.substr(begin, page.find("</pre>") - begin);
  for (std::size_t at = 0; (at = command.find("&#39;")) != std::string::npos;) {
    command.replace(at, 5, "'");
  }
  EXPECT_NE(command.find("--load 0.950 --days 1 --scale 32 --set promise_nodes=4"),
            std::string::npos)
      << command;
  std::filesystem::remove(html);
  const std::string path = std::filesystem::path(Binary("allot-sim")).parent_path();
  const Ended again =
      RunToEnd({.command = {"/bin/sh", "-c", command}, .environment = {{"PATH", path}}});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_TRUE(page == ReadBack(html));
}

TEST(AllotSim, TellsOfPreemptionWhereSomeMayBeStopped) {
  const testing::TempDir dir;
  const std::string html = dir / "report.html";
  auto words = SmallComparison(html);
  const Ended plain = RunToEnd(words);
  EXPECT_EQ(plain.out.find("lost"), std::string::npos) << plain.out;
  EXPECT_EQ(ReadBack(html).find("stopped for others"), std::string::npos);
  words.insert(words.end(), {"--preemptible-share", "30"});
  const Ended ended = RunToEnd(words);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  for (const char* column :
       {"pre mean", "pre p95", "pre work", "other mean", "other p95", "stops", "lost\n"}) {
    EXPECT_NE(ended.out.find(column), std::string::npos) << ended.out;
  }
  const std::string page = ReadBack(html);
  EXPECT_EQ(WhatIsMalformed(page), std::nullopt);
  for (const char* told : {"of a hundred 30 may be stopped for others", "lost, GPU h",
                           "--preemptible-share 30 --html"}) {
    EXPECT_NE(page.find(told), std::string::npos) << told;
  }
  words.back() = "130";
  EXPECT_NE(RunToEnd(words).exit_code, 0);
}

TEST(AllotSim, ReportsOfOneDisciplineToo) {
  const testing::TempDir dir;
  const std::string html = dir / "run.html";
  const Ended ended = RunToEnd({Binary("allot-sim"), "run", "--discipline", "easy", "--days", "1",
                                "--scale", "32", "--quiet", "--html", html});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_TRUE(nlohmann::json::accept(ended.out)) << ended.out;
  const std::string page = ReadBack(html);
  EXPECT_EQ(WhatIsMalformed(page), std::nullopt);
  EXPECT_NE(page.find("Under easy, first seed"), std::string::npos);
}

TEST(AllotSim, AReportThatCannotBeWrittenIsRefusedBeforeAnythingIsSimulated) {
  const testing::TempDir dir;
  const std::string pipe = dir / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const auto& [path, advice] : std::vector<std::pair<std::string, std::string>>{
           {"/no/such/folder/report.html", "name a file in a folder that exists"},
           {dir.path(), "is no file; name one to write"},
           {pipe, "is no file; name one to write"},
           {"", "is no file; name one to write"}}) {
    // The national pool for a year, which takes far longer than this is waited for.
    const Ended ended = RunToEnd({Binary("allot-sim"), "compare", "--days", "366", "--html", path},
                                 std::chrono::seconds(20));
    EXPECT_EQ(ended.exit_code, 2) << path;
    EXPECT_EQ(ended.out, "");
    EXPECT_NE(ended.err.find(advice), std::string::npos) << ended.err;
  }
  const std::filesystem::directory_iterator files(dir.path());
  EXPECT_EQ(std::distance(begin(files), end(files)), 1) << "the pipe alone";
}

// ---- Recordings

/// A pass of a small pool on file.
class Recorded : public ::testing::Test {
 protected:
  Recorded() {
    const scheduler::Snapshot snapshot = testing::RandomSnapshot(14);
    const Policy policy = testing::RandomPolicy(14);
    const scheduler::Plan plan = Schedule(snapshot, policy);
    EXPECT_FALSE(plan.placements.empty());
    first_ = snapshot.pending[static_cast<std::size_t>(plan.order[0])].id.str();
    cluster_ = snapshot.clusters[0].id.str();
    recording_ = replay::FormatRecording(snapshot, policy, plan);
    std::ofstream(path()) << recording_;
  }
  std::string path() const { return dir_.path() / "pass.json"; }

  testing::TempDir dir_;
  std::string recording_;
  std::string first_;
  std::string cluster_;
};

TEST_F(Recorded, IsDecidedAgainTheSame) {
  const Ended ended = RunToEnd({Binary("allot-sim"), "replay", path(), "--explain", first_});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_NE(ended.out.find("Decided again, the plan is the same"), std::string::npos) << ended.out;
  EXPECT_NE(ended.out.find(first_ + ": "), std::string::npos) << ended.out;
  const auto json =
      nlohmann::json::parse(RunToEnd({Binary("allot-sim"), "replay", path(), "--json"}).out);
  EXPECT_EQ(json["equal"], true);
  EXPECT_EQ(json["recorded_hash"], json["replayed_hash"]);
}

TEST_F(Recorded, APlanThatIsAnotherIsSaidToBe) {
  auto tampered = nlohmann::ordered_json::parse(recording_);
  // A policy that decides otherwise than the recorded plan says.
  tampered["policy"]["planning_horizon_s"] = 60;
  std::ofstream(path()) << tampered;
  const Ended ended = RunToEnd({Binary("allot-sim"), "replay", path()});
  EXPECT_EQ(ended.exit_code, 1) << ended.err;
  EXPECT_NE(ended.out.find("the plan is ANOTHER"), std::string::npos) << ended.out;
}

TEST_F(Recorded, ADrainIsToldByProject) {
  const Ended ended =
      RunToEnd({Binary("allot-sim"), "what-if", path(), "--drain", cluster_, "--json"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  const auto json = nlohmann::json::parse(ended.out);
  EXPECT_GT(json["projects"].size(), 0U);
  EXPECT_LT(json["then"]["starts_now"], json["now"]["starts_now"]);
  const Ended told = RunToEnd({Binary("allot-sim"), "what-if", path(), "--set", "promise_nodes=1",
                               "--set", "promise_within=300d"});
  EXPECT_EQ(told.exit_code, 0) << told.err;
  EXPECT_NE(told.out.find("of them promised"), std::string::npos) << told.out;
}

TEST_F(Recorded, WhatCannotBeReadIsNamed) {
  using Words = std::vector<std::string>;
  for (const auto& [words, problem] : std::vector<std::pair<Words, std::string>>{
           {{"what-if", path()}, "needs something that is otherwise"},
           {{"what-if", path(), "--merit", "snu/llm"}, "--merit takes INSTITUTE/PROJECT=MERIT"},
           {{"what-if", path(), "--merit", "snu/llm=1"}, "not_found"},
           {{"what-if", path(), "--merit", "i/p0=99999999999"}, "--merit takes"},
           {{"what-if", path(), "--quota", "i/p0=64"}, "--quota takes"},
           {{"what-if", path(), "--drain", "mars"}, "not_found"},
           {{"what-if", path(), "--withdraw", "i/nobody"}, "not_found"},
           {{"what-if", path(), "--set", "promise_nodes"}, "--set takes NAME=VALUE"},
           {{"what-if", path(), "--set", "promise_nodes=-3"}, "expected 1 to 2048"},
           {{"what-if", path(), "--set", "promise_nodes=0"},
            "--set promise_nodes 0 is not allowed: expected 1 to 2048"},
           {{"what-if", path(), "--set", "promise_nodes=99999"}, "expected 1 to 2048"},
           {{"what-if", path(), "--set", "planning_horizon=1s"},
            "--set planning_horizon 1s is not allowed: expected 1d to "},
           {{"what-if", path(), "--set", "weather=9d"},
            "--set weather is not allowed: expected usage_half_life, starvation_bound, "},
           {{"what-if", path(), "--set", "failures_max=9"}, "--set failures_max is not allowed"},
           {{"replay", "/no/such/pass.json"}, "cannot be read"},
           {{"replay", "/"}, "cannot be read"},
           {{"replay", Binary("allot-sim")}, "config_invalid"},
           {{"replay", path(), "--explain", "i/nobody"}, "did not wait"}}) {
    Words line = {Binary("allot-sim")};
    line.insert(line.end(), words.begin(), words.end());
    const Ended ended = RunToEnd(line);
    EXPECT_EQ(ended.exit_code, 2) << problem;
    EXPECT_NE(ended.err.find(problem), std::string::npos) << ended.err;
  }
}

}  // namespace
}  // namespace allot::sim
