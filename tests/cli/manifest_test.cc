#include "cli/manifest.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>

namespace allot::cli {
namespace {

TEST(Manifest, ReadsEveryKind) {
  const Manifest manifest = ParseManifest("call.yaml", R"(
kind: Provider
id: naver
display_name: 네이버
---
{kind: Cluster, id: naver-a, provider: naver, model: H200, programmes: [call-2026-1]}
---
kind: Institute
id: snu
sector: academia
---
kind: Project
id: snu/llm
programme: call-2026-1
sector: academia
merit: 870
---
kind: Quota
project: snu/llm
concurrent_gpus: {H200: 64, B200: 32}
gpu_hours: 123456
---
kind: Allocation
id: snu/llm/main
nodes: 8
models: [H200, B200]
duration: 90d
deadline: 2027-01-01T00:00:00Z
same_leaf_wait: 12h
nodes_max: 12
exchange: true
after: prepare
)");
  ASSERT_TRUE(manifest.problems.empty()) << Describe(manifest.problems.front());
  ASSERT_EQ(manifest.documents.size(), 6U);
  EXPECT_EQ(NameOf(manifest.documents[1].resource), "providers/naver/clusters/naver-a");
  EXPECT_EQ(NameOf(manifest.documents[4].resource), "institutes/snu/projects/llm/quota");
  const std::vector<FieldText> expected = {{"display_name", ""},
                                           {"size", "8 nodes x 8 GPUs"},
                                           {"grows_to", "96 GPUs"},
                                           {"models", "H200,B200"},
                                           {"duration", "90d"},
                                           {"earliest_start", ""},
                                           {"deadline", "2027-01-01T00:00:00Z"},
                                           {"preemptible", "false"},
                                           {"borrow", "false"},
                                           {"exchange", "true"},
                                           {"same_leaf_wait", "12h"},
                                           {"after", "snu/llm/prepare"}};
  EXPECT_EQ(FieldsOf(manifest.documents[5].resource), expected);
  EXPECT_EQ(manifest.documents[5].given,
            (std::set<std::string>{"size", "grows_to", "models", "duration", "deadline",
                                   "same_leaf_wait", "exchange", "after"}))
      << "what the file leaves out is left alone";
  EXPECT_EQ(manifest.documents[5].line, 23);
}

TEST(Manifest, ReadsJsonAndLists) {
  const Manifest manifest = ParseManifest(
      "call.json",
      R"([{"kind": "Provider", "id": "naver"}, {"kind": "Institute", "id": "snu", "sector": "academia"}])");
  ASSERT_TRUE(manifest.problems.empty());
  EXPECT_EQ(manifest.documents.size(), 2U);
}

TEST(Manifest, ReadsTheFilesWeShip) {
  const std::map<std::string, std::size_t> at_least = {{"deploy/national-pool.yaml", 8},
                                                       {"deploy/national-call.yaml", 1'662}};
  for (const auto& [path, documents] : at_least) {
    std::ifstream stream(path);
    if (!stream) GTEST_SKIP() << path << " is read from the top folder";
    const std::string text(std::istreambuf_iterator<char>(stream), {});
    const Manifest manifest = ParseManifest(path, text);
    ASSERT_TRUE(manifest.problems.empty()) << Describe(manifest.problems.front());
    EXPECT_GE(manifest.documents.size(), documents);
  }
}

TEST(Manifest, SameSizeWrittenTwoWaysIsTheSame) {
  const auto fields = [](const std::string& size) {
    const Manifest manifest =
        ParseManifest("f", "{kind: Allocation, id: a/b/c, duration: 1d, " + size + "}");
    EXPECT_TRUE(manifest.problems.empty());
    return FieldsOf(manifest.documents.at(0).resource);
  };
  EXPECT_EQ(fields("gpus: 16"), fields("nodes: 2"));
  EXPECT_EQ(fields("gpus: 5"), fields("nodes: 1, gpus_per_node: 5"));
  EXPECT_NE(fields("gpus: 12"), fields("nodes: 2, gpus_per_node: 6"));
}

TEST(Manifest, NamesFileLineFieldValueAndWhatWasExpected) {
  const struct {
    const char* text;
    int line;
    const char* field;
    const char* value;
  } kRows[] = {
      {"kind: Proivder\nid: x", 1, "kind", "Proivder"},
      {"id: x", 1, "kind", "missing"},
      {"kind: Provider", 1, "id", "missing"},
      {"kind: Provider\nid: Naver", 2, "id", "Naver"},
      {"kind: Provider\nid: naver\ndisplay: x", 3, "display", ""},
      {"kind: Provider\nid: naver\nid: kakao", 3, "id", ""},
      {"kind: Provider\nid: [a]", 2, "id", "a list"},
      {"kind: Cluster\nid: a\nprovider: p\nmodel: A100\nprogrammes: [x]", 4, "model", "A100"},
      {"kind: Cluster\nid: a\nprovider: p\nmodel: H200", 1, "programmes", "missing"},
      {"kind: Institute\nid: snu\nsector: ACADEMY", 3, "sector", "ACADEMY"},
      {"kind: Project\nid: snu\nprogramme: c\nsector: academia", 2, "id", "snu"},
      {"kind: Project\nid: a/b\nprogramme: c\nsector: academia\nmerit: 1001", 5, "merit", "1001"},
      {"kind: Quota\nproject: a/b\nconcurrent_gpus: {H100: 4}", 3, "concurrent_gpus.H100", ""},
      {"kind: Quota\nproject: a/b\nconcurrent_gpus: {H200: -4}", 3, "concurrent_gpus.H200", "-4"},
      {"kind: Quota\nproject: a/b\nconcurrent_gpus: {H200: 010}", 3, "concurrent_gpus.H200", "010"},
      {"kind: Quota\nproject: a/b\ngpu_hours: lots", 3, "gpu_hours", "lots"},
      {"kind: Allocation\nid: a/b/c\nnodes: 2\nduration: 90x", 4, "duration", "90x"},
      {"kind: Allocation\nid: a/b/c\nnodes: 2\nduration: 10w100w", 4, "duration", "10w100w"},
      {"kind: Allocation\nid: a/b/c\nnodes: 2\nduration: 3650d", 4, "duration", "3650d"},
      {"kind: Allocation\nid: a/b/c\nduration: 1d", 1, "nodes", "missing"},
      {"kind: Allocation\nid: a/b/c\nduration: 1d\ngpus: 3\nnodes: 1", 4, "gpus", "3"},
      {"kind: Allocation\nid: a/b/c\nduration: 1d\nnodes: 1\ngpus_per_node: 9", 5, "gpus_per_node",
       "9"},
      {"kind: Allocation\nid: a/b/c\nduration: 1d\nnodes: 1\nmodels: [H200, H200]", 5, "models",
       "H200,H200"},
      {"kind: Allocation\nid: a/b/c\nduration: 1d\nnodes: 1\nearliest_start: +2h", 5,
       "earliest_start", "+2h"},
      {"kind: Allocation\nid: a/b/c\nduration: 1d\nnodes: 1\npreemptible: yes", 5, "preemptible",
       "yes"},
      {"kind: Provider\nid: {", 2, "", ""},
      {"just text", 1, "", "just text"},
      {",", 1, "", ""},
      {"%A\n,", 2, "", ""},
      {"kind: Provider\nid: \xff", 2, "", ""},
      {"kind: Provider\nid: naver\n\"a\\nb\": x", 3, "a\\x0ab", ""},
  };
  for (const auto& row : kRows) {
    const Manifest manifest = ParseManifest("call.yaml", row.text);
    ASSERT_EQ(manifest.problems.size(), 1U) << row.text;
    const ManifestProblem& problem = manifest.problems[0];
    EXPECT_EQ(problem.file, "call.yaml");
    EXPECT_EQ(problem.line, row.line) << row.text;
    EXPECT_EQ(problem.field, row.field) << row.text;
    EXPECT_EQ(problem.value, row.value) << row.text;
    EXPECT_FALSE(problem.expected.empty()) << row.text;
    EXPECT_TRUE(manifest.documents.empty()) << row.text;
  }
}

TEST(Manifest, FindsEveryProblemInOneGo) {
  const Manifest manifest =
      ParseManifest("f", "kind: Institute\nid: X\nsector: y\n---\nkind: Provider\nid: 9\n");
  EXPECT_EQ(manifest.problems.size(), 3U);
}

TEST(Manifest, RefusesAnObjectGivenTwice) {
  const std::string text = "kind: Provider\nid: naver\n";
  const Manifest all =
      JoinManifests({ParseManifest("a.yaml", text), ParseManifest("b.yaml", text)});
  ASSERT_EQ(all.problems.size(), 1U);
  EXPECT_EQ(Describe(all.problems[0]),
            "b.yaml:1: id \"naver\": expected each object once; it is in a.yaml:1 too");
}

TEST(Manifest, AliasesAreRefusedBeforeTheyGrow) {
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n";
  for (char name = 'b'; name < 'k'; ++name) {
    const std::string of(1, static_cast<char>(name - 1));
    bomb += std::string(1, name) + ": &" + name + " [*" + of;
    for (int i = 0; i < 8; ++i) bomb += ", *" + of;
    bomb += "]\n";
  }
  for (const std::string& text : {bomb, std::string("&a [*a]"), std::string("- &a {kind: *a}")}) {
    const Manifest manifest = ParseManifest("f.yaml", text);
    ASSERT_EQ(manifest.problems.size(), 1U);
    EXPECT_NE(Describe(manifest.problems[0]).find("aliases"), std::string::npos);
    EXPECT_TRUE(manifest.documents.empty());
  }
}

TEST(Manifest, ListsWithinListsEndSomewhere) {
  const Manifest manifest = ParseManifest("f.yaml", std::string(200'000, '['));
  ASSERT_EQ(manifest.problems.size(), 1U);
  EXPECT_EQ(Describe(manifest.problems[0]), "f.yaml:1: expected lists and maps nested less deeply");
}

}  // namespace
}  // namespace allot::cli
