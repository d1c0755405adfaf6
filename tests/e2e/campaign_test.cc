// A short campaign of faults; tests/run --campaign makes a long one.

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "support/process.h"

namespace allot::testing {
namespace {

TEST(Campaign, NothingAcknowledgedIsLostOrDoneTwice) {
  const Ended ended =
      RunToEnd({Binary("campaign"), "--faults", "11", "--seed", "1"}, std::chrono::seconds(300));
  ASSERT_EQ(ended.exit_code, 0) << ended.out << ended.err;
  const auto line = nlohmann::json::parse(ended.out);
  EXPECT_EQ(line["faults"], 11);
  EXPECT_GT(line["acknowledged"], line["ended"]);
  EXPECT_GT(line["ended"], 0);
  EXPECT_EQ(line["lost"], 0);
  EXPECT_EQ(line["twice"], 0);
  EXPECT_EQ(line["double_bookings"], 0);
  EXPECT_EQ(line["invariants"], 0);
}

}  // namespace
}  // namespace allot::testing
