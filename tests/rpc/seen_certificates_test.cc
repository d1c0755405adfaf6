#include "rpc/seen_certificates.h"

#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <cmath>
#include <ctime>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "support/authority.h"

namespace allot::rpc {
namespace {

constexpr int64_t kMinute = int64_t{60} * 1'000'000;

class SeenCertificatesTest : public ::testing::Test {
 protected:
  /// A certificate in PEM that ends so many days from now.
  std::string Certificate(int days) const {
    authority_.MakeEdge({"--days", std::to_string(days)});
    std::ifstream file(authority_.certificate("edge"));
    return {std::istreambuf_iterator<char>(file), {}};
  }
  /// How many days are left by what is shown of a holder; -1 when nothing is.
  long DaysLeft(const std::string& holder) const {
    const std::string text = prometheus::TextSerializer().Serialize(registry_->Collect());
    const std::string name =
        "allot_certificate_expiry_timestamp_seconds{holder=\"" + holder + "\"} ";
    const std::size_t at = text.find(name);
    if (at == std::string::npos) return -1;
    const double end = std::stod(text.substr(at + name.size()));
    return std::lround((end - static_cast<double>(std::time(nullptr))) / 86'400);
  }

  testing::Authority authority_;
  std::shared_ptr<prometheus::Registry> registry_ = std::make_shared<prometheus::Registry>();
  int64_t now_micros_ = 0;
  SeenCertificates seen_{registry_, [this] { return now_micros_; }};
};

TEST_F(SeenCertificatesTest, OfSeveralTheOneCountsThatEndsFirstUntilItIsReplaced) {
  const std::string old_one = Certificate(5);
  const std::string new_one = Certificate(50);
  seen_.Note("edge", new_one);
  EXPECT_EQ(DaysLeft("edge"), 50);
  seen_.Note("edge", old_one);
  EXPECT_EQ(DaysLeft("edge"), 5);
  // Both are in use, on two machines.
  for (int i = 0; i < 30; ++i) {
    now_micros_ += kMinute;
    seen_.Note(i % 2 == 0 ? "edge" : "providers/naver", new_one);
    if (i % 9 == 0) seen_.Note("edge", old_one);
  }
  EXPECT_EQ(DaysLeft("edge"), 5);
  EXPECT_EQ(DaysLeft("providers/naver"), 50);
  now_micros_ += 11 * kMinute;
  EXPECT_EQ(DaysLeft("edge"), 5) << "nobody was seen since: it is known that it ends";
  seen_.Note("edge", new_one);
  EXPECT_EQ(DaysLeft("edge"), 50);
}

TEST_F(SeenCertificatesTest, WhatIsNoCertificateIsNotShown) {
  seen_.Note("edge", "");
  seen_.Note("edge", "-----BEGIN CERTIFICATE-----\nx\n");
  EXPECT_EQ(DaysLeft("edge"), -1);
}

}  // namespace
}  // namespace allot::rpc
