#include "allot/oidc/issuer.h"

#include <curl/curl.h>

#include <array>
#include <memory>
#include <utility>

#include "allot/base/text.h"

namespace allot::oidc {
namespace {

constexpr std::array<std::pair<Algorithm, std::string_view>, 3> kAlgorithms = {
    {{Algorithm::kRs256, "RS256"}, {Algorithm::kPs256, "PS256"}, {Algorithm::kEs256, "ES256"}}};

constexpr std::size_t kUrlBytesMax = 500;

/// Empty when the URL has no such part.
std::string Part(CURLU* url, CURLUPart which) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, 0) != CURLUE_OK) return {};
  std::string part = text;
  curl_free(text);
  return part;
}

bool IsThisMachine(const std::string& host) {
  const bool address = host.find_first_not_of("0123456789.") == std::string::npos;
  return host == "localhost" || host == "[::1]" || (address && host.starts_with("127."));
}

}  // namespace

std::string_view Name(Algorithm algorithm) {
  for (const auto& [value, name] : kAlgorithms) {
    if (value == algorithm) return name;
  }
  return "";
}

std::optional<Algorithm> ParseAlgorithm(std::string_view name) {
  for (const auto& [value, its_name] : kAlgorithms) {
    if (its_name == name) return value;
  }
  return std::nullopt;
}

bool IsAllowedUrl(const std::string& url) {
  if (url.size() > kUrlBytesMax || !IsPlainText(url)) return false;
  const std::unique_ptr<CURLU, decltype(&curl_url_cleanup)> parsed(curl_url(), curl_url_cleanup);
  if (!parsed || curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) {
    return false;
  }
  const std::string host = Part(parsed.get(), CURLUPART_HOST);
  const std::string scheme = Part(parsed.get(), CURLUPART_SCHEME);
  const bool plain = Part(parsed.get(), CURLUPART_USER).empty() &&
                     Part(parsed.get(), CURLUPART_PASSWORD).empty() &&
                     Part(parsed.get(), CURLUPART_FRAGMENT).empty();
  return plain && !host.empty() && (scheme == "https" || (scheme == "http" && IsThisMachine(host)));
}

}  // namespace allot::oidc
