// Every way in which a token can be wrong (RFC 8725), each with the cause that the log gets. A
// check that is missing makes its row good.

#include <functional>
#include <string>
#include <vector>

#include "oidc/verifier_fixture.h"
#include "support/signing.h"

namespace allot::oidc {
namespace {

using nlohmann::json;

class RefusedTokens : public VerifierTest {
 protected:
  struct Row {
    const char* what;
    std::string token;
    TokenFault fault;
  };

  std::string With(const json& header_changes, const json& changes = {},
                   KeyPair pair = KeyPair::kRsa) const {
    json header = TestIssuer::Header("k1");
    if (header_changes.is_object()) header.update(header_changes);
    return TestIssuer::Token(header, Claims(changes), pair);
  }
  std::string Without(const char* claim) const {
    json claims = Claims();
    claims.erase(claim);
    return TestIssuer::Token(TestIssuer::Header("k1"), claims);
  }
  std::string Texts(const std::string& header, const std::string& claims) const {
    return TestIssuer::Signed(header, claims, KeyPair::kRsa, "RS256");
  }
  int64_t In(int64_t seconds) const { return clock_.Now().seconds() + seconds; }

  std::vector<Row> Headers() const {
    json no_type = TestIssuer::Header("k1");
    no_type.erase("typ");
    json no_key = TestIssuer::Header("k1");
    no_key.erase("kid");
    json none = TestIssuer::Header("k1", "none");
    return {
        {"unsigned", TestIssuer::Token(none, Claims()), TokenFault::kAlgorithm},
        {"unsigned, in other letters", With({{"alg", "nOnE"}}), TokenFault::kAlgorithm},
        {"the public key as a shared secret", With({{"alg", "HS256"}}), TokenFault::kAlgorithm},
        {"an algorithm that the issuer was not given", With({{"alg", "PS256"}}),
         TokenFault::kAlgorithm},
        {"no algorithm", Texts(R"({"typ":"at+jwt","kid":"k1"})", Claims().dump()),
         TokenFault::kAlgorithm},
        {"an algorithm that is no text",
         Texts(R"({"alg":["RS256"],"typ":"at+jwt","kid":"k1"})", Claims().dump()),
         TokenFault::kAlgorithm},
        {"two algorithms",
         Texts(R"({"alg":"none","alg":"RS256","typ":"at+jwt","kid":"k1"})", Claims().dump()),
         TokenFault::kMalformed},
        {"RS256 with a key of P-256", With({{"kid", "e1"}}), TokenFault::kKeyUnfit},
        {"ES256 with a key of RSA",
         TestIssuer::Token({{"alg", "ES256"}, {"typ", "at+jwt"}, {"kid", "k1"}}, Claims(),
                           KeyPair::kEc),
         TokenFault::kKeyUnfit},
        {"an identity token", With({{"typ", "JWT"}}), TokenFault::kType},
        {"a token of no type", TestIssuer::Token(no_type, Claims()), TokenFault::kType},
        {"a key that nobody published", With({{"kid", "k9"}}), TokenFault::kKeyUnknown},
        {"no key id", TestIssuer::Token(no_key, Claims()), TokenFault::kKeyUnknown},
        {"a key of its own",
         With({{"kid", "mine"}, {"jwk", testing::JwkOf(KeyPair::kOtherRsa)}}, {},
              KeyPair::kOtherRsa),
         TokenFault::kKeyUnknown},
        {"what must be understood", With({{"crit", {"exp"}}}), TokenFault::kCritical},
        {"another's signature", With({}, {}, KeyPair::kOtherRsa), TokenFault::kSignature},
    };
  }

  std::vector<Row> ClaimRows() const {
    return {
        {"another issuer", Token({{"iss", "https://id.example"}}), TokenFault::kIssuer},
        {"the issuer with a slash", Token({{"iss", issuer_.url() + "/"}}), TokenFault::kIssuer},
        {"no issuer", Without("iss"), TokenFault::kIssuer},
        {"for another service", Token({{"aud", "billing"}}), TokenFault::kAudience},
        {"for others", Token({{"aud", {"billing", "mail"}}}), TokenFault::kAudience},
        {"for nobody", Without("aud"), TokenFault::kAudience},
        {"of nobody", Without("sub"), TokenFault::kSubject},
        {"of an empty name", Token({{"sub", ""}}), TokenFault::kSubject},
        {"of two lines", Token({{"sub", "kim\nroot"}}), TokenFault::kSubject},
        {"expired", Token({{"iat", In(-100)}, {"exp", In(-31)}}), TokenFault::kExpired},
        {"without an end", Without("exp"), TokenFault::kMalformed},
        {"an end that is no number", Token({{"exp", "tomorrow"}}), TokenFault::kMalformed},
        {"an end beyond all dates", Token({{"exp", 1e300}}), TokenFault::kMalformed},
        {"not yet", Token({{"nbf", In(31)}}), TokenFault::kNotYetValid},
        {"from no time", Token({{"nbf", "now"}}), TokenFault::kMalformed},
        {"issued in the future", Token({{"iat", In(31)}}), TokenFault::kIssuedInFuture},
        {"never issued", Without("iat"), TokenFault::kMalformed},
        {"too long lived", Token({{"iat", In(-10)}, {"exp", In(86'400)}}),
         TokenFault::kTooLongLived},
    };
  }

  std::vector<Row> Shapes() const {
    const std::string good = Token();
    const std::size_t last = good.rfind('.');
    std::string deep;
    for (int i = 0; i < 400; ++i) deep += "{\"a\":";
    const std::string very_deep = std::string(1'000, '[') + std::string(1'000, ']');
    const std::string head = TestIssuer::Header("k1").dump();
    std::string claims = Claims().dump();
    const std::string twice = claims.substr(0, claims.size() - 1) + R"(,"aud":"allot"})";
    std::string changed = good;
    changed[good.find('.') + 10] = changed[good.find('.') + 10] == 'A' ? 'B' : 'A';
    return {
        {"too large", Token({{"padding", std::string(3'000, 'x')}}), TokenFault::kTooLarge},
        {"a megabyte of dots", std::string(1'000'000, '.'), TokenFault::kTooLarge},
        {"nothing but dots", "..", TokenFault::kMalformed},
        {"no dots", "garbage", TokenFault::kMalformed},
        {"two parts", good.substr(0, last), TokenFault::kMalformed},
        {"five parts, as if encrypted", good + ".AAAA.BBBB", TokenFault::kMalformed},
        {"with line breaks", good.substr(0, 20) + "\n" + good.substr(20), TokenFault::kMalformed},
        {"padded", good.substr(0, good.find('.')) + "=" + good.substr(good.find('.')),
         TokenFault::kMalformed},
        {"a signature with '=' inside", good.substr(0, last) + ".A=AA", TokenFault::kMalformed},
        {"a padded signature", good + "==", TokenFault::kMalformed},
        {"a signature and more", good + "=xyz", TokenFault::kMalformed},
        {"a signature of one digit too many", good.substr(0, last) + ".AAAAA",
         TokenFault::kMalformed},
        {"no JSON", Texts("header", "claims"), TokenFault::kMalformed},
        {"a list", Texts(head, "[]"), TokenFault::kMalformed},
        {"not UTF-8", Texts(head, "{\"iss\":\"\xff\"}"), TokenFault::kMalformed},
        {"open to the end", Texts(head, deep), TokenFault::kMalformed},
        {"deeply nested", Texts(head, "{\"a\":" + very_deep + "}"), TokenFault::kMalformed},
        {"a claim twice", Texts(head, twice), TokenFault::kMalformed},
        {"changed on the way", changed, TokenFault::kMalformed},
        {"no signature", good.substr(0, last + 1), TokenFault::kSignature},
        {"half a signature", good.substr(0, last + 101), TokenFault::kSignature},
    };
  }

  void ExpectRefused(const std::vector<Row>& rows) {
    for (const Row& row : rows) {
      const Verdict verdict = verifier_->Verify(row.token);
      // What one byte does to the JSON is chance.
      const bool by_chance = std::string(row.what) == "changed on the way" &&
                             verdict == Verdict(TokenFault::kSignature);
      EXPECT_TRUE(by_chance || Show(verdict) == Name(row.fault))
          << row.what << ": " << Show(verdict) << ", not " << Name(row.fault);
      EXPECT_EQ(verifier_->Known(row.token), std::nullopt) << row.what;
    }
  }
};

TEST_F(RefusedTokens, ByTheirHeader) {
  Begin();
  ASSERT_EQ(Show(verifier_->Verify(Token())), "good");
  ExpectRefused(Headers());
}

TEST_F(RefusedTokens, ByWhatTheyClaim) {
  Begin();
  ExpectRefused(ClaimRows());
}

TEST_F(RefusedTokens, ByTheirShape) {
  Begin();
  ExpectRefused(Shapes());
}

TEST_F(RefusedTokens, AKeyMadeForAnotherPurposeSignsNothing) {
  issuer_.Publish("enc", KeyPair::kRsa, {{"use", "enc"}});
  issuer_.Publish("wrap", KeyPair::kRsa, {{"key_ops", {"wrapKey"}}});
  issuer_.Publish("ps", KeyPair::kRsa, {{"alg", "PS256"}});
  issuer_.Publish("hs", KeyPair::kRsa, {{"alg", "HS256"}});
  issuer_.Publish("oct", KeyPair::kRsa, {{"kty", "oct"}, {"k", "c2VjcmV0"}});
  Begin();
  EXPECT_EQ(last_fetch().keys, 3U) << "k1, e1 and ps";
  for (const char* id : {"enc", "wrap", "hs", "oct"}) {
    EXPECT_EQ(Show(verifier_->Verify(TestIssuer::Token(TestIssuer::Header(id), Claims()))),
              "key_unknown")
        << id;
  }
  EXPECT_EQ(Show(verifier_->Verify(TestIssuer::Token(TestIssuer::Header("ps"), Claims()))),
            "key_unfit");
}

TEST_F(RefusedTokens, GoodOnesOfEachAlgorithmAreNot) {
  believed_.algorithms = {Algorithm::kRs256, Algorithm::kPs256, Algorithm::kEs256};
  Begin();
  const VerifiedToken kim{
      .issuer = issuer_.url(), .subject = "kim", .expire_time = clock_.Now() + Seconds{600}};
  for (const char* algorithm : {"RS256", "PS256", "ES256"}) {
    const bool ec = std::string(algorithm) == "ES256";
    const std::string token = TestIssuer::Token(TestIssuer::Header(ec ? "e1" : "k1", algorithm),
                                                Claims(), ec ? KeyPair::kEc : KeyPair::kRsa);
    EXPECT_EQ(verifier_->Verify(token), Verdict(kim)) << algorithm;
    EXPECT_EQ(verifier_->Known(token), kim) << algorithm;
  }
  EXPECT_EQ(Show(verifier_->Verify(Token({{"aud", {"mail", "allot"}}}))), "good");
  EXPECT_EQ(Show(verifier_->Verify(TestIssuer::Token(
                {{"alg", "RS256"}, {"typ", "application/AT+JWT"}, {"kid", "k1"}}, Claims()))),
            "good");
}

// The two numbers of an ES256 signature have their whole length, so that a token is spelt in one
// way only: what knows a token by its text (a list of those that were taken back) knows it.
TEST_F(RefusedTokens, ASignatureOfES256HasOneSpelling) {
  Begin();
  const json header = TestIssuer::Header("e1", "ES256");
  const std::string text =
      testing::Base64Url(header.dump()) + "." + testing::Base64Url(Claims().dump());
  const std::string good = testing::SignatureOf(text, KeyPair::kEc, "ES256");
  ASSERT_EQ(good.size(), 64U);
  const auto verdict = [&](const std::string& signature) {
    return Show(verifier_->Verify(text + "." + testing::Base64Url(signature)));
  };
  EXPECT_EQ(verdict(good), "good");
  const std::string r = good.substr(0, 32);
  const std::string s = good.substr(32);
  for (const std::size_t zeros : {1U, 2U, 32U}) {
    const std::string padding(zeros, '\0');
    EXPECT_EQ(verdict(padding + r + padding + s), "signature") << zeros;
  }
  EXPECT_EQ(verdict(good + '\0'), "signature");
  EXPECT_EQ(verdict(good.substr(0, 62)), "signature");
}

TEST_F(RefusedTokens, ClocksMayBeOffByTheLeewayAndNoMore) {
  Begin();
  const auto verdict = [&](const json& changes) { return Show(verifier_->Verify(Token(changes))); };
  EXPECT_EQ(verdict({{"iat", In(30)}, {"nbf", In(30)}}), "good");
  EXPECT_EQ(verdict({{"iat", In(-100)}, {"exp", In(-29)}}), "good");
  EXPECT_EQ(verdict({{"iat", In(-100)}, {"exp", In(-30)}}), "expired");
}

TEST_F(RefusedTokens, OneThatWasGoodIsNotAfterItsEnd) {
  Begin();
  const std::string token = Token();
  ASSERT_EQ(Show(verifier_->Verify(token)), "good");
  clock_.Advance(Seconds{629});
  EXPECT_TRUE(verifier_->Known(token).has_value());
  clock_.Advance(Seconds{1});
  EXPECT_EQ(verifier_->Known(token), std::nullopt);
  EXPECT_EQ(Show(verifier_->Verify(token)), "expired");
}

}  // namespace
}  // namespace allot::oidc
