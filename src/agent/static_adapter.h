#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/site_file.h"
#include "allot/agent/adapter.h"
#include "allot/agent/log.h"

namespace allot::agent {

/// A cluster whose nodes stand in a site file and which nothing else runs: handing GPUs over is
/// recording it, which the agent does. A file `health/<node>` says that a node does not work.
/// It has no use for sessions: an agent's record is all there is, and `agent.lock` keeps every
/// other agent from it.
class StaticAdapter final : public Adapter {
 public:
  struct Options {
    std::string site_file;
    std::string health_folder;
    /// Of a steady clock, in milliseconds; for the simulated delay.
    std::function<int64_t()> steady_ms;
    Log log;
  };
  /// Requires: `site` was read from the site file.
  StaticAdapter(Site site, Options options);

  Result<std::vector<NodeReport>> Inventory() override;
  Progress Provision(const Order& order, int64_t session) override;
  Progress Release(const Order& order, int64_t session) override;
  /// The site file anew. Provider, cluster and model cannot change while the agent runs.
  Status Reload() override;

 private:
  Options options_;
  std::mutex mutex_;
  Site site_;
  /// Names in the health folder that are no nodes, to complain once.
  std::set<std::string> strangers_;
  /// When those under way are ready, by allocation and attempt. Of the order thread only; a
  /// restart begins the delay again.
  std::map<std::pair<AllocationId, int>, int64_t> ready_ms_;
};

}  // namespace allot::agent
