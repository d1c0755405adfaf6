#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "fake_server.h"
#include "run.h"

namespace allot::cli::testing {
namespace {

constexpr const char* kFile = R"(
kind: Allocation
id: snu/llm/main
nodes: 2
models: [H200, B200]
duration: 7d
---
kind: Quota
project: snu/llm
concurrent_gpus: {H200: 64}
gpu_hours: 1000
---
kind: Project
id: snu/llm
programme: call-2026-1
sector: academia
merit: 500
---
kind: Institute
id: snu
sector: academia
display_name: 서울대학교
---
kind: Cluster
id: naver-a
provider: naver
model: H200
programmes: [call-2026-1]
---
kind: Provider
id: naver
)";

class Apply : public ::testing::Test {
 protected:
  Ran RunApply(const std::string& text, std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"apply", "-f", "-"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return runner_.Run(arguments, text);
  }
  std::string Replaced(std::string text, const std::string& from, const std::string& to) {
    text.replace(text.find(from), from.size(), to);
    return text;
  }
  std::size_t Changes() {
    std::size_t count = 0;
    for (const auto& call : server_.seen()) count += call.method.starts_with("Get") ? 0 : 1;
    return count;
  }

  FakeServer server_;
  Runner runner_{server_.address()};
};

TEST_F(Apply, CreatesInTheOrderOfDependenceWhateverTheFilesOrder) {
  const Ran ran = RunApply(kFile);
  ASSERT_EQ(ran.code, 0) << ran.err;
  std::vector<std::string> changes;
  for (const auto& call : server_.seen()) {
    if (!call.method.starts_with("Get")) changes.push_back(call.method);
  }
  EXPECT_EQ(changes,
            (std::vector<std::string>{"CreateProvider", "CreateCluster", "CreateInstitute",
                                      "CreateProject", "UpdateQuota", "CreateAllocation"}));
  const auto& quota = server_.state.quotas.at("institutes/snu/projects/llm/quota");
  EXPECT_EQ(quota.concurrent_gpus().h200(), 64);
  EXPECT_EQ(quota.gpu_seconds(), 3'600'000);
  EXPECT_NE(ran.err.find("sent 6 of 6"), std::string::npos) << ran.err;
}

TEST_F(Apply, SaysUnchangedTheSecondTimeAndSendsNothing) {
  ASSERT_EQ(RunApply(kFile).code, 0);
  const std::size_t before = Changes();
  const Ran again = RunApply(kFile, {"-o", "json"});
  ASSERT_EQ(again.code, 0) << again.err;
  EXPECT_EQ(Changes(), before);
  const auto report = nlohmann::json::parse(again.out);
  EXPECT_EQ(report["summary"]["unchanged"], 6);
  EXPECT_EQ(report["summary"]["created"], 0);
}

TEST_F(Apply, DryRunPrintsADiffAndChangesNothing) {
  ASSERT_EQ(RunApply(kFile).code, 0);
  const Ran ran = RunApply(Replaced(kFile, "merit: 500", "merit: 800") +
                               "---\nkind: Provider\nid: kakao\ndisplay_name: Kakao\n",
                           {"--dry-run"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(server_.state.projects.at("institutes/snu/projects/llm").merit(), 500);
  EXPECT_FALSE(server_.state.providers.contains("providers/kakao"));
  EXPECT_EQ(server_.seen("SetMerit").size(), 1U) << "the server checks it";
  EXPECT_EQ(ran.out.substr(0, ran.out.find("DRY RUN")),
            "+ provider kakao\n"
            "+   display_name: Kakao\n"
            "~ project snu/llm\n"
            "-   merit: 500\n"
            "+   merit: 800\n");
}

TEST_F(Apply, DryRunSaysWhatTheServerWouldRefuse) {
  server_.state.refused_projects.emplace(
      "institutes/snu/projects/llm",
      FieldError(Reason::kEnumUnknown, "project.programme", "call-2026-1", "another"));
  ASSERT_EQ(RunApply("{kind: Institute, id: snu, sector: academia, display_name: 서울대학교}").code,
            0);
  const Ran ran = RunApply(kFile, {"--dry-run"});
  EXPECT_EQ(ran.code, 3);
  EXPECT_NE(ran.err.find("enum_unknown"), std::string::npos) << ran.err;
  EXPECT_NE(ran.out.find("! project snu/llm"), std::string::npos) << ran.out;
  EXPECT_TRUE(server_.seen("CreateAllocation").empty()) << "its project is not there yet";
  EXPECT_TRUE(server_.state.projects.empty());
}

TEST_F(Apply, RefusesFilesWithoutAnObject) {
  for (const char* text : {"# nothing\n", "null", "[]", "---\n---\n"}) {
    const Ran ran = RunApply(text);
    EXPECT_EQ(ran.code, 3) << text;
    EXPECT_NE(ran.err.find("at least one object"), std::string::npos) << ran.err;
  }
}

TEST_F(Apply, ConfiguresWhatTheApiCanChange) {
  ASSERT_EQ(RunApply(kFile).code, 0);
  std::string text = Replaced(kFile, "merit: 500", "merit: 800\nopen: false\ndisplay_name: LLM");
  text = Replaced(text, "H200: 64", "H200: 128");
  const Ran ran = RunApply(text, {"-o", "name", "--reason", "panel of March"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "institutes/snu/projects/llm\ninstitutes/snu/projects/llm/quota\n");
  const auto& project = server_.state.projects.at("institutes/snu/projects/llm");
  EXPECT_EQ(project.merit(), 800);
  EXPECT_EQ(project.display_name(), "LLM");
  EXPECT_FALSE(project.open());
  EXPECT_EQ(server_.state.merit_reasons, std::vector<std::string>{"panel of March"});
  const auto& quota = server_.state.quotas.at("institutes/snu/projects/llm/quota");
  EXPECT_EQ(quota.concurrent_gpus().h200(), 128);
  EXPECT_EQ(quota.gpu_seconds(), 3'600'000) << "what did not differ is not in the mask";
}

TEST_F(Apply, ExplainsWhyAnAllocationWithAnotherRequestCannotBeChanged) {
  ASSERT_EQ(RunApply(kFile).code, 0);
  const Ran ran = RunApply(Replaced(kFile, "duration: 7d", "duration: 14d"));
  EXPECT_EQ(ran.code, 5);
  EXPECT_NE(ran.err.find("field_immutable"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("duration \"7d\", which cannot be changed"), std::string::npos) << ran.err;
  EXPECT_NE(ran.err.find("<stdin>:2"), std::string::npos) << ran.err;
}

TEST_F(Apply, TakesModelsThatAdmissionDroppedAsUnchanged) {
  ASSERT_EQ(RunApply(kFile).code, 0);
  auto& request = *server_.state.allocations.begin()->second.mutable_request();
  request.clear_models();
  request.add_models(v1::GPU_MODEL_H200);
  EXPECT_EQ(RunApply(kFile).code, 0);
  request.set_models(0, v1::GPU_MODEL_UNSPECIFIED);
  EXPECT_EQ(RunApply(kFile).code, 5);
}

TEST_F(Apply, SendsNothingWhenTheFileHasAnError) {
  const Ran ran = RunApply(Replaced(kFile, "duration: 7d", "duration: soon"));
  EXPECT_EQ(ran.code, 3);
  EXPECT_TRUE(server_.seen().empty());
  EXPECT_NE(ran.err.find("<stdin>:6: duration \"soon\": expected"), std::string::npos) << ran.err;
}

TEST_F(Apply, GoesOnAfterAFailureAndSkipsOnlyWhatDependsOnIt) {
  server_.state.refused_projects.emplace(
      "institutes/snu/projects/llm",
      FieldError(Reason::kEnumUnknown, "programme", "call-2026-1", "another"));
  const Ran ran =
      RunApply(std::string(kFile) +
                   "---\nkind: Project\nid: snu/zoo\nprogramme: call-2026-1\nsector: academia\n",
               {"-o", "json"});
  EXPECT_EQ(ran.code, 3) << "the first failure's exit code";
  const auto report = nlohmann::json::parse(ran.out);
  EXPECT_EQ(report["summary"]["created"], 4);
  EXPECT_EQ(report["summary"]["failed"], 1);
  EXPECT_EQ(report["summary"]["skipped"], 2) << "its quota and its allocation";
  EXPECT_TRUE(server_.state.allocations.empty());
}

// Those that start after each other, whatever their order in the file.
constexpr char kChain[] = R"(
--- {kind: Allocation, id: snu/llm/c, gpus: 8, duration: 1d, after: snu/llm/b}
--- {kind: Allocation, id: snu/llm/b, gpus: 8, duration: 1d, after: a}
--- {kind: Allocation, id: snu/llm/a, gpus: 8, duration: 1d}
)";

TEST_F(Apply, SendsAChainOneAfterAnother) {
  const Ran ran = RunApply(kFile + std::string(kChain));
  ASSERT_EQ(ran.code, 0) << ran.err;
  const std::string project = "institutes/snu/projects/llm/allocations/";
  std::vector<std::string> made = server_.state.allocations_made;
  std::erase(made, project + "main");
  EXPECT_EQ(made, (std::vector<std::string>{project + "a", project + "b", project + "c"}));
  EXPECT_EQ(server_.state.allocations.at(project + "b").request().after(), project + "a");
  EXPECT_EQ(RunApply(kFile + std::string(kChain)).code, 0) << "unchanged";
}

TEST_F(Apply, SaysThatAChainIsACircle) {
  const Ran ran =
      RunApply(kFile + Replaced(kChain, "id: snu/llm/a, gpus", "id: snu/llm/a, after: c, gpus"),
               {"-o", "json"});
  EXPECT_EQ(ran.code, 3);
  const auto report = nlohmann::json::parse(ran.out);
  EXPECT_EQ(report["summary"]["skipped"], 3);
  EXPECT_NE(ran.out.find("it starts after one that starts after it"), std::string::npos) << ran.out;
}

TEST_F(Apply, RepeatsPassingFailuresWithTheSameRequestId) {
  server_.BreakNext("CreateInstitute", 2);
  server_.FailNext("CreateProject", StateError(Reason::kStoreConflict, "try again"));
  ASSERT_EQ(RunApply(kFile).code, 0);
  const auto institute = server_.seen("CreateInstitute");
  ASSERT_EQ(institute.size(), 3U);
  EXPECT_EQ(institute[0].request_id, institute[2].request_id);
  EXPECT_EQ(server_.seen("CreateProject").size(), 2U);
}

TEST_F(Apply, GivesUpSoonWhenTheServerGoesAway) {
  server_.BreakNext("CreateInstitute", 1'000);
  const Ran ran = RunApply(kFile, {"-o", "json", "--timeout", "1s"});
  EXPECT_EQ(ran.code, 6);
  const auto report = nlohmann::json::parse(ran.out);
  EXPECT_EQ(report["summary"]["created"], 2);
  EXPECT_EQ(report["summary"]["skipped"], 3);
  EXPECT_TRUE(server_.seen("CreateProject").empty());
}

TEST_F(Apply, CarriesManyObjectsAtOnce) {
  std::string text = "kind: Institute\nid: snu\nsector: academia\n";
  for (int i = 0; i < 300; ++i) {
    const std::string id = "snu/p" + std::to_string(i);
    text += "--- {kind: Project, id: " + id + ", programme: c, sector: academia}\n";
    text += "--- {kind: Quota, project: " + id + ", gpu_hours: 100}\n";
  }
  const Ran ran = RunApply(text);
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(server_.state.projects.size(), 300U);
  EXPECT_EQ(server_.seen("UpdateQuota").size(), 300U);
  EXPECT_TRUE(server_.seen("GetProject").empty()) << "many are compared by one list";

  const Ran again = RunApply(text, {"-o", "json"});
  EXPECT_EQ(nlohmann::json::parse(again.out)["summary"]["unchanged"], 601);
  EXPECT_EQ(server_.seen("UpdateQuota").size(), 300U);
}

}  // namespace
}  // namespace allot::cli::testing
