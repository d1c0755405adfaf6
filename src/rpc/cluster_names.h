#pragma once

#include <map>
#include <mutex>
#include <string>

#include "allot/control/context.h"
#include "allot/control/pool.h"

namespace allot::rpc {

/// Resource names of clusters by their ids. A cluster never changes its provider, so what was
/// learned once stays true. Thread safe.
class ClusterNames {
 public:
  explicit ClusterNames(const control::Context& context) : context_(context) {}

  /// "providers/*/clusters/*". A cluster that this principal cannot look up is under "providers/-".
  std::string NameOf(const Principal& principal, const ClusterId& id);

  /// not_found when `name` begins with a cluster's name and puts it under a provider whose it is
  /// not: a cluster's id alone finds it, so nobody else would notice.
  Status Confirm(const Principal& principal, const std::string& name, const std::string& field);

 private:
  std::string Find(const ClusterId& id);
  void Learn(const Principal& principal);

  const control::Context& context_;
  std::mutex mutex_;
  std::map<ClusterId, std::string> names_;
};

/// The names as one caller sees them.
class ClusterNamesFor {
 public:
  ClusterNamesFor(ClusterNames& names, const Principal& principal)
      : names_(names), principal_(principal) {}
  std::string operator()(const ClusterId& id) const { return names_.NameOf(principal_, id); }

 private:
  ClusterNames& names_;
  const Principal& principal_;
};

}  // namespace allot::rpc
