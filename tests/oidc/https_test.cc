// Keys that are fetched over https: whom the verifier believes.

#include <filesystem>
#include <fstream>

#include "oidc/verifier_fixture.h"
#include "support/authority.h"
#include "support/process.h"
#include "support/signing.h"
#include "support/temp_dir.h"

namespace allot::oidc {
namespace {

class HttpsTest : public VerifierTest {
 protected:
  /// openssl serves the keys as a file, with that certificate of the authority's.
  void Serve(const std::string& certificate) {
    nlohmann::json key = testing::JwkOf(KeyPair::kRsa);
    key["kid"] = "k1";
    std::ofstream(folder_ / "keys") << nlohmann::json{{"keys", {key}}};
    server_.emplace(std::vector<std::string>{
        "sh", "-c",
        "cd '" + folder_.path().string() + "' && exec openssl s_server -accept 127.0.0.1:0 -WWW" +
            " -cert '" + authority_.certificate(certificate) + "' -key '" +
            authority_.key(certificate) + "'"});
    const auto line = server_->AwaitOut("ACCEPT 127.0.0.1:");
    ASSERT_TRUE(line.has_value()) << server_->err();
    believed_.url = "https://127.0.0.1:" + line->substr(line->rfind(':') + 1);
    believed_.jwks_uri = believed_.url + "/keys";
  }
  std::string Verdict() {
    return Show(verifier_->Verify(
        TestIssuer::Token(TestIssuer::Header("k1"), Claims({{"iss", believed_.url}}))));
  }

  testing::TempDir folder_;
  testing::Authority authority_;
  std::optional<testing::Process> server_;
};

TEST_F(HttpsTest, AnIssuerWithACertificateOfItsAuthorityIsBelieved) {
  authority_.MakeServer();
  Serve("server");
  believed_.ca_file = authority_.ca();
  Begin();
  EXPECT_EQ(last_fetch().problem, "");
  EXPECT_EQ(Verdict(), "good");
}

TEST_F(HttpsTest, OneWithAnyOtherIsNot) {
  authority_.MakeServer();
  Serve("server");
  Begin();
  EXPECT_NE(last_fetch().problem.find("certificate"), std::string::npos) << last_fetch().problem;
  EXPECT_EQ(Verdict(), "issuer silent");
}

TEST_F(HttpsTest, NorOneOfAnotherName) {
  authority_.MakeProvider("naver");
  Serve("naver");
  believed_.ca_file = authority_.ca();
  Begin();
  EXPECT_NE(last_fetch().problem.find("certificate"), std::string::npos) << last_fetch().problem;
  EXPECT_EQ(Verdict(), "issuer silent");
}

}  // namespace
}  // namespace allot::oidc
