// Every tests/golden/*.scenario must be answered as it says. UPDATE_GOLDEN=1 writes the answers of
// today instead: read the difference before it is committed.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "golden/scenario.h"

namespace allot::testing {
namespace {

// Tests are started in the top folder.
const std::filesystem::path kFolder = "tests/golden";

std::vector<std::string> ScenarioNames() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder)) {
    if (entry.path().extension() == ".scenario") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string Read(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class Golden : public ::testing::TestWithParam<std::string> {};

TEST_P(Golden, IsAnsweredAsWritten) {
  const std::filesystem::path path = kFolder / (GetParam() + ".scenario");
  const std::string written = Read(path);
  ASSERT_FALSE(written.empty());
  Scenario scenario;
  const std::string answered = scenario.Rewrite(written);
  EXPECT_EQ(answered.find("error: "), std::string::npos) << answered;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << answered;
  } else {
    EXPECT_EQ(answered, written);
  }
}

INSTANTIATE_TEST_SUITE_P(Scenarios, Golden, ::testing::ValuesIn(ScenarioNames()),
                         [](const auto& test) { return test.param; });

TEST(Scenario, AnswersNonsenseWithAnError) {
  for (const char* text : {"frobnicate", "node n99 down", "cluster a X9 n1..n2", "pass at=noon",
                           "submit x nobody nodes=1 for=1h", "release nothing", "cancel nothing",
                           "explain nothing", "policy starvation=never"}) {
    Scenario scenario;
    EXPECT_NE(scenario.Rewrite(text).find("error: "), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace allot::testing
