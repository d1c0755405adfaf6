// A cluster as its provider's agent is told of it. What is read keeps to what the file's format
// says, and reads the same again when it is written out node by node.
#include <algorithm>
#include <string>

#include "agent/site_file.h"
#include "allot/model/name.h"
#include "fuzz/support/property.h"

namespace allot::fuzz {
namespace {

/// Without ranges.
std::string WrittenOut(const agent::Site& site) {
  std::string nodes;
  std::string leaves;
  std::vector<agent::SiteNode> by_leaf = site.nodes;
  std::ranges::stable_sort(by_leaf, {}, &agent::SiteNode::leaf);
  std::string leaf;
  for (const agent::SiteNode& node : site.nodes) nodes += "  - " + node.name + "\n";
  for (const agent::SiteNode& node : by_leaf) {
    if (node.leaf.empty()) continue;
    if (node.leaf != leaf) leaves += "  " + node.leaf + ":\n";
    leaf = node.leaf;
    leaves += "    - " + node.name + "\n";
  }
  return "provider: " + site.provider.str() + "\ncluster: " + site.cluster.str() +
         "\ngpu_model: " + std::string(Name(site.gpu_model)) + "\nnodes:\n" + nodes +
         (leaves.empty() ? "" : "leaves:\n" + leaves) +
         "simulated_provisioning_delay: " + FormatDuration(site.simulated_provisioning_delay) +
         "\n";
}

void CheckSite(const agent::Site& site) {
  Require(CheckName(site.provider.str(), "provider").ok(), "a provider has a name");
  Require(CheckName(site.cluster.str(), "cluster").ok(), "a cluster has a name");
  Require(!site.nodes.empty() && site.nodes.size() <= std::size_t{agent::kSiteNodesMax},
          "there are nodes, and not too many");
  const agent::SiteNode* before = nullptr;
  for (const agent::SiteNode& node : site.nodes) {
    Require(CheckName(node.name, "node").ok(), "a node has a name", node.name);
    Require(node.leaf.empty() || CheckName(node.leaf, "leaf").ok(), "a leaf has a name", node.leaf);
    Require(before == nullptr || before->name < node.name, "nodes are sorted, each once",
            node.name);
    Require(site.Has(node.name), "a node is found", node.name);
    before = &node;
  }
  const Seconds delay = site.simulated_provisioning_delay;
  Require(delay.count >= 0 && delay <= Hours(1), "the delay is within its range");
}

}  // namespace
}  // namespace allot::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  using namespace allot;
  const auto site = agent::ParseSite(fuzz::TextOf(data, size), "site.yaml");
  if (!site.ok()) {
    fuzz::RequireOfField(site.error());
    fuzz::Require(site.error().reason == Reason::kConfigInvalid, "a site file is config_invalid");
    return 0;
  }
  fuzz::CheckSite(*site);
  const std::string written = fuzz::WrittenOut(*site);
  const auto again = agent::ParseSite(written, "written.yaml");
  fuzz::Require(again.ok() && *again == *site, "a site comes back", written);
  return 0;
}
