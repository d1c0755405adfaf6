#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "allot/base/time.h"
#include "allot/model/policy.h"
#include "allot/model/pool.h"

namespace allot::control {

/// A cluster whose agent is silent, and what that makes of its nodes.
struct Silent {
  ClusterId cluster;
  /// The heartbeat it was judged by: a newer one overrules the judgement.
  Instant last_heartbeat;
  /// kUnknown or kDown.
  NodeHealth health = NodeHealth::kUnknown;
};

/// For how long agents have been silent, by one steady clock: that of who leads. A heartbeat is
/// stamped by the server that took it; when it came is when the stamp was seen to change, and how
/// two machines' clocks differ does not matter, nor that one is set.
class Hearing {
 public:
  /// Notes the heartbeats that stand in the store at this moment, each to be called soon after the
  /// one before. After a break of `expiry` or longer all silence begins anew: who was down, stood
  /// by, or had no store could hear nobody.
  void Note(std::span<const Cluster> clusters, int64_t steady_micros, Seconds expiry);

  /// Those silent for the policy's heartbeat_expiry or longer at the last note, by id.
  std::vector<Silent> SilentOnes(const Policy& policy) const;

 private:
  struct Heard {
    Instant heartbeat;
    int64_t since_micros = 0;
  };
  std::map<ClusterId, Heard> heard_;
  std::optional<int64_t> noted_micros_;
};

}  // namespace allot::control
