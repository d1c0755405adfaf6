#pragma once

#include <memory>
#include <optional>
#include <string>

#include "allot/cli/command_line.h"
#include "allot/oidc/login.h"
#include "cli/failure.h"

namespace allot::cli {

/// What a person's login for one server left.
struct Login {
  oidc::LoginClient client;
  std::string access_token;
  /// Empty where the issuer gave none.
  std::string refresh_token;
  /// Nothing where nobody says.
  std::optional<Instant> expire_time;
};

/// A login from what an issuer gave.
Login LoginWith(const oidc::LoginClient& client, const oidc::Tokens& tokens, Instant now);

/// Logins by server, in a file of the user's configuration that the user alone may read
/// (`$XDG_CONFIG_HOME/allot/logins.json`, or `~/.config/allot/logins.json`). A token goes to the
/// server that it was made for and to no other. While it is open nobody else changes it: two that
/// used one refresh token would lose the login.
class LoginStore {
 public:
  /// Where it would be; nothing for a user without a home.
  static std::optional<std::string> PathFor(const Environment& environment);
  /// Whether there is one at all: nothing is made.
  static bool Exists(const Environment& environment);
  static Outcome<std::unique_ptr<LoginStore>> Open(const Environment& environment);
  ~LoginStore();
  LoginStore(const LoginStore&) = delete;
  LoginStore& operator=(const LoginStore&) = delete;

  Outcome<std::optional<Login>> Find(const std::string& server) const;
  /// Nothing forgets it.
  std::optional<Failure> Put(const std::string& server, const std::optional<Login>& login);

 private:
  LoginStore(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}

  const std::string path_;
  const int lock_;
};

/// The token of the login for a server, a fresh one if it is about to end. Nothing when there is no
/// login for it; credential_missing when it ended and cannot be renewed.
Outcome<std::optional<std::string>> TokenFor(const std::string& server,
                                             const Environment& environment);

}  // namespace allot::cli
