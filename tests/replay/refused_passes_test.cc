// However often a pass is refused, its recordings stay few, and the first and the newest are there.
#include "allot/replay/refused_passes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "allot/replay/recording.h"
#include "support/random_snapshot.h"
#include "support/temp_dir.h"

namespace allot::replay {
namespace {

using ::testing::HasSubstr;

class RefusedPassesTest : public ::testing::Test {
 protected:
  std::string folder() const { return dir_ / "refused"; }
  Result<std::optional<std::string>> Refuse(int64_t revision) {
    snapshot_.revision = revision;
    return refused_.Keep(snapshot_, policy_, scheduler::Schedule(snapshot_, policy_));
  }
  /// The revisions that are on file.
  std::set<int64_t> Kept() const {
    std::set<int64_t> kept;
    for (const auto& entry : std::filesystem::directory_iterator(folder())) {
      kept.insert(std::stoll(entry.path().filename()));
    }
    return kept;
  }

  const testing::TempDir dir_;
  scheduler::Snapshot snapshot_ = testing::RandomSnapshot(1);
  const Policy policy_ = testing::RandomPolicy(1);
  RefusedPasses refused_{folder()};
};

TEST_F(RefusedPassesTest, OfAHundredInARowAFewAreOnFile) {
  for (int64_t revision = 1; revision <= 100; ++revision) {
    const auto kept = Refuse(revision);
    ASSERT_TRUE(kept.ok()) << Describe(kept.error());
    const std::set<int64_t> recorded = {1, 2, 4, 8, 16, 32, 64};
    EXPECT_EQ(kept->has_value(), recorded.contains(revision)) << revision;
  }
  EXPECT_EQ(refused_.in_a_row(), 100);
  EXPECT_EQ(Kept(), (std::set<int64_t>{1, 2, 4, 8, 16, 32, 64}));
}

TEST_F(RefusedPassesTest, OfAHundredWithGoodPassesBetweenTheOldestAndTheNewestStay) {
  for (int64_t revision = 1; revision <= 100; ++revision) {
    ASSERT_TRUE(Refuse(revision).ok());
    refused_.EndRow();
  }
  EXPECT_EQ(Kept(), (std::set<int64_t>{1, 2, 3, 4, 5, 6, 7, 8, 93, 94, 95, 96, 97, 98, 99, 100}));
}

TEST_F(RefusedPassesTest, WhatIsOnFileCanBeReplayed) {
  const auto kept = Refuse(7);
  ASSERT_TRUE(kept.ok() && *kept);
  EXPECT_EQ(**kept, folder() + "/7.json");
  std::ifstream file(**kept);
  const auto read = ParseRecording(std::string(std::istreambuf_iterator<char>(file), {}));
  ASSERT_TRUE(read.ok()) << Describe(read.error());
  EXPECT_EQ(read->snapshot.revision, 7);
}

TEST_F(RefusedPassesTest, WhereNothingCanBeWrittenItIsSaidAndNothingIsLeft) {
  std::filesystem::create_directories(folder() + "/7.json/in the way");
  const auto kept = Refuse(7);
  ASSERT_FALSE(kept.ok());
  EXPECT_THAT(Describe(kept.error()), HasSubstr(folder() + "/7.json cannot be written"));
  EXPECT_FALSE(std::filesystem::exists(folder() + "/7.json.new"));
}

TEST(RefusedPasses, WithoutAFolderTheyAreCounted) {
  RefusedPasses nowhere{std::string()};
  const scheduler::Snapshot snapshot = testing::RandomSnapshot(1);
  const Policy policy = testing::RandomPolicy(1);
  const auto kept = nowhere.Keep(snapshot, policy, scheduler::Schedule(snapshot, policy));
  ASSERT_TRUE(kept.ok());
  EXPECT_EQ(*kept, std::nullopt);
  EXPECT_EQ(nowhere.in_a_row(), 1);
}

}  // namespace
}  // namespace allot::replay
