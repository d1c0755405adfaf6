// Servers that answer what none of ours does: nothing of it drives the terminal, and nothing of it
// ends the program otherwise than with a failure.

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "allot/base/text.h"
#include "cli/failure.h"
#include "fake_server.h"
#include "run.h"

namespace allot::cli::testing {
namespace {

using Words = std::vector<std::string>;

constexpr const char* kName = "institutes/snu/projects/llm/allocations/main";
constexpr const char* kHostile =
    "x\n\x1b[31mred\r\xc2\x9b"
    "31m\xe2\x80\xaey\xe2\x80\xa8z";

class HostileServer : public ::testing::Test {
 protected:
  HostileServer() {
    v1::Allocation& allocation = server_.state.allocations[kName];
    allocation.set_name(kName);
    allocation.set_state(v1::Allocation::STATE_PENDING);
    allocation.mutable_request()->set_gpus(8);
    allocation.mutable_request()->mutable_duration()->set_seconds(3'600);
  }

  /// Every line of what was shown is plain text, and the words are in it.
  static void ExpectHarmless(const std::string& shown) {
    std::istringstream lines(shown);
    int seen = 0;
    for (std::string line; std::getline(lines, line);) {
      EXPECT_TRUE(IsPlainText(line)) << Printable(line);
      seen += line.find("red") != std::string::npos ? 1 : 0;
    }
    EXPECT_GE(seen, 1) << "it is shown, harmless: " << shown;
  }

  FakeServer server_;
  Runner runner_{server_.address()};
};

TEST_F(HostileServer, ItsWordsMakeNoLinesAndColoursOfTheirOwn) {
  v1::Allocation& allocation = server_.state.allocations[kName];
  allocation.set_urgent(true);
  for (const char* field : {"name", "display_name", "setback", "urgent_reason", "reason", "message",
                            "cluster", "etag", "grows"}) {
    const auto* descriptor = v1::Allocation::descriptor()->FindFieldByName(field);
    allocation.GetReflection()->SetString(&allocation, descriptor,
                                          std::string("a/") + kHostile + "/b/" + kHostile);
  }
  allocation.add_nodes()->set_node(std::string("a/") + kHostile);
  allocation.add_growths()->set_allocation(std::string("a/") + kHostile);
  for (const Words& command :
       {Words{"get", kName}, Words{"list", "snu"}, Words{"list", "snu", "-o", "wide"},
        Words{"list", "snu", "-o", "name"}, Words{"get", kName, "-o", "name"}}) {
    const Ran ran = runner_.Run(command);
    ASSERT_EQ(ran.code, 0) << ran.err;
    ExpectHarmless(ran.out + ran.err);
  }
  v1::WatchAllocationsResponse change;
  *change.add_changes()->mutable_allocation() = allocation;
  server_.watches = {{change}, {change}};
  ExpectHarmless(runner_.Run({"watch", "snu", "--count", "1"}).out);
  ExpectHarmless(runner_.Run({"watch", "snu", "--count", "1", "-o", "name"}).out);
}

TEST_F(HostileServer, NorDoItsReasons) {
  Failure failure;
  failure.reason = kHostile;
  failure.message = kHostile;
  ExpectHarmless(DescribeForPeople(failure));
}

// Beyond the years that can be written, and beyond what fits: neither ends in an abort.
TEST_F(HostileServer, ATimeThatIsNoneIsAFailure) {
  const std::vector<std::pair<int64_t, int32_t>> none = {{253'402'300'800, 0},
                                                         {std::numeric_limits<int64_t>::max(), 0},
                                                         {std::numeric_limits<int64_t>::min(), 0},
                                                         {0, -1},
                                                         {0, 1'000'000'000}};
  for (const auto& [seconds, nanos] : none) {
    auto& time = *server_.state.allocations[kName].mutable_start_time();
    time.set_seconds(seconds);
    time.set_nanos(nanos);
    v1::WatchAllocationsResponse change;
    *change.add_changes()->mutable_allocation() = server_.state.allocations[kName];
    for (const Words& command :
         {Words{"get", kName}, Words{"get", kName, "-o", "json"}, Words{"list", "-o", "yaml"},
          Words{"watch", "snu", "--count", "1", "-o", "json"}}) {
      if (command[0] == "watch") {
        server_.watches.assign(server_.watch_requests.size() + 1, {change});
      }
      const Ran ran = runner_.Run(command);
      EXPECT_EQ(ran.code, 1) << seconds;
      EXPECT_NE(ran.err.find("answer_malformed"), std::string::npos) << ran.err;
      EXPECT_NE(ran.err.find("allot.v1.Allocation.start_time is out of range"), std::string::npos)
          << ran.err;
    }
  }
  server_.state.allocations[kName].clear_start_time();
  server_.state.allocations[kName].mutable_request()->mutable_duration()->set_seconds(
      std::numeric_limits<int64_t>::max());
  EXPECT_EQ(runner_.Run({"get", kName, "-o", "json"}).code, 1);
}

TEST_F(HostileServer, APageThatComesNextItselfEndsTheList) {
  server_.state.project_page_token = "again";
  const Ran ran = runner_.Run({"projects"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("answer_malformed"), std::string::npos) << ran.err;
  EXPECT_EQ(server_.seen("ListProjects").size(), 2U);
}

}  // namespace
}  // namespace allot::cli::testing
