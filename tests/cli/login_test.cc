// Logging in by a code, and what the other commands make of the login.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "fake_server.h"
#include "run.h"
#include "support/temp_dir.h"
#include "support/test_issuer.h"

namespace allot::cli::testing {
namespace {

using allot::testing::KeyPair;
using allot::testing::TempDir;
using allot::testing::TestIssuer;
using nlohmann::json;

class LoginTest : public ::testing::Test {
 protected:
  LoginTest() {
    runner_.variables.erase("ALLOT_KEY");
    runner_.variables["XDG_CONFIG_HOME"] = home_ / "config";
    issuer_.AnswerTokensWith([this](const TestIssuer::Form&) { return Give("refresh-1"); });
  }

  /// A token that lasts ten minutes by the runner's clock.
  json Give(const std::string& refresh) {
    const json claims = issuer_.Claims(runner_.clock.Now());
    json given = {{"access_token", TestIssuer::Token(TestIssuer::Header("k1"), claims)},
                  {"expires_in", 600}};
    if (!refresh.empty()) given["refresh_token"] = refresh;
    return given;
  }
  std::string file() const { return home_ / "config/allot/logins.json"; }
  json Logins() const {
    std::ifstream stream(file());
    return json::parse(stream);
  }
  json Login() const { return Logins().at(server_.address()); }
  Ran LogIn() { return runner_.Run({"login", "--issuer", issuer_.url(), "--client-id", "allot"}); }
  std::string SentTo(const std::string& method) const {
    return server_.seen(method).back().authorization;
  }

  TempDir home_;
  TestIssuer issuer_;
  FakeServer server_;
  Runner runner_{server_.address()};
};

TEST_F(LoginTest, ShowsTheCodeWaitsAsItIsToldAndKeepsTheLogin) {
  issuer_.RefuseWith({"authorization_pending", "slow_down", "authorization_pending"});
  const Ran ran = LogIn();
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "");
  EXPECT_NE(ran.err.find("open " + issuer_.url() + "/code and enter the code WDJB-MJHT\n"),
            std::string::npos)
      << ran.err;
  EXPECT_NE(ran.err.find("logged in as kim for " + server_.address()), std::string::npos);
  EXPECT_EQ(runner_.pauses,
            (std::vector<Seconds>{Seconds{5}, Seconds{5}, Seconds{10}, Seconds{10}}));
  EXPECT_EQ(issuer_.forms("/device").at(0).at("client_id"), "allot");
  EXPECT_EQ(issuer_.forms("/device").at(0).at("scope"), "openid offline_access");
  const auto asked = issuer_.forms("/token").at(0);
  EXPECT_EQ(asked.at("grant_type"), "urn:ietf:params:oauth:grant-type:device_code");
  EXPECT_EQ(asked.at("device_code"), "the-device-code");

  struct stat status {};
  ASSERT_EQ(stat(file().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  ASSERT_EQ(stat((home_ / "config/allot").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
  EXPECT_EQ(Login().at("refresh_token"), "refresh-1");
  EXPECT_EQ(ran.err.find(Login().at("access_token").get<std::string>()), std::string::npos);

  EXPECT_EQ(runner_.Run({"clusters"}).code, 0);
  EXPECT_EQ(SentTo("ListClusters"), "Bearer " + Login().at("access_token").get<std::string>());
}

TEST_F(LoginTest, AKeyThatIsNamedGoesBeforeTheLogin) {
  ASSERT_EQ(LogIn().code, 0);
  runner_.variables["ALLOT_KEY"] = FakeServer::kKey;
  EXPECT_EQ(runner_.Run({"clusters"}).code, 0);
  EXPECT_EQ(SentTo("ListClusters"), std::string("Bearer ") + FakeServer::kKey);
}

TEST_F(LoginTest, ATokenGoesToNoOtherServer) {
  ASSERT_EQ(LogIn().code, 0);
  FakeServer other;
  const Ran ran = runner_.Run({"--server", other.address(), "clusters"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_NE(ran.err.find("a login for " + other.address()), std::string::npos) << ran.err;
  EXPECT_TRUE(other.seen().empty());
}

TEST_F(LoginTest, ATokenThatEndsIsRenewedOnceAndTheNewRefreshTokenKept) {
  ASSERT_EQ(LogIn().code, 0);
  issuer_.AnswerTokensWith([this](const TestIssuer::Form& form) {
    return form.at("refresh_token") == "refresh-1" ? Give("refresh-2")
                                                   : json{{"error", "invalid_grant"}};
  });
  runner_.clock.Advance(Seconds{530});
  EXPECT_EQ(runner_.Run({"clusters"}).code, 0);
  EXPECT_EQ(issuer_.forms("/token").size(), 1U) << "it lasts";
  runner_.clock.Advance(Seconds{20});
  EXPECT_EQ(runner_.Run({"clusters"}).code, 0);
  EXPECT_EQ(issuer_.forms("/token").size(), 2U);
  EXPECT_EQ(issuer_.forms("/token").back().at("grant_type"), "refresh_token");
  EXPECT_EQ(issuer_.forms("/token").back().at("client_id"), "allot");
  EXPECT_EQ(Login().at("refresh_token"), "refresh-2");
  EXPECT_EQ(SentTo("ListClusters"), "Bearer " + Login().at("access_token").get<std::string>());
  EXPECT_EQ(runner_.Run({"clusters"}).code, 0);
  EXPECT_EQ(issuer_.forms("/token").size(), 2U);
}

TEST_F(LoginTest, WhatCannotBeRenewedSaysToLogInAgain) {
  ASSERT_EQ(LogIn().code, 0);
  issuer_.AnswerTokensWith([](const TestIssuer::Form&) {
    return json{{"error", "invalid_grant"}};
  });
  runner_.clock.Advance(Seconds{700});
  const Ran refused = runner_.Run({"clusters"});
  EXPECT_EQ(refused.code, 4);
  EXPECT_NE(refused.err.find("invalid_grant"), std::string::npos) << refused.err;
  EXPECT_NE(refused.err.find("allot login"), std::string::npos) << refused.err;
  issuer_.Silence(true);
  EXPECT_EQ(runner_.Run({"clusters"}).code, 6) << "who may answer later is asked later";
}

// What an issuer that is away cannot give is not needed yet.
TEST_F(LoginTest, ATokenThatIsStillGoodIsUsedWhenItsIssuerIsAway) {
  ASSERT_EQ(LogIn().code, 0);
  issuer_.Silence(true);
  runner_.clock.Advance(Seconds{550});
  const Ran ran = runner_.Run({"clusters"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(issuer_.forms("/token").size(), 1U);
  runner_.clock.Advance(Seconds{50});
  EXPECT_EQ(runner_.Run({"clusters"}).code, 6) << "to its last second and no longer";
}

TEST_F(LoginTest, ARenewedLoginThatCannotBeKeptIsUsedAllTheSame) {
  ASSERT_EQ(LogIn().code, 0);
  runner_.clock.Advance(Seconds{550});
  // In the place of what is written first and then moved.
  std::filesystem::create_directories(file() + ".new/in-the-way");
  const Ran ran = runner_.Run({"clusters"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.err.find("the renewed login is not kept"), std::string::npos) << ran.err;
  EXPECT_NE(SentTo("ListClusters"), "Bearer " + Login().at("access_token").get<std::string>());
}

TEST_F(LoginTest, TheIssuersAuthorityIsFoundFromEveryFolder) {
  const Ran ran = runner_.Run(
      {"login", "--issuer", issuer_.url(), "--client-id", "allot", "--issuer-ca-file", "ca.crt"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(Login().at("ca_file"), (std::filesystem::current_path() / "ca.crt").string());
}

// A command of many calls outlasts its token: the one that meets that is made again with the next.
TEST_F(LoginTest, ACallWhoseTokenEndedIsRepeatedOnceWithAnother) {
  ASSERT_EQ(LogIn().code, 0);
  server_.on_refusal = [this] { runner_.clock.Advance(Seconds{700}); };
  server_.FailNext("CreateAllocation", StateError(Reason::kTokenInvalid, "it has ended"));
  const std::vector<std::string> submit = {"submit", "snu/llm", "--gpus", "1", "--for", "1h"};
  const Ran ran = runner_.Run(submit);
  EXPECT_EQ(ran.code, 0) << ran.err;
  const auto calls = server_.seen("CreateAllocation");
  ASSERT_EQ(calls.size(), 2U);
  EXPECT_NE(calls[0].authorization, calls[1].authorization);
  EXPECT_EQ(calls[0].request_id, calls[1].request_id);

  server_.FailNext("CreateAllocation", StateError(Reason::kTokenInvalid, "not good"), 2);
  EXPECT_EQ(runner_.Run(submit).code, 4) << "and who is refused again is told";
  EXPECT_EQ(server_.seen("CreateAllocation").size(), 4U);
}

// An issuer whose tokens the server does not take is not asked for ever.
TEST_F(LoginTest, AWatchRenewsOnceUntilItCameSomewhere) {
  ASSERT_EQ(LogIn().code, 0);
  server_.on_refusal = [this] { runner_.clock.Advance(Seconds{700}); };
  server_.FailNext("WatchAllocations", StateError(Reason::kTokenInvalid, "not good"), 3);
  const Ran ran = runner_.Run({"watch", "snu/llm", "--count", "1"});
  EXPECT_EQ(ran.code, 4) << ran.err;
  EXPECT_EQ(server_.seen("WatchAllocations").size(), 2U);
}

TEST_F(LoginTest, WhoeverWaitsForASilentIssuerWaitsNoLongerThanTheCodeAndHearsWhy) {
  issuer_.AnswerWith("/token", 502, "<html>");
  const Ran ran = LogIn();
  EXPECT_EQ(ran.code, 4);
  EXPECT_NE(ran.err.find("the code ended before it was used; the issuer could not be asked: "),
            std::string::npos)
      << ran.err;
  EXPECT_NE(ran.err.find("502"), std::string::npos) << ran.err;
  Seconds waited;
  for (const Seconds pause : runner_.pauses) {
    EXPECT_LE(pause, Seconds{60});
    waited = waited + pause;
  }
  EXPECT_EQ(waited, Seconds{600});
}

TEST_F(LoginTest, WithoutARefreshTokenALoginEndsWithItsToken) {
  issuer_.AnswerTokensWith([this](const TestIssuer::Form&) { return Give(""); });
  ASSERT_EQ(LogIn().code, 0);
  runner_.clock.Advance(Seconds{599});
  EXPECT_EQ(runner_.Run({"clusters"}).code, 0);
  runner_.clock.Advance(Seconds{1});
  const Ran ran = runner_.Run({"clusters"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_NE(ran.err.find("ended"), std::string::npos) << ran.err;
}

TEST_F(LoginTest, ACodeThatIsTurnedDownOrForgottenLogsNobodyIn) {
  issuer_.RefuseWith({"access_denied"});
  const Ran denied = LogIn();
  EXPECT_EQ(denied.code, 4);
  EXPECT_NE(denied.err.find("access_denied"), std::string::npos) << denied.err;
  issuer_.RefuseWith({"authorization_pending", "expired_token"});
  EXPECT_EQ(LogIn().code, 4);
  issuer_.RefuseWith(std::deque<std::string>(1'000, "authorization_pending"));
  const Ran ended = LogIn();
  EXPECT_EQ(ended.code, 4);
  EXPECT_NE(ended.err.find("the code ended before it was used"), std::string::npos) << ended.err;
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(LoginTest, AnIssuerThatIsNoneSaysWhatIsWrong) {
  const auto with = [&](const std::string& url) {
    return runner_.Run({"login", "--issuer", url, "--client-id", "allot"});
  };
  EXPECT_EQ(with("http://id.example").code, 6);
  EXPECT_NE(with("http://id.example").err.find("neither https nor of this machine"),
            std::string::npos);
  const Ran slash = with(issuer_.url() + "/");
  EXPECT_NE(slash.err.find("calls itself '" + issuer_.url() + "'"), std::string::npos) << slash.err;
  issuer_.AnswerWith("/device", 200, R"({"user_code":"x"})");
  EXPECT_NE(with(issuer_.url()).err.find("without a code"), std::string::npos);
  issuer_.AnswerWith("/device", 401, R"({"error":"invalid_client"})");
  EXPECT_NE(with(issuer_.url()).err.find("invalid_client"), std::string::npos);
}

TEST_F(LoginTest, AnIssuersWordsMakeNoLinesOfTheirOwn) {
  issuer_.DescribeDevice({{"user_code", "X\n\x1b[31mred"}});
  const Ran ran = LogIn();
  EXPECT_EQ(ran.err.find('\x1b'), std::string::npos) << ran.err;
  EXPECT_EQ(ran.err.find("\n\\x1b"), std::string::npos) << ran.err;
}

TEST_F(LoginTest, LogoutForgetsTheLoginAndEndsItAtTheIssuer) {
  ASSERT_EQ(LogIn().code, 0);
  const Ran ran = runner_.Run({"logout"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(issuer_.forms("/revoke").at(0).at("token"), "refresh-1");
  EXPECT_TRUE(Logins().empty());
  EXPECT_EQ(runner_.Run({"clusters"}).code, 4);
  EXPECT_EQ(runner_.Run({"logout"}).code, 0);
  ASSERT_EQ(LogIn().code, 0);
  issuer_.Silence(true);
  const Ran alone = runner_.Run({"logout"});
  EXPECT_EQ(alone.code, 0);
  EXPECT_NE(alone.err.find("was not ended at"), std::string::npos) << alone.err;
  EXPECT_TRUE(Logins().empty());
}

TEST_F(LoginTest, AFileThatOthersMayReadIsNotUsed) {
  ASSERT_EQ(LogIn().code, 0);
  std::filesystem::permissions(file(), std::filesystem::perms(0640));
  const Ran ran = runner_.Run({"clusters"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_NE(ran.err.find("may be read by others"), std::string::npos) << ran.err;
  std::filesystem::permissions(file(), std::filesystem::perms(0600));
  std::ofstream(file()) << "not JSON";
  EXPECT_NE(runner_.Run({"clusters"}).err.find("holds no logins"), std::string::npos);
}

TEST_F(LoginTest, WhoamiTellsAStrangerWhatTheMinistryNeeds) {
  ASSERT_EQ(LogIn().code, 0);
  server_.FailNext("WhoAmI", StateError(Reason::kMemberUnknown, "no member"));
  const Ran ran = runner_.Run({"whoami"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_NE(ran.err.find("issuer   " + issuer_.url() + "\nsubject  kim\n"), std::string::npos)
      << ran.err;
  EXPECT_NE(ran.err.find("allot whoami"), std::string::npos) << "the advice";
  server_.state.caller.set_role(v1::ROLE_VIEWER);
  server_.state.caller.set_institute("institutes/snu");
  auto& member = *server_.state.caller.mutable_member();
  member.set_name("members/m-kim");
  member.set_display_name("J. Kim");
  member.set_issuer("https://id.example");
  member.set_subject("kim");
  const Ran known = runner_.Run({"whoami"});
  EXPECT_EQ(known.code, 0) << known.err;
  EXPECT_EQ(known.out,
            "viewer of snu\nmember   m-kim  J. Kim\nissuer   https://id.example\n"
            "subject  kim\n");
}

TEST_F(LoginTest, AWatchGoesOnWithAFreshToken) {
  ASSERT_EQ(LogIn().code, 0);
  v1::WatchAllocationsResponse change;
  change.set_resume_revision(1);
  change.add_changes()->mutable_allocation()->set_name("institutes/snu/projects/llm/allocations/a");
  server_.watches = {{change}};
  server_.FailNext("WatchAllocations", StateError(Reason::kTokenInvalid, "not good"));
  // It ends while the watch goes on.
  server_.on_watch = [this] {
    if (server_.seen("WatchAllocations").empty()) runner_.clock.Advance(Seconds{700});
  };
  const Ran ran = runner_.Run({"watch", "snu/llm", "--count", "1"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  const auto watches = server_.seen("WatchAllocations");
  ASSERT_EQ(watches.size(), 2U);
  EXPECT_NE(watches[0].authorization, watches[1].authorization);
  // Who has no other token is told.
  server_.FailNext("WatchAllocations", StateError(Reason::kTokenInvalid, "not good"));
  EXPECT_EQ(runner_.Run({"watch", "snu/llm", "--count", "1"}).code, 4);
}

}  // namespace
}  // namespace allot::cli::testing
