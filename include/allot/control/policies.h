#pragma once

#include <optional>
#include <string>

#include "allot/control/context.h"
#include "allot/control/planner.h"

namespace allot::control {

struct PolicyDetail {
  enum class State : uint8_t { kScheduled, kInForce, kSuperseded, kWithdrawn };

  PublishedPolicy published;
  State state = State::kScheduled;
  /// The server's own configuration, which is in force until a published policy is; it has no name
  /// and no dates.
  bool configured = false;
};

struct NewPolicy {
  PolicyId id;
  /// Its version is not looked at.
  Policy policy;
  /// Nothing: at once. Rounded up to a whole second.
  std::optional<Instant> effective_time;
  std::string reason;
};
/// Publishes a policy whole, or not at all: already_exists for a name that another had or the
/// configuration has, policy_invalid names the setting at fault,
/// time_out_of_range a date in the past or more than `kAheadMax` ahead, policy_dates_out_of_order
/// the policy that takes effect at the same time or later. The next pass at or after its date is
/// made under it. For operators.
Result<PolicyDetail> CreatePolicy(const Context& context, Planner& planner, const Call& call,
                                  const NewPolicy& asked);

struct PolicyEnd {
  PolicyId id;
  std::string reason;
};
/// One that has not taken effect never will: policy_in_force for any other. Again: changes nothing.
Result<PolicyDetail> WithdrawPolicy(const Context& context, Planner& planner, const Call& call,
                                    const PolicyEnd& end);

/// Open to everybody with a key: whoever is judged by a policy may read it.
Result<PolicyDetail> GetPolicy(const Context& context, const Principal& principal,
                               const PolicyId& id);
/// The one in force, the configured one if none was published.
Result<PolicyDetail> GetPolicyInForce(const Context& context, const Principal& principal);
/// In the order of the ids, withdrawn ones too.
Result<store::Page<PolicyDetail>> ListPolicies(const Context& context, const Principal& principal,
                                               const store::PageRequest& page);

}  // namespace allot::control
