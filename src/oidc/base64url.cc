#include "oidc/base64url.h"

#include <cjose/cjose.h>

#include <cstdint>

namespace allot::oidc {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

}  // namespace

bool IsBase64Url(std::string_view text) {
  if (text.find_first_not_of(kAlphabet) != std::string_view::npos) return false;
  // Four digits are three bytes; two are one byte and four bits, three two bytes and two bits.
  const std::size_t over = text.size() % 4;
  if (over == 0) return true;
  if (over == 1) return false;
  const std::size_t unused = over == 2 ? 16 : 4;
  return kAlphabet.find(text.back()) % unused == 0;
}

std::optional<std::string> DecodeBase64Url(std::string_view text) {
  if (!IsBase64Url(text)) return std::nullopt;
  if (text.empty()) return std::string();
  uint8_t* bytes = nullptr;
  std::size_t size = 0;
  cjose_err problem{};
  if (!cjose_base64url_decode(text.data(), text.size(), &bytes, &size, &problem)) {
    return std::nullopt;
  }
  std::string decoded(reinterpret_cast<const char*>(bytes), size);
  cjose_get_dealloc()(bytes);
  return decoded;
}

}  // namespace allot::oidc
