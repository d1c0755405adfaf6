#include "allot/base/result.h"

#include <gtest/gtest.h>

#include <cctype>
#include <set>
#include <string>
#include <string_view>

namespace allot {
namespace {

constexpr Reason kAllReasons[] = {
#define ALLOT_REASON(name, text, code, advice) Reason::name,
#include "allot/base/reasons.def"
#undef ALLOT_REASON
};

TEST(ReasonCatalogue, NamesAreStableUniqueAndReadBack) {
  std::set<std::string_view> names;
  for (const Reason reason : kAllReasons) {
    const std::string_view name = Name(reason);
    EXPECT_TRUE(names.insert(name).second) << name << " is taken twice";
    EXPECT_EQ(ParseReason(name), reason);
    for (const char c : name) {
      EXPECT_TRUE((c >= 'a' && c <= 'z') || c == '_') << name;
    }
  }
  EXPECT_FALSE(ParseReason(""));
  EXPECT_FALSE(ParseReason("no_such_reason"));
}

TEST(ReasonCatalogue, EveryReasonSaysWhatToDoInASentence) {
  for (const Reason reason : kAllReasons) {
    const std::string_view advice = Advice(reason);
    ASSERT_FALSE(advice.empty()) << Name(reason);
    EXPECT_TRUE(std::isupper(static_cast<unsigned char>(advice.front()))) << advice;
    EXPECT_EQ(advice.back(), '.') << advice;
    EXPECT_NE(static_cast<int>(CodeOf(reason)), 0);
  }
}

TEST(Errors, NameFieldValueAndLimit) {
  const Error error =
      FieldError(Reason::kGpusPerNodeOutOfRange, "allocation.request.gpus_per_node", "9", "1 to 8");
  EXPECT_EQ(error.field, "allocation.request.gpus_per_node");
  EXPECT_EQ(error.value, "9");
  EXPECT_EQ(error.limit, "1 to 8");
  EXPECT_EQ(Describe(error),
            "gpus_per_node_out_of_range: allocation.request.gpus_per_node 9 is not allowed: "
            "expected 1 to 8");
  EXPECT_EQ(FieldError(Reason::kFieldRequired, "duration", "", "1m to 366d").message,
            "duration is missing: expected 1m to 366d");
  EXPECT_EQ(FieldError(Reason::kTextInvalid, "name", "a\n", "plain text").value, "a\\x0a");
}

Result<int> Halve(int x) {
  if (x % 2 != 0) return StateError(Reason::kInternal, "Odd.");
  return x / 2;
}

Result<int> Quarter(int x) {
  ALLOT_ASSIGN_OR_RETURN(const int half, Halve(x));
  ALLOT_RETURN_IF_ERROR(Halve(half));
  return Halve(half);
}

TEST(Results, PassErrorsOn) {
  EXPECT_EQ(*Quarter(8), 2);
  EXPECT_EQ(Quarter(6).error().message, "Odd.");
  EXPECT_EQ(Quarter(3).error().reason, Reason::kInternal);
}

TEST(ResultsDeathTest, StopTheProcessWhenLookedAtWrongly) {
  EXPECT_DEATH(static_cast<void>(Halve(3).value()), "check failed: ok\\(\\)");
}

}  // namespace
}  // namespace allot
