#include <algorithm>
#include <limits>
#include <pqxx/pqxx>

#include "allot/base/text.h"
#include "store/audit_link.h"
#include "store/postgres/postgres_tx.h"
#include "store/postgres/rows.h"

namespace allot::store {
namespace {

constexpr char kSelectLeadership[] = "SELECT epoch, holder, micros(lease_until) FROM leadership";

const Statement kFindLeadership{"find_leadership", kSelectLeadership};
const Statement kLockLeadership{"lock_leadership",
                                std::string(kSelectLeadership) + " FOR NO KEY UPDATE"};
// Shared: the leader's own transactions do not wait for each other, a new leader waits for all.
const Statement kShareLeadership{"share_leadership", std::string(kSelectLeadership) + " FOR SHARE"};
const Statement kUpdateLeadership{
    "update_leadership",
    "UPDATE leadership SET epoch = $1, holder = $2, lease_until = instant($3)"};
// Two ids with one hash merely wait for each other. The first number keeps these locks apart from
// any other kind.
const Statement kLockPool{"lock_pool", "SELECT pg_advisory_xact_lock(1, hashtext($1))"};

const std::string kSelectApiKey = std::string("SELECT ") + kApiKeyColumns + " FROM api_keys";
const Statement kFindApiKeysByHash{"find_api_keys_by_hash",
                                   kSelectApiKey + " WHERE secret_sha256 = ANY ($1::text[])"};
const Statement kFindApiKey{"find_api_key", kSelectApiKey + " WHERE id = $1"};
const Statement kLockApiKey{"lock_api_key", kSelectApiKey + " WHERE id = $1 FOR NO KEY UPDATE"};
const Statement kInsertApiKey{
    "insert_api_key",
    "INSERT INTO api_keys (id, role, institute_id, provider_id, display_name, secret_sha256,"
    " create_time, revoke_time, expire_time, line_id) VALUES ($1, $2, $3, $4, $5, $6, instant($7),"
    " instant($8), instant($9), $10) ON CONFLICT DO NOTHING"};
// The first revocation stands.
const Statement kRevokeApiKey{
    "revoke_api_key",
    "UPDATE api_keys SET revoke_time = COALESCE(revoke_time, instant($2)) WHERE id = $1"};

const Statement kExpireApiKey{
    "expire_api_key",
    "UPDATE api_keys SET expire_time = LEAST(expire_time, instant($2)) WHERE id = $1"};

const Statement kLockStaffKeys{
    "lock_staff_keys",
    "SELECT role = 'operator', revoke_time IS NULL AND COALESCE(expire_time > instant($1), true)"
    " FROM api_keys WHERE role IN ('ministry_admin', 'operator') ORDER BY id FOR UPDATE"};

const Statement kFindRequests{
    "find_requests",
    "SELECT r.key_id, r.request_id, r.body_sha256, encode(r.response, 'hex'), micros(r.create_time)"
    // OFFSET keeps it a look-up of each, however few requests there were when this was prepared.
    " FROM unnest($1::text[], $2::text[]) AS n(key_id, request_id)"
    " CROSS JOIN LATERAL (SELECT * FROM requests r WHERE r.key_id = n.key_id"
    "                     AND r.request_id = n.request_id OFFSET 0) AS r"};
// Makes the transaction one that writes, so that its commit waits until all before it is durable,
// on the standby too. A primary that crashed while it waited for the standby shows the request when
// it is back, and the standby may still not have it.
const Statement kMakeDurable{"make_durable", "SELECT pg_logical_emit_message(true, 'allot', '')"};
const Statement kInsertRequests{
    "insert_requests",
    "INSERT INTO requests (key_id, request_id, body_sha256, response, create_time)"
    " SELECT key_id, request_id, body_sha256, decode(response, 'hex'), instant(create_time)"
    " FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])"
    " AS r(key_id, request_id, body_sha256, response, create_time) ON CONFLICT DO NOTHING"};
const Statement kRemoveRequests{
    "remove_requests",
    "WITH old AS (SELECT key_id, request_id FROM requests WHERE create_time < instant($1)"
    "             ORDER BY create_time LIMIT $2),"
    " removed AS (DELETE FROM requests r USING old"
    "  WHERE r.key_id = old.key_id AND r.request_id = old.request_id RETURNING 1)"
    " SELECT count(*) FROM removed"};

// From here to the commit nobody else writes an entry.
const Statement kLockAuditHead{"lock_audit_head",
                               "SELECT number, encode(hash, 'hex') FROM audit_chain FOR UPDATE"};
const Statement kInsertAudit{
    "insert_audit",
    "INSERT INTO audit_entries (number, entry_time, key_id, actor, action, resource, institute_id,"
    " detail, request_id, hash) SELECT number, instant(entry_time), key_id, actor, action,"
    " resource, institute_id, detail, request_id, decode(hash, 'hex')"
    " FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[],"
    " $7::text[], $8::text[], $9::text[], $10::text[]) AS e(number, entry_time, key_id, actor,"
    " action, resource, institute_id, detail, request_id, hash)"};
const Statement kAuditAfter{"audit_after",
                            std::string("SELECT ") + kAuditColumns +
                                ", encode(hash, 'hex') FROM audit_entries WHERE number > $1"
                                " ORDER BY number LIMIT $2"};
const Statement kAuditEnds{"audit_ends",
                           "SELECT number, encode(hash, 'hex'), removed_through,"
                           " encode(removed_hash, 'hex') FROM audit_chain"};
const std::string kSelectCheckpoint =
    "SELECT kind, number, encode(hash, 'hex'), micros(sign_time), signer, encode(signature, 'hex')"
    " FROM audit_checkpoints";
const Statement kCheckpointsAfter{
    "audit_checkpoints_after",
    kSelectCheckpoint + " WHERE number > $1 AND number <= $2 ORDER BY number, kind"};
const Statement kNewestCheckpoint{
    "newest_audit_checkpoint",
    kSelectCheckpoint + " WHERE kind = 'reached' ORDER BY number DESC LIMIT 1"};
const Statement kInsertCheckpoint{
    "insert_audit_checkpoint",
    "INSERT INTO audit_checkpoints (kind, number, hash, sign_time, signer, signature)"
    " VALUES ($1, $2, decode($3, 'hex'), instant($4), $5, decode($6, 'hex'))"
    " ON CONFLICT DO NOTHING"};
// The first young one ends it, and the newest of all stays: what comes next is linked to it.
const Statement kAuditToRemove{
    "audit_to_remove",
    "WITH oldest AS (SELECT number, entry_time, hash FROM audit_entries"
    "                WHERE number < (SELECT number FROM audit_chain) ORDER BY number LIMIT $2)"
    " SELECT number, encode(hash, 'hex') FROM oldest"
    " WHERE number < COALESCE((SELECT min(number) FROM oldest WHERE entry_time >= instant($1)),"
    "                         9223372036854775807)"
    " ORDER BY number DESC LIMIT 1"};
const Statement kMoveAuditBase{
    "move_audit_base",
    "UPDATE audit_chain SET removed_through = $1, removed_hash = decode($2, 'hex'),"
    " removed_time = (SELECT entry_time FROM audit_entries WHERE number = $1)"};
const Statement kRemoveAudit{"remove_audit", "DELETE FROM audit_entries WHERE number <= $1"};
const Statement kAuditOf{"audit_of", std::string("SELECT ") + kAuditColumns +
                                         " FROM audit_entries WHERE resource = $1 AND number < $2"
                                         " AND split_part(action, '.', 1) = ANY($4::text[])"
                                         " ORDER BY number DESC LIMIT $3"};

Leadership ReadLeadership(RowReader& row) {
  return {.epoch = row.Int64(), .holder = row.Text(), .lease_until = row.Time()};
}

AuditMark ReadAuditMark(RowReader& row) { return {.number = row.Int64(), .hash = row.Text()}; }

AuditCheckpoint ReadAuditCheckpoint(RowReader& row) {
  return {.kind = row.Named(ParseAuditCheckpointKind),
          .mark = ReadAuditMark(row),
          .sign_time = row.Time(),
          .signer = row.Text(),
          .signature = row.Text()};
}

RequestRecord ReadRequestRecord(RowReader& row) {
  return {.key = row.AsId<KeyId>(),
          .request_id = row.Text(),
          .body_sha256 = row.Text(),
          .response = BytesOfHex(row.Text()).value_or(""),
          .create_time = row.Time()};
}

}  // namespace

Result<Leadership> PostgresTx::FindLeadership() {
  ALLOT_ASSIGN_OR_RETURN(const std::optional<Leadership> current,
                         FindOne(ReadLeadership, kFindLeadership, Arguments()));
  if (!current) return StateError(Reason::kInternal, "The leadership row is missing.");
  return *current;
}

Result<std::optional<Leadership>> PostgresTx::AcquireLeadership(const std::string& holder,
                                                                int64_t epoch, Instant now,
                                                                Seconds lease) {
  ALLOT_ASSIGN_OR_RETURN(std::optional<Leadership> current,
                         FindOne(ReadLeadership, kLockLeadership, Arguments()));
  if (!current) return StateError(Reason::kInternal, "The leadership row is missing.");
  if (current->holder != holder && now < current->lease_until) return std::optional<Leadership>();
  if (current->holder != holder || current->epoch != epoch) {
    current->holder = holder;
    ++current->epoch;
  }
  current->lease_until = now + lease;
  ALLOT_RETURN_IF_ERROR(
      Update(kUpdateLeadership, Arguments(current->epoch, current->holder, current->lease_until)));
  return current;
}

Status PostgresTx::AssertLeader(int64_t epoch) {
  ALLOT_ASSIGN_OR_RETURN(const std::optional<Leadership> current,
                         FindOne(ReadLeadership, kShareLeadership, Arguments()));
  if (current && current->epoch == epoch) return Ok{};
  return StateError(Reason::kNotLeader, "Epoch " + std::to_string(epoch) + " is over.");
}

Status PostgresTx::LockPool(const ClusterId& cluster) {
  return Verb([&]() -> Status {
    Execute(kLockPool, Arguments(cluster));
    return Ok{};
  });
}

Result<std::vector<ApiKey>> PostgresTx::FindApiKeysByHash(
    std::span<const std::string> secrets_sha256) {
  return FindAll(ReadApiKey, kFindApiKeysByHash, Arguments(SqlArray(secrets_sha256)));
}

Result<std::optional<ApiKey>> PostgresTx::FindApiKey(const KeyId& id) {
  return FindOne(ReadApiKey, kFindApiKey, Arguments(id));
}

Result<std::optional<ApiKey>> PostgresTx::LockApiKey(const KeyId& id) {
  return FindOne(ReadApiKey, kLockApiKey, Arguments(id));
}

Status PostgresTx::InsertApiKey(const ApiKey& key) {
  return Insert(kInsertApiKey, Arguments(key.id, key.role, key.institute, key.provider,
                                         key.display_name, key.secret_sha256, key.create_time,
                                         key.revoke_time, key.expire_time, key.line));
}

Result<Page<ApiKey>> PostgresTx::ListApiKeys(const PageRequest& page) {
  return FindPage(ReadApiKey, ListQuery(kSelectApiKey, "id", page));
}

Status PostgresTx::RevokeApiKey(const KeyId& id, Instant at) {
  return Verb([&]() -> Status {
    if (Execute(kRevokeApiKey, Arguments(id, at)).affected_rows() == 1) return Ok{};
    return StateError(Reason::kNotFound, "There is no such key.");
  });
}

Status PostgresTx::ExpireApiKey(const KeyId& id, Instant at) {
  return Verb([&]() -> Status {
    if (Execute(kExpireApiKey, Arguments(id, at)).affected_rows() == 1) return Ok{};
    return StateError(Reason::kNotFound, "There is no such key.");
  });
}

Result<StaffKeys> PostgresTx::LockStaffKeys(Instant at) {
  return Verb([&]() -> Result<StaffKeys> {
    StaffKeys keys;
    for (const pqxx::row& row : Execute(kLockStaffKeys, Arguments(at))) {
      const bool is_operator = row[0].as<bool>();
      const int working = row[1].as<bool>() ? 1 : 0;
      (is_operator ? keys.operators : keys.ministry_admins) += working;
      keys.had_ministry_admin |= !is_operator;
    }
    return keys;
  });
}

Result<std::vector<RequestRecord>> PostgresTx::FindRequests(std::span<const RequestName> names) {
  if (names.empty()) return std::vector<RequestRecord>();
  ALLOT_ASSIGN_OR_RETURN(auto found, FindAll(ReadRequestRecord, kFindRequests,
                                             Arguments(SqlArray(names, &RequestName::key),
                                                       SqlArray(names, &RequestName::request_id))));
  if (found.empty()) return found;
  return Verb([&]() -> Result<std::vector<RequestRecord>> {
    Execute(kMakeDurable, Arguments());
    return std::move(found);
  });
}

Status PostgresTx::InsertRequests(std::span<const RequestRecord> records) {
  if (records.empty()) return Ok{};
  const auto column = [&](auto part) { return SqlArray(records, part); };
  return Update(kInsertRequests,
                Arguments(column(&RequestRecord::key), column(&RequestRecord::request_id),
                          column(&RequestRecord::body_sha256),
                          column([](const RequestRecord& r) { return Hex(r.response); }),
                          column(&RequestRecord::create_time)),
                records.size());
}

Status PostgresTx::Audit(const AuditEntry& entry) {
  audit_.push_back(entry);
  return Ok{};
}

Status PostgresTx::WriteAudit() {
  if (audit_.empty()) return Ok{};
  ALLOT_ASSIGN_OR_RETURN(const std::vector<std::string> links, LinkAudit());
  // Empty texts, not NULLs: "nobody's tenant" is a value here.
  const auto column = [&](auto part) { return SqlArray(audit_, part); };
  return Insert(
      kInsertAudit,
      Arguments(column(&AuditEntry::number), column(&AuditEntry::time),
                column([](const auto& e) { return e.key.str(); }), column(&AuditEntry::actor),
                column(&AuditEntry::action), column(&AuditEntry::resource),
                column([](const auto& e) { return e.institute.str(); }),
                column(&AuditEntry::detail), column(&AuditEntry::request_id), SqlArray(links)),
      audit_.size());
}

Result<std::vector<std::string>> PostgresTx::LinkAudit() {
  return Verb([&]() -> Result<std::vector<std::string>> {
    const pqxx::result head = Execute(kLockAuditHead, Arguments());
    const pqxx::row newest_row = head.front();
    RowReader newest(newest_row);
    int64_t number = newest.Int64();
    std::string link = BytesOfHex(newest.Text()).value_or("");
    std::vector<std::string> links;
    for (AuditEntry& entry : audit_) {
      entry.number = ++number;
      link = AuditLink(link, entry);
      links.push_back(Hex(link));
    }
    return links;
  });
}

Result<AuditChain> PostgresTx::AuditAfter(int64_t number, int limit) {
  return Verb([&]() -> Result<AuditChain> {
    AuditChain chain;
    const pqxx::result ends = Execute(kAuditEnds, Arguments());
    const pqxx::row ends_row = ends.front();
    RowReader read(ends_row);
    chain.head = ReadAuditMark(read);
    chain.base = ReadAuditMark(read);
    const pqxx::result rows = Execute(kAuditAfter, Arguments(number, limit));
    for (const pqxx::row& row : rows) {
      RowReader reader(row);
      ChainedAuditEntry entry{.entry = ReadAuditEntry(reader), .hash = {}};
      entry.hash = reader.Text();
      chain.entries.push_back(std::move(entry));
    }
    const int64_t after = number <= chain.base.number ? chain.base.number - 1 : number;
    // Behind the last entry there should be none: whoever removed entries is found out by them.
    const bool to_the_end = static_cast<int>(chain.entries.size()) < limit;
    const int64_t last =
        to_the_end ? std::numeric_limits<int64_t>::max() : chain.entries.back().entry.number;
    for (const pqxx::row& row : Execute(kCheckpointsAfter, Arguments(after, last))) {
      RowReader reader(row);
      chain.checkpoints.push_back(ReadAuditCheckpoint(reader));
    }
    return chain;
  });
}

Result<AuditMark> PostgresTx::AuditHead() {
  return Verb([&]() -> Result<AuditMark> {
    const pqxx::result ends = Execute(kAuditEnds, Arguments());
    const pqxx::row row = ends.front();
    RowReader reader(row);
    return ReadAuditMark(reader);
  });
}

Result<std::optional<AuditCheckpoint>> PostgresTx::NewestAuditCheckpoint() {
  return FindOne(ReadAuditCheckpoint, kNewestCheckpoint, Arguments());
}

Status PostgresTx::InsertAuditCheckpoint(const AuditCheckpoint& checkpoint) {
  return Insert(kInsertCheckpoint,
                Arguments(checkpoint.kind, checkpoint.mark.number, checkpoint.mark.hash,
                          checkpoint.sign_time, checkpoint.signer, checkpoint.signature));
}

Result<std::optional<AuditMark>> PostgresTx::AuditToRemove(Instant t, int limit) {
  return FindOne(ReadAuditMark, kAuditToRemove, Arguments(t, limit));
}

Status PostgresTx::RemoveAudit(const AuditMark& through) {
  return Verb([&]() -> Status {
    Execute(kMoveAuditBase, Arguments(through.number, through.hash));
    Execute(kRemoveAudit, Arguments(through.number));
    return Ok{};
  });
}

Result<Page<AuditEntry>> PostgresTx::AuditOf(const AuditedResource& resource, int64_t before,
                                             int size) {
  const int64_t below = before > 0 ? before : std::numeric_limits<int64_t>::max();
  return Verb([&]() -> Result<Page<AuditEntry>> {
    const auto entries =
        Execute(kAuditOf, Arguments(resource.id, below, size + 1, SqlArray(resource.kinds)));
    return ReadPage(entries, ReadAuditEntry, size);
  });
}

Result<int> PostgresTx::RemoveRequests(Instant t, int limit) {
  ALLOT_ASSIGN_OR_RETURN(const int64_t removed, FindNumber(kRemoveRequests, Arguments(t, limit)));
  return static_cast<int>(removed);
}

}  // namespace allot::store
