#include "agent/certificate_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "support/manual_clock.h"

namespace allot::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class CertificateWatchTest : public ::testing::Test {
 protected:
  /// The warnings since the last time it was asked, "provider 13".
  std::vector<std::string> Warnings() { return std::exchange(warnings_, {}); }

  testing::ManualClock clock_;
  std::vector<std::string> warnings_;
  CertificateWatch watch_{
      clock_, [this](LogLevel level, std::string_view, std::initializer_list<LogField> fields) {
        if (level != LogLevel::kWarn) return;
        std::string warning;
        for (const LogField& field : fields) {
          if (field.key == "whose") warning = std::get<std::string>(field.value);
          if (field.key == "days_left") {
            warning += " " + std::to_string(std::get<int64_t>(field.value));
          }
        }
        warnings_.push_back(warning);
      }};
};

TEST_F(CertificateWatchTest, WarnsOnceADayInTheLastTwoWeeks) {
  watch_.Meet("provider", clock_.Now() + Days(15));
  watch_.Look();
  EXPECT_THAT(Warnings(), IsEmpty());
  clock_.Advance(Days(1) + Seconds{1});
  watch_.Look();
  clock_.Advance(Hours(23));
  watch_.Look();
  EXPECT_THAT(Warnings(), ElementsAre("provider 13"));
  clock_.Advance(Hours(1));
  watch_.Look();
  EXPECT_THAT(Warnings(), ElementsAre("provider 12"));
  watch_.Meet("provider", clock_.Now() + Days(90));
  clock_.Advance(Days(1));
  watch_.Look();
  EXPECT_THAT(Warnings(), IsEmpty());
}

TEST_F(CertificateWatchTest, WarnsOfTheServersToo) {
  watch_.Meet("provider", clock_.Now() + Days(90));
  watch_.Meet("server", clock_.Now() + Days(2));
  watch_.Look();
  EXPECT_THAT(Warnings(), ElementsAre("server 2"));
}

}  // namespace
}  // namespace allot::agent
