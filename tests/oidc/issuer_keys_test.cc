// Where keys come from, how long they are good, and how often an issuer is asked.

#include <string>
#include <vector>

#include "oidc/public_key.h"
#include "oidc/verifier_fixture.h"
#include "support/signing.h"

namespace allot::oidc {
namespace {

using nlohmann::json;

constexpr int64_t kMicrosPerSecond = 1'000'000;

class IssuerKeysTest : public VerifierTest {
 protected:
  std::string TokenWith(const std::string& key_id, KeyPair pair = KeyPair::kRsa) const {
    return TestIssuer::Token(TestIssuer::Header(key_id), Claims(), pair);
  }
  std::string Verdict(const std::string& token) { return Show(verifier_->Verify(token)); }
  void Later(Seconds by) { steady_micros_ += by.count * kMicrosPerSecond; }
};

TEST_F(IssuerKeysTest, AKeyThatIsNewIsFetchedWhenItIsFirstSeen) {
  Begin();
  issuer_.Publish("k2", KeyPair::kOtherRsa);
  const std::string token = TokenWith("k2", KeyPair::kOtherRsa);
  EXPECT_EQ(Verdict(token), "key_unknown");
  Later(Seconds{10});
  ASSERT_TRUE(Refetch(token));
  EXPECT_EQ(Verdict(token), "good");
  EXPECT_EQ(Verdict(Token()), "good") << "the old one is published still";
}

TEST_F(IssuerKeysTest, AKeyIsGoodOnlyAsLongAsItIsPublished) {
  Begin();
  const std::string token = Token();
  ASSERT_EQ(Verdict(token), "good");
  issuer_.Publish("k2", KeyPair::kOtherRsa);
  Later(Seconds{10});
  ASSERT_TRUE(Refetch(TokenWith("k2", KeyPair::kOtherRsa)));
  EXPECT_TRUE(verifier_->Known(token).has_value()) << "the same key is the same key";
  issuer_.Withdraw("k1");
  Later(Seconds{10});
  ASSERT_TRUE(Refetch(TokenWith("k3")));
  EXPECT_EQ(verifier_->Known(token), std::nullopt) << "nor is what was found good before";
  EXPECT_EQ(Verdict(token), "key_unknown");
}

TEST_F(IssuerKeysTest, AKeyThatIsExchangedUnderTheSameIdEndsWhatTheOldOneSigned) {
  Begin();
  const std::string token = Token();
  ASSERT_EQ(Verdict(token), "good");
  issuer_.Publish("k1", KeyPair::kOtherRsa);
  Later(Seconds{10});
  ASSERT_TRUE(Refetch(TokenWith("k2")));
  EXPECT_EQ(verifier_->Known(token), std::nullopt);
  EXPECT_EQ(Verdict(token), "signature");
}

TEST_F(IssuerKeysTest, UnknownKeysDoNotFloodTheIssuer) {
  Begin();
  const int before = issuer_.asked("/keys");
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(Refetch(TokenWith("k" + std::to_string(100 + i)))) << "just fetched";
  }
  EXPECT_EQ(issuer_.asked("/keys"), before);
  Later(Seconds{9});
  EXPECT_FALSE(Refetch(TokenWith("k2")));
  Later(Seconds{1});
  EXPECT_TRUE(Refetch(TokenWith("k2")));
  EXPECT_FALSE(Refetch(TokenWith("k3")));
  EXPECT_EQ(issuer_.asked("/keys"), before + 1);
}

TEST_F(IssuerKeysTest, NobodyWaitsForTheKeysOfAStranger) {
  Begin();
  Later(Hours(1));
  EXPECT_FALSE(Refetch(Token({{"iss", "https://id.example"}})));
  EXPECT_FALSE(Refetch("garbage"));
  EXPECT_EQ(fetches(), 1);
}

TEST_F(IssuerKeysTest, KeysAreGoodForABoundedTimeWhileTheIssuerIsSilent) {
  believed_.keys_max_age = Hours(1);
  Begin();
  const std::string token = Token();
  issuer_.Silence(true);
  Later(Minutes(50));
  ASSERT_TRUE(Refetch(TokenWith("k2")));
  EXPECT_NE(last_fetch().problem, "");
  EXPECT_EQ(last_fetch().keys, 2U) << "they are kept";
  EXPECT_EQ(Verdict(token), "good");
  Later(Minutes(11));
  EXPECT_EQ(Verdict(token), "issuer silent");
  EXPECT_EQ(verifier_->Known(token), std::nullopt);
  issuer_.Silence(false);
  ASSERT_TRUE(Refetch(token));
  EXPECT_EQ(Verdict(token), "good");
}

TEST_F(IssuerKeysTest, AnIssuerThatIsSilentAtFirstIsAskedAgain) {
  retry_ms_ = 10;
  issuer_.Silence(true);
  Begin();
  EXPECT_EQ(Verdict(Token()), "issuer silent");
  issuer_.Silence(false);
  while (last_fetch().problem != "") ASSERT_TRUE(AwaitFetches(fetches() + 1));
  EXPECT_EQ(Verdict(Token()), "good");
}

TEST_F(IssuerKeysTest, TheDiscoveryDocumentSaysWhereKeysAre) {
  believed_.jwks_uri.clear();
  Begin();
  EXPECT_EQ(last_fetch().problem, "");
  EXPECT_EQ(Verdict(Token()), "good");
}

/// What an issuer may answer, and what is made of it: keys of before are kept, none are taken.
TEST_F(IssuerKeysTest, AnAnswerThatIsNoKeysChangesNothing) {
  struct Row {
    const char* path;
    int status;
    std::string body;
  };
  const std::vector<Row> rows = {
      {"/keys", 500, R"({"keys":[]})"},
      {"/keys", 302, R"({"keys":[]})"},
      {"/keys", 200, "no JSON"},
      {"/keys", 200, "[]"},
      {"/keys", 200, R"({"keys":{}})"},
      {"/keys", 200, R"({"keys":[],"keys":[]})"},
      {"/keys", 200, R"({"keys":[)" + std::string(300'000, ' ') + "]}"},
      {"/keys", 200, R"({"keys":[)" + std::string(100, '[') + std::string(100, ']') + "]}"},
      {"/.well-known/openid-configuration", 200, R"({"issuer":"https://id.example"})"},
      {"/.well-known/openid-configuration", 200, R"({"issuer":")" + issuer_.url() + R"("})"},
      {"/.well-known/openid-configuration", 200,
       R"({"issuer":")" + issuer_.url() + R"(","jwks_uri":"http://id.example/keys"})"},
      {"/.well-known/openid-configuration", 200,
       R"({"issuer":")" + issuer_.url() + R"(","jwks_uri":"file:///etc/passwd"})"},
  };
  believed_.jwks_uri.clear();
  Begin();
  ASSERT_EQ(Verdict(Token()), "good");
  for (const Row& row : rows) {
    issuer_.AnswerWith(row.path, row.status, row.body);
    Later(Seconds{10});
    ASSERT_TRUE(Refetch(TokenWith("k2"))) << row.body.substr(0, 80);
    EXPECT_NE(last_fetch().problem, "") << row.path << " " << row.body.substr(0, 80);
    EXPECT_EQ(Verdict(Token()), "good") << row.body.substr(0, 80);
  }
}

TEST_F(IssuerKeysTest, AnIssuerThatPublishesNoKeyAnyMoreHasNone) {
  Begin();
  ASSERT_EQ(Verdict(Token()), "good");
  issuer_.Withdraw("k1");
  issuer_.Withdraw("e1");
  Later(Seconds{10});
  ASSERT_TRUE(Refetch(TokenWith("k2")));
  EXPECT_EQ(Verdict(Token()), "key_unknown");
}

TEST(PublicKeys, ThatAreSpeltWrongArePassedOver) {
  json key = testing::JwkOf(testing::KeyPair::kRsa);
  key["kid"] = "k1";
  ASSERT_NE(PublicKey::FromJwk(key), nullptr);
  for (const char* number : {"A=AA", "A==", "AAAAA", "", "AA\n", "AB"}) {
    for (const char* part : {"n", "e"}) {
      json wrong = key;
      wrong[part] = number;
      EXPECT_EQ(PublicKey::FromJwk(wrong), nullptr) << part << " " << number;
    }
    json wrong = testing::JwkOf(testing::KeyPair::kEc);
    wrong["kid"] = "e1";
    ASSERT_NE(PublicKey::FromJwk(wrong), nullptr);
    wrong["x"] = number;
    EXPECT_EQ(PublicKey::FromJwk(wrong), nullptr) << number;
  }
}

TEST(IssuerUrls, AreHttpsOrOfThisMachine) {
  for (const char* url :
       {"https://id.example", "https://id.example/realms/gpu", "https://10.0.0.1:8443",
        "http://127.0.0.1:8080", "http://localhost/x", "http://[::1]:99"}) {
    EXPECT_TRUE(IsAllowedUrl(url)) << url;
  }
  for (const char* url :
       {"http://id.example", "http://127.example", "http://10.0.0.1", "ftp://127.0.0.1",
        "id.example", "file:///etc/passwd", "", "https://", "https://user:word@id.example",
        "https://id.example/#x", "https://id.example/\n", "http://localhost.example",
        "http://127.0.0.1@id.example/"}) {
    EXPECT_FALSE(IsAllowedUrl(url)) << url;
  }
}

}  // namespace
}  // namespace allot::oidc
