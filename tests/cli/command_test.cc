#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "allot/base/result.h"
#include "allot/base/text.h"
#include "fake_server.h"
#include "run.h"
#include "support/temp_dir.h"

namespace allot::cli::testing {
namespace {

constexpr const char* kName = "institutes/snu/projects/llm/allocations/main";

v1::Allocation AllocationIn(v1::Allocation::State state) {
  v1::Allocation allocation;
  allocation.set_name(kName);
  allocation.set_state(state);
  allocation.mutable_request()->mutable_node_shape()->set_nodes(4);
  allocation.mutable_request()->mutable_node_shape()->set_gpus_per_node(8);
  allocation.mutable_request()->add_models(v1::GPU_MODEL_H200);
  allocation.mutable_request()->mutable_duration()->set_seconds(7 * 86'400);
  return allocation;
}

v1::WatchAllocationsResponse Message(int64_t resume, std::vector<v1::Allocation::State> states) {
  v1::WatchAllocationsResponse message;
  message.set_resume_revision(resume);
  for (const auto state : states) {
    auto& change = *message.add_changes();
    change.set_state(state);
    *change.mutable_allocation() = AllocationIn(state);
  }
  return message;
}

class Command : public ::testing::Test {
 protected:
  FakeServer server_;
  Runner runner_{server_.address()};
};

TEST_F(Command, SubmitSendsTheRequestWithKeyDeadlineAndARequestId) {
  const Ran ran = runner_.Run({"submit", "snu/llm", "--name", "main", "--nodes", "4", "--models",
                               "B200,H200", "--for", "2w", "--start", "+2h", "-o", "name"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, std::string(kName) + "\n");
  const auto& request = server_.state.allocations.at(kName).request();
  EXPECT_EQ(request.node_shape().nodes(), 4);
  EXPECT_EQ(request.node_shape().gpus_per_node(), 8);
  EXPECT_EQ(request.models(0), v1::GPU_MODEL_B200);
  EXPECT_EQ(request.duration().seconds(), 14 * 86'400);
  EXPECT_EQ(request.earliest_start().seconds(), (runner_.clock.Now() + Hours(2)).seconds());
  const auto call = server_.seen("CreateAllocation").at(0);
  EXPECT_EQ(call.authorization, std::string("Bearer ") + FakeServer::kKey);
  EXPECT_EQ(call.request_id.size(), 36U) << call.request_id;
  EXPECT_TRUE(call.has_deadline);
}

TEST_F(Command, ADryRunTellsTheStartItWouldGet) {
  const std::vector<std::string> submit = {"submit", "snu/llm", "--gpus",   "8",
                                           "--for",  "1d",      "--dry-run"};
  const Ran plain = runner_.Run(submit);
  EXPECT_NE(plain.err.find("dry run: it would be accepted; nothing was submitted"),
            std::string::npos);
  server_.state.foretold.set_state(v1::Allocation::STATE_PLANNED);
  server_.state.foretold.mutable_start_time()->set_seconds(
      (runner_.clock.Now() + Hours(26)).seconds());
  const Ran ran = runner_.Run(submit);
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.err.find("start as shown behind all who wait now"), std::string::npos) << ran.err;
  EXPECT_NE(ran.out.find("planned"), std::string::npos) << ran.out;
  EXPECT_TRUE(server_.state.allocations_made.empty());
}

TEST_F(Command, SubmitSendsManyAlikeInOneCallAndNumbersThem) {
  const std::vector<std::string> submit = {"submit", "snu/llm", "--gpus",  "1",
                                           "--for",  "1h",      "--after", "prepare"};
  auto many = submit;
  many.insert(many.end(), {"--name", "sweep", "--count", "10", "-o", "name"});
  const Ran ran = runner_.Run(many);
  ASSERT_EQ(ran.code, 0) << ran.err;
  const std::string project = "institutes/snu/projects/llm/allocations/";
  EXPECT_TRUE(ran.out.starts_with(project + "sweep-01\n" + project + "sweep-02\n")) << ran.out;
  EXPECT_TRUE(ran.out.ends_with(project + "sweep-10\n")) << ran.out;
  EXPECT_EQ(server_.seen("BatchCreateAllocations").size(), 1U);
  EXPECT_EQ(server_.seen("BatchCreateAllocations").at(0).request_id.size(), 36U);
  EXPECT_EQ(server_.state.allocations.at(project + "sweep-07").request().after(),
            project + "prepare");

  auto one = submit;
  one.insert(one.end(), {"--count", "1", "-o", "json"});
  const auto list = nlohmann::json::parse(runner_.Run(one).out);
  EXPECT_EQ(list["allocations"].size(), 1U) << "a list, whatever the count";
  for (const char* count : {"0", "101", "-1", "x"}) {
    auto wrong = submit;
    wrong.insert(wrong.end(), {"--count", count});
    EXPECT_EQ(runner_.Run(wrong).code, 3) << count;
  }
}

TEST_F(Command, EveryChangeHasARequestIdOfItsOwnUnlessOneIsGiven) {
  const std::vector<std::string> submit = {"submit", "snu/llm", "--gpus", "1", "--for", "1h"};
  ASSERT_EQ(runner_.Run(submit).code, 0);
  ASSERT_EQ(runner_.Run(submit).code, 0);
  auto repeat = submit;
  repeat.insert(repeat.end(), {"--request-id", "mine-1"});
  ASSERT_EQ(runner_.Run(repeat).code, 0);
  const auto calls = server_.seen("CreateAllocation");
  EXPECT_NE(calls.at(0).request_id, calls.at(1).request_id);
  EXPECT_EQ(calls.at(2).request_id, "mine-1");
}

TEST_F(Command, ExitCodesFollowTheReason) {
  const struct {
    Reason reason;
    int code;
  } kRows[] = {
      {Reason::kDurationOutOfRange, 3}, {Reason::kNotFound, 4},      {Reason::kRoleInsufficient, 4},
      {Reason::kCredentialInvalid, 4},  {Reason::kAlreadyExists, 5}, {Reason::kEtagStale, 5},
      {Reason::kQuotaExceeded, 5},      {Reason::kInternal, 1},
  };
  for (const auto& row : kRows) {
    server_.FailNext("GetAllocation", StateError(row.reason, "said so"));
    EXPECT_EQ(runner_.Run({"get", "snu/llm/main"}).code, row.code) << Name(row.reason);
  }
  for (const std::vector<std::string>& usage : std::vector<std::vector<std::string>>{
           {},
           {"frobnicate"},
           {"get"},
           {"list", "--colour"},
           {"list", "-o", "xml"},
           {"submit", "a/b", "--for", "1h"},
           {"submit", "a/b", "--for", "1h", "--gpus", "1", "--nodes", "1"},
           {"submit", "a/b", "--for", "1h", "--gpus", "16", "--gpus-per-node", "2"},
           {"pool", "--step", "1h"},
           {"quota", "set", "a/b", "--reason", "x"},
           {"quota", "set", "a/b", "--h200", "8"},
           {"keys", "revoke", "k1"},
           {"members", "remove", "m-1"},
           {"reservations", "cancel", "a/b"},
           {"list", "--timeout", "0s"},
           {"list", "--limit", "0"},
           {"watch", "--count", "-1"},
           {"list", "\xff"},
           {"submit", "a/b", "--gpus", "1", "--for", "1h", "--until", "ended"},
           {"cancel", "a/b/c", "--wait-timeout", "1h"},
           {"cancel", "a/b/c", "a/b/d", "--etag", "3"}}) {
    const Ran ran = runner_.Run(usage);
    EXPECT_EQ(ran.code, 2) << ran.err;
  }
  EXPECT_EQ(runner_.Run({"submit", "a/b", "--gpus", "x", "--for", "1h"}).code, 3);
}

TEST_F(Command, AWordThatIsNoCommandIsNamed) {
  EXPECT_NE(runner_.Run({"frobnicate"}).err.find("'frobnicate' is no command"), std::string::npos);
  const std::string nested = runner_.Run({"quota", "grow", "snu/llm"}).err;
  EXPECT_NE(nested.find("'grow' is no command"), std::string::npos) << nested;
  const std::string missing = runner_.Run({"submit", "--gpus", "4", "--for", "4h"}).err;
  EXPECT_NE(missing.find("project is required"), std::string::npos) << missing;
}

TEST_F(Command, ErrorsNameFieldValueLimitAndAdvice) {
  const Error error = FieldError(Reason::kGpusPerNodeOutOfRange,
                                 "allocation.request.node_shape.gpus_per_node", "9", "1 to 8");
  const std::vector<std::string> submit = {"submit",          "snu/llm", "--nodes", "1",
                                           "--gpus-per-node", "8",       "--for",   "1h"};
  server_.FailNext("CreateAllocation", error);
  const Ran people = runner_.Run(submit);
  EXPECT_EQ(people.out, "");
  EXPECT_NE(people.err.find("error: gpus_per_node_out_of_range: "), std::string::npos)
      << people.err;
  EXPECT_NE(people.err.find("  value: 9\n  limit: 1 to 8\n  advice: A node has 8 GPUs"),
            std::string::npos)
      << people.err;

  server_.FailNext("CreateAllocation", error);
  auto as_json = submit;
  as_json.insert(as_json.end(), {"-o", "json"});
  const auto json = nlohmann::json::parse(runner_.Run(as_json).err);
  EXPECT_EQ(json["error"]["reason"], "gpus_per_node_out_of_range");
  EXPECT_EQ(json["error"]["value"], "9");
  EXPECT_EQ(json["error"]["exitCode"], 3);
}

TEST_F(Command, PassingFailuresAreRepeatedWithTheSameIdAndABound) {
  server_.BreakNext("CreateAllocation", 2);
  ASSERT_EQ(runner_.Run({"submit", "snu/llm", "--gpus", "1", "--for", "1h"}).code, 0);
  const auto calls = server_.seen("CreateAllocation");
  ASSERT_EQ(calls.size(), 3U);
  EXPECT_EQ(calls[0].request_id, calls[2].request_id);

  server_.BreakNext("GetAllocation", 100);
  EXPECT_EQ(runner_.Run({"get", "snu/llm/main", "--timeout", "1s"}).code, 6);
  EXPECT_LE(server_.seen("GetAllocation").size(), 3U);

  server_.FailNext("CancelAllocation", StateError(Reason::kEtagStale, "changed"));
  EXPECT_EQ(runner_.Run({"cancel", "snu/llm/main"}).code, 5);
  EXPECT_EQ(server_.seen("CancelAllocation").size(), 1U) << "a repeat cannot mend a stale etag";
}

TEST_F(Command, ListsFollowEveryPage) {
  for (const char* id : {"a", "b", "c", "d", "e"}) {
    const std::string name = std::string("institutes/") + id;
    server_.state.institutes[name].set_name(name);
  }
  const Ran ran = runner_.Run({"institutes", "-o", "name"});
  EXPECT_EQ(ran.out, "institutes/a\ninstitutes/b\ninstitutes/c\ninstitutes/d\ninstitutes/e\n");
  const auto json = nlohmann::json::parse(runner_.Run({"institutes", "-o", "json"}).out);
  EXPECT_EQ(json["institutes"].size(), 5U);
  EXPECT_EQ(json["nextPageToken"], "");
}

TEST_F(Command, ShowsOneAllocationInEveryFormat) {
  server_.state.allocations[kName] = AllocationIn(v1::Allocation::STATE_PENDING);
  EXPECT_NE(runner_.Run({"get", "snu/llm/main"})
                .out.find("Asks for:        4 nodes x 8 GPUs of H200 for 7d\n"),
            std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(runner_.Run({"get", kName, "-o", "json"}).out)["state"],
            "STATE_PENDING");
  EXPECT_NE(runner_.Run({"-o", "yaml", "get", kName}).out.find("state: STATE_PENDING\n"),
            std::string::npos);
  const Ran table = runner_.Run({"list"});
  EXPECT_EQ(table.out.substr(0, table.out.find('\n')),
            "ALLOCATION    STATE    GPUS  MODELS  DURATION  CLUSTER  START  REASON");
  EXPECT_EQ(table.out.find('\x1b'), std::string::npos);
  runner_.terminal = true;
  EXPECT_NE(runner_.Run({"list"}).out.find('\x1b'), std::string::npos);
  runner_.variables["NO_COLOR"] = "1";
  EXPECT_EQ(runner_.Run({"list"}).out.find('\x1b'), std::string::npos);
}

TEST_F(Command, WaitFollowsToTheGoalAcrossABrokenWatch) {
  server_.watches = {{Message(1, {}), Message(2, {v1::Allocation::STATE_PLANNED})},
                     {Message(2, {}), Message(3, {v1::Allocation::STATE_PROVISIONING,
                                                  v1::Allocation::STATE_ACTIVE})}};
  const Ran ran =
      runner_.Run({"submit", "snu/llm", "--name", "main", "--nodes", "4", "--for", "7d", "--wait"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  ASSERT_EQ(server_.watch_requests.size(), 2U);
  EXPECT_EQ(server_.watch_requests[0].parent(), "institutes/snu/projects/llm");
  EXPECT_EQ(server_.watch_requests[1].after_revision(), 2) << "resumes where it broke off";
  for (const char* state : {"planned", "active"}) {
    EXPECT_NE(ran.err.find(state), std::string::npos) << ran.err;
  }
  EXPECT_NE(ran.out.find("active"), std::string::npos);
}

TEST_F(Command, WaitSaysWhenTheGoalIsMissedOrTheTimeRunsOut) {
  const std::vector<std::string> submit = {"submit", "snu/llm", "--name", "main",  "--nodes",
                                           "4",      "--for",   "7d",     "--wait"};
  server_.watches = {{Message(1, {}), Message(2, {v1::Allocation::STATE_REJECTED})}};
  EXPECT_EQ(runner_.Run(submit).code, 7);
  auto bounded = submit;
  bounded.insert(bounded.end(), {"--wait-timeout", "1s"});
  const Ran ran = runner_.Run(bounded);
  EXPECT_EQ(ran.code, 7);
  EXPECT_NE(ran.err.find("stopped waiting after 1s for snu/llm/main"), std::string::npos)
      << ran.err;
}

TEST_F(Command, WhatWasSubmittedIsShownWhateverBecomesOfTheWaiting) {
  server_.FailNext("WatchAllocations", StateError(Reason::kRoleInsufficient, "not for you"));
  const Ran ran =
      runner_.Run({"submit", "snu/llm", "--gpus", "1", "--for", "1h", "--wait", "-o", "name"});
  EXPECT_EQ(ran.code, 4);
  EXPECT_EQ(ran.out, "institutes/snu/projects/llm/allocations/minted\n");
  EXPECT_NE(ran.err.find("role_insufficient"), std::string::npos) << ran.err;

  server_.FailNext("WatchAllocations", StateError(Reason::kRoleInsufficient, "not for you"));
  const Ran ended = runner_.Run({"cancel", "snu/llm/minted", "--wait", "-o", "name"});
  EXPECT_EQ(ended.code, 4);
  EXPECT_EQ(ended.out, "institutes/snu/projects/llm/allocations/minted\n");
}

// A server that restarts as the watch begins, so that the allocation cannot be read beside it.
TEST_F(Command, WaitGoesOnWhenTheServerIsAwayAsTheWatchBegins) {
  server_.AnswerNext("GetAllocation", {grpc::StatusCode::DEADLINE_EXCEEDED, "late"}, 1);
  server_.watches = {{Message(1, {})},
                     {Message(2, {}), Message(3, {v1::Allocation::STATE_ACTIVE})}};
  const Ran ran =
      runner_.Run({"submit", "snu/llm", "--name", "main", "--nodes", "4", "--for", "7d", "--wait"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(server_.watch_requests.size(), 2U);
}

// As after a failover of the database.
TEST_F(Command, WaitBeginsAnewWhenItsRevisionCountsForNothing) {
  int arrived = 0;
  server_.on_watch = [&] {
    if (++arrived != 2) return;
    server_.FailNext("WatchAllocations",
                     FieldError(Reason::kRevisionOutOfRange, "after_revision", "2", "0 to 1"));
  };
  server_.watches = {{Message(1, {}), Message(2, {v1::Allocation::STATE_PLANNED})},
                     {Message(1, {}), Message(2, {v1::Allocation::STATE_ACTIVE})}};
  const Ran ran =
      runner_.Run({"submit", "snu/llm", "--name", "main", "--nodes", "4", "--for", "7d", "--wait"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  ASSERT_EQ(server_.watch_requests.size(), 2U) << "and one that was refused between them";
  EXPECT_FALSE(server_.watch_requests[1].has_after_revision());
}

TEST_F(Command, AWatchWhoseRevisionCountsForNothingEndsAndSaysSo) {
  int arrived = 0;
  server_.on_watch = [&] {
    if (++arrived != 2) return;
    server_.FailNext("WatchAllocations",
                     FieldError(Reason::kRevisionOutOfRange, "after_revision", "2", "0 to 1"));
  };
  server_.watches = {{Message(1, {}), Message(2, {v1::Allocation::STATE_PLANNED})}};
  const Ran ran = runner_.Run({"watch", "snu/llm"});
  EXPECT_NE(ran.code, 0);
  EXPECT_NE(ran.err.find("revision_out_of_range"), std::string::npos) << ran.err;
}

TEST_F(Command, AWatchThatNobodyReadsEndsAndSaysSo) {
  server_.watches = {{Message(1, {}), Message(2, {v1::Allocation::STATE_PLANNED})}};
  runner_.out_is_full = true;
  const Ran ran = runner_.Run({"watch", "snu/llm"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_NE(ran.err.find("output_failed"), std::string::npos) << ran.err;
}

TEST_F(Command, FindsAPlaceByItsClusterAlone) {
  const std::string cluster = "providers/naver/clusters/naver-a";
  server_.state.clusters[cluster].set_name(cluster);
  EXPECT_EQ(runner_.Run({"drain", "nowhere", "--reason", "x"}).code, 4);
  EXPECT_EQ(runner_.Run({"drain", "naver-a/n1"}).code, 2) << "draining needs a reason";
}

TEST_F(Command, FindsServerAndKeyInADataFolder) {
  const allot::testing::TempDir folder;
  const std::string path = folder.path().string();
  runner_.variables.clear();
  const Ran lost = runner_.Run({"list", "--data-dir", path});
  EXPECT_EQ(lost.code, 4);
  EXPECT_NE(lost.err.find("--data-dir names " + path + "/keys/operator.key"), std::string::npos)
      << lost.err;

  ASSERT_EQ(std::system(("mkdir -p " + path + "/keys").c_str()), 0);
  std::ofstream(path + "/keys/operator.key") << FakeServer::kKey << "\n";
  std::filesystem::permissions(path + "/keys/operator.key", std::filesystem::perms(0600));
  std::ofstream(path + "/server.address") << server_.address() << "\n";
  EXPECT_EQ(runner_.Run({"list", "--data-dir", path}).code, 0);
  runner_.variables["ALLOT_DATA_DIR"] = path;
  EXPECT_EQ(runner_.Run({"list"}).code, 0);
  runner_.variables["ALLOT_SERVER"] = "127.0.0.1:1";
  EXPECT_EQ(runner_.Run({"list", "--timeout", "1s"}).code, 6)
      << "the variable goes before the folder";
}

TEST_F(Command, WhatIsOfTheTimelineIsRefusedWithoutIt) {
  const Ran ran = runner_.Run({"pool", "--for", "14d"});
  EXPECT_EQ(ran.code, 2);
  EXPECT_NE(ran.err.find("Add --timeline."), std::string::npos) << ran.err;
  EXPECT_EQ(runner_.Run({"what-if", "--set", "promise_nodes=8", "--set", "promise_nodes=9"}).code,
            3);
}

TEST_F(Command, SaysWhereItLookedForAKey) {
  runner_.variables.clear();
  runner_.variables["HOME"] = "/nonexistent";
  const Ran ran = runner_.Run({"list"});
  EXPECT_EQ(ran.code, 4);
  for (const char* place : {"ALLOT_KEY", "./allot-data/keys/operator.key",
                            "/nonexistent/.local/share/allot/keys/operator.key"}) {
    EXPECT_NE(ran.err.find(place), std::string::npos) << ran.err;
  }
}

TEST_F(Command, HelpHasExamplesForEveryCommand) {
  const Ran all = runner_.Run({"help"});
  ASSERT_EQ(all.code, 0);
  for (const char* command :
       {"submit",  "list",       "get",      "watch",     "explain",    "cancel",
        "release", "reject",     "pool",     "providers", "clusters",   "nodes",
        "orders",  "institutes", "projects", "quota",     "merit",      "drain",
        "undrain", "keys",       "audit",    "apply",     "completion", "version"}) {
    EXPECT_NE(all.out.find(std::string("\n  ") + command), std::string::npos) << command;
    const Ran help = runner_.Run({"help", command});
    EXPECT_EQ(help.code, 0);
    EXPECT_NE(help.out.find("Examples:\n  "), std::string::npos) << command;
    EXPECT_EQ(runner_.Run({command, "--help"}).out, help.out);
  }
}

TEST_F(Command, ExplainTellsWhatWouldStartSooner) {
  server_.state.explanation.mutable_allocation()->set_name(
      "institutes/snu/projects/llm/allocations/main");
  server_.state.explanation.add_alternatives()->set_message("for 2d it would start now");
  server_.state.explanation.add_alternatives()->set_message("on B200 it would start now");
  const Ran ran = runner_.Run({"explain", "snu/llm/main"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("Sooner:"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("for 2d it would start now\n"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("on B200 it would start now\n"), std::string::npos) << ran.out;
}

TEST_F(Command, CompletionKnowsCommandsAndOptions) {
  for (const char* shell : {"bash", "zsh", "fish"}) {
    const Ran ran = runner_.Run({"completion", shell});
    EXPECT_EQ(ran.code, 0);
    EXPECT_NE(ran.out.find("submit"), std::string::npos);
    EXPECT_NE(ran.out.find("gpus-per-node"), std::string::npos);
  }
  EXPECT_EQ(runner_.Run({"completion", "tcsh"}).code, 2);
}

}  // namespace
}  // namespace allot::cli::testing
