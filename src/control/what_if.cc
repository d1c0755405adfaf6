#include "allot/control/what_if.h"

#include <algorithm>
#include <map>

#include "allot/control/policies.h"
#include "allot/scheduler/check_plan.h"
#include "control/record.h"

namespace allot::control {
namespace {

std::string PathOf(std::size_t change) { return "changes[" + std::to_string(change) + "]"; }

Result<scheduler::Change> Prepare(const WhatIfQuestion::Change& change, Instant now,
                                  const std::string& path) {
  if (const auto* submission = std::get_if<Submission>(&change)) {
    ALLOT_ASSIGN_OR_RETURN(auto request,
                           ParseRequest(submission->request, now, path + ".submit.request"));
    return scheduler::Change(scheduler::Submit{submission->project, std::move(request)});
  }
  if (const auto* merit = std::get_if<scheduler::SetMerit>(&change))
    return scheduler::Change(*merit);
  if (const auto* quota = std::get_if<scheduler::SetQuota>(&change))
    return scheduler::Change(*quota);
  if (const auto* drain = std::get_if<scheduler::Drain>(&change)) return scheduler::Change(*drain);
  if (const auto* urgent = std::get_if<scheduler::SetUrgent>(&change)) {
    return scheduler::Change(*urgent);
  }
  return scheduler::Change(std::get<scheduler::Withdraw>(change));
}

/// The policy to plan by.
Result<Policy> Otherwise(const Context& context, const Principal& principal, const Policy& in_force,
                         const WhatIfQuestion& question) {
  Policy policy = in_force;
  if (question.policy) {
    const auto found = GetPolicy(context, principal, *question.policy);
    if (!found.ok()) {
      if (found.error().reason != Reason::kNotFound) return found.error();
      return NotFound("policy", question.policy->str());
    }
    policy = found->published.policy;
  }
  for (const auto& [setting, value] : question.settings) Set(policy, *setting, value);
  if (!question.programmes.empty()) policy.programmes = question.programmes;
  if (!question.settings.empty() || !question.programmes.empty()) policy.version += ", changed";
  if (const Status sound = CheckPolicy(policy); !sound.ok()) {
    const Error& error = sound.error();
    return FieldError(error.reason, "settings." + error.field, error.value, error.limit);
  }
  return policy;
}

WhatIfAnswer::Submitted Fare(const scheduler::Snapshot& snapshot, const Policy& policy,
                             const scheduler::Plan& plan, const AllocationId& id) {
  const auto row =
      std::ranges::lower_bound(snapshot.pending, id, {}, &scheduler::SnapshotPending::id);
  const auto why =
      scheduler::Explain(snapshot, policy, plan, static_cast<int>(row - snapshot.pending.begin()));
  return {.project = ProjectOf(id),
          .planned_start = why.planned_start,
          .reason = why.reason,
          .message = why.message};
}

}  // namespace

Result<WhatIfAnswer> PlanWhatIf(const Context& context, const Principal& principal,
                                Planner& planner, const WhatIfQuestion& question) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadAudit));
  ALLOT_ASSIGN_OR_RETURN(const auto pass, planner.Latest());
  ALLOT_ASSIGN_OR_RETURN(const Policy policy,
                         Otherwise(context, principal, *pass->policy, question));
  scheduler::Snapshot changed = pass->snapshot;
  std::vector<AllocationId> submitted;
  std::map<ProjectId, int> numbers;
  for (std::size_t i = 0; i < question.changes.size(); ++i) {
    ALLOT_ASSIGN_OR_RETURN(const auto change, Prepare(question.changes[i], changed.now, PathOf(i)));
    if (const Status applied = scheduler::Apply(change, changed); !applied.ok()) {
      const Error& error = applied.error();
      return FieldError(error.reason, PathOf(i), error.value, error.limit);
    }
    if (const auto* more = std::get_if<scheduler::Submit>(&change)) {
      submitted.push_back(scheduler::SubmittedId(more->project, ++numbers[more->project]));
    }
  }
  const scheduler::Plan plan = scheduler::Schedule(changed, policy);
  if (const auto violations = scheduler::CheckPlan(changed, policy, plan); !violations.empty()) {
    return StateError(Reason::kInternal, "the checker refused the plan: " + violations.front());
  }
  WhatIfAnswer answer{
      .revision = pass->snapshot.revision,
      .policy_version = pass->policy->version,
      .changed_policy_version = policy.version,
      .now = scheduler::Summarise(pass->snapshot, pass->plan),
      .then = scheduler::Summarise(changed, plan),
      .projects = scheduler::ComparePlans(pass->snapshot, pass->plan, changed, plan)};
  for (const AllocationId& id : submitted) {
    answer.submitted.push_back(Fare(changed, policy, plan, id));
  }
  return answer;
}

}  // namespace allot::control
