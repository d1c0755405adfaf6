#include "allot/backup/backup.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backup/metadata.h"
#include "support/temp_dir.h"

namespace allot::backup {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kSegmentBytes = 16 << 20;

Backup From(uint32_t timeline, uint64_t start) {
  Backup backup;
  backup.start = {timeline, start};
  backup.end = {timeline, start + 100};
  return backup;
}

TEST(Backups, TheLogIsNeededFromTheLowestStartOnAlsoAfterGoingBackInTime) {
  // The second was made after a restore to a moment before the first one.
  const std::vector<Backup> kept = {From(1, 0x9000028), From(2, 0x5000028), From(2, 0x7000028)};
  EXPECT_EQ(FirstNeeded(kept).position, 0x5000028U);
  EXPECT_EQ(FirstNeeded({From(1, 0x3000028)}).position, 0x3000028U);
}

TEST(Backups, AFolderIsGivenFromWhereOneIs) {
  EXPECT_EQ(FromTheRoot("/var/backups/../backups/allot/"), "/var/backups/allot");
  EXPECT_TRUE(FromTheRoot("allot").starts_with('/'));
  EXPECT_TRUE(FromTheRoot("./allot").ends_with("/allot"));
  EXPECT_EQ(FromTheRoot("/"), "/");
}

/// A folder with backups that have a name and a place in the log, and nothing else.
class RemovalTest : public ::testing::Test {
 protected:
  RemovalTest() { fs::create_directories(folder() + "/wal"); }

  std::string folder() const { return dir_ / "allot"; }
  std::string Segment(int number) const {
    return folder() + "/wal/" +
           LogArchive("", kSegmentBytes).SegmentName({1, static_cast<uint64_t>(number) << 24}) +
           ".gz";
  }
  void Archive(int first, int last) const {
    for (int number = first; number <= last; ++number) std::ofstream(Segment(number)) << "log";
  }
  std::string MakeBackup(int segment) const {
    Backup backup = From(1, (static_cast<uint64_t>(segment) << 24) + 40);
    backup.wal_segment_bytes = kSegmentBytes;
    backup.end_time = Instant::FromSeconds(segment);
    const std::string path = folder() + "/r" + std::to_string(segment);
    fs::create_directory(path);
    std::ofstream(path + "/backup.json") << FormatMetadata(backup);
    return path;
  }
  Status Prune(int keep) {
    told_.clear();
    return RemoveOldBackups({.folder = folder(),
                             .keep = keep,
                             .progress = [this](const auto& what) { told_.push_back(what); }});
  }

  testing::TempDir dir_;
  std::vector<std::string> told_;
};

TEST_F(RemovalTest, TheLogThatNoBackupNeedsGoesAlsoWhereAllBackupsStay) {
  // As it is when backups begin long after the log is archived, or a removal was interrupted.
  Archive(1, 5);
  MakeBackup(4);
  MakeBackup(5);
  ASSERT_TRUE(Prune(2).ok());
  EXPECT_THAT(told_, ElementsAre("removed files of the log that no backup needs: 3"));
  EXPECT_FALSE(fs::exists(Segment(3)));
  EXPECT_TRUE(fs::exists(Segment(4)));

  ASSERT_TRUE(Prune(2).ok());
  EXPECT_THAT(told_, ElementsAre(HasSubstr("nothing to remove: there are no more backups than "
                                           "--keep says (2 of 2)")));
}

TEST_F(RemovalTest, WithoutABackupTheLogStaysAndThatIsSaid) {
  Archive(1, 2);
  ASSERT_TRUE(Prune(2).ok());
  EXPECT_THAT(told_, ElementsAre("nothing to remove: there is no backup in " + folder()));
  EXPECT_TRUE(fs::exists(Segment(1)));
}

TEST_F(RemovalTest, WhoReadsIsWaitedForAndNobodyElse) {
  const std::string old = MakeBackup(1);
  MakeBackup(2);
  const std::string reading = folder() + "/reading";
  const int reader = open(reading.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC, 0644);
  ASSERT_EQ(flock(reader, LOCK_SH), 0);
  const Status read = Prune(1);
  ASSERT_FALSE(read.ok());
  EXPECT_THAT(read.error().message, HasSubstr("Somebody restores from " + folder()));
  EXPECT_TRUE(fs::exists(old));
  close(reader);

  // What cannot be opened is not what somebody holds: waiting would not end.
  fs::remove(reading);
  fs::create_symlink(dir_ / "nowhere/reading", reading);
  const Status unknown = Prune(1);
  ASSERT_FALSE(unknown.ok());
  EXPECT_THAT(unknown.error().message, HasSubstr(reading));
  EXPECT_THAT(unknown.error().message, HasSubstr("cannot be opened: No such file"));
  EXPECT_TRUE(fs::exists(old));

  fs::remove(reading);
  EXPECT_TRUE(Prune(1).ok());
  EXPECT_FALSE(fs::exists(old));
}

}  // namespace
}  // namespace allot::backup
