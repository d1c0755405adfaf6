#include "allot/backup/log_archive.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "support/process.h"
#include "support/temp_dir.h"

namespace allot::backup {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

constexpr int64_t kSegmentBytes = 16 << 20;
constexpr uint64_t kSegment = kSegmentBytes;

std::string Replaced(std::string text, const std::string& what, const std::string& with) {
  for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size()) {
    text.replace(at, what.size(), with);
  }
  return text;
}

std::string ReadWhole(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

class LogArchiveTest : public ::testing::Test {
 protected:
  LogArchiveTest() { fs::create_directories(folder_); }

  /// As PostgreSQL runs its commands. The exit status.
  int Command(std::string command, const std::string& path, const std::string& file) const {
    command = Replaced(Replaced(std::move(command), "%p", path), "%f", file);
    return testing::RunToEnd({"/bin/sh", "-c", command}).exit_code;
  }
  int Archive(const std::string& path, const std::string& file) const {
    for (const std::string& setting : ArchiveSettings(folder_, Seconds{60})) {
      const std::string name = "archive_command=";
      if (setting.starts_with(name)) return Command(setting.substr(name.size()), path, file);
    }
    return -1;
  }
  std::string Segment(const std::string& text) const {
    std::string path = temp_ / "segment";
    std::ofstream(path, std::ios::binary) << text;
    return path;
  }
  void Put(const std::string& name) const { std::ofstream(folder_ + "/" + name + ".gz"); }
  void PutHistory(const std::string& name, const std::string& text) const {
    ASSERT_EQ(Archive(Segment(text), name), 0);
  }
  LogArchive Read() const {
    LogArchive archive(folder_, kSegmentBytes);
    EXPECT_TRUE(archive.Read().ok());
    return archive;
  }
  int Files() const { return static_cast<int>(std::distance(fs::directory_iterator(folder_), {})); }

  testing::TempDir temp_;
  const std::string folder_ = temp_ / "wal folder";
};

constexpr const char* kFirst = "000000010000000000000001";

TEST_F(LogArchiveTest, WhatIsArchivedComesBackAsItWas) {
  const std::string text = std::string("log") + std::string(100'000, '\0') + "end";
  ASSERT_EQ(Archive(Segment(text), kFirst), 0);
  EXPECT_EQ(Files(), 1);
  const std::string back = temp_ / "back";
  ASSERT_EQ(Command(Read().restore_command(), back, kFirst), 0);
  EXPECT_EQ(ReadWhole(back), text);
}

TEST_F(LogArchiveTest, ASegmentArchivedAgainIsOnceAndAnotherOfItsNameIsRefused) {
  ASSERT_EQ(Archive(Segment("one"), kFirst), 0);
  EXPECT_EQ(Archive(Segment("one"), kFirst), 0);
  EXPECT_NE(Archive(Segment("another"), kFirst), 0);
  const std::string back = temp_ / "back";
  ASSERT_EQ(Command(Read().restore_command(), back, kFirst), 0);
  EXPECT_EQ(ReadWhole(back), "one");
}

TEST_F(LogArchiveTest, WhatACrashLeftIsNoObstacleAndNotTakenForASegment) {
  // Killed while it wrote; and killed between giving it its name and removing the other.
  std::ofstream(folder_ + "/" + kFirst + ".gz.new") << "half";
  EXPECT_TRUE(Read().empty());
  ASSERT_EQ(Archive(Segment("one"), kFirst), 0);
  fs::create_hard_link(folder_ + "/" + kFirst + ".gz", folder_ + "/" + kFirst + ".gz.new");
  ASSERT_EQ(Archive(Segment("one"), kFirst), 0);
  EXPECT_EQ(Files(), 1);
}

TEST_F(LogArchiveTest, AFolderThatIsNotThereIsAFailureAndNotASuccess) {
  fs::remove_all(folder_);
  EXPECT_NE(Archive(Segment("one"), kFirst), 0);
}

TEST_F(LogArchiveTest, TheEndOfTheLogIsNoFailureAndADamagedSegmentIs) {
  const std::string command = Read().restore_command();
  EXPECT_EQ(Command(command, temp_ / "back", kFirst), 1);
  ASSERT_EQ(Archive(Segment(std::string(1'000, 'x')), kFirst), 0);
  std::fstream file(folder_ + "/" + kFirst + ".gz", std::ios::in | std::ios::out);
  file.seekp(15);
  file.put('\xff');
  file.close();
  // PostgreSQL ends a recovery in an error for a status above 125, and goes on for one below.
  EXPECT_GT(Command(command, temp_ / "back", kFirst), 125);
}

TEST_F(LogArchiveTest, AGapIsNamed) {
  for (const char* name : {kFirst, "000000010000000000000002", "000000010000000000000003",
                           "0000000100000000000000FF", "000000010000000100000000"}) {
    Put(name);
  }
  Put("000000010000000000000002.00000028.backup");
  EXPECT_EQ(Read().FirstMissing({1, 0x1000028}), "000000010000000000000004.gz");
  EXPECT_EQ(Read().FirstMissing({1, 0xff000000}), std::nullopt) << "FF is followed by 1 00";
  EXPECT_EQ(Read().FirstMissing({1, 2 * (uint64_t{1} << 32)}), std::nullopt)
      << "nothing is needed yet";
  fs::remove(folder_ + "/" + kFirst + ".gz");
  EXPECT_EQ(Read().FirstMissing({1, 0x1000028}), std::string(kFirst) + ".gz");
}

TEST_F(LogArchiveTest, TheWayLeadsOverTheTimelinesThatTheNewestCameFrom) {
  // Timeline 1 went on to segment 6 after 2 left it within 3; 3 left 2 within 5.
  for (const char* name :
       {"000000010000000000000002", "000000010000000000000003", "000000010000000000000005",
        "000000010000000000000006", "000000020000000000000003", "000000020000000000000004",
        "000000030000000000000005"}) {
    Put(name);
  }
  PutHistory("00000002.history", "1\t0/3000148\tno recovery target specified\n");
  PutHistory("00000003.history", "1\t0/3000148\tbefore\n\n2\t0/5000200\tafter\n");
  const LogArchive archive = Read();
  EXPECT_EQ(archive.FirstMissing({1, 2 * kSegment}), std::nullopt);
  EXPECT_EQ(
      archive.way(),
      "timeline 1, left at 0/3000148 (before), then timeline 2, left at 0/5000200 (after), then "
      "timeline 3");
  EXPECT_TRUE(archive.LeadsFrom({1, 0x2000028}));
  EXPECT_FALSE(archive.LeadsFrom({1, 0x4000028})) << "nobody went on from there";
  EXPECT_TRUE(archive.LeadsFrom({2, 0x4000028}));
  EXPECT_TRUE(archive.LeadsFrom({3, 0x9000028}));
  fs::remove(folder_ + "/000000020000000000000004.gz");
  EXPECT_EQ(Read().FirstMissing({1, 2 * kSegment}), "000000020000000000000004.gz");
  fs::remove(folder_ + "/00000003.history.gz");
  EXPECT_EQ(Read().FirstMissing({1, 2 * kSegment}), "00000003.history.gz");
}

TEST_F(LogArchiveTest, AnArchiveThatWasNeverMadeIsEmpty) {
  fs::remove_all(folder_);
  EXPECT_TRUE(Read().empty());
  EXPECT_EQ(Read().way(), "");
  EXPECT_EQ(Read().FirstMissing({1, 0x1000028}), std::nullopt);
}

TEST_F(LogArchiveTest, ALogFolderIsMadeAndOneThatNoCommandCanCarryIsRefused) {
  const std::string made = temp_ / "backups/wal";
  ASSERT_TRUE(PrepareLogFolder(made).ok());
  ASSERT_TRUE(PrepareLogFolder(made).ok());
  EXPECT_EQ(fs::status(made).permissions(), fs::perms::owner_all);
  for (const char* path : {"relative/wal", "/tmp/it's", "/tmp/50%", "/tmp/back\\slash"}) {
    const Status refused = PrepareLogFolder(path);
    ASSERT_FALSE(refused.ok()) << path;
    EXPECT_EQ(refused.error().reason, Reason::kConfigInvalid);
    EXPECT_EQ(refused.error().field, "backup.folder");
  }
}

TEST(LogPosition, IsReadAsPostgresWritesIt) {
  EXPECT_EQ(ParseLogPosition("0/3000148"), 0x3000148U);
  EXPECT_EQ(ParseLogPosition("2A/FF000000"), 0x2AFF000000U);
  for (const char* text : {"", "/", "0/", "/1", "0/x", "100000000/0", "0/100000000", "0/1 "}) {
    EXPECT_EQ(ParseLogPosition(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace allot::backup
