// The files the quickstart applies: twice is once.

#include <fstream>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "e2e/installation.h"

namespace allot::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

/// The first institutes of the national call, each with all that is its own.
std::string StartOfTheNationalCall(int institutes) {
  std::ifstream file("deploy/national-call.yaml");
  std::string text;
  int seen = 0;
  for (std::string line; std::getline(file, line);) {
    if (line.find("kind: Institute") != std::string::npos && ++seen > institutes) break;
    text += line + "\n";
  }
  return text;
}

TEST(Apply, ThePoolAppliesTwiceWithoutAChange) {
  const Installation nation;
  const Ended first = nation.Allot({"apply", "-f", "deploy/national-pool.yaml"});
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_EQ(nation.AllotJson({"clusters"})["clusters"].size(), 5U);

  const Ended second = nation.Allot({"apply", "-f", "deploy/national-pool.yaml"});
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_THAT(second.out, Not(HasSubstr("created")));
  EXPECT_THAT(second.out, Not(HasSubstr("configured")));
}

TEST(Apply, APartOfTheNationalCallAppliesTwiceWithoutATwin) {
  const Installation nation;
  nation.Allot({"apply", "-f", "deploy/national-pool.yaml"});
  const std::string kakao = nation.MakeKey("kakao", {"provider", "--provider", "kakao"});
  const std::string naver = nation.MakeKey("naver", {"provider", "--provider", "naver"});
  std::vector<std::unique_ptr<Process>> agents;
  for (const auto& [cluster, key] : {std::pair{"kakao-a", kakao}, {"naver-a", naver}}) {
    agents.push_back(std::make_unique<Process>(
        std::vector<std::string>{Binary("allot-agent"), "--server", nation.address(), "--site",
                                 "deploy/sites/" + std::string(cluster) + ".yaml", "--key-file",
                                 key, "--state", nation.AgentState(cluster)}));
    ASSERT_TRUE(agents.back()->AwaitErr("inventory sent")) << agents.back()->err();
  }
  const std::string call = StartOfTheNationalCall(3);
  nation.Apply(call);
  const std::size_t allocations = nation.AllotJson({"list"})["allocations"].size();
  EXPECT_GT(allocations, 5U);

  const Ended second = nation.Apply(call);
  EXPECT_THAT(second.out, Not(HasSubstr("created")));
  EXPECT_EQ(nation.AllotJson({"list"})["allocations"].size(), allocations);
}

}  // namespace
}  // namespace allot::testing
