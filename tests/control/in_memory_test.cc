// The simulation runs control on a store in memory: what holds on PostgreSQL holds there, too.
#include <gtest/gtest.h>

#include "control/world.h"
#include "support/process.h"

namespace allot::control {
namespace {

TEST(InMemory, EveryOtherTestOfControlPassesToo) {
  const testing::Ended ended = testing::RunToEnd(testing::Process::Options{
      .command = {"/proc/self/exe", "--gtest_brief=1", "--gtest_filter=-InMemory.*"},
      .environment = {{kStoreVariable, "1"}}});
  EXPECT_EQ(ended.exit_code, 0) << ended.out << ended.err;
}

}  // namespace
}  // namespace allot::control
