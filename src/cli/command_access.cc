#include <memory>

#include "allot/base/text.h"
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

constexpr char kKeyRoles[] =
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
  const auto role = ReadRole(flags.role, kKeyRoles);
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
Outcome<Instant> ReadExpiry(const std::string& text, Moments& moments) {
  if (const auto length = ParseDuration(text); length && length->count <= kLifetimeMax.count) {
    return moments.Keep("--expires", moments.now() + *length);
  }
  const auto moment = moments.Read("--expires", text);
  if (moment.ok()) return *moment;
  return FailureOf(FieldError(Reason::kTimeOutOfRange, "--expires", Printable(text),
                              "a length of time such as 90d, at most " +
                                  FormatDuration(kLifetimeMax) +
                                  ", or a time such as 2027-03-01T00:00:00+09:00"));
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
         .advice = "Unless you have it: 'allot keys revoke " + name +
                   " --reason \"secret lost\"', and make another key."});
  }
  session.output().Note("made " + name + remark + "; its secret is shown this once, keep it safe:");
  session.output().Show(made, Harmless(made.secret()) + "\n", {made.api_key().name()});
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
    const auto expiry = ReadExpiry(flags.expires, session.moments());
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

ExitCode RevokeKey(Session& session, const std::string& text, const std::string& reason) {
  const auto name = ApiKeyName(text);
  if (!name.ok()) return session.Fail(name.failure());
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  v1::RevokeApiKeyRequest request;
  request.set_name(*name);
  request.set_reason(reason);
  const auto key = (*client)->Call(&Operators::RevokeApiKey, request);
  if (!key.ok()) return session.Fail(key.failure());
  Repeated<v1::ApiKey> rows;
  *rows.Add() = *key;
  session.output().Show(*key, ApiKeyTable(rows, session.Now()), {key->name()});
  return ExitCode::kOk;
}

void AddKeyCommands(CLI::App& root, Action& chosen) {
  CLI::App* keys =
      AddCommand(root, "keys", "Makes, lists, exchanges and revokes API keys",
                 "  umask 077; allot keys create --role member --institute snu > member.key\n"
                 "  allot keys list\n"
                 "  umask 077; allot keys rotate k3f9a0c2m1x7 > new.key\n"
                 "  allot keys revoke k3f9a0c2m1x7 --reason \"has left\"");
  keys->require_subcommand(1);

  auto flags = std::make_shared<KeyFlags>();
  CLI::App* create =
      AddCommand(*keys, "create", "Makes a key; its secret alone goes to stdout, this once",
                 "  umask 077; allot keys create --role member --institute snu > member.key\n"
                 "  allot keys create --role provider --provider naver --display-name agents");
  create->add_option("--role", flags->role, kKeyRoles)->required();
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
      "  umask 077; allot keys rotate k3f9a0c2m1x7 --overlap 7d > new.key");
  rotate->add_option("key", rotated->key, "As 'allot keys list' prints it")->required();
  rotate->add_option("--overlap", rotated->overlap, "How long the old one goes on, 0s to 30d (1d)");
  rotate->callback([&chosen, rotated] {
    chosen = [rotated](Session& session) { return RotateKey(session, *rotated); };
  });

  CLI::App* list = AddCommand(*keys, "list", "Lists keys, revoked ones too", "  allot keys list");
  list->callback([&chosen] { chosen = ListKeys; });

  auto name = std::make_shared<std::string>();
  auto reason = std::make_shared<std::string>();
  CLI::App* revoke = AddCommand(*keys, "revoke", "Revokes a key for good, at once",
                                "  allot keys revoke k3f9a0c2m1x7 --reason \"has left\"");
  revoke->add_option("key", *name, "As 'allot keys list' prints it")->required();
  revoke->add_option("--reason", *reason, "Why; kept in the audit")->required();
  revoke->callback([&chosen, name, reason] {
    chosen = [name, reason](Session& session) { return RevokeKey(session, *name, *reason); };
  });
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
}

}  // namespace allot::cli
