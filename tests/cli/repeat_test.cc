// What a command says of how to make the same call again.

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fake_server.h"
#include "run.h"
#include "support/temp_dir.h"

namespace allot::cli::testing {
namespace {

using Words = std::vector<std::string>;

class Repeat : public ::testing::Test {
 protected:
  Repeat() {
    v1::Cluster cluster;
    cluster.set_name("providers/naver/clusters/naver-a");
    server_.state.clusters[cluster.name()] = cluster;
  }

  std::string At(Seconds ahead) const { return FormatRfc3339(runner_.clock.Now() + ahead); }
  /// Of the failure of a command, as programs read it.
  nlohmann::json Failed(Words command) {
    command.insert(command.end(), {"-o", "json"});
    const Ran ran = runner_.Run(command);
    EXPECT_NE(ran.code, 0);
    return nlohmann::json::parse(ran.err)["error"];
  }

  FakeServer server_;
  Runner runner_{server_.address()};
};

// What a second person approves is one message: the words "in a year" make another every time.
TEST_F(Repeat, WhatWaitsForASecondPersonIsToldItsMoments) {
  struct Row {
    const char* method;
    Words command;
    Words with;
  };
  const std::vector<Row> rows = {
      {"CreateApiKey",
       {"keys", "create", "--role", "operator", "--expires", "365d"},
       {"--expires", At(Days(365))}},
      {"CreateReservation",
       {"reservations", "create", "naver-a", "--nodes", "1", "--for", "4h", "--reason", "x"},
       {"--from", At(Seconds{0})}},
      {"CreateReservation",
       {"reservations", "create", "naver-a", "--nodes", "1", "--from", "+2d", "--until", "+3d",
        "--reason", "x"},
       {"--from", At(Days(2)), "--until", At(Days(3))}},
      {"UpdateCluster",
       {"cluster", "naver-a", "--join", "+2h", "--leave", "+30d"},
       {"--join", At(Hours(2)), "--leave", At(Days(30))}},
  };
  for (const Row& row : rows) {
    server_.FailNext(row.method, StateError(Reason::kSecondPersonRequired, "it waits"));
    EXPECT_EQ(Failed(row.command)["repeatWith"].get<Words>(), row.with) << row.method;
  }
  server_.FailNext("UpdateCluster", StateError(Reason::kSecondPersonRequired, "it waits"));
  EXPECT_FALSE(
      Failed({"cluster", "naver-a", "--join", "2027-01-01T00:00:00Z"}).contains("repeatWith"))
      << "that means the same tomorrow";
  server_.FailNext("UpdateCluster", StateError(Reason::kSecondPersonRequired, "it waits"));
  const Ran people = runner_.Run({"cluster", "naver-a", "--join", "+2h"});
  EXPECT_NE(people.err.find("\n  repeat with: --join " + At(Hours(2)) + "\n"), std::string::npos)
      << people.err;
}

TEST_F(Repeat, TheFlagsThatAreToldMakeTheSameCall) {
  const Words create = {"reservations", "create", "naver-a",  "--nodes", "1",
                        "--for",        "4h",     "--reason", "x"};
  runner_.clock.Set(runner_.clock.Now() + Seconds{1});
  server_.FailNext("CreateReservation", StateError(Reason::kSecondPersonRequired, "it waits"));
  const Words with = Failed(create)["repeatWith"].get<Words>();
  ASSERT_EQ(runner_.Run(create).code, 0);
  runner_.clock.Advance(Hours(1));
  Words again = create;
  again.insert(again.end(), with.begin(), with.end());
  ASSERT_EQ(runner_.Run(again).code, 0);
  const auto& requests = server_.state.reservation_requests;
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_EQ(requests[0].reservation().ShortDebugString(),
            requests[1].reservation().ShortDebugString());
}

TEST_F(Repeat, WhatNobodyKnowsIsRepeatedWithItsIdAndItsMoments) {
  const Words submit = {"submit", "snu/llm", "--gpus", "1", "--for", "1h", "--start", "+2h"};
  server_.AnswerNext("CreateAllocation", {grpc::StatusCode::DEADLINE_EXCEEDED, "late"}, 1);
  const auto unknown = Failed(submit);
  EXPECT_EQ(
      unknown["repeatWith"].get<Words>(),
      (Words{"--request-id", unknown["requestId"].get<std::string>(), "--start", At(Hours(2))}));
  // What only looks has no id, and changes nothing.
  server_.AnswerNext("GetAllocation", {grpc::StatusCode::DEADLINE_EXCEEDED, "late"}, 1);
  EXPECT_EQ(Failed({"get", "snu/llm/a"})["advice"], "Ask again, or raise --timeout.");
  // And who repeats it otherwise is not told to use a new id, which would do it twice.
  server_.FailNext("CreateAllocation", StateError(Reason::kRequestIdReused, "another body"));
  Words again = submit;
  again.insert(again.end(), {"--request-id", "r-1"});
  const std::string advice = Failed(again)["advice"];
  EXPECT_NE(advice.find("repeat with the times that the first error printed"), std::string::npos)
      << advice;
}

TEST_F(Repeat, ARequestIdIsOfOneCall) {
  for (const Words& command : {Words{"cancel", "snu/llm/a", "snu/llm/b", "--request-id", "r-1"},
                               Words{"apply", "-f", "-", "--request-id", "r-1"}}) {
    const Ran ran = runner_.Run(command);
    EXPECT_EQ(ran.code, 2);
    EXPECT_NE(ran.err.find("a --request-id is of one call"), std::string::npos) << ran.err;
  }
  EXPECT_TRUE(server_.seen().empty());
}

TEST_F(Repeat, OfSeveralTheOneThatFailedIsNamed) {
  server_.FailNext("CancelAllocation", StateError(Reason::kTransitionNotAllowed, "it has ended"));
  const Ran ran = runner_.Run({"cancel", "snu/llm/a", "snu/llm/b"});
  EXPECT_EQ(ran.code, 5);
  EXPECT_NE(ran.err.find("transition_not_allowed: snu/llm/a: it has ended\n"), std::string::npos)
      << ran.err;
  server_.BreakNext("GetAllocation", 100);
  const Ran get = runner_.Run({"get", "snu/llm/a", "snu/llm/b", "--timeout", "1s"});
  EXPECT_NE(get.err.find("server_unreachable: snu/llm/a: "), std::string::npos) << get.err;
}

}  // namespace
}  // namespace allot::cli::testing
