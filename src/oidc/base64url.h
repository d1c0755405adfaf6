#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace allot::oidc {

/// Whether this is base64url as RFC 7515 has it: no padding, nothing beside the alphabet, and
/// nothing left over in the last digit, so that the same bytes have one spelling. Everything that
/// libcjose decodes is held to it first: Debian's build ends the process over a misplaced '='.
bool IsBase64Url(std::string_view text);
/// The bytes; nothing when it is no base64url.
std::optional<std::string> DecodeBase64Url(std::string_view text);

}  // namespace allot::oidc
