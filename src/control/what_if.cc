#include "allot/control/what_if.h"

#include <algorithm>
#include <map>
#include <type_traits>

#include "allot/control/policies.h"
#include "allot/model/quota.h"
#include "allot/scheduler/check_plan.h"
#include "allot/scheduler/explain.h"
#include "control/record.h"

namespace allot::control {
namespace {

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

/// One question on the way to its answer.
class WhatIf {
 public:
  WhatIf(const Context& context, const Pass& pass, Policy policy)
      : context_(context), pass_(pass), policy_(std::move(policy)), changed_(pass.snapshot) {
    if (policy_.version == pass.policy->version) return;
    // What one policy made of what they were told is not what another makes of it.
    for (scheduler::SnapshotPending& row : changed_.pending) row.overdue = false;
  }

  Status Apply(const WhatIfQuestion::Change& change, const std::string& path) {
    if (const auto* submission = std::get_if<Submission>(&change)) return Add(*submission, path);
    if (const auto* withdrawn = std::get_if<scheduler::Withdraw>(&change)) {
      ALLOT_RETURN_IF_ERROR(MustWait(withdrawn->allocation, path));
    }
    if (const auto* quota = std::get_if<scheduler::SetQuota>(&change)) quotas_.push_back(*quota);
    if (const auto* urgent = std::get_if<scheduler::SetUrgent>(&change)) {
      ALLOT_RETURN_IF_ERROR(MustWait(urgent->allocation, path));
      Want(urgent->allocation);
    }
    if (const auto* named = std::get_if<scheduler::SetConsolidate>(&change)) {
      ALLOT_RETURN_IF_ERROR(MustWait(named->allocation, path));
      Want(named->allocation);
    }
    return std::visit([&](const auto& one) { return Carry(one, path); }, change);
  }

  Result<WhatIfAnswer> Answer() {
    const scheduler::Plan plan = scheduler::Schedule(changed_, policy_);
    const auto violations = scheduler::CheckPlan(changed_, policy_, plan);
    if (!violations.empty()) {
      return StateError(Reason::kInternal, "the checker refused the plan: " + violations.front());
    }
    WhatIfAnswer answer{
        .revision = pass_.snapshot.revision,
        .policy_version = pass_.policy->version,
        .changed_policy_version = policy_.version,
        .now = scheduler::Summarise(pass_.snapshot, pass_.plan),
        .then = scheduler::Summarise(changed_, plan),
        .projects = scheduler::ComparePlans(pass_.snapshot, pass_.plan, changed_, plan)};
    for (std::size_t i = 0; i < fares_.size(); ++i) {
      if (wanted_[i]) Tell(*wanted_[i], plan, fares_[i]);
    }
    answer.fares = std::move(fares_);
    for (const scheduler::Preemption& preemption : plan.preemptions) {
      const auto row = static_cast<std::size_t>(preemption.preemptible);
      const auto whom = static_cast<std::size_t>(preemption.pending);
      answer.stopped.push_back({.allocation = changed_.preemptible[row].id,
                                .for_allocation = changed_.pending[whom].id,
                                .stop = preemption.stop,
                                .restart = preemption.restart});
    }
    return answer;
  }

 private:
  /// What is being stopped has a place in the plan, and does not wait yet.
  Status MustWait(const AllocationId& id, const std::string& path) const {
    const auto row = scheduler::FindPending(pass_.snapshot, id);
    if (row && !IsWaiting(pass_.waiting[static_cast<std::size_t>(*row)]->state)) {
      return FieldError(Reason::kNotFound, path, id.str(), "an allocation that waits");
    }
    return Ok{};
  }

  void Want(const AllocationId& allocation) {
    fares_.push_back({.project = ProjectOf(allocation), .allocation = allocation});
    wanted_.push_back(allocation);
  }

  template <class Change>
  Status Carry(const Change& change, const std::string& path) {
    if constexpr (std::is_same_v<Change, Submission>) {
      return Ok{};
    } else {
      const Status applied = scheduler::Apply(change, changed_);
      if (applied.ok()) return Ok{};
      const Error& error = applied.error();
      if (error.limit.empty()) return error;
      return FieldError(error.reason, path, error.value, error.limit);
    }
  }

  /// It is admitted as it would be, by the changed policy and quota; or told why not.
  Status Add(const Submission& submission, const std::string& path) {
    const std::string field = path + ".submit";
    ALLOT_ASSIGN_OR_RETURN(const Request request, ParseRequest(submission.request, changed_.now,
                                                               policy_, field + ".request"));
    // What cannot be read is no answer; what would be refused is one.
    Result<Request> verdict = Request{};
    ALLOT_RETURN_IF_ERROR(context_.store.Transact<Ok>(
        store::Access::kRead, store::Scope::Everything(), [&](store::Tx& tx) -> Status {
          ALLOT_ASSIGN_OR_RETURN(const auto project, tx.FindProject(submission.project));
          if (!project) return NotFound(field + ".project", submission.project.str());
          ALLOT_ASSIGN_OR_RETURN(auto quota, tx.FindQuota(project->id));
          ALLOT_ASSIGN_OR_RETURN(const auto usage, tx.UsageOf(project->id));
          ALLOT_ASSIGN_OR_RETURN(const auto largest,
                                 tx.LargestClusters(project->programme, changed_.now));
          Quota changed = quota.value_or(Quota{});
          for (const scheduler::SetQuota& change : quotas_) {
            if (change.project != project->id) continue;
            changed.concurrent_gpus[static_cast<std::size_t>(change.model)] = change.gpus;
          }
          verdict = Admit(*project, changed, usage, largest, policy_, request);
          return Ok{};
        }));
    fares_.push_back({.project = submission.project});
    wanted_.emplace_back();
    if (!verdict.ok()) {
      fares_.back().reason = std::string(Name(verdict.error().reason));
      fares_.back().message = verdict.error().message;
      return Ok{};
    }
    ALLOT_RETURN_IF_ERROR(
        scheduler::Apply(scheduler::Submit{submission.project, *verdict}, changed_));
    wanted_.back() = scheduler::SubmittedId(submission.project, ++numbers_[submission.project]);
    return Ok{};
  }

  void Tell(const AllocationId& id, const scheduler::Plan& plan, WhatIfAnswer::Fare& fare) const {
    // It may have been withdrawn by a later change.
    const auto then = scheduler::FindPending(changed_, id);
    if (!then) return;
    const auto why = scheduler::Explain(changed_, policy_, plan, *then);
    fare.planned_start = why.planned_start;
    fare.reason = why.reason;
    fare.message = why.message;
    const auto now = scheduler::FindPending(pass_.snapshot, id);
    if (!now) return;
    for (const scheduler::Placement& placement : pass_.plan.placements) {
      if (placement.pending == *now) fare.present_start = placement.window.start();
    }
  }

  const Context& context_;
  const Pass& pass_;
  const Policy policy_;
  scheduler::Snapshot changed_;
  std::vector<scheduler::SetQuota> quotas_;
  std::map<ProjectId, int> numbers_;
  std::vector<WhatIfAnswer::Fare> fares_;
  // By fare: whom to look for in the plan; nothing for one that would be refused.
  std::vector<std::optional<AllocationId>> wanted_;
};

}  // namespace

Result<WhatIfAnswer> PlanWhatIf(const Context& context, const Principal& principal,
                                Planner& planner, const WhatIfQuestion& question) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadAudit));
  const auto turn = planner.TakeTurn();
  if (!turn) return Planner::NoTurn();
  ALLOT_ASSIGN_OR_RETURN(const auto pass, planner.Latest());
  ALLOT_ASSIGN_OR_RETURN(Policy policy, Otherwise(context, principal, *pass->policy, question));
  WhatIf what_if(context, *pass, std::move(policy));
  for (std::size_t i = 0; i < question.changes.size(); ++i) {
    ALLOT_RETURN_IF_ERROR(what_if.Apply(question.changes[i], "changes[" + std::to_string(i) + "]"));
  }
  return what_if.Answer();
}

}  // namespace allot::control
