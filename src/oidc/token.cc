#include "oidc/token.h"

#include <algorithm>
#include <array>
#include <utility>

#include "oidc/base64url.h"
#include "oidc/json_object.h"

namespace allot::oidc {
namespace {

constexpr std::size_t kKeyIdBytesMax = 256;
/// 9999-12-31: beyond, no date.
constexpr double kSecondsMax = 253'402'300'799.0;

/// Header, payload and signature; nothing unless there are three, each as it has to be spelt.
std::optional<std::array<std::string_view, 3>> PartsOf(std::string_view text) {
  const std::size_t first = text.find('.');
  const std::size_t last = text.rfind('.');
  if (first == std::string_view::npos || first == last) return std::nullopt;
  const std::string_view payload = text.substr(first + 1, last - first - 1);
  if (payload.find('.') != std::string_view::npos) return std::nullopt;
  const std::array parts{text.substr(0, first), payload, text.substr(last + 1)};
  if (!std::ranges::all_of(parts, IsBase64Url)) return std::nullopt;
  return parts;
}

std::optional<nlohmann::json> ObjectIn(std::string_view part) {
  const auto text = DecodeBase64Url(part);
  return text ? ParseObject(*text) : std::nullopt;
}

/// Without "application/", in small letters: types are the same in either.
std::string ShortType(std::string type) {
  constexpr std::string_view kPrefix = "application/";
  std::ranges::transform(type, type.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return type.starts_with(kPrefix) ? type.substr(kPrefix.size()) : type;
}

}  // namespace

std::string Token::issuer() const { return TextIn(claims, "iss").value_or(""); }

bool Token::IsFor(const std::string& audience) const {
  const auto names = [&](const nlohmann::json& one) {
    return one.is_string() && one.get_ref<const std::string&>() == audience;
  };
  const auto found = claims.find("aud");
  if (found == claims.end()) return false;
  return found->is_array() ? std::ranges::any_of(*found, names) : names(*found);
}

std::optional<Instant> Token::TimeOf(const char* claim) const {
  const auto found = claims.find(claim);
  if (found == claims.end() || !found->is_number()) return std::nullopt;
  const double seconds = found->get<double>();
  if (!(seconds >= 0 && seconds <= kSecondsMax)) return std::nullopt;
  return Instant::FromSeconds(static_cast<int64_t>(seconds));
}

std::variant<Token, TokenFault> ReadToken(std::string_view text) {
  if (text.size() > kTokenBytesMax) return TokenFault::kTooLarge;
  const auto parts = PartsOf(text);
  if (!parts) return TokenFault::kMalformed;
  const auto header = ObjectIn(parts->at(0));
  auto claims = ObjectIn(parts->at(1));
  if (!header || !claims) return TokenFault::kMalformed;
  Token token{.algorithm = TextIn(*header, "alg").value_or(""),
              .type = ShortType(TextIn(*header, "typ").value_or("")),
              .key_id = TextIn(*header, "kid").value_or(""),
              .critical = header->contains("crit"),
              .claims = *std::move(claims)};
  if (token.key_id.size() > kKeyIdBytesMax) return TokenFault::kMalformed;
  return token;
}

}  // namespace allot::oidc
