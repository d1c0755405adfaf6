#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "allot/base/result.h"
#include "allot/scheduler/plan.h"
#include "allot/scheduler/snapshot.h"

namespace allot::scheduler {

// What would be, if one thing were otherwise: a snapshot is changed, planned anew, and the two
// plans are told apart by project. Nothing of it is carried out.

struct SetMerit {
  ProjectId project;
  int merit = 0;
};
struct SetQuota {
  ProjectId project;
  GpuModel model = GpuModel::kH200;
  int gpus = 0;
};
/// A node, or all nodes of a cluster, take no new work.
struct Drain {
  /// "naver-a/n017" or "naver-a".
  std::string place;
};
/// A waiting request is not there.
struct Withdraw {
  AllocationId allocation;
};
/// A waiting request is urgent.
struct SetUrgent {
  AllocationId allocation;
};
/// Room is made for a waiting request by moving work that may be stopped.
struct SetConsolidate {
  AllocationId allocation;
};
/// One more request waits, submitted now.
struct Submit {
  ProjectId project;
  Request request;
};
using Change = std::variant<SetMerit, SetQuota, Drain, Withdraw, SetUrgent, SetConsolidate, Submit>;

/// The id of the n-th request that was submitted to a project like this, from 1; no real one has
/// it.
AllocationId SubmittedId(const ProjectId& project, int n);

/// not_found, naming what does not exist; merit_out_of_range, quota_out_of_range;
/// transition_not_allowed, consolidation_impossible, as the calls that do it. Then nothing is
/// changed. `snapshot` stays canonical.
Status Apply(const Change& change, Snapshot& snapshot);

/// A plan in numbers.
struct PlanSummary {
  int starts_now = 0;
  int planned = 0;   ///< for later, promised ones too
  int promised = 0;  ///< of those
  int deferred = 0;
  int slips = 0;
  int preemptions = 0;  ///< running work that is stopped for others
  int gpus_now = 0;     ///< held now, with what starts now
  /// Of the GPU time on schedulable nodes over the next week, what is held or planned.
  int week_permille = 0;
  friend bool operator==(const PlanSummary&, const PlanSummary&) = default;
};
PlanSummary Summarise(const Snapshot& snapshot, const Plan& plan);

/// How the waiting of one project fare in the second plan, against the first.
struct ProjectShift {
  ProjectId project;
  int sooner = 0;
  int later = 0;
  /// Has a start in one plan only.
  int gained = 0;
  int lost = 0;
  /// Sums over those that have a start in both, both positive.
  int64_t seconds_sooner = 0;
  int64_t seconds_later = 0;
  friend bool operator==(const ProjectShift&, const ProjectShift&) = default;
};
/// By id; only projects that fare otherwise. Who waits in one snapshot only is left out.
std::vector<ProjectShift> ComparePlans(const Snapshot& snapshot, const Plan& plan,
                                       const Snapshot& changed, const Plan& changed_plan);

}  // namespace allot::scheduler
