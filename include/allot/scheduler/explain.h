#pragma once

#include <optional>
#include <string>
#include <vector>

#include "allot/scheduler/plan.h"

namespace allot::scheduler {

/// How one cluster stands to a request right now; each number a filter's popcount.
struct ClusterOutlook {
  int cluster = 0;            ///< position in Snapshot::clusters
  int nodes = 0;              ///< in the cluster, not removed
  int unschedulable = 0;      ///< draining, unknown or down
  int set_aside = 0;          ///< schedulable, and for others or nobody now
  int nodes_fitting_now = 0;  ///< schedulable with the GPUs a node free now
  int gpus_free_now = 0;      ///< on schedulable nodes
  /// When enough nodes of the cluster can be free together at the earliest, by claims, by what is
  /// set aside and by its dates alone, as if nobody else waited; nothing when never within the
  /// horizon.
  std::optional<Instant> earliest_by_claims;
};

/// One thing changed in a request that would have it served sooner, everybody else as they are.
struct Alternative {
  enum class Change : uint8_t {
    kShorter,     ///< the longest time that starts now, else half the time if that starts earlier
    kSmaller,     ///< the most nodes (of one node: GPUs) that start now, else half likewise
    kOtherModel,  ///< a model it does not accept, where its programme and quota allow it
    kBorrowed,    ///< beyond its quota, behind all others, to be stopped for them
  };
  Change change = Change::kShorter;
  /// The request as it would have to be.
  Request request;
  /// At this time, or earlier: who asks for less may rank higher.
  Instant start;
  /// "for 2d instead of 7d it would start now".
  std::string message;
};

struct Explanation {
  /// 1 is next; among all that wait for the same programme.
  int rank = 0;
  int rank_of = 0;
  /// Share of the weighted claim and of the decayed use among the programme's projects, per mille.
  int entitled_share_permille = 0;
  int used_share_permille = 0;
  std::optional<Instant> planned_start;
  /// The start is a promise.
  bool promised = false;
  /// Of one that is deferred, the deferral's name. Else the first of these that holds, each enough
  /// on its own to keep it from starting now (the wishes only when it starts as soon as they
  /// allow): "starts_now" (nothing does), "predecessor_unfinished" (it starts after another),
  /// "earliest_start" (it asked not to), "gathering" (it came a moment ago: what arrives together
  /// is ranked together), "quota_exhausted" (by what its project holds now), "ahead_in_rank" (it
  /// would fit now but for those ahead), "no_capacity".
  std::string reason;
  /// "asks 4 nodes x 8 GPUs of H200; naver-a: 32 nodes, 29 busy until 14:00Z, 1 draining, 2 free".
  std::string message;
  std::vector<ClusterOutlook> clusters;
  /// Concurrent quota of the project for the models asked: held and limit.
  int quota_held = 0;
  int quota_limit = 0;
  /// Empty when it starts now, does not want to, or nothing of the kind helps.
  std::vector<Alternative> alternatives;
};

/// Why the pending allocation at position `pending` waits, from the same data the plan was made
/// from. Names no other tenant. The alternatives cost most: a calendar with all those ahead,
/// without their searches.
Explanation Explain(const Snapshot& snapshot, const Policy& policy, const Plan& plan, int pending);

}  // namespace allot::scheduler
