#pragma once

#include <nlohmann/json.hpp>

#include "oidc/http.h"

namespace allot::oidc {

/// A JSON object that is fetched.
Result<nlohmann::json> FetchObject(const std::string& url, const HttpOptions& options);
/// What an issuer says of itself at its well-known place. It must call itself by that URL, to the
/// letter: else who speaks for one issuer would name the keys of another.
Result<nlohmann::json> Discover(const std::string& issuer, const HttpOptions& options);
/// An endpoint out of it, one that may be called.
Result<std::string> EndpointIn(const nlohmann::json& document, const char* name);

}  // namespace allot::oidc
