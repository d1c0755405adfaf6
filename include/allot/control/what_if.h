#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "allot/control/context.h"
#include "allot/control/planner.h"
#include "allot/control/submit.h"
#include "allot/model/policy_settings.h"
#include "allot/scheduler/what_if.h"

namespace allot::control {

/// What is to be otherwise, at most `kWhatIfChangesMax` things, one after the other.
struct WhatIfQuestion {
  /// A Submission is a request more; its name and `after` are not looked at.
  using Change =
      std::variant<scheduler::SetMerit, scheduler::SetQuota, scheduler::Drain, scheduler::Withdraw,
                   scheduler::SetUrgent, scheduler::SetConsolidate, Submission>;
  std::vector<Change> changes;
  /// Planned by this one instead of the policy in force, whether it is to come, was or never will
  /// be.
  std::optional<PolicyId> policy;
  /// And by these settings instead of that policy's.
  std::vector<std::pair<const PolicySetting*, int64_t>> settings;
  /// Instead of all of its programmes, unless empty.
  std::vector<ProgrammeCaps> programmes;
};
inline constexpr int kWhatIfChangesMax = 100;

struct WhatIfAnswer {
  Revision revision = 0;
  /// Of the policy in force, and of the one it was planned by: marked when settings differ.
  std::string policy_version;
  std::string changed_policy_version;
  scheduler::PlanSummary now;
  scheduler::PlanSummary then;
  std::vector<scheduler::ProjectShift> projects;
  /// How a request fares that was named in the question.
  struct Fare {
    ProjectId project;
    /// Empty for one more.
    AllocationId allocation;
    /// Its start in the present plan.
    std::optional<Instant> present_start;
    std::optional<Instant> planned_start;
    /// As explanations say it; of one more that would be refused, the refusal.
    std::string reason;
    std::string message;
  };
  /// One for each request more, each urgent one and each that room is made for, in the order of the
  /// question.
  std::vector<Fare> fares;
  /// Running work that would be stopped, or moved, for another.
  struct Stopped {
    AllocationId allocation;
    AllocationId for_allocation;
    Instant stop;
    /// When what is left of it would go on.
    Instant restart;
  };
  std::vector<Stopped> stopped;
};

/// Plans the present pass anew as if something were otherwise, beside the live plan: nothing is
/// changed. Errors: every reason of ParseRequest, not_found for what does not wait or exist,
/// policy_invalid for settings that contradict each other, internal when the
/// checker refuses the plan, overloaded while kQuestionsMax others are planned. For who may read
/// the audit: it names every tenant's projects.
Result<WhatIfAnswer> PlanWhatIf(const Context& context, const Principal& principal,
                                Planner& planner, const WhatIfQuestion& question);

}  // namespace allot::control
