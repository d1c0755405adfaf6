// Calls that take two persons, with the real programs.

#include <sys/stat.h>

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "allot/base/time.h"
#include "e2e/installation.h"

namespace allot::testing {
namespace {

using ::testing::ElementsAre;

constexpr int kConflict = 5;

/// Another ministry admin, as whoever runs the server makes one.
std::string SecondAdmin(const Installation& nation, const TempDir& dir) {
  // PostgreSQL writes down where its socket is.
  std::ifstream pid_file(nation.data_dir() + "/postgres/postmaster.pid");
  std::string socket_dir;
  for (int line = 1; line <= 5; ++line) std::getline(pid_file, socket_dir);
  const Ended made = RunToEnd({Binary("allotd"), "create-operator-key", "--database",
                               "postgresql://allot@/allot?host=" + socket_dir});
  EXPECT_EQ(made.exit_code, 0) << made.err;
  std::string path = dir / "second.key";
  std::ofstream(path) << made.out;
  chmod(path.c_str(), 0600);
  return path;
}

// "In a year" is another time with every run: what is approved is the time of the first.
TEST(TwoPersons, ACommandWithATimeFromNowGoesThroughAsItWasTold) {
  const TempDir dir;
  const Installation nation(
      "server:\n  second_person: {CreateApiKey: 1d, CreateMember: 1d, RotateApiKey: 1d}\n");
  const std::string second = SecondAdmin(nation, dir);
  const std::vector<std::string> create = {"keys",      "create", "--role", "operator",
                                           "--expires", "365d",   "-o",     "json"};
  const Ended asked = nation.Allot(create);
  ASSERT_EQ(asked.exit_code, kConflict) << asked.err;
  const auto error = nlohmann::json::parse(asked.err)["error"];
  ASSERT_EQ(error["reason"], "second_person_required");
  const auto with = error["repeatWith"].get<std::vector<std::string>>();
  ASSERT_THAT(with, ElementsAre("--expires", ::testing::_));
  const Ended approved = nation.AllotAs(
      second, {"proposals", "approve", error["value"].get<std::string>(), "--reason", "by phone"});
  ASSERT_EQ(approved.exit_code, 0) << approved.err;

  EXPECT_EQ(nation.Allot(create).exit_code, kConflict) << "that is another call";
  const Ended made =
      nation.Allot({"keys", "create", "--role", "operator", with.at(0), with.at(1), "-o", "json"});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  const auto expires = nlohmann::json::parse(made.out)["apiKey"]["expireTime"].get<std::string>();
  // One writes six digits of a second, the other as many as it needs.
  EXPECT_EQ(ParseRfc3339(expires), ParseRfc3339(with.at(1)));
  EXPECT_TRUE(ParseRfc3339(expires)) << expires;
}

}  // namespace
}  // namespace allot::testing
