#include "rpc/cluster_names.h"

#include "rpc/resource_name.h"

namespace allot::rpc {

std::string ClusterNames::NameOf(const Principal& principal, const ClusterId& id) {
  std::string name = Find(id);
  if (!name.empty()) return name;
  Learn(principal);
  name = Find(id);
  return name.empty() ? "providers/-/clusters/" + id.str() : name;
}

std::string ClusterNames::Find(const ClusterId& id) {
  const std::lock_guard lock(mutex_);
  const auto found = names_.find(id);
  return found == names_.end() ? std::string() : found->second;
}

void ClusterNames::Learn(const Principal& principal) {
  store::PageRequest page{.size = 1000};
  for (bool more = true; more;) {
    const auto clusters = control::ListClusters(context_, principal, std::nullopt, page);
    if (!clusters.ok() || clusters->items.empty()) return;
    const std::lock_guard lock(mutex_);
    for (const Cluster& cluster : clusters->items) {
      names_[cluster.id] = rpc::NameOf(cluster.provider, cluster.id);
    }
    page.after = clusters->items.back().id.str();
    more = clusters->more;
  }
}

}  // namespace allot::rpc
