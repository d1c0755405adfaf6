#include "control/admission.h"

#include <algorithm>
#include <set>
#include <sstream>
#include <utility>

#include "allot/base/text.h"
#include "allot/control/once.h"
#include "control/record.h"

namespace allot::control {
namespace {

/// Admit speaks of shapes, whichever way they were asked for: the refusal names what was sent.
Error AsSent(Error refusal, const Submission& submission) {
  const RawRequest& sent = submission.request;
  if (refusal.field == "gpus_max") {
    if (sent.nodes_max) refusal.field = "nodes_max";
    refusal.value = std::to_string(sent.nodes_max ? *sent.nodes_max : sent.gpus_max.value_or(0));
  } else if (refusal.field == "node_shape.nodes" && sent.gpus) {
    refusal.field = "gpus";
    refusal.value = std::to_string(*sent.gpus);
  } else if (refusal.field == "gpus" && sent.nodes && sent.gpus_per_node) {
    refusal.field = "node_shape";
    refusal.value +=
        " = " + std::to_string(*sent.nodes) + " x " + std::to_string(*sent.gpus_per_node);
  }
  if (refusal.field.starts_with("project.")) {
    refusal.field = "parent";
  } else if (!refusal.field.empty()) {
    refusal.field = submission.path + kRequestPath + "." + refusal.field;
  }
  return refusal;
}

std::string Asked(const Request& request) {
  std::string text = Describe(request.shape);
  if (request.gpus_max) text += ", growing to " + FormatCount(*request.gpus_max) + " GPUs";
  return text;
}

AllocationId GrowthId(const AllocationId& base, std::size_t number) {
  return AllocationId(base.str() + "-g" + std::to_string(number));
}

/// The steps in which it grows: each waits by itself until it can be added.
std::vector<Allocation> MakeGrowths(const Allocation& base) {
  std::vector<Allocation> growths;
  for (const Shape& step : GrowthSteps(base.request)) {
    Allocation growth = base;
    growth.id = GrowthId(base.id, growths.size() + 1);
    growth.request = {.shape = step,
                      .models = base.request.models,
                      .duration = base.request.duration,
                      .preemptible = base.request.preemptible,
                      .borrow = base.request.borrow};
    growth.after.reset();
    growth.grows = base.id;
    growths.push_back(std::move(growth));
  }
  return growths;
}

/// The names as a request's record keeps them.
std::string JoinNames(const std::vector<Allocation>& made) {
  std::string names;
  for (const Allocation& one : made) names += (names.empty() ? "" : "\n") + one.id.str();
  return names;
}

std::vector<AllocationId> SplitNames(const std::string& names) {
  std::vector<AllocationId> ids;
  std::istringstream in(names);
  for (std::string name; std::getline(in, name);) ids.emplace_back(name);
  return ids;
}

/// Of a call that a repeat may follow.
std::optional<store::RequestName> NameOf(const PreparedSubmissions& call) {
  if (call.call.request_id.empty()) return std::nullopt;
  return store::RequestName{call.call.principal.key, call.call.request_id};
}

}  // namespace

Result<std::vector<Submitted>> Admission::Run() {
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    if (const auto name = NameOf(*calls_[i])) named_[*name].push_back(i);
  }
  // First of all: a call that is being made durable by another transaction, of this server or of
  // one that hangs, is found under its request id once that one has let go of its project.
  ALLOT_RETURN_IF_ERROR(LockProjects());
  ALLOT_RETURN_IF_ERROR(AnswerEarlier());
  ALLOT_RETURN_IF_ERROR(LookUp());
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    if (IsOpen(i)) Decide(i);
  }
  ALLOT_RETURN_IF_ERROR(Write());
  std::vector<Submitted> answers;
  for (auto& answer : answers_) answers.push_back(*std::move(answer));
  return answers;
}

void Admission::Decide(std::size_t i) {
  const PreparedSubmissions& call = *calls_[i];
  const auto name = NameOf(call);
  const auto earlier = name ? admitted_as_.find(*name) : admitted_as_.end();
  if (earlier != admitted_as_.end()) {
    const bool same = calls_[earlier->second]->call.body_sha256 == call.call.body_sha256;
    answers_[i] = same ? *answers_[earlier->second] : Submitted(RequestIdReused(call.call));
    return;
  }
  answers_[i] = Admit(call);
  if (!answers_[i]->ok()) return;
  admitted_.push_back(i);
  if (name) admitted_as_.emplace(*name, i);
}

Status Admission::LockProjects() {
  std::set<ProjectId> wanted;
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    if (IsOpen(i)) wanted.insert(calls_[i]->submissions.front().project);
  }
  ALLOT_ASSIGN_OR_RETURN(auto locked, tx_.LockProjects(std::vector(wanted.begin(), wanted.end())));
  for (Project& project : locked) projects_.emplace(project.id, std::move(project));
  return Ok{};
}

Status Admission::AnswerEarlier() {
  std::vector<store::RequestName> names;
  for (const auto& [name, calls] : named_) names.push_back(name);
  ALLOT_ASSIGN_OR_RETURN(const auto records, tx_.FindRequests(names));
  std::vector<AllocationId> made;
  for (const store::RequestRecord& record : records) {
    for (AllocationId& id : SplitNames(record.response)) made.push_back(std::move(id));
  }
  if (!made.empty()) {
    ALLOT_ASSIGN_OR_RETURN(auto found, tx_.FindAllocations(made));
    for (Allocation& one : found) known_.emplace(one.id, std::move(one));
  }
  for (const store::RequestRecord& record : records) {
    for (const std::size_t i : named_.at({record.key, record.request_id})) {
      answers_[i] = Answered(*calls_[i], record);
    }
  }
  return Ok{};
}

Submitted Admission::Answered(const PreparedSubmissions& call, const store::RequestRecord& record) {
  if (record.body_sha256 != call.call.body_sha256) return RequestIdReused(call.call);
  std::vector<Allocation> made;
  for (const AllocationId& id : SplitNames(record.response)) {
    const auto found = known_.find(id);
    if (found == known_.end()) return NotFound("name", id.str());
    made.push_back(found->second);
  }
  return made;
}

Status Admission::LookUp() {
  std::vector<AllocationId> ids;
  Instant latest;
  for (std::size_t c = 0; c < calls_.size(); ++c) {
    if (!IsOpen(c) || calls_[c]->refusal) continue;
    const PreparedSubmissions& call = *calls_[c];
    latest = std::max(latest, call.now);
    for (std::size_t i = 0; i < call.submissions.size(); ++i) {
      ids.push_back(call.ids[i]);
      if (call.submissions[i].after) ids.push_back(*call.submissions[i].after);
      const std::size_t steps = GrowthSteps(call.requests[i]).size();
      for (std::size_t step = 1; step <= steps; ++step) ids.push_back(GrowthId(call.ids[i], step));
    }
  }
  if (ids.empty()) return Ok{};
  std::vector<ProjectId> wanted;
  for (const auto& [id, project] : projects_) {
    wanted.push_back(id);
    if (largest_.contains(project.programme)) continue;
    ALLOT_ASSIGN_OR_RETURN(largest_[project.programme],
                           tx_.LargestClusters(project.programme, latest));
  }
  ALLOT_ASSIGN_OR_RETURN(auto budgets, tx_.BudgetsOf(wanted));
  for (store::Budget& budget : budgets) budgets_.emplace(budget.quota.project, std::move(budget));
  ALLOT_ASSIGN_OR_RETURN(auto found, tx_.FindAllocations(ids));
  for (Allocation& one : found) known_.insert_or_assign(one.id, std::move(one));
  return Ok{};
}

Result<std::vector<Allocation>> Admission::Admit(const PreparedSubmissions& call) {
  if (call.refusal) return *call.refusal;
  const ProjectId& project = call.submissions.front().project;
  const std::size_t before = entered_.size();
  const store::Budget budget = budgets_[project];
  std::vector<Allocation> made;
  for (std::size_t i = 0; i < call.submissions.size(); ++i) {
    auto one = AdmitOne(call, i);
    if (!one.ok()) {
      for (std::size_t e = before; e < entered_.size(); ++e) known_.erase(entered_[e].id);
      entered_.resize(before);
      budgets_[project] = budget;
      return one.error();
    }
    made.push_back(*std::move(one));
  }
  return made;
}

Result<Allocation> Admission::AdmitOne(const PreparedSubmissions& call, std::size_t i) {
  const Submission& submission = call.submissions[i];
  const Request& request = call.requests[i];
  const auto project = projects_.find(submission.project);
  if (project == projects_.end()) return NotFound("parent", submission.project.str());
  if (known_.contains(call.ids[i])) {
    return FieldError(Reason::kAlreadyExists, submission.path + "allocation_id", call.ids[i].str(),
                      "a name that is not in use in this project");
  }
  ALLOT_RETURN_IF_ERROR(CheckPredecessor(project->second, request, submission));
  const store::Budget& budget = budgets_[submission.project];
  Usage usage;
  usage.used = budget.used;
  usage.committed = budget.committed;
  auto admitted =
      allot::Admit(project->second, budget.quota, usage, largest_[project->second.programme],
                   *context_.policies.At(call.now), request);
  if (!admitted.ok()) return AsSent(admitted.error(), submission);
  Allocation allocation;
  allocation.id = call.ids[i];
  allocation.project = submission.project;
  allocation.display_name = submission.display_name;
  allocation.request = *std::move(admitted);
  allocation.after = submission.after;
  allocation.create_time = call.now;
  allocation.update_time = call.now;
  allocation.reason = "not_planned_yet";
  allocation.message = "waits for the next scheduling pass";
  ALLOT_RETURN_IF_ERROR(Enter(allocation, submission));
  return allocation;
}

Status Admission::CheckPredecessor(const Project& project, const Request& request,
                                   const Submission& submission) const {
  if (!submission.after) return Ok{};
  const std::string field = submission.path + kRequestPath + ".after";
  const auto found = known_.find(*submission.after);
  if (found == known_.end() || found->second.project != project.id) {
    return FieldError(Reason::kNotFound, field, submission.after->str(),
                      "an allocation of " + project.id.str());
  }
  const Allocation& predecessor = found->second;
  // It would have its turn before the one it starts after.
  if (predecessor.request.borrow && !request.borrow) {
    return FieldError(Reason::kFieldNotAllowed, field, submission.after->str(),
                      "one that does not borrow, or borrow here too: what borrows comes last");
  }
  if (predecessor.grows) {
    return FieldError(Reason::kFieldNotAllowed, field, submission.after->str(),
                      predecessor.grows->str() + ", which that one is added to");
  }
  return Ok{};
}

Status Admission::Enter(const Allocation& allocation, const Submission& submission) {
  std::vector<Allocation> rows = MakeGrowths(allocation);
  for (const Allocation& growth : rows) {
    if (!known_.contains(growth.id)) continue;
    return FieldError(Reason::kAlreadyExists, submission.path + "allocation_id", growth.id.str(),
                      "a name whose -g1, -g2 … are not in use in this project either");
  }
  rows.insert(rows.begin(), allocation);
  GpuSeconds& committed = budgets_[allocation.project].committed;
  for (Allocation& row : rows) {
    // Admitted, so it can be counted, alone and with the rest.
    committed = committed.Plus(HighestCost(row.request).value()).value();
    known_.emplace(row.id, row);
    entered_.push_back(std::move(row));
  }
  return Ok{};
}

Status Admission::Write() {
  std::vector<store::RequestRecord> records;
  for (const std::size_t i : admitted_) {
    const PreparedSubmissions& call = *calls_[i];
    for (std::size_t s = 0; s < call.ids.size(); ++s) {
      ALLOT_RETURN_IF_ERROR(
          tx_.Audit(Record(call.call, call.now, "allocation.create", call.ids[s].str(),
                           InstituteOf(call.ids[s]), Asked(call.requests[s]))));
    }
    if (call.call.request_id.empty() || call.call.validate_only) continue;
    records.push_back({.key = call.call.principal.key,
                       .request_id = call.call.request_id,
                       .body_sha256 = call.call.body_sha256,
                       .response = JoinNames(**answers_[i]),
                       .create_time = call.now});
  }
  ALLOT_RETURN_IF_ERROR(tx_.InsertAllocations(entered_));
  return tx_.InsertRequests(records);
}

}  // namespace allot::control
