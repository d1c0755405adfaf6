#include "agent/site_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "support/temp_dir.h"

namespace allot::agent {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kFull = R"(# Naver's first cluster
provider: naver
cluster: naver-a
gpu_model: H200
nodes:
  - naver-a-[001-255]
simulated_provisioning_delay: 5s
)";

TEST(SiteFile, ListsTheNodesOfOneCluster) {
  const Result<Site> site = ParseSite(kFull, "site.yaml");
  ASSERT_TRUE(site.ok()) << Describe(site.error());
  EXPECT_EQ(site->provider, ProviderId("naver"));
  EXPECT_EQ(site->cluster, ClusterId("naver-a"));
  EXPECT_EQ(site->gpu_model, GpuModel::kH200);
  EXPECT_EQ(site->simulated_provisioning_delay, Seconds{5});
  ASSERT_EQ(site->nodes.size(), 255U);
  EXPECT_EQ(site->nodes.front(), (SiteNode{"naver-a-001", ""}));
  EXPECT_EQ(site->nodes.back(), (SiteNode{"naver-a-255", ""}));
}

Result<Site> WithNodes(const std::string& nodes) {
  return ParseSite("provider: p\ncluster: c\ngpu_model: B200\nnodes: " + nodes + "\n", "s.yaml");
}

std::vector<std::string> NamesOf(const Site& site) {
  std::vector<std::string> names;
  for (const SiteNode& node : site.nodes) names.push_back(node.name);
  return names;
}

TEST(SiteFile, TakesNamesAndRangesAndSortsThem) {
  const Result<Site> site = WithNodes("[spare, 'n-[9-11]', 'm[08-09]-gpu']");
  ASSERT_TRUE(site.ok()) << Describe(site.error());
  EXPECT_THAT(NamesOf(*site), ElementsAre("m08-gpu", "m09-gpu", "n-10", "n-11", "n-9", "spare"));
}

TEST(SiteFile, HangsNodesFromLeaves) {
  const Result<Site> site =
      WithNodes("[spare, 'n[1-4]', m]\nleaves:\n  su-1: ['n[1-2]', spare]\n  su-2: ['n[3-4]']");
  ASSERT_TRUE(site.ok()) << Describe(site.error());
  EXPECT_THAT(site->nodes, ElementsAre(SiteNode{"m", ""}, SiteNode{"n1", "su-1"},
                                       SiteNode{"n2", "su-1"}, SiteNode{"n3", "su-2"},
                                       SiteNode{"n4", "su-2"}, SiteNode{"spare", "su-1"}));
}

TEST(SiteFile, TakesAsManyNodesAsTheServerDoesAndNoMore) {
  EXPECT_TRUE(WithNodes("['n-[0001-4096]']").ok());
  const Result<Site> site = WithNodes("['n-[0001-4097]']");
  ASSERT_FALSE(site.ok());
  EXPECT_THAT(site.error().message, HasSubstr("1 to 4,096"));
}

struct BrokenCase {
  std::string name;
  std::string yaml;
  /// Where it is broken, and what would be right.
  std::string place;
  std::string expected;
};

std::string Site4(const std::string& provider, const std::string& cluster, const std::string& model,
                  const std::string& nodes) {
  return "provider: " + provider + "\ncluster: " + cluster + "\ngpu_model: " + model +
         "\nnodes: " + nodes + "\n";
}

std::vector<BrokenCase> BrokenCases() {
  const auto nodes = [](const std::string& list) { return Site4("p", "c", "H200", list); };
  const std::string good = Site4("p", "c", "H200", "[n1]");
  return {
      {"Empty", "", "s.yaml:1: the file nothing", "a mapping"},
      {"OnlyAComment", "# nothing\n", "s.yaml:1: the file nothing", "a mapping"},
      {"AList", "- n1\n", "s.yaml:1: the file a list", "a mapping"},
      {"NotYaml", "provider: p\ncluster: [\n", "s.yaml:", "YAML"},
      {"NoDocument", "# a comment\n,\n", "s.yaml:2:", "YAML"},
      {"DeeplyNested", "nodes: " + std::string(100'000, '['), "s.yaml:", "YAML"},
      {"TwoDocuments", good + "---\n" + good, "s.yaml:6: the file a second document", "one"},
      {"TooLarge", std::string(1'048'577, '#'), "1,048,577 bytes", "at most 1,048,576 bytes"},
      {"NotUtf8", "provider: p\ncluster: \xff\n", "s.yaml:2: the text \\xff", "UTF-8"},
      {"ControlCharacter", "provider: p\ncluster: c\ngpu_model: H2\x01\n",
       "s.yaml:3: the text \\x01", "without control characters"},
      {"DirectionTurned", "# \xe2\x80\xae\nprovider: p\n", "s.yaml:1: the text",
       "without control characters"},
      {"EscapedControlCharacter", Site4("\"p\\u0001\"", "c", "H200", "[n1]"), "s.yaml:1: provider",
       "a-z, 0-9"},
      {"UnknownKey", good + "gpus: 8\n", "s.yaml:5: the key 'gpus'", "one of provider, cluster"},
      {"MisspeltKey", "provider: p\nclustre: c\n", "s.yaml:2: the key 'clustre'", "cluster"},
      {"KeyThatIsAList", good + "? [a]\n: b\n", "s.yaml:5: the key", "one of"},
      {"RepeatedKey", good + "cluster: d\n", "s.yaml:5: the key 'cluster'", "stands in line 2"},
      {"NoProvider", "cluster: c\n", "s.yaml:1: provider is missing", "such as naver"},
      {"NoCluster", "provider: p\n", "cluster is missing", "such as naver-a"},
      {"NoModel", "provider: p\ncluster: c\n", "gpu_model is missing", "H200 or B200"},
      {"NoNodes", "provider: p\ncluster: c\ngpu_model: H200\n", "nodes is missing", "a list of 1"},
      {"ProviderInCapitals", Site4("Naver", "c", "H200", "[n1]"), "s.yaml:1: provider 'Naver'",
       "a-z, 0-9"},
      {"ProviderEmpty", Site4("\"\"", "c", "H200", "[n1]"), "s.yaml:1: provider ''", "1 to 63"},
      {"ProviderNothing", Site4("", "c", "H200", "[n1]"), "s.yaml:1: provider nothing", "1 to 63"},
      {"ClusterTooLong", Site4("p", std::string(64, 'c'), "H200", "[n1]"), "s.yaml:2: cluster",
       "1 to 63"},
      {"ClusterWithASlash", Site4("p", "../c", "H200", "[n1]"), "s.yaml:2: cluster '../c'",
       "a-z, 0-9"},
      {"ClusterAMapping", Site4("p", "{a: b}", "H200", "[n1]"), "s.yaml:2: cluster a mapping",
       "a-z, 0-9"},
      {"WrongModel", Site4("p", "c", "A100", "[n1]"), "s.yaml:3: gpu_model 'A100'", "H200 or B200"},
      {"ModelInLowerCase", Site4("p", "c", "h200", "[n1]"), "s.yaml:3: gpu_model 'h200'",
       "H200 or B200"},
      {"ZeroNodes", nodes("[]"), "s.yaml:4: nodes an empty list", "a list of 1"},
      {"NodesNothing", nodes(""), "s.yaml:4: nodes nothing", "a list of 1"},
      {"NodesAName", nodes("n1"), "s.yaml:4: nodes 'n1'", "a list of 1"},
      {"NodeAList", nodes("[[n1]]"), "s.yaml:4: nodes a list", "a node's name"},
      {"NodeInCapitals", nodes("[N1]"), "s.yaml:4: nodes 'N1'", "a-z, 0-9"},
      {"NodeOnALaterLine", nodes("\n  - n1\n  - n_2"), "s.yaml:6: nodes 'n_2'", "a-z, 0-9"},
      {"RepeatedNode", nodes("\n  - n1\n  - n2\n  - n1"), "s.yaml:7: nodes 'n1'",
       "stands in line 5"},
      {"RepeatedByARange", nodes("\n  - n3\n  - 'n[1-5]'"), "s.yaml:6: nodes 'n3'",
       "stands in line 5"},
      {"LeavesAList", good + "leaves: [n1]\n", "s.yaml:5: leaves a list", "a mapping from"},
      {"LeafInCapitals", good + "leaves:\n  SU: [n1]\n", "s.yaml:6: leaves 'SU'", "a leaf's name"},
      {"LeafRepeated", good + "leaves:\n  a: [n1]\n  a: [n1]\n", "s.yaml:7: leaves 'a'",
       "stands in line 6"},
      {"LeafEmpty", good + "leaves:\n  a: []\n", "s.yaml:6: leaves.a an empty list", "a list of 1"},
      {"LeafOfAStranger", good + "leaves:\n  a:\n    - n2\n", "s.yaml:7: leaves.a 'n2'",
       "a node of nodes"},
      {"NodeOfTwoLeaves", good + "leaves:\n  a: [n1]\n  b: [n1]\n", "s.yaml:7: leaves.b 'n1'",
       "stands in line 6"},
      {"RangeEmpty", nodes("['n[]']"), "s.yaml:4: nodes 'n[]'", "one range"},
      {"RangeBackwards", nodes("['n[5-1]']"), "nodes 'n[5-1]'", "the first not above the last"},
      {"RangeOfLetters", nodes("['n[a-c]']"), "nodes 'n[a-c]'", "one range"},
      {"RangeOpen", nodes("['n[1-5']"), "nodes 'n[1-5'", "one range"},
      {"RangeWithoutEnd", nodes("['n[1-]']"), "nodes 'n[1-]'", "one range"},
      {"RangeOfUnequalWidth", nodes("['n[01-100]']"), "nodes 'n[01-100]'", "as many digits"},
      {"RangeTwice", nodes("['n[1-2]-[1-2]']"), "nodes 'n[1-2]-[1-2]'", "one range"},
      {"RangeAbsurd", nodes("['n[0-999999999]']"), "nodes 'n[0-999999999]'", "one range"},
      {"RangeOverflowing", nodes("['n[0-99999999999999999999]']"), "nodes 'n[0-", "one range"},
      {"RangeGrowsPastANamesLength", nodes("['" + std::string(62, 'n') + "[9-10]']"), "nodes 'nnn",
       "1 to 63"},
      {"DelayNegative", good + "simulated_provisioning_delay: -1s\n",
       "s.yaml:5: simulated_provisioning_delay '-1s'", "from 0s to 1h"},
      {"DelayTooLong", good + "simulated_provisioning_delay: 2h\n",
       "s.yaml:5: simulated_provisioning_delay '2h'", "from 0s to 1h"},
      {"DelayWithoutUnit", good + "simulated_provisioning_delay: soon\n",
       "s.yaml:5: simulated_provisioning_delay 'soon'", "such as 5s"},
  };
}

class BrokenSiteFile : public ::testing::TestWithParam<BrokenCase> {};

TEST_P(BrokenSiteFile, IsRefusedWithPlaceAndExpectation) {
  const Result<Site> site = ParseSite(GetParam().yaml, "s.yaml");
  ASSERT_FALSE(site.ok());
  EXPECT_EQ(site.error().reason, Reason::kConfigInvalid);
  EXPECT_THAT(site.error().message, HasSubstr(GetParam().place));
  EXPECT_THAT(site.error().message, HasSubstr(GetParam().expected));
  EXPECT_LT(site.error().message.size(), 700U);
}

INSTANTIATE_TEST_SUITE_P(Cases, BrokenSiteFile, ::testing::ValuesIn(BrokenCases()),
                         [](const auto& tested) { return tested.param.name; });

TEST(SiteFile, ThatCannotBeReadIsNamed) {
  const testing::TempDir folder;
  for (const std::string& path : {folder / "missing.yaml", folder.path().string()}) {
    const Result<Site> site = ReadSite(path);
    ASSERT_FALSE(site.ok());
    EXPECT_THAT(site.error().message, HasSubstr(path + " cannot be read"));
  }
  std::ofstream(folder / "site.yaml") << kFull;
  EXPECT_TRUE(ReadSite(folder / "site.yaml").ok());
}

}  // namespace
}  // namespace allot::agent
