#include "cli/values.h"

#include <gtest/gtest.h>

#include "cli/resource_name.h"

namespace allot::cli {
namespace {

const Instant kNow = *ParseRfc3339("2026-03-01T00:00:00Z");

TEST(ParseMoment, TakesRfc3339AndTimesFromNow) {
  EXPECT_EQ(*ParseMoment("--start", "2026-03-02T09:00:00+09:00", kNow), kNow + Days(1));
  EXPECT_EQ(*ParseMoment("--start", "+2h", kNow), kNow + Hours(2));
  for (const char* bad :
       {"", "+", "tomorrow", "+2", "-2h", "2026-02-30T00:00:00Z", "+99999999999w"}) {
    const auto refused = ParseMoment("--start", bad, kNow);
    ASSERT_FALSE(refused.ok()) << bad;
    EXPECT_EQ(refused.error().field, "--start");
    EXPECT_EQ(refused.error().value, bad);
    EXPECT_FALSE(refused.error().limit.empty());
  }
}

TEST(ParseModels, KeepsTheOrderOfPreference) {
  using Models = std::vector<std::string>;
  EXPECT_EQ(*ParseModels("--models", "H200"), Models({"H200"}));
  EXPECT_EQ(*ParseModels("--models", "b200,h200"), Models({"B200", "H200"}));
  EXPECT_EQ(*ParseModels("--models", "any"), Models());
  EXPECT_EQ(ParseModels("--models", "A100").error().reason, Reason::kGpuModelUnknown);
  EXPECT_EQ(ParseModels("--models", "H200,H200").error().reason, Reason::kGpuModelRepeated);
  EXPECT_EQ(ParseModels("--models", "").error().reason, Reason::kGpuModelUnknown);
}

TEST(ParseCount, TakesWholeNumbersThatFit) {
  EXPECT_EQ(*ParseSmallCount("--gpus", "12", Reason::kGpusOutOfRange, 1, kGpusMax), 12);
  for (const char* bad : {"", "-1", "1.5", "8x", "2147483648", "99999999999999999999"}) {
    EXPECT_EQ(ParseSmallCount("--gpus", bad, Reason::kGpusOutOfRange, 1, kGpusMax).error().reason,
              Reason::kGpusOutOfRange)
        << bad;
  }
}

TEST(ParseGpuHours, ReadsWhatIsPrinted) {
  EXPECT_EQ(*ParseGpuHours("gpu_hours", "123456"), 123'456 * 3'600);
  EXPECT_EQ(*ParseGpuHours("gpu_hours", "1,024.5"), 1'024 * 3'600 + 1'800);
  for (const char* bad : {"", "x", "1.25", "-3", "9999999999999999", "1."}) {
    EXPECT_FALSE(ParseGpuHours("gpu_hours", bad).ok()) << bad;
  }
}

TEST(ResourceName, TakesShortAndFullForms) {
  EXPECT_EQ(*AllocationName("snu/llm/main"), "institutes/snu/projects/llm/allocations/main");
  EXPECT_EQ(*AllocationName("institutes/snu/projects/llm/allocations/main"),
            "institutes/snu/projects/llm/allocations/main");
  EXPECT_EQ(*ProjectName("snu/llm"), "institutes/snu/projects/llm");
  EXPECT_EQ(*ProviderName("naver"), "providers/naver");
  EXPECT_EQ(*ApiKeyName("apiKeys/k1"), "apiKeys/k1");
  for (const char* bad : {"", "snu", "snu/llm", "snu//main", "a/b/c/d",
                          "institutes/snu/projects/llm", "institutes/x/y"}) {
    const auto refused = AllocationName(bad);
    ASSERT_FALSE(refused.ok()) << bad;
    EXPECT_EQ(refused.failure().exit_code, ExitCode::kInvalid);
    EXPECT_EQ(refused.failure().limit,
              "INSTITUTE/PROJECT/ALLOCATION or "
              "institutes/INSTITUTE/projects/PROJECT/allocations/ALLOCATION");
  }
}

TEST(ResourceName, ShortensAndFindsParents) {
  EXPECT_EQ(ShortName("institutes/snu/projects/llm/allocations/main"), "snu/llm/main");
  EXPECT_EQ(ShortName("institutes/snu/projects/llm/quota"), "snu/llm");
  EXPECT_EQ(ParentOf("institutes/snu/projects/llm/allocations/main"),
            "institutes/snu/projects/llm");
  EXPECT_EQ(ParentOf("institutes/snu"), "");
  EXPECT_EQ(LastPart("providers/naver/clusters/naver-a"), "naver-a");
}

}  // namespace
}  // namespace allot::cli
