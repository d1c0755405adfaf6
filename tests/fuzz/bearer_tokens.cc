// A bearer token as it comes with a call, before anybody knows whether it is signed. What is read
// of it is bounded; what is not is one of the faults; and nobody is believed who has no issuer.
#include <string>
#include <variant>

#include "allot/base/text.h"
#include "fuzz/support/property.h"
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
  fuzz::CheckToken(std::get<oidc::Token>(read), text);
  return 0;
}
