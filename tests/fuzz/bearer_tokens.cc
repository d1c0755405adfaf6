// A bearer token as it comes with a call, before anybody knows whether it is signed. What is read
// of it is bounded; what is not is one of the faults; nobody is believed who has no issuer; and
// what looks like a token has its signature judged, and is taken for a key as an issuer might
// publish it.
#include <memory>
#include <string>
#include <variant>

#include "allot/base/text.h"
#include "fuzz/support/property.h"
#include "oidc/public_key.h"
#include "oidc/token.h"

namespace allot::fuzz {
namespace {

void CheckToken(const oidc::Token& token, std::string_view text) {
  Require(text.size() <= oidc::kTokenBytesMax, "what is too large is no token");
  Require(IsUtf8(token.algorithm) && IsUtf8(token.type) && IsUtf8(token.key_id) &&
              IsUtf8(token.issuer()),
          "texts are UTF-8");
  static_cast<void>(token.IsFor("allot"));
  for (const char* claim : {"exp", "nbf", "iat"}) {
    const auto time = token.TimeOf(claim);
    if (time) Require(ParseRfc3339(FormatRfc3339(*time)) == *time, "a time can be written down");
  }
}

/// Keys whose other half nobody has: some number of 2,048 bits, and the generator of P-256.
const oidc::PublicKey& KeyFor(oidc::Algorithm algorithm) {
  static const auto rsa = oidc::PublicKey::FromJwk(
      {{"kty", "RSA"}, {"kid", "k"}, {"n", std::string(340, 'w') + "ww"}, {"e", "AQAB"}});
  static const auto ec =
      oidc::PublicKey::FromJwk({{"kty", "EC"},
                                {"kid", "k"},
                                {"crv", "P-256"},
                                {"x", "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY"},
                                {"y", "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"}});
  Require(rsa && ec, "the keys are keys");
  return algorithm == oidc::Algorithm::kEs256 ? *ec : *rsa;
}

}  // namespace
}  // namespace allot::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  using namespace allot;
  const std::string_view text = fuzz::TextOf(data, size);
  const auto read = oidc::ReadToken(text);
  if (const auto* fault = std::get_if<oidc::TokenFault>(&read)) {
    fuzz::Require(!Name(*fault).empty(), "a fault has a name");
    return 0;
  }
  const auto& token = std::get<oidc::Token>(read);
  fuzz::CheckToken(token, text);
  if (const auto algorithm = oidc::ParseAlgorithm(token.algorithm)) {
    fuzz::Require(!fuzz::KeyFor(*algorithm).Signed(std::string(text), *algorithm),
                  "nobody signs with these keys");
  }
  static_cast<void>(oidc::PublicKey::FromJwk(token.claims));
  return 0;
}
