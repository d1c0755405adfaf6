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
                                          std::span<const Submission> submissions);

}  // namespace allot::control
