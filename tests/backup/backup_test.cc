#include "allot/backup/backup.h"

#include <gtest/gtest.h>

#include "support/temp_dir.h"

namespace allot::backup {
namespace {

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

}  // namespace
}  // namespace allot::backup
