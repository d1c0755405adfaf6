#include <algorithm>
#include <filesystem>
#include <memory>

#include "cli/commands.h"
#include "cli/login_store.h"
#include "cli/text.h"
#include "cli/views.h"

namespace allot::cli {
namespace {

struct LoginFlags {
  std::string issuer;
  std::string client_id;
  std::string scope = "openid offline_access";
  std::string ca_file;
};

/// What "slow_down" adds (RFC 8628, 3.5).
constexpr Seconds kSlowDown{5};
constexpr Seconds kIntervalMin{1};
/// However long the issuer does not answer.
constexpr Seconds kIntervalMax{60};

Failure RefusedBy(const std::string& issuer, const oidc::Refused& refused) {
  Failure failure = FailureOf(
      StateError(Reason::kCredentialInvalid,
                 issuer + " refuses: " + refused.error +
                     (refused.description.empty() ? "" : " (" + refused.description + ")")));
  failure.advice = refused.error == "access_denied"
                       ? "The code was turned down where you opened it: 'allot login' again."
                       : "Check --client-id and --scope with whoever runs the issuer.";
  return failure;
}

/// `problem`: the last that kept it from asking; may be empty.
Failure NobodyAnswered(const std::string& problem) {
  Failure failure = FailureOf(
      StateError(Reason::kCredentialMissing,
                 "the code ended before it was used" +
                     (problem.empty() ? "" : "; the issuer could not be asked: " + problem)));
  failure.advice = "Log in again: 'allot login'.";
  return failure;
}

/// Asks until the person has answered at the issuer, never sooner than it allows.
Outcome<oidc::Tokens> AwaitTokens(const Session& session, const oidc::LoginClient& client,
                                  const oidc::LoginEndpoints& endpoints,
                                  const oidc::DeviceCode& code) {
  Seconds interval = std::max(code.interval, kIntervalMin);
  const Instant end = session.Now() + code.expires_in;
  std::string problem;
  for (;;) {
    session.environment().pause(std::clamp(Between(session.Now(), end), kIntervalMin, interval));
    if (session.Now() >= end) return NobodyAnswered(problem);
    const auto answer = oidc::AskForTokens(client, endpoints, code.device_code);
    // A connection that broke off is no answer: ask again, later (RFC 8628, 3.5).
    if (!answer.ok()) {
      problem = answer.error().message;
      interval = std::max(interval, std::min(interval + interval, kIntervalMax));
      continue;
    }
    problem.clear();
    if (answer->given) return *answer->given;
    const std::string& error = answer->refused.error;
    if (error == "expired_token") return NobodyAnswered(problem);
    if (error == "slow_down") {
      interval = interval + kSlowDown;
    } else if (error != "authorization_pending") {
      return RefusedBy(client.issuer, answer->refused);
    }
  }
}

void ShowCode(const Session& session, const oidc::DeviceCode& code) {
  session.output().Note("open " + Harmless(code.verification_uri) + " and enter the code " +
                        Harmless(code.user_code));
  if (!code.verification_uri_complete.empty()) {
    session.output().Note("or open " + Harmless(code.verification_uri_complete));
  }
  session.output().Note("waiting; the code is good for " + FormatDuration(code.expires_in));
}

std::optional<Failure> Keep(const Session& session, const std::string& server,
                            const std::optional<Login>& login) {
  const auto store = LoginStore::Open(session.environment());
  if (!store.ok()) return store.failure();
  return (*store)->Put(server, login);
}

ExitCode LogIn(Session& session, const LoginFlags& flags) {
  const auto server = FindServerAddress(session.connection_flags(), session.environment());
  if (!server.ok()) return session.Fail(server.failure());
  // Renewed from whatever folder the next command is run in.
  const std::string ca_file =
      flags.ca_file.empty() ? "" : std::filesystem::absolute(flags.ca_file).string();
  const oidc::LoginClient client{
      .issuer = flags.issuer, .client_id = flags.client_id, .ca_file = ca_file};
  const auto endpoints = oidc::FindLoginEndpoints(client);
  if (!endpoints.ok()) return session.Fail(FailureOf(endpoints.error()));
  const auto code = oidc::AskForDeviceCode(client, *endpoints, flags.scope);
  if (!code.ok()) return session.Fail(FailureOf(code.error()));
  if (!code->given) return session.Fail(RefusedBy(client.issuer, code->refused));
  ShowCode(session, *code->given);
  const auto tokens = AwaitTokens(session, client, *endpoints, *code->given);
  if (!tokens.ok()) return session.Fail(tokens.failure());
  const Login login = LoginWith(client, *tokens, session.Now());
  if (const auto failure = Keep(session, server->target, login)) return session.Fail(*failure);
  const auto names = oidc::NamesIn(login.access_token);
  session.output().Note(
      "logged in" + (names ? " as " + names->subject : std::string()) + " for " + server->target +
      (login.expire_time ? "; the token lasts until " + Moment(*login.expire_time, session.Now()) +
                               (login.refresh_token.empty() ? "" : " and is renewed")
                         : ""));
  return ExitCode::kOk;
}

/// The issuer forgets the login, too, if it can be told.
void EndAtIssuer(const Session& session, const Login& login) {
  if (login.refresh_token.empty()) return;
  const auto endpoints = oidc::FindLoginEndpoints(login.client);
  const auto said = [&](const std::string& what) {
    session.output().Note("the login was not ended at " + login.client.issuer + ": " + what);
  };
  if (!endpoints.ok()) return said(endpoints.error().message);
  if (endpoints->revocation.empty()) return said("it takes no such call");
  const Status ended = oidc::Revoke(login.client, *endpoints, login.refresh_token);
  if (!ended.ok()) said(ended.error().message);
}

ExitCode LogOut(Session& session) {
  const auto server = FindServerAddress(session.connection_flags(), session.environment());
  if (!server.ok()) return session.Fail(server.failure());
  const auto none = [&] {
    session.output().Note("there is no login for " + server->target);
    return ExitCode::kOk;
  };
  if (!LoginStore::Exists(session.environment())) return none();
  const auto store = LoginStore::Open(session.environment());
  if (!store.ok()) return session.Fail(store.failure());
  const auto login = (*store)->Find(server->target);
  if (!login.ok()) return session.Fail(login.failure());
  if (!*login) return none();
  if (const auto failure = (*store)->Put(server->target, std::nullopt)) {
    return session.Fail(*failure);
  }
  EndAtIssuer(session, **login);
  session.output().Note("logged out of " + server->target);
  return ExitCode::kOk;
}

/// What an admin needs to add the holder of a token that is good and of nobody known.
void ShowStranger(const Session& session) {
  const auto connection = FindConnection(session.connection_flags(), session.environment());
  const auto names = connection.ok() ? oidc::NamesIn(connection->key) : std::nullopt;
  if (!names) return;
  session.output().Note("issuer   " + names->issuer);
  session.output().Note("subject  " + names->subject);
}

ExitCode WhoAmI(Session& session) {
  const auto client = session.Connect();
  if (!client.ok()) return session.Fail(client.failure());
  const auto caller = (*client)->Call(&Members::WhoAmI, v1::WhoAmIRequest());
  if (!caller.ok()) {
    const std::string& reason = caller.failure().reason;
    if (reason == "member_unknown" || reason == "token_invalid") ShowStranger(session);
    return session.Fail(caller.failure());
  }
  session.output().Show(
      *caller, CallerText(*caller, session.Now()),
      {caller->has_member() ? caller->member().name() : caller->api_key().name()});
  return ExitCode::kOk;
}

}  // namespace

void AddLoginCommands(CLI::App& root, Action& chosen) {
  auto flags = std::make_shared<LoginFlags>();
  CLI::App* login = AddCommand(
      root, "login", "Logs a person in with the issuer that vouches for it, by a code",
      "  allot login --issuer https://id.example --client-id allot\n"
      "  allot --server pool.example:8443 login --issuer https://id.example --client-id allot");
  login->add_option("--issuer", flags->issuer, "Its URL")->required();
  login->add_option("--client-id", flags->client_id, "By which name the issuer knows this program")
      ->required();
  login->add_option("--scope", flags->scope, "What to ask for (openid offline_access)");
  login->add_option("--issuer-ca-file", flags->ca_file,
                    "PEM of the authority that the issuer's certificate is of");
  login->callback(
      [&chosen, flags] { chosen = [flags](Session& session) { return LogIn(session, *flags); }; });

  CLI::App* logout =
      AddCommand(root, "logout", "Forgets the login for the server, and ends it at the issuer",
                 "  allot logout\n  allot --server pool.example:8443 logout");
  logout->callback([&chosen] { chosen = LogOut; });

  CLI::App* who = AddCommand(root, "whoami", "Shows who the server takes you for",
                             "  allot whoami\n  allot --key-file snu.key whoami");
  who->callback([&chosen] { chosen = WhoAmI; });
}

}  // namespace allot::cli
