#include "cli/audit_chain.h"

#include <gmock/gmock.h>

#include <functional>
#include <vector>

namespace allot::cli {
namespace {

using ::testing::HasSubstr;

// Worked out with something else (hashlib of Python), from the definition.
constexpr const char* kFirst = "0adca4cc71bb5f3e58b5251d8afdbdd0f459611d4ccd24138729c91aea1bbc61";
constexpr const char* kSecond = "2f7479e809335353e37c3a3edb2070f917186370f979c2ca8c91c1cd8d595efd";

v1::ChainedAuditEntry First() {
  v1::ChainedAuditEntry entry;
  entry.set_number(1);
  entry.mutable_time()->set_seconds(1'772'323'200);
  entry.mutable_time()->set_nanos(1'000);
  entry.set_key_id("key");
  entry.set_actor("operator");
  entry.set_action("project.create");
  entry.set_resource_id("snu/llm");
  entry.set_institute_id("snu");
  entry.set_detail("국가 AI");
  entry.set_request_id("r-1");
  entry.set_hash(kFirst);
  return entry;
}
v1::ChainedAuditEntry Second() {
  v1::ChainedAuditEntry entry;
  entry.set_number(2);
  entry.mutable_time()->set_seconds(1'772'323'201);
  entry.set_actor("system");
  entry.set_action("allocation.promise");
  entry.set_resource_id("snu/llm/a");
  entry.set_institute_id("snu");
  entry.set_detail("promised");
  entry.set_hash(kSecond);
  return entry;
}

TEST(AuditChain, WhatWasWrittenFits) {
  AuditChainCheck check(AuditMark{1, kFirst});
  EXPECT_EQ(check.Take(First()), std::nullopt);
  EXPECT_EQ(check.Take(Second()), std::nullopt);
  EXPECT_EQ(check.reached(), (AuditMark{2, kSecond}));
  EXPECT_EQ(check.Finish({2, kSecond}), std::nullopt);
}

TEST(AuditChain, AnEmptyAuditFits) {
  AuditChainCheck check(std::nullopt);
  EXPECT_EQ(check.Finish({}), std::nullopt);
}

TEST(AuditChain, EveryFieldCounts) {
  const std::vector<std::function<void(v1::ChainedAuditEntry&)>> changes = {
      [](auto& e) { e.mutable_time()->set_nanos(2'000); },
      [](auto& e) { e.set_key_id("kei"); },
      [](auto& e) { e.set_actor("auditor"); },
      [](auto& e) { e.set_action("project.update"); },
      [](auto& e) { e.set_resource_id("snu/lln"); },
      [](auto& e) { e.set_institute_id("kaist"); },
      [](auto& e) { e.set_detail("국가 A"); },
      [](auto& e) { e.set_request_id(""); },
      [](auto& e) { e.set_hash(kSecond); },
      // What moves from one field into the next.
      [](auto& e) {
        e.set_actor("operatorproject");
        e.set_action(".create");
      },
  };
  for (const auto& change : changes) {
    v1::ChainedAuditEntry entry = First();
    change(entry);
    const auto what = AuditChainCheck(std::nullopt).Take(entry);
    ASSERT_TRUE(what) << entry.ShortDebugString();
    EXPECT_THAT(*what, HasSubstr("entry 1 is not what was written there"));
  }
}

TEST(AuditChain, WhatIsGoneIsNamed) {
  EXPECT_THAT(*AuditChainCheck(std::nullopt).Take(Second()), HasSubstr("entry 1 is missing"));
  AuditChainCheck check(std::nullopt);
  ASSERT_FALSE(check.Take(First()));
  EXPECT_THAT(*check.Take(First()), HasSubstr("twice"));
  EXPECT_THAT(*check.Finish({2, kSecond}),
              HasSubstr("the newest entries are missing, from 2 to 2"));
  EXPECT_THAT(*check.Finish({1, kSecond}), HasSubstr("the newest entry, 1,"));
}

TEST(AuditChain, WhatIsWrittenAnewIsKnownFromWhatWasNoted) {
  AuditChainCheck check(AuditMark{1, kSecond});
  EXPECT_THAT(*check.Take(First()), HasSubstr("is not the one that was noted"));
  AuditChainCheck shorter(AuditMark{2, kSecond});
  ASSERT_FALSE(shorter.Take(First()));
  EXPECT_THAT(*shorter.Finish({1, kFirst}), HasSubstr("to the one that was noted, 2"));
}

TEST(AuditChain, AMarkIsANumberAndAHash) {
  EXPECT_EQ(ParseAuditMark(std::string("1:") + kFirst), (AuditMark{1, kFirst}));
  EXPECT_EQ(MarkText(AuditMark{1, kFirst}), std::string("1:") + kFirst);
  for (const std::string& text :
       {std::string(), std::string("1"), std::string(kFirst), std::string("0:") + kFirst,
        std::string("-1:") + kFirst, std::string("1:") + kFirst + "0", std::string("x:") + kFirst,
        std::string("1:") + std::string(64, 'G')}) {
    EXPECT_EQ(ParseAuditMark(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace allot::cli
