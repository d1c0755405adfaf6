#include "rpc/cluster_names.h"

#include "control/record.h"
#include "rpc/resource_name.h"

namespace allot::rpc {

std::string ClusterNames::NameOf(const Principal& principal, const ClusterId& id) {
  std::string name = Find(id);
  if (!name.empty()) return name;
  Learn(principal);
  name = Find(id);
  return name.empty() ? "providers/-/clusters/" + id.str() : name;
}

Status ClusterNames::Confirm(const Principal& principal, const std::string& name,
                             const std::string& field) {
  std::size_t end = 0;
  for (int parts = 0; parts < 4 && end != std::string::npos; ++parts) {
    end = name.find('/', parts == 0 ? 0 : end + 1);
  }
  const auto named = ParseClusterName(name.substr(0, end), field);
  if (!named.ok() || NameOf(principal, named->cluster) == name.substr(0, end)) return Ok{};
  return control::NotFound(field, name);
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
