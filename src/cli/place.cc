#include "cli/place.h"

#include <vector>

#include "cli/listing.h"
#include "cli/resource_name.h"
#include "cli/text.h"

namespace allot::cli {
namespace {

constexpr const char* kForms =
    "CLUSTER, CLUSTER/NODE, PROVIDER/CLUSTER/NODE or a full name (providers/…/clusters/…)";

Failure NotAPlace(std::string_view text) {
  return FailureOf(FieldError(Reason::kResourceNameInvalid, "place", Printable(text), kForms));
}

Failure NoSuchCluster(const std::string& id) {
  Failure failure = FailureOf(
      FieldError(Reason::kNotFound, "place", Printable(id), "a cluster that you may see"));
  failure.message = "there is no cluster " + Printable(id);
  failure.advice = "'allot clusters' lists them.";
  return failure;
}

std::string NodeName(const std::string& cluster, const std::string& node) {
  return cluster + "/nodes/" + node;
}

Outcome<Place> FindShort(Client& client, const std::vector<std::string>& parts) {
  v1::ListClustersRequest request;
  request.set_parent("providers/-");
  const auto clusters = ListAll(client, &Pool::ListClusters, request,
                                [](const auto& answer) { return answer.clusters_size(); });
  if (!clusters.ok()) return clusters.failure();
  for (const v1::Cluster& cluster : clusters->clusters()) {
    if (LastPart(cluster.name()) == parts[0]) {
      return Place{cluster.name(), parts.size() == 2 ? NodeName(cluster.name(), parts[1]) : ""};
    }
  }
  if (parts.size() == 2) {
    const std::string name = "providers/" + parts[0] + "/clusters/" + parts[1];
    for (const v1::Cluster& cluster : clusters->clusters()) {
      if (cluster.name() == name) return Place{name, ""};
    }
  }
  return NoSuchCluster(parts[0]);
}

}  // namespace

Outcome<Place> FindPlace(Client& client, std::string_view text) {
  const std::vector<std::string> parts = Split(text, '/');
  for (const std::string& part : parts) {
    if (part.empty()) return NotAPlace(text);
  }
  if (parts[0] == "providers") {
    const bool cluster = parts.size() == 4 && parts[2] == "clusters";
    const bool node = parts.size() == 6 && parts[2] == "clusters" && parts[4] == "nodes";
    if (cluster) return Place{std::string(text), ""};
    if (node) return Place{ParentOf(text), std::string(text)};
    return NotAPlace(text);
  }
  if (parts.size() == 3) {
    const std::string cluster = "providers/" + parts[0] + "/clusters/" + parts[1];
    return Place{cluster, NodeName(cluster, parts[2])};
  }
  if (parts.size() > 3) return NotAPlace(text);
  return FindShort(client, parts);
}

Outcome<std::string> FindCluster(Client& client, std::string_view text) {
  const auto place = FindPlace(client, text);
  if (!place.ok()) return place.failure();
  if (!place->node.empty()) {
    return FailureOf(FieldError(Reason::kResourceNameInvalid, "cluster", Printable(text),
                                "a cluster, not a node"));
  }
  return place->cluster;
}

}  // namespace allot::cli
