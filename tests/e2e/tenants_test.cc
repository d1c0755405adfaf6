// One institute learns nothing of another, through the real command line.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/installation.h"

namespace allot::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kNotFound = 4;

/// One nation for all tests of the suite: none of them changes anything.
class Tenants : public ::testing::Test {
 protected:
  struct Nation {
    Nation() {
      installation.RegisterSmallNation();
      agent = installation.StartAgent("naver-a");
      snu = installation.MakeKey("snu", {"member", "--institute", "snu"});
      kaist = installation.MakeKey("kaist", {"member", "--institute", "kaist"});
      const Ended submitted =
          installation.AllotAs(snu, {"submit", "snu/llm", "--name", "secret", "--nodes", "4",
                                     "--models", "H200", "--for", "7d", "--wait"});
      EXPECT_EQ(submitted.exit_code, 0) << submitted.err;
    }

    Installation installation;
    std::unique_ptr<Process> agent;
    std::string snu;
    std::string kaist;
  };

  static void SetUpTestSuite() { nation = std::make_unique<Nation>(); }
  static void TearDownTestSuite() { nation.reset(); }

  static Ended AsSnu(std::vector<std::string> arguments) {
    return nation->installation.AllotAs(nation->snu, std::move(arguments));
  }
  static Ended AsKaist(std::vector<std::string> arguments) {
    return nation->installation.AllotAs(nation->kaist, std::move(arguments));
  }

  static inline std::unique_ptr<Nation> nation;
};

TEST_F(Tenants, AForeignAllocationIsNotFoundWhateverIsTried) {
  for (const char* verb : {"get", "explain", "cancel", "release"}) {
    const Ended foreign = AsKaist({verb, "snu/llm/secret"});
    EXPECT_EQ(foreign.exit_code, kNotFound) << verb << ": " << foreign.err;
    const Ended missing = AsKaist({verb, "snu/llm/nothing"});
    EXPECT_EQ(missing.exit_code, kNotFound) << "the same as one that is not there";
  }
  EXPECT_EQ(nation->installation.StateOf("snu/llm/secret"), "active");
}

TEST_F(Tenants, ListsHoldTheOwnInstituteOnly) {
  EXPECT_THAT(AsSnu({"list", "-o", "name"}).out, HasSubstr("secret"));
  EXPECT_THAT(AsKaist({"list", "-o", "name"}).out, Not(HasSubstr("secret")));
  EXPECT_THAT(AsKaist({"projects"}).out, Not(HasSubstr("snu")));
}

TEST_F(Tenants, AForeignProjectTakesNoSubmission) {
  const Ended ended = AsKaist({"submit", "snu/llm", "--gpus", "1", "--for", "1h"});
  EXPECT_EQ(ended.exit_code, kNotFound) << ended.err;
  EXPECT_EQ(nation->installation.AllotJson({"list", "snu/llm"})["allocations"].size(), 1U);
}

TEST_F(Tenants, AnExplanationNamesNoOtherTenant) {
  const Ended submitted =
      AsKaist({"submit", "kaist/vision", "--name", "mine", "--nodes", "1", "--models", "H200",
               "--for", "1d", "--wait", "--until", "planned"});
  ASSERT_EQ(submitted.exit_code, 0) << submitted.err;
  const Ended why = AsKaist({"explain", "kaist/vision/mine"});
  EXPECT_EQ(why.exit_code, 0) << why.err;
  EXPECT_THAT(why.out, HasSubstr("naver-a"));
  EXPECT_THAT(why.out, Not(HasSubstr("snu")));
}

TEST_F(Tenants, WithoutAKnownKeyNothingIsAnswered) {
  const Ended no_key =
      RunToEnd({.command = {Binary("allot"), "--server", nation->installation.address(), "pool"},
                .environment = {{"ALLOT_KEY", "allot_nobody_knows"}}});
  EXPECT_NE(no_key.exit_code, 0);
  EXPECT_THAT(no_key.err, HasSubstr("credential_invalid"));
}

TEST_F(Tenants, AKeyIsRotatedAndBothWorkForAWhile) {
  const Installation& installation = nation->installation;
  const std::string first =
      installation.MakeKey("first", {"member", "--institute", "snu", "--expires", "90d"});
  const nlohmann::json keys = installation.AllotJson({"keys", "list"});
  std::string name;
  for (const auto& key : keys["apiKeys"]) {
    if (key.contains("expireTime") && key["expireTime"].is_string()) name = key["name"];
  }
  ASSERT_FALSE(name.empty()) << keys.dump();
  const Ended rotated = installation.Allot({"keys", "rotate", name, "--overlap", "1h"});
  ASSERT_EQ(rotated.exit_code, 0) << rotated.err;
  EXPECT_THAT(rotated.err, HasSubstr("goes on for 1h at the most"));
  const Ended with_next =
      RunToEnd({.command = {Binary("allot"), "--server", installation.address(), "list"},
                .environment = {{"ALLOT_KEY", rotated.out.substr(0, rotated.out.find('\n'))}}});
  EXPECT_EQ(with_next.exit_code, 0) << with_next.err;
  EXPECT_THAT(with_next.out, HasSubstr("snu/llm/secret"));
  EXPECT_EQ(installation.AllotAs(first, {"list"}).exit_code, 0) << "the old one goes on";
  EXPECT_THAT(installation.Allot({"keys", "list"}).out, HasSubstr("works until"));
  for (const char* wrong : {"1", "yesterday", "99999d"}) {
    EXPECT_EQ(
        installation.Allot({"keys", "create", "--role", "auditor", "--expires", wrong}).exit_code,
        3)
        << wrong;
  }
}

TEST_F(Tenants, AMemberMayNotDoAnOperatorsWork) {
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"keys", "list"},
        {"drain", "naver-a", "--reason", "x"},
        {"merit", "set", "snu/llm", "1000", "--reason", "x"},
        {"quota", "set", "snu/llm", "--h200", "999", "--reason", "x"}}) {
    const Ended ended = AsSnu(command);
    EXPECT_NE(ended.exit_code, 0) << command.front();
    EXPECT_THAT(ended.err, HasSubstr("role_insufficient")) << command.front();
  }
}

}  // namespace
}  // namespace allot::testing
