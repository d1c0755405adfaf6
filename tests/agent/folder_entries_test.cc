#include "agent/folder_entries.h"

#include <dirent.h>
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>

#include "agent/static_adapter.h"
#include "support/temp_dir.h"

namespace {

/// After so many entries a folder cannot be read any further; below zero: it can.
int readable_entries = -1;

}  // namespace

// In the place of the C library's: what a disk that fails does.
extern "C" dirent* readdir(DIR* folder) {
  if (readable_entries == 0) {
    errno = EIO;
    return nullptr;
  }
  if (readable_entries > 0) --readable_entries;
  static const auto real = reinterpret_cast<dirent* (*)(DIR*)>(dlsym(RTLD_NEXT, "readdir"));
  return real(folder);
}

namespace allot::agent {
namespace {

using ::testing::HasSubstr;

class FolderEntriesTest : public ::testing::Test {
 protected:
  FolderEntriesTest() {
    for (const char* name : {"n2", "n1", "n3"}) std::ofstream(temp_ / name) << "broken";
  }
  ~FolderEntriesTest() override { readable_entries = -1; }

  testing::TempDir temp_;
};

TEST_F(FolderEntriesTest, AreInTheOrderOfTheirNames) {
  const auto entries = EntriesOf(temp_.path().string());
  ASSERT_TRUE(entries.ok());
  std::vector<std::string> names;
  for (const auto& entry : *entries) names.push_back(entry.path().filename().string());
  EXPECT_THAT(names, ::testing::ElementsAre("n1", "n2", "n3"));
}

TEST_F(FolderEntriesTest, AnErrorInTheMiddleIsToldAndNeverThrown) {
  // The folder itself and the one above are entries, too.
  for (int readable = 0; readable < 5; ++readable) {
    readable_entries = readable;
    const auto entries = EntriesOf(temp_.path().string());
    readable_entries = -1;
    ASSERT_FALSE(entries.ok()) << readable;
    EXPECT_EQ(entries.error().reason, Reason::kStoreUnavailable);
    EXPECT_THAT(entries.error().message, HasSubstr("Input/output error"));
  }
}

TEST_F(FolderEntriesTest, ThatCannotBeReadLeavesTheLastListOfNodesInForce) {
  const Site site = {.provider = ProviderId("naver"),
                     .cluster = ClusterId("naver-a"),
                     .nodes = {{"n1", ""}, {"n2", ""}, {"n3", ""}},
                     .simulated_provisioning_delay = {}};
  StaticAdapter adapter(
      site, {.site_file = "",
             .health_folder = temp_.path().string(),
             .steady_ms = [] { return int64_t{0}; },
             .log = [](LogLevel, std::string_view, std::initializer_list<LogField>) {}});
  EXPECT_TRUE(adapter.Inventory().ok());
  readable_entries = 3;
  EXPECT_FALSE(adapter.Inventory().ok()) << "a part of it would say that the others work";
}

}  // namespace
}  // namespace allot::agent
