// When and how long after a call is repeated.

#include "cli/retry.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "cli/call_loop.h"
#include "fake_server.h"
#include "run.h"

namespace allot::cli::testing {
namespace {

using std::chrono::milliseconds;

TEST(Retry, WhatMayPassIsWhatARepeatCanMend) {
  struct Row {
    grpc::StatusCode code;
    const char* message;
    const char* reason;
    bool passes;
  };
  const std::vector<Row> rows = {
      {grpc::StatusCode::UNAVAILABLE, "connection refused", "server_unreachable", true},
      {grpc::StatusCode::UNAVAILABLE, "it leads not", "not_leader", true},
      {grpc::StatusCode::UNAVAILABLE, "handshake failed: SSL_ERROR_SSL: certificate verify failed",
       "server_unreachable", false},
      {grpc::StatusCode::RESOURCE_EXHAUSTED, "too many calls wait", "overloaded", true},
      {grpc::StatusCode::RESOURCE_EXHAUSTED, "Received message larger than max", "answer_too_large",
       false},
      {grpc::StatusCode::ABORTED, "somebody was faster", "store_conflict", true},
      {grpc::StatusCode::ABORTED, "it has changed", "etag_stale", false},
      {grpc::StatusCode::FAILED_PRECONDITION, "no", "quota_exceeded", false},
      {grpc::StatusCode::DEADLINE_EXCEEDED, "late", "deadline_exceeded", false},
  };
  for (const Row& row : rows) {
    Failure failure;
    failure.reason = row.reason;
    EXPECT_EQ(MayPass(grpc::Status(row.code, row.message), failure), row.passes) << row.message;
  }
}

TEST(Retry, PausesDoubleUpToABoundAndAPartIsChance) {
  const CallPolicy policy;
  SeededRandom random(7);
  const int64_t least[] = {200, 400, 800, 1'600, 3'200, 5'000, 5'000};
  for (int failures = 1; failures <= 7; ++failures) {
    const int64_t pause = PauseAfter(failures, Failure(), policy, random).count();
    EXPECT_GE(pause, least[failures - 1]) << failures;
    EXPECT_LE(pause, least[failures - 1] * 5 / 4) << failures;
  }
  SeededRandom other(8);
  EXPECT_NE(PauseAfter(5, Failure(), policy, random), PauseAfter(5, Failure(), policy, other));
  Failure told;
  told.retry_after = milliseconds(7'000);
  EXPECT_GE(PauseAfter(1, told, policy, random), milliseconds(7'000)) << "the server knows better";
}

/// Calls that are answered at once with what is given, one status after another.
class Answers {
 public:
  CallLoop::Begin With(std::vector<grpc::Status> statuses) {
    return [this, statuses = std::move(statuses), next = std::size_t{0}](
               grpc::ClientContext&, CallLoop::Answered answered) mutable {
      ++begun;
      answered(statuses.at(next++));
    };
  }
  int begun = 0;
};

class CallLoopTest : public ::testing::Test {
 protected:
  static grpc::Status Of(grpc::StatusCode code) { return {code, "said so"}; }

  SeededRandom random_{1};
  CallSettings settings_{.server = "server",
                         .key = "key",
                         .policy = {},
                         .random = random_,
                         .renew_key = {},
                         .on_trouble = {}};
  Answers answers_;
};

TEST_F(CallLoopTest, WhatWasSentAndIsDroppedHasFailed) {
  CallLoop loop(settings_, 2);
  std::optional<Failure> sent;
  std::optional<Failure> never;
  loop.Add(answers_.With({Of(grpc::StatusCode::UNAVAILABLE)}),
           [&](const Failure* failure) { sent = *failure; });
  loop.Add(answers_.With({Of(grpc::StatusCode::DEADLINE_EXCEEDED)}),
           [&](const Failure*) { loop.Drop(); });
  loop.Add(answers_.With({grpc::Status::OK}), [&](const Failure* failure) { never = *failure; });
  loop.Run();
  ASSERT_TRUE(sent) << "it may have happened";
  EXPECT_EQ(sent->reason, "server_unreachable");
  EXPECT_FALSE(never);
  EXPECT_EQ(answers_.begun, 2);
}

// As an edge in front of the servers refuses: without a word.
TEST(Retry, ARefusalOfTheEdgeIsRepeated) {
  FakeServer server;
  Runner runner(server.address());
  server.AnswerNext("CreateAllocation", {grpc::StatusCode::RESOURCE_EXHAUSTED, "429"}, 2);
  const Ran ran = runner.Run({"submit", "snu/llm", "--gpus", "1", "--for", "1h"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  const auto calls = server.seen("CreateAllocation");
  ASSERT_EQ(calls.size(), 3U);
  EXPECT_EQ(calls[0].request_id, calls[2].request_id);
}

TEST(Retry, ItIsTriedUntilTheTimeIsOverAndPeopleAreTold) {
  FakeServer server;
  Runner runner(server.address());
  server.BreakNext("CreateAllocation", 100);
  const Ran ran =
      runner.Run({"submit", "snu/llm", "--gpus", "1", "--for", "1h", "--timeout", "2s"});
  EXPECT_EQ(ran.code, 6);
  EXPECT_NE(ran.err.find("; trying again, for 2s in all\n"), std::string::npos) << ran.err;
  // At 0, 0.2 to 0.25, 0.6 to 0.75 and 1.4 to 1.75 s, or fewer on a machine that has no time.
  EXPECT_GE(server.seen("CreateAllocation").size(), 3U);
  EXPECT_LE(server.seen("CreateAllocation").size(), 4U);
  const Ran json = runner.Run(
      {"submit", "snu/llm", "--gpus", "1", "--for", "1h", "--timeout", "1s", "-o", "json"});
  EXPECT_EQ(json.err.find("trying again"), std::string::npos) << json.err;
}

}  // namespace
}  // namespace allot::cli::testing
