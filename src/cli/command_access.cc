#include <memory>

#include "allot/base/text.h"
#include "cli/audit_chain.h"
#include "cli/commands.h"
#include "cli/listing.h"
#include "cli/resource.h"
#include "cli/resource_name.h"
#include "cli/role.h"
#include "cli/text.h"
#include "cli/values.h"
#include "cli/views.h"

namespace allot::cli {
namespace {

constexpr int kAuditPageSize = 1000;
constexpr char kRoleWords[] =
    "ministry_admin, operator, auditor, institute_admin, member, viewer or provider";
/// What the API takes (access.proto).
constexpr Seconds kLifetimeMax = Days(1098);

struct KeyFlags {
  std::string role;
  std::string institute;
  std::string provider;
  std::string display_name;
  std::string expires;
};

struct RotateFlags {
  std::string key;
  std::string overlap;
};

Outcome<v1::ApiKey> ReadKey(const KeyFlags& flags) {
  v1::ApiKey key;
  const auto role = ReadRole(flags.role, kRoleWords);
  if (!role.ok()) return role.failure();
  key.set_role(*role);
  key.set_display_name(flags.display_name);
  if (!flags.institute.empty()) {
    const auto name = InstituteName(flags.institute);
    if (!name.ok()) return name.failure();
    key.set_institute(*name);
  }
  if (!flags.provider.empty()) {
    const auto name = ProviderName(flags.provider);
    if (!name.ok()) return name.failure();
    key.set_provider(*name);
  }
  return key;
}

/// A time, or how long from now.
Outcome<Instant> ReadExpiry(const std::string& text, Instant now) {
  if (const auto length = ParseDuration(text); length && length->count <= kLifetimeMax.count) {
    return now + *length;
  }
  const auto moment = ParseMoment("--expires", text, now);
  if (moment.ok()) return *moment;
  return FailureOf(FieldError(Reason::kTimeOutOfRange, "--expires", Printable(text),
                              "a length of time such as 90d, or a time such as "
                              "2027-03-01T00:00:00+09:00"));
}

/// The secret alone goes to stdout, so that it can be sent into a file without being seen.
template <class Made>
ExitCode ShowSecret(Session& session, const Made& made, const std::string& remark) {
  const std::string name = ShortName(made.api_key().name());
  if (made.secret().empty()) {
    return session.Fail(
        {.exit_code = ExitCode::kConflict,
         .reason = "secret_not_kept",
         .message = "an earlier call made the key " + name + ", and its secret is told only once",
         .advice = "Unless you have it: 'allot keys revoke " + name + "', and make another key."});
  }
  session.output().Note("made " + name + remark + "; its secret is shown this once, keep it safe:");
  session.output().Show(made, made.secret() + "\n", {made.api_key().name()});
  return ExitCode::kOk;
}

ExitCode RotateKey(Session& session, const RotateFlags& flags) {
  const auto name = ApiKeyName(flags.key);
  if (!name.ok()) return session.Fail(name.failure());
  v1::RotateApiKeyRequest request;
  request.set_name(*name);
  const auto overlap = ParseLength("--overlap", flags.overlap);
  if (!overlap.ok()) return session.Fail(FailureOf(overlap.error()));
  request.mutable_overlap()->set_seconds(overlap->count);
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  const auto rotated = (*client)->Call(&Operators::RotateApiKey, request);
  if (!rotated.ok()) return session.Fail(rotated.failure());
  return ShowSecret(
      session, *rotated,
      "; " + ShortName(*name) + " goes on for " + FormatDuration(*overlap) + " at the most");
}

ExitCode CreateKey(Session& session, const KeyFlags& flags) {
  const auto key = ReadKey(flags);
  if (!key.ok()) return session.Fail(key.failure());
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  v1::CreateApiKeyRequest request;
  *request.mutable_api_key() = *key;
  if (!flags.expires.empty()) {
    const auto expiry = ReadExpiry(flags.expires, session.Now());
    if (!expiry.ok()) return session.Fail(expiry.failure());
    *request.mutable_api_key()->mutable_expire_time() = TimestampOf(*expiry);
  }
  const auto created = (*client)->Call(&Operators::CreateApiKey, request);
  if (!created.ok()) return session.Fail(created.failure());
  return ShowSecret(session, *created, "");
}

ExitCode ListKeys(Session& session) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  const auto answer = ListAll(**client, &Operators::ListApiKeys, v1::ListApiKeysRequest(),
                              [](const auto& page) { return page.api_keys_size(); });
  if (!answer.ok()) return session.Fail(answer.failure());
  session.output().Show(*answer, ApiKeyTable(answer->api_keys(), session.Now()),
                        NamesOf(answer->api_keys()));
  return ExitCode::kOk;
}

ExitCode RevokeKey(Session& session, const std::string& text) {
  const auto name = ApiKeyName(text);
  if (!name.ok()) return session.Fail(name.failure());
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  v1::RevokeApiKeyRequest request;
  request.set_name(*name);
  const auto key = (*client)->Call(&Operators::RevokeApiKey, request);
  if (!key.ok()) return session.Fail(key.failure());
  Repeated<v1::ApiKey> rows;
  *rows.Add() = *key;
  session.output().Show(*key, ApiKeyTable(rows, session.Now()), {key->name()});
  return ExitCode::kOk;
}

/// Short names of tenants by how many parts they have; everything else in full.
Outcome<std::string> AuditedResource(const std::string& text) {
  const std::string first = text.substr(0, text.find('/'));
  if (first == "institutes" || first == "providers" || first == "apiKeys" || first == "policies" ||
      first == "members" || first == "proposals") {
    return text;
  }
  switch (Split(text, '/').size()) {
    case 1:
      return InstituteName(text);
    case 2:
      return ProjectName(text);
    default:
      return AllocationName(text);
  }
}

ExitCode ListAudit(Session& session, const std::string& text, int64_t limit) {
  const auto resource = AuditedResource(text);
  if (!resource.ok()) return session.Fail(resource.failure());
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  v1::ListAuditEntriesRequest request;
  request.set_resource(*resource);
  const auto answer = ListAll(
      **client, &Operators::ListAuditEntries, request,
      [](const auto& page) { return page.audit_entries_size(); }, limit);
  if (!answer.ok()) return session.Fail(answer.failure());
  std::vector<std::string> resources;
  for (const v1::AuditEntry& entry : answer->audit_entries()) {
    resources.push_back(entry.resource());
  }
  session.output().Show(*answer, AuditTable(answer->audit_entries(), session.Now()), resources);
  return ExitCode::kOk;
}

struct VerifyFlags {
  std::string noted;
  std::vector<std::string> public_keys;
};

Outcome<AuditChainCheck> ReadCheck(const VerifyFlags& flags) {
  std::optional<AuditMark> mark;
  if (!flags.noted.empty()) {
    mark = ParseAuditMark(flags.noted);
    if (!mark) {
      return UsageFailure("--noted takes what an earlier run printed, NUMBER:HASH",
                          "'allot audit verify --help' has examples.");
    }
  }
  AuditChainCheck::Keys keys;
  for (const std::string& file : flags.public_keys) {
    auto key = transport::VerifyingKey::Read({"--public-key", file});
    if (!key.ok()) return FailureOf(key.error());
    keys.push_back(*std::move(key));
  }
  return AuditChainCheck(mark, std::move(keys));
}

/// Page by page, so that an audit of years need not fit into memory. What is wrong, or nothing.
Outcome<std::optional<std::string>> GoThrough(Session& session, Client& client,
                                              AuditChainCheck& check,
                                              v1::ReadAuditChainResponse& page) {
  using Found = std::optional<std::string>;
  bool first = true;
  do {
    v1::ReadAuditChainRequest request;
    request.set_after_number(check.reached().number);
    request.set_page_size(kAuditPageSize);
    const auto answer = client.Call(&Operators::ReadAuditChain, request);
    if (!answer.ok()) return answer.failure();
    page = *answer;
    if (std::exchange(first, false)) {
      if (auto what = check.Begin({.number = page.base_number(), .hash = page.base_hash()})) {
        return Found(what);
      }
    }
    for (const v1::AuditCheckpoint& checkpoint : page.checkpoints()) {
      if (auto what = check.TakeCheckpoint(checkpoint)) return Found(what);
    }
    for (const v1::ChainedAuditEntry& entry : page.entries()) {
      if (auto what = check.Take(entry)) return Found(what);
    }
    if (page.entries_size() == kAuditPageSize) {
      session.output().Note(FormatCount(check.reached().number) + " of " +
                            FormatCount(page.head_number()) + " entries");
    }
  } while (page.entries_size() == kAuditPageSize);
  return check.Finish({.number = page.head_number(), .hash = page.head_hash()}, session.Now());
}

std::string Verdict(const AuditChainCheck& check) {
  const int64_t kept = check.reached().number - check.base().number;
  std::string text = FormatCount(kept) + " entries, each as it was written";
  if (check.base().number > 0) {
    text += ", behind the " + FormatCount(check.base().number) + " that are no longer kept";
  }
  if (const auto& last = check.newest_signed()) {
    text += "; signed up to entry " + std::to_string(last->number()) + ", " +
            FormatRfc3339(InstantOf(last->sign_time()));
  }
  return text + ". Note this, where nobody who can write to the database can change it:\n" +
         MarkText(check.reached()) + "\n";
}

ExitCode VerifyAudit(Session& session, const VerifyFlags& flags) {
  auto check = ReadCheck(flags);
  if (!check.ok()) return session.Fail(check.failure());
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  v1::ReadAuditChainResponse page;
  const auto found = GoThrough(session, **client, *check, page);
  if (!found.ok()) return session.Fail(found.failure());
  if (*found) {
    return session.Fail(Failure{
        .exit_code = ExitCode::kConflict,
        .reason = "audit_broken",
        .message = **found + ". All before it is as it was written.",
        .advice =
            "Keep the database as it is, and compare it with a backup and with what was noted."});
  }
  page.clear_entries();
  page.clear_checkpoints();
  if (const auto& last = check->newest_signed()) *page.add_checkpoints() = *last;
  session.output().Show(page, Verdict(*check), {MarkText(check->reached())});
  return ExitCode::kOk;
}

void AddKeyCommands(CLI::App& root, Action& chosen) {
  CLI::App* keys = AddCommand(root, "keys", "Makes, lists, exchanges and revokes API keys",
                              "  allot keys create --role member --institute snu > member.key\n"
                              "  allot keys list\n"
                              "  allot keys rotate k3f9a0c2m1x7 > new.key\n"
                              "  allot keys revoke k3f9a0c2m1x7");
  keys->require_subcommand(1);

  auto flags = std::make_shared<KeyFlags>();
  CLI::App* create =
      AddCommand(*keys, "create", "Makes a key; its secret alone goes to stdout, this once",
                 "  umask 077; allot keys create --role member --institute snu > member.key\n"
                 "  allot keys create --role provider --provider naver --display-name agents");
  create->add_option("--role", flags->role, kRoleWords)->required();
  create->add_option("--institute", flags->institute, "Of institute admins, members and viewers");
  create->add_option("--provider", flags->provider, "Of providers");
  create->add_option("--display-name", flags->display_name, "Who holds it");
  create->add_option("--expires", flags->expires,
                     "When it ends by itself: 90d, or a time; without it only 'revoke' ends it");
  create->callback([&chosen, flags] {
    chosen = [flags](Session& session) { return CreateKey(session, *flags); };
  });

  auto rotated = std::make_shared<RotateFlags>();
  rotated->overlap = "1d";
  CLI::App* rotate = AddCommand(
      *keys, "rotate", "Makes another key for the same holder; the old one goes on for a while",
      "  umask 077; allot keys rotate k3f9a0c2m1x7 > new.key\n"
      "  allot keys rotate k3f9a0c2m1x7 --overlap 7d > new.key");
  rotate->add_option("key", rotated->key, "As 'allot keys list' prints it")->required();
  rotate->add_option("--overlap", rotated->overlap, "How long the old one goes on, 0s to 30d (1d)");
  rotate->callback([&chosen, rotated] {
    chosen = [rotated](Session& session) { return RotateKey(session, *rotated); };
  });

  CLI::App* list = AddCommand(*keys, "list", "Lists keys, revoked ones too", "  allot keys list");
  list->callback([&chosen] { chosen = ListKeys; });

  auto name = std::make_shared<std::string>();
  CLI::App* revoke = AddCommand(*keys, "revoke", "Revokes a key for good, at once",
                                "  allot keys revoke k3f9a0c2m1x7");
  revoke->add_option("key", *name, "As 'allot keys list' prints it")->required();
  revoke->callback(
      [&chosen, name] { chosen = [name](Session& session) { return RevokeKey(session, *name); }; });
}

ExitCode Record(Session& session) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  const auto recorded = (*client)->Call(&Operators::RecordPass, v1::RecordPassRequest());
  if (!recorded.ok()) return session.Fail(recorded.failure());
  session.environment().out << recorded->recording();
  session.output().Note("recorded the pass of revision " + std::to_string(recorded->revision()));
  return ExitCode::kOk;
}

}  // namespace

void AddAccessCommands(CLI::App& root, Action& chosen) {
  AddKeyCommands(root, chosen);

  CLI::App* record =
      AddCommand(root, "record", "Prints the present plan with all it was decided from, as JSON",
                 "  allot record >pass.json\n"
                 "  allot-sim replay pass.json\n"
                 "  allot-sim what-if pass.json --drain naver-a");
  record->callback([&chosen] { chosen = Record; });

  auto resource = std::make_shared<std::string>();
  auto limit = std::make_shared<int64_t>(100);
  CLI::App* audit = AddCommand(root, "audit", "Shows who did what to a resource, the newest first",
                               "  allot audit snu/llm/main\n"
                               "  allot audit providers/naver/clusters/naver-a -o json");
  audit->add_option("resource", *resource,
                    "INSTITUTE, INSTITUTE/PROJECT, INSTITUTE/PROJECT/ALLOCATION or any full name");
  audit->add_option("--limit", *limit, "At most so many (100)")->check(AtLeastOne());
  auto flags = std::make_shared<VerifyFlags>();
  CLI::App* verify = AddCommand(
      *audit, "verify", "Checks that no entry was changed, removed or put in since it was written",
      "  allot audit verify\n"
      "  allot audit verify --public-key audit.pub\n"
      "  allot audit verify --noted 1204:9f2c…  (64 digits, as an earlier run printed them)");
  verify->add_option("--noted", flags->noted, "What an earlier run printed: NUMBER:HASH");
  verify->add_option("--public-key", flags->public_keys,
                     "PEM: the public half of the key that the servers sign with; several after "
                     "another, where it was exchanged");
  verify->callback([&chosen, flags] {
    chosen = [flags](Session& session) { return VerifyAudit(session, *flags); };
  });
  audit->callback([&chosen, audit, verify, resource, limit] {
    if (verify->parsed()) return;
    chosen = [resource, limit](Session& session) {
      if (resource->empty()) {
        return session.Fail(
            UsageFailure("name a resource, or 'verify'", "'allot audit --help' has examples."));
      }
      return ListAudit(session, *resource, *limit);
    };
  });
}

}  // namespace allot::cli
