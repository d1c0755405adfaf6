#include "allot/control/policies.h"

#include <algorithm>

#include "allot/control/once.h"
#include "allot/model/policy_settings.h"
#include "allot/model/request.h"
#include "control/record.h"

namespace allot::control {
namespace {

using State = PolicyDetail::State;

PolicyDetail Detail(PublishedPolicy row, const std::string& in_force, Instant now) {
  PolicyDetail detail;
  if (row.withdraw_time) {
    detail.state = State::kWithdrawn;
  } else if (row.effective_time > now) {
    detail.state = State::kScheduled;
  } else {
    detail.state = row.id.str() == in_force ? State::kInForce : State::kSuperseded;
  }
  detail.published = std::move(row);
  return detail;
}

/// The id of the policy in force; empty when none that was published is. By the rows themselves:
/// this server's book may be a moment behind.
std::string InForce(const std::vector<PublishedPolicy>& live, Instant now) {
  std::string in_force;
  for (const PublishedPolicy& row : live) {
    if (row.effective_time <= now) in_force = row.id.str();
  }
  return in_force;
}

Result<PolicyDetail> Read(store::Tx& tx, const PolicyId& id, Instant now) {
  ALLOT_ASSIGN_OR_RETURN(auto found, tx.FindPolicy(id));
  if (!found) return NotFound("name", id.str());
  ALLOT_ASSIGN_OR_RETURN(const auto live, tx.LivePolicies());
  return Detail(*std::move(found), InForce(live, now), now);
}

Status InTime(Instant effective_time, Instant now) {
  if (effective_time >= now && effective_time <= now + kAheadMax) return Ok{};
  return FieldError(
      Reason::kTimeOutOfRange, "policy.effective_time", FormatRfc3339(effective_time),
      "from now (" + FormatRfc3339(now) + ") to " + FormatDuration(kAheadMax) + " ahead");
}

/// `live` is by date.
Status InOrder(const std::vector<PublishedPolicy>& live, Instant effective_time) {
  if (live.empty() || live.back().effective_time < effective_time) return Ok{};
  const PublishedPolicy& last = live.back();
  return FieldError(
      Reason::kPolicyDatesOutOfOrder, "policy.effective_time", FormatRfc3339(effective_time),
      "after " + FormatRfc3339(last.effective_time) + ", when " + last.id.str() + " takes effect");
}

std::string IdOf(const PolicyDetail& detail) { return detail.published.id.str(); }

/// The caller's next call, on this server, goes by what was changed. It stands whether or not that
/// can be read again now; the leader's next turn reads it in any case.
void Notice(Planner& planner) {
  static_cast<void>(planner.Read([](const PoolView&) {}));
}

}  // namespace

Result<PolicyDetail> CreatePolicy(const Context& context, Planner& planner, const Call& call,
                                  const NewPolicy& asked) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kManagePolicy));
  PublishedPolicy row{.id = asked.id, .policy = asked.policy, .reason = asked.reason};
  row.policy.version = asked.id.str();
  if (Status sound = CheckPolicy(row.policy); !sound.ok()) {
    const Error& error = sound.error();
    return FieldError(error.reason, "policy.settings." + error.field, error.value, error.limit);
  }
  if (row.policy.version == context.policies.configured().version) {
    return FieldError(Reason::kAlreadyExists, "policy_id", row.id.str(),
                      "another name: the server's configuration goes by this one");
  }
  auto created = Once<PolicyDetail>(
      context, call, context.clock.Now(),
      [&](store::Tx& tx) -> Result<PolicyDetail> {
        ALLOT_ASSIGN_OR_RETURN(const auto existing, tx.FindPolicy(row.id));
        if (existing) {
          return FieldError(Reason::kAlreadyExists, "policy_id", row.id.str(),
                            "a name that no policy ever had");
        }
        ALLOT_RETURN_IF_ERROR(tx.LockPolicies());
        // Only now: whoever held the lock may have held it for long.
        const Instant now = context.clock.Now();
        row.create_time = now;
        // A pass made before the date must not be the last until something else happens.
        row.effective_time = WholeSecondFrom(asked.effective_time.value_or(now));
        ALLOT_RETURN_IF_ERROR(InTime(row.effective_time, now));
        ALLOT_ASSIGN_OR_RETURN(const auto live, tx.LivePolicies());
        ALLOT_RETURN_IF_ERROR(InOrder(live, row.effective_time));
        ALLOT_RETURN_IF_ERROR(tx.InsertPolicy(row));
        ALLOT_RETURN_IF_ERROR(
            tx.Audit(Record(call, now, "policy.create", row.id.str(), {},
                            "from " + FormatRfc3339(row.effective_time) + ": " + row.reason)));
        return Read(tx, row.id, now);
      },
      IdOf,
      [&](store::Tx& tx, const std::string& id) {
        return Read(tx, PolicyId(id), context.clock.Now());
      });
  if (created.ok()) Notice(planner);
  return created;
}

Result<PolicyDetail> WithdrawPolicy(const Context& context, Planner& planner, const Call& call,
                                    const PolicyEnd& end) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kManagePolicy));
  auto withdrawn = Once<PolicyDetail>(
      context, call, context.clock.Now(),
      [&](store::Tx& tx) -> Result<PolicyDetail> {
        ALLOT_RETURN_IF_ERROR(tx.LockPolicies());
        const Instant now = context.clock.Now();
        ALLOT_ASSIGN_OR_RETURN(auto detail, Read(tx, end.id, now));
        if (detail.state == State::kWithdrawn) return detail;
        if (detail.state != State::kScheduled) {
          return FieldError(Reason::kPolicyInForce, "name", end.id.str(),
                            "a policy that takes effect after " + FormatRfc3339(now));
        }
        ALLOT_RETURN_IF_ERROR(tx.WithdrawPolicy(end.id, now, end.reason));
        ALLOT_RETURN_IF_ERROR(
            tx.Audit(Record(call, now, "policy.withdraw", end.id.str(), {}, end.reason)));
        return Read(tx, end.id, now);
      },
      IdOf,
      [&](store::Tx& tx, const std::string& found) {
        return Read(tx, PolicyId(found), context.clock.Now());
      });
  if (withdrawn.ok()) Notice(planner);
  return withdrawn;
}

Result<PolicyDetail> GetPolicy(const Context& context, const Principal& principal,
                               const PolicyId& id) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadPool));
  const Instant now = context.clock.Now();
  return context.store.Transact<PolicyDetail>(store::Access::kRead, store::Scope::For(principal),
                                              [&](store::Tx& tx) { return Read(tx, id, now); });
}

Result<PolicyDetail> GetPolicyInForce(const Context& context, const Principal& principal) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadPool));
  const Instant now = context.clock.Now();
  return context.store.Transact<PolicyDetail>(
      store::Access::kRead, store::Scope::For(principal),
      [&](store::Tx& tx) -> Result<PolicyDetail> {
        ALLOT_ASSIGN_OR_RETURN(const auto live, tx.LivePolicies());
        const std::string in_force = InForce(live, now);
        if (!in_force.empty()) return Read(tx, PolicyId(in_force), now);
        return PolicyDetail{.published = {.policy = context.policies.configured()},
                            .state = State::kInForce,
                            .configured = true};
      });
}

Result<store::Page<PolicyDetail>> ListPolicies(const Context& context, const Principal& principal,
                                               const store::PageRequest& page) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadPool));
  const Instant now = context.clock.Now();
  return context.store.Transact<store::Page<PolicyDetail>>(
      store::Access::kRead, store::Scope::For(principal),
      [&](store::Tx& tx) -> Result<store::Page<PolicyDetail>> {
        ALLOT_ASSIGN_OR_RETURN(auto rows, tx.ListPolicies(page));
        ALLOT_ASSIGN_OR_RETURN(const auto live, tx.LivePolicies());
        const std::string in_force = InForce(live, now);
        store::Page<PolicyDetail> details{.more = rows.more};
        for (PublishedPolicy& row : rows.items) {
          details.items.push_back(Detail(std::move(row), in_force, now));
        }
        return details;
      });
}

}  // namespace allot::control
