#include "oidc/public_key.h"

#include <cjose/cjose.h>

#include <algorithm>
#include <utility>

#include "oidc/base64url.h"
#include "oidc/json_object.h"

namespace allot::oidc {
namespace {

constexpr std::size_t kKeyIdBytesMax = 256;
constexpr std::size_t kRsaBitsMin = 2'048;
constexpr std::size_t kRsaBitsMax = 8'192;

/// 64 bytes.
constexpr std::size_t kEs256SignatureDigits = 86;

/// Of base64url, behind the last dot.
std::size_t SignatureDigits(std::string_view token) {
  return token.size() - (token.rfind('.') + 1);
}

/// Made for signatures, as far as it says.
bool IsForSignatures(const nlohmann::json& jwk) {
  if (jwk.contains("use") && TextIn(jwk, "use") != "sig") return false;
  const auto operations = jwk.find("key_ops");
  if (operations == jwk.end()) return true;
  return operations->is_array() && std::ranges::any_of(*operations, [](const auto& operation) {
           return operation.is_string() && operation.template get<std::string>() == "verify";
         });
}

/// The public half alone, so that nothing else of what was published is looked at.
std::optional<nlohmann::json> PublicHalf(const nlohmann::json& jwk, const std::string& kind) {
  nlohmann::json half = {{"kty", kind}};
  const auto take = [&](const char* name) {
    const auto number = TextIn(jwk, name);
    if (!number || number->empty() || !IsBase64Url(*number)) return false;
    half[name] = *number;
    return true;
  };
  if (kind == "RSA") {
    if (!take("n") || !take("e")) return std::nullopt;
  } else {
    if (TextIn(jwk, "crv") != "P-256") return std::nullopt;
    half["crv"] = "P-256";
    if (!take("x") || !take("y")) return std::nullopt;
  }
  return half;
}

}  // namespace

struct PublicKey::Key {
  cjose_jwk_t* jwk = nullptr;
  ~Key() { cjose_jwk_release(jwk); }
};

PublicKey::~PublicKey() = default;

std::shared_ptr<const PublicKey> PublicKey::FromJwk(const nlohmann::json& jwk) {
  if (!jwk.is_object() || !IsForSignatures(jwk)) return nullptr;
  const auto id = TextIn(jwk, "kid");
  const auto kind = TextIn(jwk, "kty");
  if (!id || id->empty() || id->size() > kKeyIdBytesMax) return nullptr;
  if (kind != "RSA" && kind != "EC") return nullptr;
  std::optional<Algorithm> only_for;
  if (jwk.contains("alg")) {
    only_for = ParseAlgorithm(TextIn(jwk, "alg").value_or(""));
    if (!only_for) return nullptr;
  }
  const auto half = PublicHalf(jwk, *kind);
  if (!half) return nullptr;

  const std::string text = half->dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
  cjose_err problem{};
  auto key = std::make_unique<Key>();
  key->jwk = cjose_jwk_import(text.data(), text.size(), &problem);
  if (key->jwk == nullptr) return nullptr;
  const std::size_t bits = cjose_jwk_get_keysize(key->jwk, &problem);
  const bool is_rsa = *kind == "RSA";
  if (is_rsa && (bits < kRsaBitsMin || bits > kRsaBitsMax)) return nullptr;

  std::shared_ptr<PublicKey> made(new PublicKey());
  made->id_ = *id;
  made->text_ = *id + text + std::string(only_for ? Name(*only_for) : "");
  made->is_rsa_ = is_rsa;
  made->only_for_ = only_for;
  made->key_ = std::move(key);
  return made;
}

bool PublicKey::Fits(Algorithm algorithm) const {
  if (only_for_ && *only_for_ != algorithm) return false;
  return is_rsa_ == (algorithm != Algorithm::kEs256);
}

bool PublicKey::Signed(const std::string& token, Algorithm algorithm) const {
  cjose_err problem{};
  const std::unique_ptr<cjose_jws_t, decltype(&cjose_jws_release)> jws(
      cjose_jws_import(token.data(), token.size(), &problem), cjose_jws_release);
  if (!jws) return false;
  // The library goes by the header as it reads it: it must not read another algorithm than we did.
  const char* const said =
      cjose_header_get(cjose_jws_get_protected(jws.get()), CJOSE_HDR_ALG, &problem);
  if (said == nullptr || said != Name(algorithm)) return false;
  // Both numbers at their whole length (RFC 7518, 3.4): the library takes shorter and longer ones,
  // and a token must have one spelling.
  if (algorithm == Algorithm::kEs256 && SignatureDigits(token) != kEs256SignatureDigits) {
    return false;
  }
  return cjose_jws_verify(jws.get(), key_->jwk, &problem);
}

}  // namespace allot::oidc
