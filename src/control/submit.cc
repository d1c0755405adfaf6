#include "allot/control/submit.h"

#include <sstream>

#include "allot/base/text.h"
#include "allot/control/once.h"
#include "control/record.h"

namespace allot::control {
namespace {

/// 16 characters of at least 5 bits each: two in a project never meet by chance.
constexpr int kMintedNameLength = 16;
/// Leaves room for "-g100".
constexpr std::size_t kNameLengthToGrow = 58;

/// Where a request stands in its submission, for the fields of errors.
const std::string kRequestPath = "allocation.request";

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

Result<Allocation> Admitted(const Context& context, store::Tx& tx, const Request& request,
                            const Submission& submission, const AllocationId& id, Instant now) {
  ALLOT_ASSIGN_OR_RETURN(auto project, tx.LockProject(submission.project));
  if (!project) return NotFound("parent", submission.project.str());
  ALLOT_ASSIGN_OR_RETURN(auto existing, tx.FindAllocation(id));
  if (existing) {
    return FieldError(Reason::kAlreadyExists, submission.path + "allocation_id", id.str(),
                      "a name that is not in use in this project");
  }
  if (submission.after) {
    ALLOT_ASSIGN_OR_RETURN(auto predecessor, tx.FindAllocation(*submission.after));
    if (!predecessor || predecessor->project != project->id) {
      return FieldError(Reason::kNotFound, submission.path + kRequestPath + ".after",
                        submission.after->str(), "an allocation of " + project->id.str());
    }
    // It would have its turn before the one it starts after.
    if (predecessor->request.borrow && !request.borrow) {
      return FieldError(Reason::kFieldNotAllowed, submission.path + kRequestPath + ".after",
                        submission.after->str(),
                        "one that does not borrow, or borrow here too: what borrows comes last");
    }
    if (predecessor->grows) {
      return FieldError(Reason::kFieldNotAllowed, submission.path + kRequestPath + ".after",
                        submission.after->str(),
                        predecessor->grows->str() + ", which that one is added to");
    }
  }
  ALLOT_ASSIGN_OR_RETURN(auto quota, tx.FindQuota(project->id));
  ALLOT_ASSIGN_OR_RETURN(auto usage, tx.UsageOf(project->id));
  ALLOT_ASSIGN_OR_RETURN(auto largest, tx.LargestClusters(project->programme));
  auto admitted =
      Admit(*project, quota.value_or(Quota{}), usage, largest, *context.policies.At(now), request);
  if (!admitted.ok()) return AsSent(admitted.error(), submission);
  Allocation allocation;
  allocation.id = id;
  allocation.project = project->id;
  allocation.display_name = submission.display_name;
  allocation.request = *std::move(admitted);
  allocation.after = submission.after;
  allocation.create_time = now;
  allocation.update_time = now;
  allocation.reason = "not_planned_yet";
  allocation.message = "waits for the next scheduling pass";
  return allocation;
}

std::string Asked(const Request& request) {
  std::string text = Describe(request.shape);
  if (request.gpus_max) text += ", growing to " + FormatCount(*request.gpus_max) + " GPUs";
  return text;
}

/// The steps in which it grows: each waits by itself until it can be added.
std::vector<Allocation> MakeGrowths(const Allocation& base) {
  std::vector<Allocation> growths;
  for (const Shape& step : GrowthSteps(base.request)) {
    Allocation growth = base;
    growth.id = AllocationId(base.id.str() + "-g" + std::to_string(growths.size() + 1));
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

Status InsertGrowths(store::Tx& tx, const Allocation& base, const Submission& submission) {
  for (const Allocation& growth : MakeGrowths(base)) {
    ALLOT_ASSIGN_OR_RETURN(const auto existing, tx.FindAllocation(growth.id));
    if (existing) {
      return FieldError(Reason::kAlreadyExists, submission.path + "allocation_id", growth.id.str(),
                        "a name whose -g1, -g2 … are not in use in this project either");
    }
    ALLOT_RETURN_IF_ERROR(tx.InsertAllocation(growth));
  }
  return Ok{};
}

/// All of a call is one transaction, and may not be long.
Status CheckSteps(std::span<const Request> requests, std::span<const Submission> submissions) {
  std::size_t steps = 0;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    steps += GrowthSteps(requests[i]).size();
    const RawRequest& sent = submissions[i].request;
    const std::string path = submissions[i].path;
    if (steps > kGrowthStepsMax) {
      return FieldError(
          Reason::kFieldNotAllowed,
          path + kRequestPath + (sent.gpus_max ? ".gpus_max" : ".nodes_max"),
          std::to_string(sent.gpus_max ? *sent.gpus_max : *sent.nodes_max),
          "at most " + std::to_string(kGrowthStepsMax) + " steps of growth in one call");
    }
    const std::string& name = submissions[i].allocation_name;
    if (requests[i].gpus_max && name.size() > kNameLengthToGrow) {
      return FieldError(Reason::kNameInvalid, path + "allocation_id", name,
                        "at most " + std::to_string(kNameLengthToGrow) +
                            " characters for one that grows: -g1, -g2 … are added to it");
    }
  }
  return Ok{};
}

}  // namespace

Result<Allocation> Submit(const Context& context, const Call& call, const Submission& submission) {
  ALLOT_ASSIGN_OR_RETURN(auto made, SubmitAll(context, call, std::span(&submission, 1)));
  return std::move(made.front());
}

Result<std::vector<Allocation>> SubmitAll(const Context& context, const Call& call,
                                          std::span<const Submission> submissions) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kSubmit));
  const ProjectId& project = submissions.front().project;
  if (!MaySee(call.principal, InstituteOf(project))) return NotFound("parent", project.str());
  const Instant now = context.clock.Now();
  const std::shared_ptr<const Policy> policy = context.policies.At(now);
  std::vector<Request> requests;
  std::vector<AllocationId> ids;
  for (const Submission& submission : submissions) {
    ALLOT_ASSIGN_OR_RETURN(auto request, ParseRequest(submission.request, now, *policy,
                                                      submission.path + kRequestPath));
    requests.push_back(std::move(request));
    // Minted once, before the transaction: every rerun writes the same rows.
    const std::string name = submission.allocation_name.empty()
                                 ? context.ids.Mint(kMintedNameLength)
                                 : submission.allocation_name;
    ids.emplace_back(project.str() + "/" + name);
  }

  ALLOT_RETURN_IF_ERROR(CheckSteps(requests, submissions));

  return Once<std::vector<Allocation>>(
      context, call, now,
      [&](store::Tx& tx) -> Result<std::vector<Allocation>> {
        std::vector<Allocation> made;
        for (std::size_t i = 0; i < submissions.size(); ++i) {
          // What those before it set aside counts: they are in the same transaction.
          ALLOT_ASSIGN_OR_RETURN(auto allocation,
                                 Admitted(context, tx, requests[i], submissions[i], ids[i], now));
          ALLOT_RETURN_IF_ERROR(tx.InsertAllocation(allocation));
          ALLOT_RETURN_IF_ERROR(InsertGrowths(tx, allocation, submissions[i]));
          ALLOT_RETURN_IF_ERROR(tx.Audit(Record(call, now, "allocation.create", ids[i].str(),
                                                InstituteOf(ids[i]), Asked(requests[i]))));
          made.push_back(std::move(allocation));
        }
        return made;
      },
      [](const std::vector<Allocation>& made) {
        std::string names;
        for (const Allocation& one : made) names += (names.empty() ? "" : "\n") + one.id.str();
        return names;
      },
      [](store::Tx& tx, const std::string& names) -> Result<std::vector<Allocation>> {
        std::vector<Allocation> made;
        std::istringstream in(names);
        for (std::string name; std::getline(in, name);) {
          ALLOT_ASSIGN_OR_RETURN(auto found, tx.FindAllocation(AllocationId(name)));
          if (!found) return NotFound("name", name);
          made.push_back(*std::move(found));
        }
        return made;
      });
}

}  // namespace allot::control
