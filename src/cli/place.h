#pragma once

#include <string>
#include <string_view>

#include "cli/client.h"
#include "cli/failure.h"

namespace allot::cli {

/// A cluster, or one node of it, by full name.
struct Place {
  std::string cluster;
  /// Empty for the whole cluster.
  std::string node;
};

/// From CLUSTER, CLUSTER/NODE, PROVIDER/CLUSTER, PROVIDER/CLUSTER/NODE or a full name. A cluster's
/// id says all, but its provider is part of its name, so the short forms ask the server.
Outcome<Place> FindPlace(Client& client, std::string_view text);

/// The same where only a cluster will do.
Outcome<std::string> FindCluster(Client& client, std::string_view text);

}  // namespace allot::cli
