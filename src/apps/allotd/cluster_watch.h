#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "allot/store/private_cluster.h"

namespace allot::allotd {

/// Keeps the private PostgreSQL running: looks regularly, and at once when somebody found the store
/// unavailable. Stops looking when destroyed, before the cluster itself is stopped.
class ClusterWatch {
 public:
  /// Requires: `cluster` outlives the object.
  explicit ClusterWatch(store::PrivateCluster& cluster);

  /// Never blocks for long.
  void LookNow();
  /// From its return on, nothing is started any more.
  void Cease();

 private:
  void Watch(const std::stop_token& stop);
  Status Look();

  store::PrivateCluster& cluster_;
  std::mutex mutex_;
  std::condition_variable_any wake_;
  bool look_now_ = false;
  /// Held while PostgreSQL is looked after.
  std::mutex looking_;
  bool ceased_ = false;
  std::jthread thread_;
};

}  // namespace allot::allotd
