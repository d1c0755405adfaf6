#include "allot/control/submit.h"

#include "allot/control/once.h"
#include "control/record.h"

namespace allot::control {
namespace {

/// 16 characters of at least 5 bits each: two in a project never meet by chance.
constexpr int kMintedNameLength = 16;

/// Where a request stands in the call, for the fields of errors.
const std::string kRequestPath = "allocation.request";

/// Admit speaks of shapes, whichever way they were asked for: the refusal names what was sent.
Error AsSent(Error refusal, const RawRequest& sent) {
  if (refusal.field == "node_shape.nodes" && sent.gpus) {
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
    refusal.field = kRequestPath + ("." + refusal.field);
  }
  return refusal;
}

Result<Allocation> Admitted(const Context& context, store::Tx& tx, const Request& request,
                            const Submission& submission, const AllocationId& id, Instant now) {
  ALLOT_ASSIGN_OR_RETURN(auto project, tx.LockProject(submission.project));
  if (!project) return NotFound("parent", submission.project.str());
  ALLOT_ASSIGN_OR_RETURN(auto existing, tx.FindAllocation(id));
  if (existing) {
    return FieldError(Reason::kAlreadyExists, "allocation_id", id.str(),
                      "a name that is not in use in this project");
  }
  if (submission.after) {
    ALLOT_ASSIGN_OR_RETURN(auto predecessor, tx.FindAllocation(*submission.after));
    if (!predecessor || predecessor->project != project->id) {
      return FieldError(Reason::kNotFound, kRequestPath + ".after", submission.after->str(),
                        "an allocation of " + project->id.str());
    }
  }
  ALLOT_ASSIGN_OR_RETURN(auto quota, tx.FindQuota(project->id));
  ALLOT_ASSIGN_OR_RETURN(auto usage, tx.UsageOf(project->id));
  ALLOT_ASSIGN_OR_RETURN(auto largest, tx.LargestClusters(project->programme));
  auto verdict = Admit(*project, quota.value_or(Quota{}), usage, largest, context.policy, request);
  if (!verdict.ok()) return AsSent(verdict.error(), submission.request);
  Allocation allocation;
  allocation.id = id;
  allocation.project = project->id;
  allocation.display_name = submission.display_name;
  allocation.request = *std::move(verdict);
  allocation.after = submission.after;
  allocation.create_time = now;
  allocation.update_time = now;
  allocation.reason = "not_planned_yet";
  allocation.message = "waits for the next scheduling pass";
  return allocation;
}

}  // namespace

Result<Allocation> Submit(const Context& context, const Call& call, const Submission& submission) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kSubmit));
  if (!MaySee(call.principal, InstituteOf(submission.project))) {
    return NotFound("parent", submission.project.str());
  }
  const Instant now = context.clock.Now();
  ALLOT_ASSIGN_OR_RETURN(const Request request,
                         ParseRequest(submission.request, now, kRequestPath));
  // Minted once, before the transaction: every rerun writes the same row.
  const std::string name = submission.allocation_name.empty() ? context.ids.Mint(kMintedNameLength)
                                                              : submission.allocation_name;
  const AllocationId id(submission.project.str() + "/" + name);

  return Once<Allocation>(
      context, call, now,
      [&](store::Tx& tx) -> Result<Allocation> {
        ALLOT_ASSIGN_OR_RETURN(auto allocation,
                               Admitted(context, tx, request, submission, id, now));
        ALLOT_RETURN_IF_ERROR(tx.InsertAllocation(allocation));
        ALLOT_RETURN_IF_ERROR(tx.Audit(Record(call, now, "allocation.create", id.str(),
                                              InstituteOf(id), Describe(request.shape))));
        return allocation;
      },
      [](const Allocation& a) { return a.id.str(); },
      [](store::Tx& tx, const std::string& made) -> Result<Allocation> {
        ALLOT_ASSIGN_OR_RETURN(auto found, tx.FindAllocation(AllocationId(made)));
        if (!found) return NotFound("name", made);
        return *found;
      });
}

}  // namespace allot::control
