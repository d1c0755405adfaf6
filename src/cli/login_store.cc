#include "cli/login_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "cli/text.h"

namespace allot::cli {
namespace {

using nlohmann::ordered_json;

constexpr mode_t kOwnerOnly = 0600;
/// A token that ends within it is renewed first: calls take time.
constexpr Seconds kSpare{60};

Failure Unusable(const std::string& path, const std::string& what) {
  Failure failure = FailureOf(StateError(Reason::kCredentialMissing, path + " " + what));
  failure.advice = "Mend or remove the file, then 'allot login' again.";
  return failure;
}

std::string WordsOf(int error) {
  return std::strerror(error);  // NOLINT(concurrency-mt-unsafe): one thread by then
}

std::string TextIn(const ordered_json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

Login LoginIn(const ordered_json& entry) {
  return {.client = {.issuer = TextIn(entry, "issuer"),
                     .client_id = TextIn(entry, "client_id"),
                     .ca_file = TextIn(entry, "ca_file")},
          .access_token = TextIn(entry, "access_token"),
          .refresh_token = TextIn(entry, "refresh_token"),
          .expire_time = ParseRfc3339(TextIn(entry, "expire_time"))};
}

ordered_json EntryFor(const Login& login) {
  ordered_json entry = {{"issuer", login.client.issuer},
                        {"client_id", login.client.client_id},
                        {"ca_file", login.client.ca_file},
                        {"access_token", login.access_token},
                        {"refresh_token", login.refresh_token}};
  if (login.expire_time) entry["expire_time"] = FormatRfc3339(*login.expire_time);
  return entry;
}

/// All logins; an empty object when there is no file.
Outcome<ordered_json> ReadAll(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return ordered_json(ordered_json::object());
    return Unusable(path, "cannot be read: " + WordsOf(errno));
  }
  if ((status.st_mode & 0077U) != 0) {
    return Unusable(path, "may be read by others: chmod 600 it if nobody did");
  }
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto logins = ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!file || !logins.is_object()) return Unusable(path, "holds no logins");
  return logins;
}

/// Whole or not at all, and never for others to read.
std::optional<Failure> WriteAll(const std::string& path, const ordered_json& logins) {
  const std::string fresh = path + ".new";
  const std::string text =
      logins.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
  ::unlink(fresh.c_str());
  const int file = ::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kOwnerOnly);
  bool written =
      file >= 0 && ::write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  written = written && ::fsync(file) == 0;
  const int error = errno;
  if (file >= 0) ::close(file);
  if (!written) return Unusable(fresh, "cannot be written: " + WordsOf(error));
  if (::rename(fresh.c_str(), path.c_str()) != 0) {
    return Unusable(path, "cannot be written: " + WordsOf(errno));
  }
  return std::nullopt;
}

/// Fresh tokens for a login that ends; what the issuer does not give again stays.
Outcome<Login> Renewed(const Login& login, Instant now) {
  const auto endpoints = oidc::FindLoginEndpoints(login.client);
  if (!endpoints.ok()) return FailureOf(endpoints.error());
  const auto answer = oidc::Refresh(login.client, *endpoints, login.refresh_token);
  if (!answer.ok()) return FailureOf(answer.error());
  if (!answer->given) {
    Failure failure = FailureOf(StateError(
        Reason::kCredentialMissing, login.client.issuer + " does not renew the login: " +
                                        answer->refused.error + " " + answer->refused.description));
    failure.advice = "Log in again: 'allot login'.";
    return failure;
  }
  Login renewed = LoginWith(login.client, *answer->given, now);
  if (renewed.refresh_token.empty()) renewed.refresh_token = login.refresh_token;
  return renewed;
}

}  // namespace

Login LoginWith(const oidc::LoginClient& client, const oidc::Tokens& tokens, Instant now) {
  Login login{.client = client,
              .access_token = tokens.access_token,
              .refresh_token = tokens.refresh_token,
              .expire_time = std::nullopt};
  if (tokens.expires_in) {
    login.expire_time = now + *tokens.expires_in;
  } else if (const auto names = oidc::NamesIn(tokens.access_token)) {
    login.expire_time = names->expire_time;
  }
  return login;
}

std::optional<std::string> LoginStore::PathFor(const Environment& environment) {
  if (const auto folder = environment.variable("XDG_CONFIG_HOME")) {
    return *folder + "/allot/logins.json";
  }
  if (const auto home = environment.variable("HOME")) return *home + "/.config/allot/logins.json";
  return std::nullopt;
}

bool LoginStore::Exists(const Environment& environment) {
  const auto path = PathFor(environment);
  std::error_code unknown;
  return path && std::filesystem::exists(*path, unknown);
}

Outcome<std::unique_ptr<LoginStore>> LoginStore::Open(const Environment& environment) {
  const auto path = PathFor(environment);
  if (!path) return Unusable("the folder for logins", "is not known: HOME is not set");
  const std::filesystem::path folder = std::filesystem::path(*path).parent_path();
  std::error_code error;
  if (std::filesystem::create_directories(folder, error)) {
    std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  }
  const std::string lock_path = *path + ".lock";
  const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kOwnerOnly);
  if (lock < 0) return Unusable(lock_path, "cannot be made: " + WordsOf(errno));
  while (::flock(lock, LOCK_EX) != 0 && errno == EINTR) {
  }
  return std::unique_ptr<LoginStore>(new LoginStore(*path, lock));
}

LoginStore::~LoginStore() { ::close(lock_); }

Outcome<std::optional<Login>> LoginStore::Find(const std::string& server) const {
  const auto logins = ReadAll(path_);
  if (!logins.ok()) return logins.failure();
  const auto found = logins->find(server);
  if (found == logins->end() || !found->is_object()) return std::optional<Login>();
  return std::optional<Login>(LoginIn(*found));
}

std::optional<Failure> LoginStore::Put(const std::string& server,
                                       const std::optional<Login>& login) {
  auto logins = ReadAll(path_);
  if (!logins.ok()) return logins.failure();
  if (login) {
    (*logins)[server] = EntryFor(*login);
  } else {
    logins->erase(server);
  }
  return WriteAll(path_, *logins);
}

Outcome<std::optional<std::string>> TokenFor(const std::string& server,
                                             const Environment& environment) {
  if (!LoginStore::Exists(environment)) return std::optional<std::string>();
  const auto store = LoginStore::Open(environment);
  if (!store.ok()) return store.failure();
  const auto login = (*store)->Find(server);
  if (!login.ok()) return login.failure();
  if (!*login) return std::optional<std::string>();
  const Instant now = environment.clock.Now();
  const auto& expires = (*login)->expire_time;
  const bool lasts = !expires || now + kSpare < *expires;
  if (lasts) return std::optional((*login)->access_token);
  if ((*login)->refresh_token.empty()) {
    // To its last second it is good.
    if (now < *expires) return std::optional((*login)->access_token);
    Failure failure =
        FailureOf(StateError(Reason::kCredentialMissing,
                             "the login for " + server + " ended " + Relative(*expires, now)));
    failure.advice = "Log in again: 'allot login'.";
    return failure;
  }
  const auto renewed = Renewed(**login, now);
  if (!renewed.ok()) {
    // An issuer that is away takes nothing from a token that is still good.
    const bool good =
        now < *expires && renewed.failure().reason == Name(Reason::kIssuerUnavailable);
    if (good) return std::optional((*login)->access_token);
    return renewed.failure();
  }
  if (const auto failure = (*store)->Put(server, *renewed)) {
    environment.err << "the renewed login is not kept: " << Harmless(failure->message)
                    << "; the next command may have to log in again" << std::endl;
  }
  return std::optional(renewed->access_token);
}

}  // namespace allot::cli
