#include "agent/key_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "support/temp_dir.h"

namespace allot::agent {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class KeyFileTest : public ::testing::Test {
 protected:
  Result<std::string> Read(const std::string& content, mode_t mode) {
    const std::string path = temp_ / "key";
    std::ofstream(path) << content;
    chmod(path.c_str(), mode);
    return ReadKeyFile(path);
  }
  testing::TempDir temp_;
};

TEST_F(KeyFileTest, HoldsOneKey) {
  for (const std::string content : {"allot_abc_def", "allot_abc_def\n", "allot_abc_def\r\n"}) {
    const auto key = Read(content, 0600);
    ASSERT_TRUE(key.ok()) << Describe(key.error());
    EXPECT_EQ(*key, "allot_abc_def");
  }
  EXPECT_TRUE(Read("allot_abc_def", 0400).ok());
}

TEST_F(KeyFileTest, IsRefusedWhenOthersMayReadIt) {
  for (const mode_t mode : {0640, 0604, 0644, 0660, 0620}) {
    const auto key = Read("secret", mode);
    ASSERT_FALSE(key.ok()) << std::oct << mode;
    EXPECT_THAT(key.error().message, HasSubstr("chmod 600"));
    EXPECT_THAT(key.error().message, Not(HasSubstr("secret")));
  }
}

TEST_F(KeyFileTest, IsRefusedWhenItHoldsNoKey) {
  for (const std::string& content :
       {std::string(), std::string("\n"), std::string("two words"), std::string("two\nlines"),
        std::string("tab\t"), std::string("\xea\xb0\x80"), std::string(257, 'k'),
        std::string("nul\0", 4)}) {
    const auto key = Read(content, 0600);
    ASSERT_FALSE(key.ok()) << content;
    EXPECT_EQ(key.error().reason, Reason::kConfigInvalid);
    EXPECT_THAT(key.error().message, HasSubstr("one line with the API key"));
  }
}

TEST_F(KeyFileTest, IsRefusedWhenItIsNotThere) {
  EXPECT_THAT(ReadKeyFile(temp_ / "none").error().message, HasSubstr("No such file"));
  EXPECT_THAT(ReadKeyFile(temp_.path().string()).error().message, HasSubstr("not a plain file"));
}

}  // namespace
}  // namespace allot::agent
