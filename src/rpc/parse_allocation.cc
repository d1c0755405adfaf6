#include <algorithm>
#include <string>

#include "rpc/enums.h"
#include "rpc/fields.h"
#include "rpc/parse.h"

namespace allot::rpc {
namespace {

/// What ParseRequest will know or refuse: the model's name, or what was sent instead of one.
std::string ModelText(int model) {
  const auto parsed = Parse(static_cast<v1::GpuModel>(model), "");
  return parsed.ok() ? std::string(Name(*parsed)) : "model " + std::to_string(model);
}

}  // namespace

Result<RawRequest> ParseRaw(const v1::AllocationRequest& request, const std::string& path) {
  RawRequest raw;
  if (request.has_gpus()) raw.gpus = request.gpus();
  if (request.has_node_shape()) {
    raw.nodes = request.node_shape().nodes();
    raw.gpus_per_node = request.node_shape().gpus_per_node();
  }
  for (const int model : request.models()) raw.models.push_back(ModelText(model));
  if (request.has_duration()) {
    ALLOT_ASSIGN_OR_RETURN(raw.duration, ParseDuration(request.duration(), path + ".duration"));
  }
  if (request.has_earliest_start()) {
    ALLOT_ASSIGN_OR_RETURN(raw.earliest_start,
                           ParseTimestamp(request.earliest_start(), path + ".earliest_start"));
  }
  if (request.has_deadline()) {
    ALLOT_ASSIGN_OR_RETURN(raw.deadline, ParseTimestamp(request.deadline(), path + ".deadline"));
  }
  raw.preemptible = request.preemptible();
  raw.borrow = request.borrow();
  raw.exchange = request.exchange();
  if (request.has_gpus_max()) raw.gpus_max = request.gpus_max();
  if (request.has_nodes_max()) raw.nodes_max = request.nodes_max();
  if (request.has_same_leaf_wait()) {
    ALLOT_ASSIGN_OR_RETURN(raw.same_leaf_wait,
                           ParseDuration(request.same_leaf_wait(), path + ".same_leaf_wait"));
  }
  return raw;
}

namespace {

/// `path`: before the names of fields, such as "requests[3].".
Result<control::Submission> ParseSubmission(const v1::CreateAllocationRequest& request,
                                            const std::string& path) {
  control::Submission submission;
  submission.path = path;
  if (!request.allocation_id().empty()) {
    ALLOT_ASSIGN_OR_RETURN(submission.allocation_name,
                           ParseNewName(request.allocation_id(), path + "allocation_id"));
  }
  const v1::Allocation& allocation = request.allocation();
  ALLOT_ASSIGN_OR_RETURN(
      submission.display_name,
      ParseDisplayName(allocation.display_name(), path + "allocation.display_name"));
  ALLOT_ASSIGN_OR_RETURN(submission.request,
                         ParseRaw(allocation.request(), path + "allocation.request"));
  if (!allocation.request().after().empty()) {
    ALLOT_ASSIGN_OR_RETURN(
        submission.after,
        ParseAllocationName(allocation.request().after(), path + "allocation.request.after"));
  }
  return submission;
}

template <class Request>
Result<control::EndRequest> ParseEnd(const Request& request) {
  control::EndRequest end;
  ALLOT_ASSIGN_OR_RETURN(end.id, ParseAllocationName(request.name(), "name"));
  ALLOT_ASSIGN_OR_RETURN(end.version, ParseEtag(request.etag(), "etag"));
  ALLOT_ASSIGN_OR_RETURN(end.reason, ParseText(request.reason(), "reason"));
  return end;
}

}  // namespace

Result<control::Submission> Parse(const v1::CreateAllocationRequest& request) {
  ALLOT_ASSIGN_OR_RETURN(auto project, ParseProjectName(request.parent(), "parent"));
  ALLOT_ASSIGN_OR_RETURN(auto submission, ParseSubmission(request, ""));
  submission.project = std::move(project);
  return submission;
}

Result<std::vector<control::Submission>> Parse(const v1::BatchCreateAllocationsRequest& request) {
  ALLOT_ASSIGN_OR_RETURN(const auto project, ParseProjectName(request.parent(), "parent"));
  const int count = request.requests_size();
  const std::string limit = "1 to " + std::to_string(control::kSubmissionsMax) + " requests";
  if (count == 0) return FieldError(Reason::kFieldRequired, "requests", "", limit);
  if (count > control::kSubmissionsMax) {
    return FieldError(Reason::kRequestTooLarge, "requests", std::to_string(count), limit);
  }
  std::vector<control::Submission> submissions;
  for (int i = 0; i < count; ++i) {
    const v1::CreateAllocationRequest& one = request.requests(i);
    const std::string path = "requests[" + std::to_string(i) + "].";
    if (!one.parent().empty() && one.parent() != request.parent()) {
      return FieldError(Reason::kFieldNotAllowed, path + "parent", one.parent(),
                        "the parent of the call, or none");
    }
    if (!one.request_id().empty() || one.validate_only()) {
      return FieldError(
          Reason::kFieldNotAllowed, path + (one.validate_only() ? "validate_only" : "request_id"),
          one.validate_only() ? "true" : one.request_id(), "set for the whole call only");
    }
    ALLOT_ASSIGN_OR_RETURN(auto submission, ParseSubmission(one, path));
    submission.project = project;
    submissions.push_back(std::move(submission));
  }
  return submissions;
}

Result<control::EndRequest> Parse(const v1::CancelAllocationRequest& request) {
  return ParseEnd(request);
}

Result<control::EndRequest> Parse(const v1::ReleaseAllocationRequest& request) {
  return ParseEnd(request);
}

Result<control::EndRequest> Parse(const v1::SetUrgencyRequest& request) {
  ALLOT_ASSIGN_OR_RETURN(auto end, ParseEnd(request));
  if (request.has_urgent()) return end;
  return FieldError(Reason::kFieldRequired, "urgent", "", "true or false");
}

Result<control::EndRequest> Parse(const v1::SetConsolidationRequest& request) {
  ALLOT_ASSIGN_OR_RETURN(auto end, ParseEnd(request));
  if (request.has_consolidate()) return end;
  return FieldError(Reason::kFieldRequired, "consolidate", "", "true or false");
}

Result<control::EndRequest> Parse(const v1::RejectAllocationRequest& request) {
  return ParseEnd(request);
}

Result<store::AllocationFilter> ParseFilter(const v1::ListAllocationsRequest& request) {
  store::AllocationFilter filter;
  ALLOT_ASSIGN_OR_RETURN(auto scope, ParseTenantScope(request.parent(), "parent"));
  filter.institute = scope.institute;
  filter.project = scope.project;
  for (int i = 0; i < request.states_size(); ++i) {
    const std::string field = "states[" + std::to_string(i) + ']';
    ALLOT_ASSIGN_OR_RETURN(const auto state, Parse(request.states(i), field));
    if (std::find(filter.states.begin(), filter.states.end(), state) != filter.states.end()) {
      return FieldError(Reason::kFilterInvalid, field, std::string(Name(state)), "each state once");
    }
    filter.states.push_back(state);
  }
  if (!request.cluster().empty()) {
    ALLOT_ASSIGN_OR_RETURN(auto cluster, ParseClusterName(request.cluster(), "cluster"));
    filter.cluster = cluster.cluster;
  }
  return filter;
}

Result<WatchStart> Parse(const v1::WatchAllocationsRequest& request) {
  WatchStart start;
  ALLOT_ASSIGN_OR_RETURN(start.scope, ParseTenantScope(request.parent(), "parent"));
  if (!request.has_after_revision()) return start;
  if (request.after_revision() < 0) {
    return FieldError(Reason::kRevisionOutOfRange, "after_revision",
                      std::to_string(request.after_revision()), "0 to the present revision");
  }
  start.after = request.after_revision();
  return start;
}

store::PageRequest ToPageRequest(const PageQuery& query) {
  return {.size = query.size, .after = query.position.after};
}

}  // namespace allot::rpc
