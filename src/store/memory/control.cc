#include "store/memory/memory_tx.h"

namespace allot::store {
namespace {

bool IsStorable(const ApiKey& key) {
  const bool of_institute = key.role == Role::kMember || key.role == Role::kInstituteAdmin;
  return key.institute.empty() != of_institute &&
         key.provider.empty() != (key.role == Role::kProvider) &&
         (!key.expire_time || *key.expire_time >= key.create_time);
}

}  // namespace

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

Status MemoryTx::LockPool(const ClusterId&) { return MayWrite(); }

Result<std::optional<ApiKey>> MemoryTx::FindApiKeyByHash(const std::string& secret_sha256) {
  return Verb([&]() -> std::optional<ApiKey> {
    const KeyId* const id = state_.keys_by_hash.Find(secret_sha256);
    if (id == nullptr) return std::nullopt;
    return *state_.keys.Find(*id);
  });
}

Result<std::optional<ApiKey>> MemoryTx::FindApiKey(const KeyId& id) {
  return FindOne(state_.keys, id);
}

Status MemoryTx::InsertApiKey(const ApiKey& key) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  ALLOT_RETURN_IF_ERROR(CheckText(key.display_name));
  if (!IsStorable(key)) return Refuse();
  if (state_.keys_by_hash.Find(key.secret_sha256) != nullptr) return Fail(AlreadyThere(run_));
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
  ApiKey key = *found;
  key.expire_time = std::min(key.expire_time.value_or(at), at);
  state_.keys.Put(undo_, id, key);
  return Ok{};
}

Result<int> MemoryTx::LockOperatorKeys(Instant at) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  return static_cast<int>(std::ranges::count_if(state_.keys.rows(), [&](const auto& row) {
    const ApiKey& key = *row.second;
    return key.role == Role::kOperator && WorksAt(key, at);
  }));
}

Result<std::optional<RequestRecord>> MemoryTx::FindRequest(const KeyId& key,
                                                           const std::string& request_id) {
  return FindOne(state_.requests, std::pair(key, request_id));
}

Status MemoryTx::InsertRequest(const RequestRecord& record) {
  ALLOT_RETURN_IF_ERROR(MayWrite());
  const std::pair key(record.key, record.request_id);
  if (state_.requests.Find(key) != nullptr) return Conflict();
  state_.requests.Put(undo_, key, record);
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
