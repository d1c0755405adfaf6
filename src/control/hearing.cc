#include "allot/control/hearing.h"

namespace allot::control {

void Hearing::Note(std::span<const Cluster> clusters, int64_t steady_micros, Seconds expiry) {
  if (noted_micros_ && steady_micros - *noted_micros_ >= expiry.count * 1'000'000) heard_.clear();
  noted_micros_ = steady_micros;
  for (const Cluster& cluster : clusters) {
    if (!cluster.last_heartbeat) continue;
    const auto [known, is_new] =
        heard_.try_emplace(cluster.id, Heard{*cluster.last_heartbeat, steady_micros});
    if (is_new || known->second.heartbeat == *cluster.last_heartbeat) continue;
    known->second = {*cluster.last_heartbeat, steady_micros};
  }
}

std::vector<Silent> Hearing::SilentOnes(const Policy& policy) const {
  std::vector<Silent> silent;
  for (const auto& [cluster, heard] : heard_) {
    const Seconds silence{(*noted_micros_ - heard.since_micros) / 1'000'000};
    if (silence < policy.heartbeat_expiry) continue;
    silent.push_back(
        {.cluster = cluster,
         .last_heartbeat = heard.heartbeat,
         .health = silence >= policy.node_down_after ? NodeHealth::kDown : NodeHealth::kUnknown});
  }
  return silent;
}

}  // namespace allot::control
