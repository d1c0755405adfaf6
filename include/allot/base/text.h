#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace allot {

/// One character of UTF-8: its code point and the bytes it takes.
struct Utf8Character {
  char32_t code_point = 0;
  std::size_t bytes = 0;
};
/// The first character of `text`, not empty. Nothing when the bytes are not UTF-8: overlong forms,
/// surrogates and code points past U+10FFFF are refused.
std::optional<Utf8Character> FirstCharacter(std::string_view text);

/// Characters that can break a line of a log or make a terminal show another text than was sent:
/// C0, DEL, C1, line and paragraph separators, and what turns the writing direction.
bool IsControl(char32_t code_point);

bool IsUtf8(std::string_view text);

/// Valid UTF-8 without control characters.
bool IsPlainText(std::string_view text);

/// Nothing to be seen: empty, or of blanks of whatever width and of characters that are not shown
/// (White_Space and Default_Ignorable_Code_Point of Unicode 15, and the empty Braille pattern).
/// Requires: valid UTF-8.
bool IsBlank(std::string_view text);

/// "1,024": thousands are separated, in every message alike.
std::string FormatCount(int64_t count);

/// Two lower-case hexadecimal digits for each byte.
std::string Hex(std::string_view bytes);

/// The bytes that Hex writes as `hex`; nothing when it writes none so.
std::optional<std::string> BytesOfHex(std::string_view hex);

}  // namespace allot
