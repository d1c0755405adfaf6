#include "allot/chaos/chaos.h"

#include <gtest/gtest.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "support/process.h"
#include "support/temp_dir.h"

namespace allot::chaos {
namespace {

using testing::Binary;
using testing::Ended;
using testing::RunToEnd;

TEST(Chaos, OneSeedReplaysExactly) {
  std::vector<std::string> first;
  std::vector<std::string> again;
  const Report a = RunSeed(5, [&](std::string_view line) { first.emplace_back(line); });
  const Report b = RunSeed(5, [&](std::string_view line) { again.emplace_back(line); });
  EXPECT_EQ(a.trace_hash, b.trace_hash);
  EXPECT_EQ(a.steps, b.steps);
  EXPECT_EQ(first, again);
  EXPECT_GT(first.size(), 100U);
  // Nobody listening changes nothing.
  EXPECT_EQ(RunSeed(5, nullptr).trace_hash, a.trace_hash);
  EXPECT_NE(RunSeed(6, nullptr).trace_hash, a.trace_hash);
}

TEST(Chaos, HundredsOfSeedsAreClean) {
  const Ended ended =
      RunToEnd({Binary("allot-sim"), "chaos", "--seed", "1", "--seeds", "200", "--json", "--quiet"},
               std::chrono::minutes(5));
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  const auto report = nlohmann::json::parse(ended.out);
  EXPECT_EQ(report.at("violations"), 0);
  EXPECT_EQ(report.at("seeds"), 200);
  EXPECT_EQ(report.at("trace_hash").get<std::string>().size(), 16U);
  for (const std::string_view fault :
       {"conflict", "commit_lost", "commit_unheard", "request_lost", "answer_lost",
        "message_duplicated", "server_dies", "agent_dies", "node_dies", "clock_jumps",
        "store_outage", "store_disk_full", "agent_disk_full"}) {
    EXPECT_GT(report.at("faults").value(std::string(fault), 0), 0) << fault;
  }
}

TEST(Chaos, ASampleOfSeedsReplaysExactly) {
  const Ended ended = RunToEnd({Binary("allot-sim"), "chaos", "--seed", "201", "--seeds", "40",
                                "--twice", "--json", "--quiet"},
                               std::chrono::minutes(5));
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(nlohmann::json::parse(ended.out).at("violations"), 0);
}

TEST(Chaos, AHashDoesNotDependOnHowManySeedsRunAtATime) {
  const auto hash = [](const std::string& jobs) {
    const Ended ended = RunToEnd({Binary("allot-sim"), "chaos", "--seed", "40", "--seeds", "6",
                                  "--jobs", jobs, "--json", "--quiet"});
    return nlohmann::json::parse(ended.out).at("trace_hash");
  };
  EXPECT_EQ(hash("1"), hash("3"));
}

TEST(Chaos, TheStepsOfASeedAreWrittenOnDemand) {
  const testing::TempDir temp;
  const std::string path = temp / "trace";
  const Ended ended = RunToEnd(
      {Binary("allot-sim"), "chaos", "--seed", "3", "--seeds", "1", "--trace", path, "--quiet"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_NE(ended.out.find("1 seeds, "), std::string::npos) << ended.out;
  std::ifstream file(path);
  const std::string trace{std::istreambuf_iterator<char>(file), {}};
  EXPECT_NE(trace.find("everything heals"), std::string::npos);
}

TEST(Chaos, SaysWhatItWasAskedWrongly) {
  const Ended many =
      RunToEnd({Binary("allot-sim"), "chaos", "--seeds", "2", "--trace", "-", "--quiet"});
  EXPECT_EQ(many.exit_code, 2);
  EXPECT_NE(many.err.find("--seeds 1"), std::string::npos) << many.err;
  const Ended nowhere = RunToEnd(
      {Binary("allot-sim"), "chaos", "--seeds", "1", "--trace", "/no/such/folder/t", "--quiet"});
  EXPECT_EQ(nowhere.exit_code, 1);
  EXPECT_NE(nowhere.err.find("/no/such/folder/t cannot be written"), std::string::npos)
      << nowhere.err;
  EXPECT_EQ(RunToEnd({Binary("allot-sim"), "chaos", "--seeds", "0"}).exit_code, 2);
  EXPECT_EQ(RunToEnd({Binary("allot-sim"), "chaos", "--seed", "-1"}).exit_code, 2);
}

}  // namespace
}  // namespace allot::chaos
