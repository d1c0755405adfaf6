#include "store/memory/memory_tx.h"

namespace allot::store {
namespace {

bool IsStorable(const ApiKey& key) {
  return key.institute.empty() != IsOfInstitute(key.role) &&
         key.provider.empty() != (key.role == Role::kProvider) &&
         (!key.expire_time || *key.expire_time >= key.create_time);
}

}  // namespace

Result<Leadership> MemoryTx::FindLeadership() {
  return Verb([&] { return state_.counters.leadership; });
}

Result<std::optional<Leadership>> MemoryTx::AcquireLeadership(const std::string& holder,
                                                              int64_t epoch, Instant now,
                                                              Seconds lease) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  Leadership& current = state_.counters.leadership;
  if (current.holder != holder && now < current.lease_until) return std::optional<Leadership>();
  if (current.holder != holder || current.epoch != epoch) {
    current.holder = holder;
    ++current.epoch;
  }
  current.lease_until = now + lease;
  return std::optional(current);
}

Status MemoryTx::AssertLeader(int64_t epoch) {
  if (failure_) return failure_->error;
  if (state_.counters.leadership.epoch == epoch) return Ok{};
  return StateError(Reason::kNotLeader, "Epoch " + std::to_string(epoch) + " is over.");
}

Status MemoryTx::LockPool(const ClusterId& cluster) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  Hold(Lock::kPool, cluster);
  return Ok{};
}

Result<std::vector<ApiKey>> MemoryTx::FindApiKeysByHash(
    std::span<const std::string> secrets_sha256) {
  return Verb([&] {
    std::vector<ApiKey> found;
    for (const std::string& hash : std::set(secrets_sha256.begin(), secrets_sha256.end())) {
      const KeyId* const id = state_.keys_by_hash.Find(hash);
      if (id != nullptr) found.push_back(*state_.keys.Find(*id));
    }
    return found;
  });
}

Result<std::optional<ApiKey>> MemoryTx::FindApiKey(const KeyId& id) {
  return FindOne(state_.keys, id);
}

Result<std::optional<ApiKey>> MemoryTx::LockApiKey(const KeyId& id) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  Hold(Lock::kKey, id);
  return FindOne(state_.keys, id);
}

Status MemoryTx::InsertApiKey(const ApiKey& key) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  ALLOT_RETURN_IF_ERROR(CheckText(key.display_name));
  if (!IsStorable(key)) return Refuse();
  if (state_.keys_by_hash.Find(key.secret_sha256) != nullptr) return Fail(AlreadyThere(run_));
  Hold(Lock::kKey, key.id);
  ALLOT_RETURN_IF_ERROR(Insert(state_.keys, key.id, key));
  state_.keys_by_hash.Put(undo_, key.secret_sha256, key.id);
  return Ok{};
}

Result<Page<ApiKey>> MemoryTx::ListApiKeys(const PageRequest& page) {
  return FindPage(state_.keys, page, [](const ApiKey&) { return true; });
}

Status MemoryTx::RevokeApiKey(const KeyId& id, Instant at) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  const ApiKey* const found = state_.keys.Find(id);
  if (found == nullptr) return StateError(Reason::kNotFound, "There is no such key.");
  ALLOT_RETURN_IF_ERROR(RequireHeld(Lock::kKey, id));
  ApiKey key = *found;
  // The first revocation stands.
  if (!key.revoke_time) key.revoke_time = at;
  state_.keys.Put(undo_, id, key);
  return Ok{};
}

Status MemoryTx::ExpireApiKey(const KeyId& id, Instant at) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  const ApiKey* const found = state_.keys.Find(id);
  if (found == nullptr) return StateError(Reason::kNotFound, "There is no such key.");
  ALLOT_RETURN_IF_ERROR(RequireHeld(Lock::kKey, id));
  ApiKey key = *found;
  key.expire_time = std::min(key.expire_time.value_or(at), at);
  state_.keys.Put(undo_, id, key);
  return Ok{};
}

Result<StaffKeys> MemoryTx::LockStaffKeys(Instant at) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  StaffKeys staff;
  for (const auto& [id, key] : state_.keys.rows()) {
    const int works = WorksAt(*key, at) ? 1 : 0;
    if (key->role == Role::kOperator) staff.operators += works;
    if (key->role != Role::kMinistryAdmin) continue;
    staff.had_ministry_admin = true;
    staff.ministry_admins += works;
  }
  return staff;
}

Result<std::vector<RequestRecord>> MemoryTx::FindRequests(std::span<const RequestName> names) {
  return Verb([&] {
    std::vector<RequestRecord> found;
    for (const RequestName& name : names) {
      const RequestRecord* const row = state_.requests.Find({name.key, name.request_id});
      if (row != nullptr) found.push_back(*row);
    }
    return found;
  });
}

Status MemoryTx::InsertRequests(std::span<const RequestRecord> records) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  for (const RequestRecord& record : records) {
    const std::pair key(record.key, record.request_id);
    if (state_.requests.Find(key) != nullptr) return Conflict();
    state_.requests.Put(undo_, key, record);
  }
  return Ok{};
}

Result<int> MemoryTx::RemoveRequests(Instant t, int limit) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  std::vector<std::pair<KeyId, std::string>> old;
  for (const auto& [key, record] : state_.requests.rows()) {
    if (static_cast<int>(old.size()) == limit) break;
    if (record->create_time < t) old.push_back(key);
  }
  for (const auto& key : old) state_.requests.Erase(undo_, key);
  return static_cast<int>(old.size());
}

}  // namespace allot::store
