// People with the real programs: an issuer on loopback, logging in by a code, members, rotation.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "allot/base/clock.h"
#include "e2e/installation.h"
#include "support/temp_dir.h"
#include "support/test_issuer.h"

namespace allot::testing {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

std::string ConfigFor(const TestIssuer& issuer) {
  return "policy: {gathering_time: 0s}\n"
         "identity:\n"
         "  issuers:\n"
         "    - issuer: " +
         issuer.url() +
         "\n"
         "      audience: allot\n"
         "      algorithms: [RS256, ES256]\n"
         "      keys_refresh: 1s\n";
}

class LoginTest : public ::testing::Test {
 protected:
  LoginTest() {
    issuer_.Publish("k1", KeyPair::kRsa);
    issuer_.DescribeDevice({{"interval", 1}});
    issuer_.AnswerTokensWith([this](const TestIssuer::Form&) {
      return json{{"access_token", TokenOf("k1", KeyPair::kRsa)},
                  {"refresh_token", "refresh"},
                  {"expires_in", 600}};
    });
    nation_.emplace(ConfigFor(issuer_));
    nation_->RegisterSmallNation();
  }

  std::string TokenOf(const std::string& key, KeyPair pair, const json& changes = {}) const {
    json claims = issuer_.Claims(SystemClock().Now());
    if (changes.is_object()) claims.update(changes);
    const char* const algorithm = pair == KeyPair::kEc ? "ES256" : "RS256";
    return TestIssuer::Token(TestIssuer::Header(key, algorithm), claims, pair);
  }
  /// `allot` of a person: a home of its own, and no key.
  Ended AllotOf(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {Binary("allot"), "--server", nation_->address()});
    return RunToEnd({.command = std::move(arguments),
                     .environment = {{"XDG_CONFIG_HOME", home_.path().string()}, {"HOME", ""}}});
  }
  void LogIn() {
    const Ended login = AllotOf({"login", "--issuer", issuer_.url(), "--client-id", "allot"});
    ASSERT_EQ(login.exit_code, 0) << login.err;
    EXPECT_THAT(login.err, HasSubstr("enter the code WDJB-MJHT"));
  }
  std::string AddKim(const std::string& role) {
    const json member =
        nation_->AllotJson({"members", "add", "--issuer", issuer_.url(), "--subject", "kim",
                            "--role", role, "--institute", "snu"});
    return member.at("name").get<std::string>();
  }

  TempDir home_;
  TestIssuer issuer_;
  std::optional<Installation> nation_;
};

TEST_F(LoginTest, APersonLogsInIsAddedWorksAndIsRemoved) {
  const auto agent = nation_->StartAgent("naver-a");
  LogIn();
  const Ended stranger = AllotOf({"whoami"});
  EXPECT_EQ(stranger.exit_code, 4);
  EXPECT_THAT(stranger.err, HasSubstr("member_unknown"));
  EXPECT_THAT(stranger.err, HasSubstr("issuer   " + issuer_.url() + "\nsubject  kim\n"));

  const std::string member = AddKim("member");
  const Ended who = AllotOf({"whoami"});
  EXPECT_EQ(who.exit_code, 0) << who.err;
  EXPECT_THAT(who.out, HasSubstr("member of snu\n"));
  const Ended submitted =
      AllotOf({"submit", "snu/llm", "--gpus", "8", "--for", "1h", "--name", "a1"});
  EXPECT_EQ(submitted.exit_code, 0) << submitted.err;
  EXPECT_EQ(AllotOf({"keys", "list"}).exit_code, 4);
  const Ended audit = nation_->Allot({"audit", "snu/llm/a1", "-o", "wide"});
  EXPECT_THAT(audit.out, HasSubstr(member.substr(member.find('/') + 1)));

  EXPECT_EQ(nation_->Allot({"members", "remove", member, "--reason", "has left"}).exit_code, 0);
  const Ended removed = AllotOf({"list"});
  EXPECT_EQ(removed.exit_code, 4);
  EXPECT_THAT(removed.err, HasSubstr("member_unknown"));
  EXPECT_EQ(AllotOf({"logout"}).exit_code, 0);
  EXPECT_EQ(issuer_.forms("/revoke").size(), 1U);
  EXPECT_THAT(AllotOf({"list"}).err, HasSubstr("credential_missing"));
}

TEST_F(LoginTest, KeysOfTheIssuerAreExchangedWithoutABreak) {
  AddKim("viewer");
  LogIn();
  ASSERT_EQ(AllotOf({"whoami"}).exit_code, 0);
  // Another key, of another kind, beside the old one; then alone.
  issuer_.Publish("k2", KeyPair::kEc);
  issuer_.AnswerTokensWith([this](const TestIssuer::Form&) {
    return json{{"access_token", TokenOf("k2", KeyPair::kEc)}, {"expires_in", 600}};
  });
  EXPECT_EQ(AllotOf({"whoami"}).exit_code, 0) << "the old token is good";
  const int before = issuer_.asked("/keys");
  issuer_.Withdraw("k1");
  // One may be under way, one is after it, and the third says that the second is over.
  ASSERT_TRUE(issuer_.AwaitAsked("/keys", before + 3));
  const Ended old = AllotOf({"whoami"});
  EXPECT_EQ(old.exit_code, 4) << old.out;
  EXPECT_THAT(old.err, HasSubstr("token_invalid"));
  EXPECT_THAT(old.err, Not(HasSubstr("key_unknown"))) << "the server's log alone knows why";
  EXPECT_TRUE(nation_->server().AwaitErr("\"token_fault\":\"key_unknown\"").has_value());
  LogIn();
  EXPECT_EQ(AllotOf({"whoami"}).exit_code, 0);
}

TEST_F(LoginTest, AnIssuerThatIsAwayStopsNobodyWhoseKeysAreKnown) {
  AddKim("viewer");
  LogIn();
  ASSERT_EQ(AllotOf({"whoami"}).exit_code, 0);
  issuer_.Silence(true);
  ASSERT_TRUE(nation_->server().AwaitErr("issuer_keys_not_fetched").has_value());
  EXPECT_EQ(AllotOf({"whoami"}).exit_code, 0);
}

}  // namespace
}  // namespace allot::testing
