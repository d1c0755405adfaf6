#include "store/memory/memory_tx.h"

namespace allot::store {

Result<std::optional<PublishedPolicy>> MemoryTx::FindPolicy(const PolicyId& id) {
  return FindOne(state_.policies, id);
}

Result<Page<PublishedPolicy>> MemoryTx::ListPolicies(const PageRequest& page) {
  return FindPage(state_.policies, page, [](const PublishedPolicy&) { return true; });
}

Result<std::vector<PublishedPolicy>> MemoryTx::LivePolicies() {
  return Verb([&] {
    std::vector<PublishedPolicy> live;
    for (const auto& [id, row] : state_.policies.rows()) {
      if (!row->withdraw_time) live.push_back(*row);
    }
    std::ranges::sort(live, {}, &PublishedPolicy::effective_time);
    return live;
  });
}

Status MemoryTx::LockPolicies() {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  Hold(Lock::kPolicies, PolicyId());
  return Ok{};
}

Status MemoryTx::InsertPolicy(const PublishedPolicy& policy) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  if (policy.reason.empty() || policy.effective_time < policy.create_time ||
      policy.effective_time != Instant::FromSeconds(policy.effective_time.seconds())) {
    return Refuse();
  }
  ALLOT_RETURN_IF_ERROR(RequireHeld(Lock::kPolicies, PolicyId()));
  // One that exists is said to, before its own date stands against it.
  if (state_.policies.Find(policy.id) != nullptr) return Fail(AlreadyThere(run_));
  for (const auto& [id, other] : state_.policies.rows()) {
    if (!other->withdraw_time && other->effective_time >= policy.effective_time) return Conflict();
  }
  Changed(ResourceKind::kPolicy, policy.id);
  PublishedPolicy row = policy;
  row.policy.version = policy.id.str();
  return Insert(state_.policies, policy.id, row);
}

Status MemoryTx::WithdrawPolicy(const PolicyId& id, Instant at, const std::string& reason) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  const PublishedPolicy* const found = state_.policies.Find(id);
  if (found == nullptr || found->withdraw_time) return Conflict();
  if (at >= found->effective_time) return Refuse();
  ALLOT_RETURN_IF_ERROR(RequireHeld(Lock::kPolicies, PolicyId()));
  PublishedPolicy policy = *found;
  policy.withdraw_time = at;
  policy.withdraw_reason = reason;
  state_.policies.Put(undo_, id, policy);
  Changed(ResourceKind::kPolicy, id);
  return Ok{};
}

}  // namespace allot::store
