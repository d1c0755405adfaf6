#include "apps/allotd/identity_config.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "allot/base/text.h"

namespace allot::allotd {
namespace {

constexpr std::size_t kTextBytesMax = 255;
constexpr std::size_t kIssuersMax = 16;

bool IsUrl(std::string_view text) { return oidc::IsAllowedUrl(std::string(text)); }
bool IsWord(std::string_view text) {
  return !text.empty() && text.size() <= kTextBytesMax && IsPlainText(text);
}
bool IsPath(std::string_view text) { return !text.empty() && IsPlainText(text); }
bool IsAlgorithm(std::string_view text) { return oidc::ParseAlgorithm(text).has_value(); }
/// As it stands in tokens: in small letters, without "application/".
bool IsTokenType(std::string_view text) {
  return text == "at+jwt" || text == "jwt" || text == "JWT";
}

oidc::Issuer ReadIssuer(YamlFields fields) {
  oidc::Issuer issuer;
  const std::string url = "an https URL, or an http one of this machine";
  fields.Read("issuer", issuer.url, url, IsUrl);
  fields.Read("audience", issuer.audience, "1 to 255 printable characters", IsWord);
  fields.Require("issuer", url);
  fields.Require("audience", "the name of this service at the issuer");
  std::vector<std::string> algorithms;
  fields.Read("algorithms", algorithms, "a list of RS256, PS256 and ES256", IsAlgorithm);
  if (!algorithms.empty()) issuer.algorithms.clear();
  for (const std::string& name : algorithms) {
    if (const auto algorithm = oidc::ParseAlgorithm(name)) issuer.algorithms.push_back(*algorithm);
  }
  fields.Read("token_type", issuer.token_type, "at+jwt or JWT", IsTokenType);
  if (issuer.token_type == "JWT") issuer.token_type = "jwt";
  fields.Read("jwks_uri", issuer.jwks_uri, url, IsUrl);
  fields.Read("ca_file", issuer.ca_file, "the path of a file of PEM", IsPath);
  fields.Read("keys_refresh", issuer.keys_refresh, Seconds{1}, Days(1));
  fields.Read("keys_max_age", issuer.keys_max_age, Minutes(1), Days(7));
  fields.Read("token_lifetime_max", issuer.token_lifetime_max, Minutes(1), Days(7));
  if (issuer.keys_max_age < issuer.keys_refresh) {
    fields.Refuse("keys_max_age", "no less than keys_refresh");
  }
  fields.Finish();
  return issuer;
}

}  // namespace

void ReadIdentity(YamlFields identity, IdentityConfig& result) {
  constexpr Seconds kLeewayMax = Minutes(5);
  identity.Read("leeway", result.leeway, Seconds{0}, kLeewayMax);
  for (YamlFields& fields : identity.Mappings("issuers", kIssuersMax)) {
    const oidc::Issuer issuer = ReadIssuer(fields);
    const bool again = std::ranges::any_of(
        result.issuers, [&](const oidc::Issuer& other) { return other.url == issuer.url; });
    if (again) fields.Refuse("issuer", "each issuer once");
    result.issuers.push_back(issuer);
  }
  identity.Finish();
}

}  // namespace allot::allotd
