// What `allot-sim replay` does with files that are none, and with the flag --explain.
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "allot/replay/recording.h"
#include "support/process.h"
#include "support/random_snapshot.h"
#include "support/temp_dir.h"

namespace allot::replay {
namespace {

using testing::Binary;
using testing::Ended;
using testing::RunToEnd;

class ReplayCommand : public ::testing::Test {
 protected:
  ReplayCommand() {
    const scheduler::Snapshot snapshot = testing::RandomSnapshot(14);
    const Policy policy = testing::RandomPolicy(14);
    const scheduler::Plan plan = Schedule(snapshot, policy);
    first_ = snapshot.pending.at(static_cast<std::size_t>(plan.order.at(0))).id.str();
    std::ofstream(path()) << FormatRecording(snapshot, policy, plan);
  }
  std::string path() const { return dir_.path() / "pass.json"; }

  testing::TempDir dir_;
  std::string first_;
};

TEST_F(ReplayCommand, ExplainsInJsonToo) {
  const Ended ended =
      RunToEnd({Binary("allot-sim"), "replay", path(), "--json", "--explain", first_});
  ASSERT_EQ(ended.exit_code, 0) << ended.err;
  const auto why = nlohmann::json::parse(ended.out)["explanation"];
  EXPECT_EQ(why["id"], first_);
  EXPECT_NE(why["reason"], "");
  EXPECT_GE(why["rank_of"], why["rank"]);
}

TEST_F(ReplayCommand, NobodyIsExplainedWithoutAName) {
  const Ended ended = RunToEnd({Binary("allot-sim"), "replay", path(), "--explain", ""});
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_NE(ended.err.find("--explain takes the id of an allocation"), std::string::npos)
      << ended.err;
}

TEST_F(ReplayCommand, WhatIsNoFileOrTooLongIsRefused) {
  const std::string long_one = dir_.path() / "long.json";
  std::ofstream(long_one) << "[]";
  std::filesystem::resize_file(long_one, (std::uintmax_t{1} << 30) + 1);
  for (const std::string& file : {std::string("/dev/zero"), std::string("/"), long_one}) {
    const Ended ended = RunToEnd({Binary("allot-sim"), "replay", file});
    EXPECT_EQ(ended.exit_code, 2) << file;
    EXPECT_NE(ended.err.find("cannot be read as a file of 1 GiB at most"), std::string::npos)
        << ended.err;
  }
}

TEST_F(ReplayCommand, APipeIsReadAsAFile) {
  const Ended ended = RunToEnd(
      {"sh", "-c", "cat \"$2\" | \"$1\" replay /dev/stdin", "sh", Binary("allot-sim"), path()});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
}

}  // namespace
}  // namespace allot::replay
