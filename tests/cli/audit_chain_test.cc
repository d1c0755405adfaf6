#include "cli/audit_chain.h"

#include <gmock/gmock.h>

#include <functional>
#include <vector>

#include "support/signing.h"
#include "support/temp_dir.h"

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
  EXPECT_EQ(check.Finish({2, kSecond}, Instant{0}), std::nullopt);
}

TEST(AuditChain, AnEmptyAuditFits) {
  AuditChainCheck check(std::nullopt);
  EXPECT_EQ(check.Finish({}, Instant{0}), std::nullopt);
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
  EXPECT_THAT(*check.Finish({2, kSecond}, Instant{0}),
              HasSubstr("the newest entries are missing, from 2 to 2"));
  EXPECT_THAT(*check.Finish({1, kSecond}, Instant{0}), HasSubstr("the newest entry, 1,"));
}

TEST(AuditChain, WhatIsWrittenAnewIsKnownFromWhatWasNoted) {
  AuditChainCheck check(AuditMark{1, kSecond});
  EXPECT_THAT(*check.Take(First()), HasSubstr("is not the one that was noted"));
  AuditChainCheck shorter(AuditMark{2, kSecond});
  ASSERT_FALSE(shorter.Take(First()));
  EXPECT_THAT(*shorter.Finish({1, kFirst}, Instant{0}), HasSubstr("to the one that was noted, 2"));
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

class SignedAudit : public ::testing::Test {
 protected:
  using Kind = v1::AuditCheckpoint;

  v1::AuditCheckpoint Signed(Kind::Kind kind, const AuditMark& mark,
                             const testing::SigningKeyFiles& files,
                             int64_t seconds = 1'772'323'300) const {
    const auto key = transport::SigningKey::Read({"key", files.key}).value();
    v1::AuditCheckpoint checkpoint;
    checkpoint.set_kind(kind);
    checkpoint.set_number(mark.number);
    checkpoint.set_hash(mark.hash);
    checkpoint.mutable_sign_time()->set_seconds(seconds);
    checkpoint.set_signer(key->id());
    checkpoint.set_signature(key->Sign(std::string("allot audit ") +
                                       (kind == Kind::KIND_REMOVED ? "removed" : "reached") + "\n" +
                                       std::to_string(mark.number) + "\n" + mark.hash + "\n" +
                                       std::to_string(seconds) + "000000\n"));
    return checkpoint;
  }
  AuditChainCheck With(const testing::SigningKeyFiles& files,
                       std::optional<AuditMark> noted = std::nullopt) const {
    return AuditChainCheck(std::move(noted),
                           {transport::VerifyingKey::Read({"key", files.public_half}).value()});
  }

  testing::TempDir dir_;
  testing::SigningKeyFiles mine_{dir_.path(), "mine"};
  testing::SigningKeyFiles other_{dir_.path(), "other"};
  /// A little after both entries.
  const Instant soon_ = Instant::FromSeconds(1'772'323'400);
  const Instant late_ = soon_ + Days(2);
};

TEST_F(SignedAudit, WhatIsSignedIsMet) {
  AuditChainCheck check = With(mine_);
  ASSERT_FALSE(check.Begin({}));
  ASSERT_FALSE(check.TakeCheckpoint(Signed(Kind::KIND_REACHED, {2, kSecond}, mine_)));
  ASSERT_FALSE(check.Take(First()));
  ASSERT_FALSE(check.Take(Second()));
  EXPECT_EQ(check.Finish({2, kSecond}, late_), std::nullopt);
  EXPECT_EQ(check.newest_signed()->number(), 2);
}

TEST_F(SignedAudit, WhatWasWrittenAnewIsNotWhatWasSigned) {
  AuditChainCheck check = With(mine_);
  ASSERT_FALSE(check.TakeCheckpoint(Signed(Kind::KIND_REACHED, {1, kSecond}, mine_)));
  EXPECT_THAT(*check.Take(First()), HasSubstr("is not the one of the checkpoint"));
  AuditChainCheck unchecked(std::nullopt);
  ASSERT_FALSE(unchecked.TakeCheckpoint(Signed(Kind::KIND_REACHED, {1, kSecond}, mine_)));
  EXPECT_TRUE(unchecked.Take(First()).has_value()) << "nor without the key";
}

TEST_F(SignedAudit, ASignatureIsOfAKeyThatWasGiven) {
  const auto by_other = Signed(Kind::KIND_REACHED, {1, kFirst}, other_);
  EXPECT_THAT(*With(mine_).TakeCheckpoint(by_other), HasSubstr("was not given"));
  auto forged = Signed(Kind::KIND_REACHED, {1, kFirst}, mine_);
  forged.set_signature(by_other.signature());
  EXPECT_THAT(*With(mine_).TakeCheckpoint(forged), HasSubstr("has a signature that is not of"));
  auto later = Signed(Kind::KIND_REACHED, {1, kFirst}, mine_);
  later.mutable_sign_time()->set_seconds(1'772'323'301);
  EXPECT_TRUE(With(mine_).TakeCheckpoint(later).has_value());
  auto removed = Signed(Kind::KIND_REACHED, {1, kFirst}, mine_);
  removed.set_kind(Kind::KIND_REMOVED);
  EXPECT_TRUE(With(mine_).TakeCheckpoint(removed).has_value());
}

TEST_F(SignedAudit, WhatIsADayOldIsSigned) {
  AuditChainCheck check = With(mine_);
  ASSERT_FALSE(check.TakeCheckpoint(Signed(Kind::KIND_REACHED, {1, kFirst}, mine_)));
  ASSERT_FALSE(check.Take(First()));
  ASSERT_FALSE(check.Take(Second()));
  EXPECT_EQ(check.Finish({2, kSecond}, soon_), std::nullopt);
  EXPECT_THAT(*check.Finish({2, kSecond}, late_), HasSubstr("behind 1 are not signed"));
  AuditChainCheck never = With(mine_);
  ASSERT_FALSE(never.Take(First()));
  EXPECT_THAT(*never.Finish({1, kFirst}, late_), HasSubstr("behind 0 are not signed"));
}

// Who rewrote the chain and removed the checkpoints behind it gets what stands there signed anew.
TEST_F(SignedAudit, WhatIsFirstSignedWhenItIsOldIsNotBelieved) {
  const auto young = Signed(Kind::KIND_REACHED, {1, kFirst}, mine_);
  const auto anew = Signed(Kind::KIND_REACHED, {2, kSecond}, mine_, late_.seconds());
  AuditChainCheck check = With(mine_);
  ASSERT_FALSE(check.TakeCheckpoint(young));
  ASSERT_FALSE(check.TakeCheckpoint(anew));
  ASSERT_FALSE(check.Take(First()));
  const auto what = check.Take(Second());
  ASSERT_TRUE(what);
  EXPECT_THAT(*what, HasSubstr("the entries from 2 to 2 were first signed at " +
                               FormatRfc3339(late_) + ", though the first is of "));

  const auto in_time = Signed(Kind::KIND_REACHED, {2, kSecond}, mine_, 1'772'323'201 + 86'400);
  AuditChainCheck good = With(mine_);
  ASSERT_FALSE(good.TakeCheckpoint(young));
  ASSERT_FALSE(good.TakeCheckpoint(in_time));
  ASSERT_FALSE(good.Take(First()));
  EXPECT_FALSE(good.Take(Second()));
  EXPECT_FALSE(good.signed_late_from());

  // Servers that stood still for days: whoever looked at it then noted that it was in order.
  AuditChainCheck noted = With(mine_, AuditMark{2, kSecond});
  ASSERT_FALSE(noted.TakeCheckpoint(young));
  ASSERT_FALSE(noted.TakeCheckpoint(anew));
  ASSERT_FALSE(noted.Take(First()));
  EXPECT_FALSE(noted.Take(Second()));
}

TEST_F(SignedAudit, AKeyThatWasAddedLaterSignsFromThenOn) {
  AuditChainCheck check = With(mine_);
  ASSERT_FALSE(
      check.TakeCheckpoint(Signed(Kind::KIND_REACHED, {1, kFirst}, mine_, late_.seconds())));
  ASSERT_FALSE(check.Take(First()));
  ASSERT_TRUE(check.signed_late_from());
  EXPECT_EQ(check.signed_late_from()->checkpoint.number(), 1);
  EXPECT_EQ(check.signed_late_from()->since, (Instant{1'772'323'200'000'001}));
  EXPECT_EQ(check.Finish({1, kFirst}, late_), std::nullopt);
}

TEST_F(SignedAudit, WhatWasSignedIsThere) {
  for (const bool with_key : {true, false}) {
    AuditChainCheck check = with_key ? With(mine_) : AuditChainCheck(std::nullopt);
    ASSERT_FALSE(check.TakeCheckpoint(Signed(Kind::KIND_REACHED, {1, kFirst}, mine_)));
    ASSERT_FALSE(check.Take(First()));
    EXPECT_EQ(check.Finish({1, kFirst}, soon_), std::nullopt);
    // As the last page has them: nothing tells it from an audit that ends here but these.
    ASSERT_FALSE(check.TakeCheckpoint(Signed(Kind::KIND_REACHED, {2, kSecond}, mine_)));
    EXPECT_THAT(*check.Finish({1, kFirst}, soon_),
                HasSubstr("entries up to 2 were signed, and those from 2 on are missing"));
  }
}

TEST_F(SignedAudit, AnOldEndIsRemovedWithASignature) {
  AuditChainCheck check = With(mine_);
  ASSERT_FALSE(check.Begin({1, kFirst}));
  ASSERT_FALSE(check.TakeCheckpoint(Signed(Kind::KIND_REMOVED, {1, kFirst}, mine_)));
  ASSERT_FALSE(check.Take(Second()));
  EXPECT_EQ(check.Finish({2, kSecond}, soon_), std::nullopt);
  EXPECT_EQ(check.base().number, 1);

  AuditChainCheck nobody_says_so = With(mine_);
  ASSERT_FALSE(nobody_says_so.Begin({1, kFirst}));
  ASSERT_FALSE(nobody_says_so.TakeCheckpoint(Signed(Kind::KIND_REACHED, {1, kFirst}, mine_)));
  ASSERT_FALSE(nobody_says_so.Take(Second()));
  EXPECT_THAT(*nobody_says_so.Finish({2, kSecond}, soon_), HasSubstr("nothing that is signed"));

  AuditChainCheck another = With(mine_);
  ASSERT_FALSE(another.Begin({1, kSecond}));
  EXPECT_TRUE(another.TakeCheckpoint(Signed(Kind::KIND_REMOVED, {1, kFirst}, mine_)).has_value());
  EXPECT_THAT(*AuditChainCheck(AuditMark{1, kSecond}).Begin({1, kFirst}), HasSubstr("was noted"));
  EXPECT_THAT(*AuditChainCheck(AuditMark{1, kFirst}).Begin({2, kSecond}), HasSubstr("older than"));
}

}  // namespace
}  // namespace allot::cli
