#include "apps/allotd/cluster_watch.h"

#include <chrono>

#include "apps/allotd/json_log.h"

namespace allot::allotd {
namespace {

constexpr std::chrono::milliseconds kPeriod{500};

}  // namespace

ClusterWatch::ClusterWatch(store::PrivateCluster& cluster)
    : cluster_(cluster), thread_([this](const std::stop_token& stop) { Watch(stop); }) {}

void ClusterWatch::LookNow() {
  const std::lock_guard lock(mutex_);
  look_now_ = true;
  wake_.notify_one();
}

void ClusterWatch::Cease() {
  const std::lock_guard lock(looking_);
  ceased_ = true;
}

Status ClusterWatch::Look() {
  const std::lock_guard lock(looking_);
  if (ceased_) return Ok{};
  return cluster_.EnsureRunning();
}

void ClusterWatch::Watch(const std::stop_token& stop) {
  bool running = true;
  while (!stop.stop_requested()) {
    const Status status = Look();
    // Said once when it goes and once when it is back, not twice a second.
    if (running && !status.ok()) LogError("postgres_not_running", status.error());
    if (!running && status.ok()) LogInfo("postgres_running", {});
    running = status.ok();
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, kPeriod, [this] { return look_now_; });
    look_now_ = false;
  }
}

}  // namespace allot::allotd
