#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "allot/base/id.h"
#include "allot/base/result.h"
#include "allot/base/time.h"
#include "allot/model/gpu.h"

namespace allot::agent {

/// More than the server takes in one inventory.
inline constexpr int kSiteNodesMax = 4096;

struct SiteNode {
  /// Within the cluster.
  std::string name;
  /// The leaf of the network that it hangs from; empty when the file does not say.
  std::string leaf;

  friend bool operator==(const SiteNode&, const SiteNode&) = default;
};

/// One cluster as its provider describes it (docs/provider.md has the format).
struct Site {
  ProviderId provider;
  ClusterId cluster;
  GpuModel gpu_model = GpuModel::kH200;
  /// Sorted by name, each once, not empty.
  std::vector<SiteNode> nodes;
  /// How long handing nodes over takes in a simulation; zero in production.
  Seconds simulated_provisioning_delay;

  bool Has(std::string_view node) const;

  friend bool operator==(const Site&, const Site&) = default;
};

/// Reads the YAML of a site file. `file` is its name for messages. config_invalid names file,
/// line, key, what stands there and what was expected; an unknown or repeated key is an error, so
/// that a misspelt one cannot pass silently.
Result<Site> ParseSite(std::string_view yaml, const std::string& file);
Result<Site> ReadSite(const std::string& file);

}  // namespace allot::agent
