#include "oidc/discovery.h"

#include "allot/oidc/issuer.h"
#include "oidc/json_object.h"

namespace allot::oidc {
namespace {

constexpr long kHttpOk = 200;

Error Unusable(const std::string& what) { return StateError(Reason::kIssuerUnavailable, what); }

}  // namespace

Result<nlohmann::json> FetchObject(const std::string& url, const HttpOptions& options) {
  ALLOT_ASSIGN_OR_RETURN(const auto answer, HttpGet(url, options));
  if (answer.status != kHttpOk) {
    return Unusable(url + " answers with HTTP status " + std::to_string(answer.status));
  }
  auto object = ParseObject(answer.body);
  if (!object) return Unusable(url + " answers with no JSON object");
  return *std::move(object);
}

Result<nlohmann::json> Discover(const std::string& issuer, const HttpOptions& options) {
  const std::string base = issuer.ends_with('/') ? issuer.substr(0, issuer.size() - 1) : issuer;
  ALLOT_ASSIGN_OR_RETURN(auto document,
                         FetchObject(base + "/.well-known/openid-configuration", options));
  const std::string itself = TextIn(document, "issuer").value_or("");
  if (itself != issuer) {
    return Unusable(issuer + " calls itself '" + Printable(itself) + "': use that as the issuer");
  }
  return document;
}

Result<std::string> EndpointIn(const nlohmann::json& document, const char* name) {
  auto url = TextIn(document, name);
  if (!url) return Unusable("the issuer has no " + std::string(name));
  if (!IsAllowedUrl(*url)) {
    return Unusable(std::string(name) + " " + Printable(*url) +
                    " is neither https nor of this machine");
  }
  return *std::move(url);
}

}  // namespace allot::oidc
