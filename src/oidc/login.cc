#include "allot/oidc/login.h"

#include <utility>

#include "allot/base/text.h"
#include "oidc/discovery.h"
#include "oidc/json_object.h"
#include "oidc/token.h"

namespace allot::oidc {
namespace {

constexpr long kHttpOk = 200;
constexpr int64_t kSecondsMax = 366 * 86'400;

HttpOptions HttpOf(const LoginClient& client) {
  return {.ca_file = client.ca_file, .give_up = nullptr};
}

/// A whole number of seconds that is there and makes sense.
std::optional<Seconds> SecondsIn(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  const double count = found->get<double>();
  if (!(count >= 0 && count <= static_cast<double>(kSecondsMax))) return std::nullopt;
  return Seconds{static_cast<int64_t>(count)};
}

/// What people are shown comes from elsewhere: a line of plain text.
std::string Shown(const nlohmann::json& object, const char* name) {
  const std::string text = TextIn(object, name).value_or("");
  return IsPlainText(text) ? text : Printable(text);
}

struct Posted {
  nlohmann::json object;
  std::optional<Refused> refused;
};

Result<Posted> Post(const std::string& url, const Form& form, const HttpOptions& http) {
  ALLOT_ASSIGN_OR_RETURN(const auto answer, HttpPost(url, form, http));
  auto object = ParseObject(answer.body);
  if (!object) {
    return StateError(
        Reason::kIssuerUnavailable,
        url + " answers with HTTP status " + std::to_string(answer.status) + " and no JSON object");
  }
  Posted posted{.object = *std::move(object), .refused = std::nullopt};
  const std::string error = Shown(posted.object, "error");
  if (answer.status == kHttpOk && error.empty()) return posted;
  posted.refused = Refused{error.empty() ? "HTTP status " + std::to_string(answer.status) : error,
                           Shown(posted.object, "error_description")};
  return posted;
}

Result<Answered<Tokens>> PostForTokens(const LoginClient& client, const LoginEndpoints& endpoints,
                                       const Form& form) {
  ALLOT_ASSIGN_OR_RETURN(const auto posted, Post(endpoints.token, form, HttpOf(client)));
  if (posted.refused) return Answered<Tokens>{.given = std::nullopt, .refused = *posted.refused};
  Tokens tokens{.access_token = TextIn(posted.object, "access_token").value_or(""),
                .refresh_token = TextIn(posted.object, "refresh_token").value_or(""),
                .expires_in = SecondsIn(posted.object, "expires_in")};
  for (const std::string& token : {tokens.access_token, tokens.refresh_token}) {
    if (!IsPlainText(token)) {
      return StateError(Reason::kIssuerUnavailable, endpoints.token + " answers with no token");
    }
  }
  if (tokens.access_token.empty()) {
    return StateError(Reason::kIssuerUnavailable, endpoints.token + " answers without a token");
  }
  return Answered<Tokens>{.given = std::move(tokens), .refused = {}};
}

}  // namespace

Result<LoginEndpoints> FindLoginEndpoints(const LoginClient& client) {
  ALLOT_ASSIGN_OR_RETURN(const auto document, Discover(client.issuer, HttpOf(client)));
  LoginEndpoints found;
  ALLOT_ASSIGN_OR_RETURN(found.device_authorization,
                         EndpointIn(document, "device_authorization_endpoint"));
  ALLOT_ASSIGN_OR_RETURN(found.token, EndpointIn(document, "token_endpoint"));
  if (document.contains("revocation_endpoint")) {
    ALLOT_ASSIGN_OR_RETURN(found.revocation, EndpointIn(document, "revocation_endpoint"));
  }
  return found;
}

Result<Answered<DeviceCode>> AskForDeviceCode(const LoginClient& client,
                                              const LoginEndpoints& endpoints,
                                              const std::string& scope) {
  ALLOT_ASSIGN_OR_RETURN(const auto posted,
                         Post(endpoints.device_authorization,
                              {{"client_id", client.client_id}, {"scope", scope}}, HttpOf(client)));
  if (posted.refused) {
    return Answered<DeviceCode>{.given = std::nullopt, .refused = *posted.refused};
  }
  DeviceCode code{.device_code = TextIn(posted.object, "device_code").value_or(""),
                  .user_code = Shown(posted.object, "user_code"),
                  .verification_uri = Shown(posted.object, "verification_uri"),
                  .verification_uri_complete = Shown(posted.object, "verification_uri_complete"),
                  .expires_in = SecondsIn(posted.object, "expires_in").value_or(Minutes(10))};
  code.interval = SecondsIn(posted.object, "interval").value_or(code.interval);
  if (code.device_code.empty() || code.user_code.empty() || code.verification_uri.empty()) {
    return StateError(Reason::kIssuerUnavailable,
                      endpoints.device_authorization + " answers without a code");
  }
  return Answered<DeviceCode>{.given = std::move(code), .refused = {}};
}

Result<Answered<Tokens>> AskForTokens(const LoginClient& client, const LoginEndpoints& endpoints,
                                      const std::string& device_code) {
  return PostForTokens(client, endpoints,
                       {{"grant_type", "urn:ietf:params:oauth:grant-type:device_code"},
                        {"device_code", device_code},
                        {"client_id", client.client_id}});
}

Result<Answered<Tokens>> Refresh(const LoginClient& client, const LoginEndpoints& endpoints,
                                 const std::string& refresh_token) {
  return PostForTokens(client, endpoints,
                       {{"grant_type", "refresh_token"},
                        {"refresh_token", refresh_token},
                        {"client_id", client.client_id}});
}

Status Revoke(const LoginClient& client, const LoginEndpoints& endpoints,
              const std::string& refresh_token) {
  ALLOT_ASSIGN_OR_RETURN(const auto answer, HttpPost(endpoints.revocation,
                                                     {{"token", refresh_token},
                                                      {"token_type_hint", "refresh_token"},
                                                      {"client_id", client.client_id}},
                                                     HttpOf(client)));
  if (answer.status == kHttpOk) return Ok{};
  return StateError(
      Reason::kIssuerUnavailable,
      endpoints.revocation + " answers with HTTP status " + std::to_string(answer.status));
}

std::optional<TokenNames> NamesIn(const std::string& token) {
  const auto read = ReadToken(token);
  const auto* found = std::get_if<Token>(&read);
  if (found == nullptr) return std::nullopt;
  return TokenNames{.issuer = Shown(found->claims, "iss"),
                    .subject = Shown(found->claims, "sub"),
                    .expire_time = found->TimeOf("exp")};
}

}  // namespace allot::oidc
