#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include <nlohmann/json.hpp>

#include "allot/oidc/token_verifier.h"

namespace allot::oidc {

/// What a token says of itself. Nothing of it is known to be true.
struct Token {
  std::string algorithm;
  std::string type;
  std::string key_id;
  bool critical = false;
  nlohmann::json claims;

  std::string issuer() const;
  bool IsFor(const std::string& audience) const;
  /// A NumericDate, its fraction cut off; nothing when it is missing or none.
  std::optional<Instant> TimeOf(const char* claim) const;
};

std::variant<Token, TokenFault> ReadToken(std::string_view text);

}  // namespace allot::oidc
