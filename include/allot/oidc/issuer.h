#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "allot/base/result.h"
#include "allot/base/time.h"

namespace allot::oidc {

/// How tokens may be signed: with a key pair of the issuer. There is no "none", and nothing with a
/// secret that both sides know.
enum class Algorithm : uint8_t { kRs256, kPs256, kEs256 };
/// "RS256", "PS256", "ES256".
std::string_view Name(Algorithm algorithm);
std::optional<Algorithm> ParseAlgorithm(std::string_view name);

/// Whose tokens are taken, and what must stand in them.
struct Issuer {
  /// "iss", to the letter; an https URL, or an http one of this machine.
  std::string url;
  /// What must be among "aud": the name of this service at the issuer.
  std::string audience;
  /// Only these, whatever a token says.
  std::vector<Algorithm> algorithms = {Algorithm::kRs256};
  /// "typ" of the header, without "application/".
  std::string token_type = "at+jwt";
  /// Where its keys are published; empty: where its discovery document says.
  std::string jwks_uri;
  /// PEM of the authority that its certificate is of; empty: the machine's own authorities.
  std::string ca_file;
  /// How often its keys are fetched.
  Seconds keys_refresh{300};
  /// For how long keys are good that could not be fetched again.
  Seconds keys_max_age = Hours(24);
  /// From "iat" to "exp" at the most.
  Seconds token_lifetime_max = Hours(24);
};

/// An https URL, or an http one of this machine: what a token, or a key for one, may come from.
bool IsAllowedUrl(const std::string& url);

}  // namespace allot::oidc
