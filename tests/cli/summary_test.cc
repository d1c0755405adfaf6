#include "cli/summary.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace allot::cli {
namespace {

using ::testing::HasSubstr;

TEST(SummaryPage, CallsProvidersByTheNamesTheyWereGiven) {
  Summary summary;
  summary.shares = {{.provider = "naver",
                     .provider_display_name = "네이버 (Naver)",
                     .model = "H200",
                     .clusters = 2,
                     .nodes = 287,
                     .gpus = 2'296,
                     .gpus_online = 2'296,
                     .gpus_in_use = 1'148},
                    {.provider = "p",
                     .provider_display_name = "p",
                     .model = "B200",
                     .clusters = 1,
                     .nodes = 1,
                     .gpus = 8,
                     .gpus_online = 8,
                     .gpus_in_use = 8}};
  const std::string page = PageOf(summary, /*colours=*/false);
  // Korean letters are two columns wide.
  EXPECT_THAT(page, HasSubstr("\n네이버 (Naver)     H200"));
  EXPECT_THAT(page, HasSubstr("\np                  B200"));
  EXPECT_THAT(page, HasSubstr("50.0%"));
}

}  // namespace
}  // namespace allot::cli
