#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "allot/control/context.h"
#include "allot/model/allocation.h"

namespace allot::control {

struct Submission {
  ProjectId project;
  /// The last part of the id; minted when empty.
  std::string allocation_name;
  std::string display_name;
  RawRequest request;
  /// It is to start when this one has ended.
  std::optional<AllocationId> after;
  /// Where it stands in the call, before the names of fields: "", or "requests[3].".
  std::string path;
};
inline constexpr int kSubmissionsMax = 100;

/// Admits a request into the queue as a pending allocation. Nothing is reserved yet: the next pass
/// gives it a planned start or a reason. Errors: every reason of ParseRequest and Admit; not_found
/// for a project of another tenant, and for an `after` that is none of the project's allocations;
/// already_exists for a name in use.
Result<Allocation> Submit(const Context& context, const Call& call, const Submission& submission);
/// All of them in the order given, or none. Requires: 1 to kSubmissionsMax, of one project.
Result<std::vector<Allocation>> SubmitAll(const Context& context, const Call& call,
                                          std::vector<Submission> submissions);

/// A call's submissions, checked as far as that needs no store. Time and ids are given, so that
/// every rerun writes the same rows.
struct PreparedSubmissions {
  Call call;
  Instant now;
  std::vector<Submission> submissions;
  /// Side by side with them.
  std::vector<Request> requests;
  std::vector<AllocationId> ids;
  /// What is wrong with it by now; it was right when it first came, if it did. Then it has neither
  /// requests nor ids, and only a repeat is answered otherwise.
  std::optional<Error> refusal;
};
/// Requires: 1 to kSubmissionsMax, of one project. Succeeds with what only time, or a policy that
/// took effect meanwhile, made wrong, if it has a request id: it may be a repeat.
Result<PreparedSubmissions> Prepare(const Context& context, const Call& call,
                                    std::vector<Submission> submissions);

using Submitted = Result<std::vector<Allocation>>;
/// Several calls' submissions in one transaction: one commit for all that come together. Each is
/// answered as if it had come alone and in this order, whatever becomes of the others; what one
/// leaves of a quota is what the next one finds. Requires: one that is validate_only is alone.
std::vector<Submitted> SubmitTogether(const Context& context,
                                      std::span<const PreparedSubmissions> calls);

}  // namespace allot::control
