#pragma once

#include <optional>
#include <string>

#include "allot/base/result.h"
#include "allot/base/time.h"

namespace allot::oidc {

/// A program that people log in with (RFC 8628), as the issuer knows it.
struct LoginClient {
  /// An https URL, or an http one of this machine.
  std::string issuer;
  std::string client_id;
  /// PEM of the authority to believe; empty: the machine's own.
  std::string ca_file;
};

/// Where an issuer takes what; from its discovery document.
struct LoginEndpoints {
  std::string device_authorization;
  std::string token;
  /// Empty where it has none.
  std::string revocation;
};
/// issuer_unavailable, with what was wrong, when there are none.
Result<LoginEndpoints> FindLoginEndpoints(const LoginClient& client);

/// What the issuer refused with: "access_denied", "invalid_grant", …
struct Refused {
  std::string error;
  std::string description;
};

struct DeviceCode {
  std::string device_code;
  /// What the person types at `verification_uri`.
  std::string user_code;
  std::string verification_uri;
  /// With the code in it; may be empty.
  std::string verification_uri_complete;
  Seconds expires_in;
  /// Between two questions, at the least.
  Seconds interval{5};
};
struct Tokens {
  std::string access_token;
  /// Empty where the issuer gives none.
  std::string refresh_token;
  /// Nothing where the issuer does not say.
  std::optional<Seconds> expires_in;
};
/// One of the two.
template <class T>
struct Answered {
  std::optional<T> given;
  Refused refused;
};

Result<Answered<DeviceCode>> AskForDeviceCode(const LoginClient& client,
                                              const LoginEndpoints& endpoints,
                                              const std::string& scope);
/// Refused with "authorization_pending" or "slow_down" as long as the person has not answered.
Result<Answered<Tokens>> AskForTokens(const LoginClient& client, const LoginEndpoints& endpoints,
                                      const std::string& device_code);
/// A refresh token may be good once only: what comes back, if anything, replaces it.
Result<Answered<Tokens>> Refresh(const LoginClient& client, const LoginEndpoints& endpoints,
                                 const std::string& refresh_token);
/// Ends a refresh token at the issuer.
Status Revoke(const LoginClient& client, const LoginEndpoints& endpoints,
              const std::string& refresh_token);

/// What a token says of its holder, whether it is true or not; for showing it to its holder.
struct TokenNames {
  std::string issuer;
  std::string subject;
  std::optional<Instant> expire_time;
};
/// Nothing when it is no signed JWT.
std::optional<TokenNames> NamesIn(const std::string& token);

}  // namespace allot::oidc
