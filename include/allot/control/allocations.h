#pragma once

#include <string>
#include <vector>

#include "allot/control/context.h"
#include "allot/model/allocation.h"
#include "allot/store/tx.h"

namespace allot::control {

class Planner;

struct AllocationDetail {
  Allocation allocation;
  /// Where its current attempt holds GPUs; empty while it waits.
  std::vector<Claim> claims;
  /// What adds to it, whatever became of it; by id.
  std::vector<Allocation> growths;
};

Result<AllocationDetail> GetAllocation(const Context& context, const Principal& principal,
                                       const AllocationId& id);
/// The filter is narrowed to what the principal may see; a foreign institute or project lists
/// nothing.
Result<store::Page<Allocation>> ListAllocations(const Context& context, const Principal& principal,
                                                store::AllocationFilter filter,
                                                const store::PageRequest& page);

struct EndRequest {
  AllocationId id;
  /// The version the caller saw; 0 to skip the check.
  int64_t version = 0;
  /// Shown with the allocation and kept in the audit. Staff must give one.
  std::string reason;
};

/// Withdraws an allocation that waits or is being provisioned. One that is provisioning goes
/// through releasing and ends in cancelled when the provider confirmed. Cancelling again what is
/// being cancelled changes nothing and succeeds.
Result<Allocation> Cancel(const Context& context, const Call& call, const EndRequest& request);

/// Hands the GPUs of an active (or provisioning) allocation back early: it is releasing until the
/// provider confirms, and charged only to now.
Result<Allocation> Release(const Context& context, const Call& call, const EndRequest& request);

/// An operator turns down an allocation that waits, for good and with a reason its owner reads.
/// Rejecting it again changes nothing and succeeds.
Result<Allocation> Reject(const Context& context, const Call& call, const EndRequest& request);

/// An operator puts an allocation that waits before all that lost no promise, or back among them;
/// with a reason its owner reads. Again: changes nothing.
Result<Allocation> SetUrgency(const Context& context, const Call& call, const EndRequest& request,
                              bool urgent);

/// An operator has room made for an allocation that waits, by moving running work that may be
/// stopped: the next pass does it, if it still can, and the mark is gone when the allocation
/// starts. `consolidate` false takes that back. Again: changes nothing. With a reason its owner
/// reads. Errors: consolidation_impossible, when a plan made now moves nothing for it, or it may be
/// stopped itself; transition_not_allowed for what does not wait, or starts after another.
Result<Allocation> SetConsolidation(const Context& context, const Call& call, Planner& planner,
                                    const EndRequest& request, bool consolidate);

}  // namespace allot::control
