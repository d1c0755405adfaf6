#pragma once

#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "support/test_issuer.h"

namespace allot::testing {

std::string Base64Url(std::string_view bytes);
/// "RS256", "PS256", "ES256"; "HS256" with the public key's PEM as the secret; "none".
std::string SignatureOf(std::string_view text, KeyPair pair, const std::string& algorithm);
/// The public half, without an id.
nlohmann::json JwkOf(KeyPair pair);

/// A new key of Ed25519: `NAME.key` and its public half, `NAME.pub`, as PEM in a folder.
struct SigningKeyFiles {
  SigningKeyFiles(const std::string& folder, const std::string& name);
  std::string key;
  std::string public_half;
};

}  // namespace allot::testing
