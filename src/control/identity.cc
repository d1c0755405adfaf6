#include "allot/control/identity.h"

#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <set>

#include "allot/base/text.h"
#include "allot/control/once.h"
#include "control/record.h"
#include "control/staff.h"

namespace allot::control {
namespace {

std::string DisplayName(const ApiKey& key) {
  std::string name(Name(key.role));
  if (!key.institute.empty()) name += " of " + key.institute.str();
  if (!key.provider.empty()) name += " of " + key.provider.str();
  return name + " (key " + key.id.str() + ")";
}

/// `row` is null for a key that nobody has.
Result<Principal> PrincipalOf(const ApiKey* row, Instant now) {
  if (row == nullptr || !WorksAt(*row, now)) {
    return StateError(Reason::kCredentialInvalid, "the API key is not valid");
  }
  return Principal{.key = row->id,
                   .role = row->role,
                   .institute = row->institute,
                   .provider = row->provider,
                   .display_name = DisplayName(*row)};
}

/// `member` is null for a person who is none.
Result<Principal> PrincipalOf(const Member* member) {
  if (member == nullptr) {
    return StateError(Reason::kMemberUnknown, "the token is good, but its holder is no member");
  }
  std::string name(Name(member->role));
  if (!member->institute.empty()) name += " of " + member->institute.str();
  return Principal{.key = KeyId(member->id.str()),
                   .role = member->role,
                   .institute = member->institute,
                   .display_name = name + " (member " + member->id.str() + ")"};
}

/// Who is behind some proofs, as far as the store knows them.
struct Known {
  std::map<std::string, ApiKey> keys;
  std::map<Person, Member> members;
};

/// In a glance: keys and members are of two moments, and nobody is looked up among both.
Result<Known> Look(store::Tx& tx, const std::vector<std::string>& hashes,
                   const std::vector<Person>& persons) {
  Known known;
  if (!hashes.empty()) {
    ALLOT_ASSIGN_OR_RETURN(auto keys, tx.FindApiKeysByHash(hashes));
    for (ApiKey& key : keys) known.keys.emplace(key.secret_sha256, std::move(key));
  }
  if (!persons.empty()) {
    ALLOT_ASSIGN_OR_RETURN(auto members, tx.FindMembersByPerson(persons));
    for (Member& member : members) known.members.emplace(member.person, std::move(member));
  }
  return known;
}

CreatedKey Mint(const Context& context, const NewKey& asked, Instant now) {
  CreatedKey created;
  created.key.id = KeyId(context.ids.Mint(kKeyIdLength));
  created.secret = "allot_" + created.key.id.str() + "_" + context.ids.Mint(kKeySecretLength);
  created.key.role = asked.role;
  created.key.institute = asked.institute;
  created.key.provider = asked.provider;
  created.key.display_name = asked.display_name;
  created.key.secret_sha256 = Sha256Hex(created.secret);
  created.key.create_time = now;
  created.key.expire_time = asked.expire_time;
  return created;
}

Status ExpiresInTime(const NewKey& key, Instant now) {
  if (!key.expire_time || (now < *key.expire_time && *key.expire_time <= now + kKeyLifetimeMax)) {
    return Ok{};
  }
  return FieldError(Reason::kTimeOutOfRange, "api_key.expire_time", FormatRfc3339(*key.expire_time),
                    "after " + FormatRfc3339(now) + ", within " + FormatDuration(kKeyLifetimeMax));
}

/// A role comes with exactly the tenant it belongs to.
Status TenantFitsRole(store::Tx& tx, const NewKey& key) {
  const bool of_institute = IsOfInstitute(key.role);
  const bool of_provider = key.role == Role::kProvider;
  if (of_institute != !key.institute.empty()) {
    return FieldError(of_institute ? Reason::kFieldRequired : Reason::kFieldNotAllowed,
                      "api_key.institute", key.institute.str(),
                      "an institute for institute admins, members and viewers, and only for them");
  }
  if (of_provider != !key.provider.empty()) {
    return FieldError(of_provider ? Reason::kFieldRequired : Reason::kFieldNotAllowed,
                      "api_key.provider", key.provider.str(),
                      "a provider for the role provider, and only for it");
  }
  if (of_institute) {
    ALLOT_ASSIGN_OR_RETURN(auto institute, tx.FindInstitute(key.institute));
    if (!institute) return NotFound("api_key.institute", key.institute.str());
  }
  if (of_provider) {
    ALLOT_ASSIGN_OR_RETURN(auto provider, tx.FindProvider(key.provider));
    if (!provider) return NotFound("api_key.provider", key.provider.str());
  }
  return Ok{};
}

Result<ApiKey> FindKey(store::Tx& tx, const KeyId& id) {
  ALLOT_ASSIGN_OR_RETURN(auto key, tx.FindApiKey(id));
  if (!key) return NotFound("name", id.str());
  return *std::move(key);
}

/// Held to the end: whether it works is judged of what others made of it before. Staff's are locked
/// all at once first, in one order, as for the counts of them.
Result<ApiKey> LockKey(store::Tx& tx, const KeyId& id, Instant now) {
  ALLOT_ASSIGN_OR_RETURN(const ApiKey found, FindKey(tx, id));
  if (IsStaff(found.role)) ALLOT_RETURN_IF_ERROR(tx.LockStaffKeys(now));
  ALLOT_ASSIGN_OR_RETURN(auto key, tx.LockApiKey(id));
  if (!key) return NotFound("name", id.str());
  return *std::move(key);
}

/// Runs what makes a key once for a request_id; a repeat has the key without its secret. `minted`
/// is the one that this call makes: when its commit was in doubt, it is found, with its secret.
Result<CreatedKey> MakeOnce(const Context& context, const Call& call, Instant now,
                            const CreatedKey& minted,
                            const std::function<Result<CreatedKey>(store::Tx&)>& make) {
  return Once<CreatedKey>(
      context, call, now, make, [](const CreatedKey& c) { return c.key.id.str(); },
      [&](store::Tx& tx, const std::string& id) -> Result<CreatedKey> {
        ALLOT_ASSIGN_OR_RETURN(auto key, FindKey(tx, KeyId(id)));
        const bool is_ours = key.id == minted.key.id;
        return CreatedKey{.key = std::move(key), .secret = is_ours ? minted.secret : std::string()};
      });
}

}  // namespace

Status MayManageThoseOf(store::Tx& tx, const Principal& principal, Role role, Instant now) {
  if (!IsStaff(role) || Holds(principal.role, Permission::kManageStaff)) return Ok{};
  ALLOT_ASSIGN_OR_RETURN(const store::StaffKeys staff, tx.LockStaffKeys(now));
  if (!staff.had_ministry_admin) return Ok{};
  return Require(principal, Permission::kManageStaff);
}

Status RequireReason(const std::string& reason, const std::string& why) {
  if (!reason.empty()) return Ok{};
  return FieldError(Reason::kFieldRequired, "reason", "", why);
}

std::string Sha256Hex(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return Hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

std::string Proof::fingerprint() const {
  // A line break is in no issuer.
  return person ? Sha256Hex(person->issuer + '\n' + person->subject) : key_sha256;
}

Result<Principal> Authenticate(const Context& context, const std::string& key) {
  const Proof proof{.key_sha256 = key.empty() ? std::string() : Sha256Hex(key),
                    .person = std::nullopt};
  return std::move(AuthenticateAll(context, std::span(&proof, 1)).front());
}

std::vector<Result<Principal>> AuthenticateAll(const Context& context,
                                               std::span<const Proof> proofs) {
  const Instant now = context.clock.Now();
  std::set<std::string> hashes;
  std::set<Person> persons;
  for (const Proof& proof : proofs) {
    if (proof.person) {
      persons.insert(*proof.person);
    } else if (!proof.key_sha256.empty()) {
      hashes.insert(proof.key_sha256);
    }
  }
  Result<Known> known = Known();
  if (!hashes.empty() || !persons.empty()) {
    known = context.store.Transact<Known>(
        store::Access::kGlance, store::Scope::Everything(), [&](store::Tx& tx) {
          return Look(tx, {hashes.begin(), hashes.end()}, {persons.begin(), persons.end()});
        });
  }
  std::vector<Result<Principal>> principals;
  for (const Proof& proof : proofs) {
    if (!proof.person && proof.key_sha256.empty()) {
      principals.emplace_back(
          StateError(Reason::kCredentialMissing, "the call carries no API key and no token"));
    } else if (!known.ok()) {
      principals.emplace_back(known.error());
    } else if (proof.person) {
      const auto member = known->members.find(*proof.person);
      principals.push_back(PrincipalOf(member == known->members.end() ? nullptr : &member->second));
    } else {
      const auto key = known->keys.find(proof.key_sha256);
      principals.push_back(PrincipalOf(key == known->keys.end() ? nullptr : &key->second, now));
    }
  }
  return principals;
}

Result<CreatedKey> CreateApiKey(const Context& context, const Call& call, const NewKey& asked) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kManageTenants));
  const Instant now = context.clock.Now();
  CreatedKey created = Mint(context, asked, now);
  // Of a key that will not exist.
  if (call.validate_only) created.secret.clear();
  return MakeOnce(context, call, now, created, [&](store::Tx& tx) -> Result<CreatedKey> {
    // Not before: a repeat is answered as the first was, though its key has expired.
    ALLOT_RETURN_IF_ERROR(ExpiresInTime(asked, now));
    ALLOT_RETURN_IF_ERROR(MayManageThoseOf(tx, call.principal, asked.role, now));
    ALLOT_RETURN_IF_ERROR(TenantFitsRole(tx, asked));
    ALLOT_RETURN_IF_ERROR(tx.InsertApiKey(created.key));
    ALLOT_RETURN_IF_ERROR(tx.Audit(Record(call, now, "key.create", created.key.id.str(),
                                          asked.institute, DisplayName(created.key))));
    return created;
  });
}

Result<CreatedKey> CreateFirstKey(const Context& context) {
  const Instant now = context.clock.Now();
  const CreatedKey created = Mint(context,
                                  {.role = Role::kMinistryAdmin,
                                   .institute = {},
                                   .provider = {},
                                   .display_name = "first",
                                   .expire_time = std::nullopt},
                                  now);
  return context.store.Transact<CreatedKey>(
      store::Access::kWrite, store::Scope::Everything(), [&](store::Tx& tx) -> Result<CreatedKey> {
        ALLOT_RETURN_IF_ERROR(tx.InsertApiKey(created.key));
        ALLOT_RETURN_IF_ERROR(
            tx.Audit(RecordSystem(now, "key.create", created.key.id.str(), {},
                                  "first key of this installation, a ministry admin's")));
        return created;
      });
}

Result<store::Page<ApiKey>> ListApiKeys(const Context& context, const Principal& principal,
                                        const store::PageRequest& page) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kManageTenants));
  const Instant now = context.clock.Now();
  return context.store.Transact<store::Page<ApiKey>>(
      store::Access::kWrite, store::Scope::For(principal),
      [&](store::Tx& tx) -> Result<store::Page<ApiKey>> {
        ALLOT_ASSIGN_OR_RETURN(auto found, tx.ListApiKeys(page));
        if (found.items.empty()) return found;
        // Keys bear the names of people.
        ALLOT_RETURN_IF_ERROR(tx.Audit(Record(
            {.principal = principal}, now, "key.list", found.items.front().id.str(), {},
            std::to_string(found.items.size()) + " keys, to " + found.items.back().id.str())));
        return found;
      });
}

/// Somebody must be left who can make staff's keys: a ministry admin, or where none ever was an
/// operator. Under the keys' lock, so that two who revoke each other's do not both succeed.
Status LeavesAMaker(store::Tx& tx, const ApiKey& revoked, Instant now) {
  if (!IsStaff(revoked.role) || !WorksAt(revoked, now)) return Ok{};
  ALLOT_ASSIGN_OR_RETURN(const store::StaffKeys staff, tx.LockStaffKeys(now));
  const Role maker = staff.had_ministry_admin ? Role::kMinistryAdmin : Role::kOperator;
  const int left = staff.had_ministry_admin ? staff.ministry_admins : staff.operators;
  if (revoked.role != maker || left > 1) return Ok{};
  return FieldError(Reason::kLastOperatorKey, "name", revoked.id.str(),
                    "a key that is not the last of the role " + std::string(Name(maker)));
}

Result<CreatedKey> RotateApiKey(const Context& context, const Call& call, const KeyId& id,
                                Seconds overlap) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kManageTenants));
  const Instant now = context.clock.Now();
  // Minted once, before the transaction; what it is for is known only inside.
  CreatedKey minted = Mint(context, {}, now);
  if (call.validate_only) minted.secret.clear();
  return MakeOnce(context, call, now, minted, [&](store::Tx& tx) -> Result<CreatedKey> {
    ALLOT_ASSIGN_OR_RETURN(const ApiKey old, LockKey(tx, id, now));
    ALLOT_RETURN_IF_ERROR(MayManageThoseOf(tx, call.principal, old.role, now));
    // Not as of `now`: whoever had it before may have ended it since.
    if (!WorksAt(old, std::max(now, context.clock.Now()))) {
      return FieldError(Reason::kFieldNotAllowed, "name", id.str(),
                        "a key that works; make a new one instead");
    }
    CreatedKey created = minted;
    created.key.role = old.role;
    created.key.institute = old.institute;
    created.key.provider = old.provider;
    created.key.display_name = old.display_name;
    created.key.line = LineOf(old);
    if (old.expire_time) {
      created.key.expire_time = now + Between(old.create_time, *old.expire_time);
    }
    ALLOT_RETURN_IF_ERROR(tx.InsertApiKey(created.key));
    ALLOT_RETURN_IF_ERROR(tx.ExpireApiKey(id, now + overlap));
    ALLOT_RETURN_IF_ERROR(tx.Audit(
        Record(call, now, "key.rotate", id.str(), old.institute,
               "by " + created.key.id.str() + "; goes on for " + FormatDuration(overlap))));
    ALLOT_RETURN_IF_ERROR(tx.Audit(Record(call, now, "key.create", created.key.id.str(),
                                          old.institute, DisplayName(created.key))));
    return created;
  });
}

Result<ApiKey> RevokeApiKey(const Context& context, const Call& call, const KeyId& id,
                            const std::string& reason) {
  ALLOT_RETURN_IF_ERROR(Require(call.principal, Permission::kManageTenants));
  ALLOT_RETURN_IF_ERROR(RequireReason(reason, "why the key ends"));
  const Instant now = context.clock.Now();
  return Once<ApiKey>(
      context, call, now,
      [&](store::Tx& tx) -> Result<ApiKey> {
        ALLOT_ASSIGN_OR_RETURN(auto key, LockKey(tx, id, now));
        ALLOT_RETURN_IF_ERROR(MayManageThoseOf(tx, call.principal, key.role, now));
        if (key.revoke_time) return key;
        ALLOT_RETURN_IF_ERROR(LeavesAMaker(tx, key, now));
        ALLOT_RETURN_IF_ERROR(tx.RevokeApiKey(id, now));
        ALLOT_RETURN_IF_ERROR(tx.Audit(Record(call, now, "key.revoke", id.str(), key.institute,
                                              DisplayName(key) + ": " + reason)));
        key.revoke_time = now;
        return key;
      },
      [](const ApiKey& k) { return k.id.str(); },
      [](store::Tx& tx, const std::string& made) { return FindKey(tx, KeyId(made)); });
}

Result<store::Page<AuditEntry>> ListAudit(const Context& context, const Principal& principal,
                                          const AuditedResource& resource, int64_t before,
                                          int size) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadAudit));
  return context.store.Transact<store::Page<AuditEntry>>(
      store::Access::kRead, store::Scope::For(principal),
      [&](store::Tx& tx) -> Result<store::Page<AuditEntry>> {
        ALLOT_ASSIGN_OR_RETURN(auto page, tx.AuditOf(resource, before, size));
        if (!page.items.empty() || before != 0) return page;
        // Whatever was created has an entry; nodes and orders come and go without one.
        ALLOT_ASSIGN_OR_RETURN(const auto node, tx.FindNode(NodeId(resource.id)));
        ALLOT_ASSIGN_OR_RETURN(const auto order, tx.FindOrder(OrderId(resource.id)));
        const std::string& kind = resource.kinds.front();
        if ((kind == "node" && node) || (kind == "order" && order)) return page;
        return NotFound("resource", resource.id);
      });
}

Result<AuditChain> ReadAuditChain(const Context& context, const Principal& principal,
                                  int64_t number, int limit) {
  ALLOT_RETURN_IF_ERROR(Require(principal, Permission::kReadAudit));
  return context.store.Transact<AuditChain>(
      store::Access::kRead, store::Scope::For(principal),
      [&](store::Tx& tx) { return tx.AuditAfter(number, limit); });
}

}  // namespace allot::control
