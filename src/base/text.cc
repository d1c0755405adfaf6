#include "allot/base/text.h"

#include <algorithm>

namespace allot {
namespace {

constexpr std::string_view kHexDigits = "0123456789abcdef";

/// What the first byte promises; the smallest code point guards against overlong forms.
struct Lead {
  std::size_t bytes;
  unsigned payload;
  char32_t smallest;
};

std::optional<Lead> ReadLead(unsigned char byte) {
  if (byte < 0x80) return Lead{1, byte, 0};
  if (byte >= 0xc2 && byte <= 0xdf) return Lead{2, byte & 0x1fU, 0x80};
  if (byte >= 0xe0 && byte <= 0xef) return Lead{3, byte & 0x0fU, 0x800};
  if (byte >= 0xf0 && byte <= 0xf4) return Lead{4, byte & 0x07U, 0x10000};
  return std::nullopt;
}

struct CodePoints {
  char32_t first;
  char32_t last;
};

/// Sorted. Of https://www.unicode.org/Public/15.0.0/ucd: PropList.txt (White_Space) and
/// DerivedCoreProperties.txt (Default_Ignorable_Code_Point); U+2800 is a pattern without dots.
constexpr CodePoints kUnseen[] = {
    {0x09, 0x0d},     {0x20, 0x20},       {0x85, 0x85},       {0xa0, 0xa0},      {0xad, 0xad},
    {0x34f, 0x34f},   {0x61c, 0x61c},     {0x115f, 0x1160},   {0x1680, 0x1680},  {0x17b4, 0x17b5},
    {0x180b, 0x180f}, {0x2000, 0x200f},   {0x2028, 0x202f},   {0x205f, 0x206f},  {0x2800, 0x2800},
    {0x3000, 0x3000}, {0x3164, 0x3164},   {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},  {0xffa0, 0xffa0},
    {0xfff0, 0xfff8}, {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}};

bool IsUnseen(char32_t code_point) {
  return std::ranges::any_of(kUnseen, [&](const CodePoints& range) {
    return code_point >= range.first && code_point <= range.last;
  });
}

/// False also for what is not UTF-8.
template <class Wanted>
bool AreAll(std::string_view text, Wanted wanted) {
  while (!text.empty()) {
    const auto character = FirstCharacter(text);
    if (!character || !wanted(character->code_point)) return false;
    text.remove_prefix(character->bytes);
  }
  return true;
}

}  // namespace

std::optional<Utf8Character> FirstCharacter(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const auto lead = ReadLead(static_cast<unsigned char>(text[0]));
  if (!lead || text.size() < lead->bytes) return std::nullopt;
  char32_t code_point = lead->payload;
  for (std::size_t i = 1; i < lead->bytes; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if ((byte & 0xc0U) != 0x80U) return std::nullopt;
    code_point = (code_point << 6) | (byte & 0x3fU);
  }
  if (code_point < lead->smallest || code_point > 0x10ffff) return std::nullopt;
  if (code_point >= 0xd800 && code_point <= 0xdfff) return std::nullopt;
  return Utf8Character{code_point, lead->bytes};
}

bool IsControl(char32_t code_point) {
  if (code_point < 0x20 || (code_point >= 0x7f && code_point <= 0x9f)) return true;
  if (code_point == 0x2028 || code_point == 0x2029 || code_point == 0xfeff) return true;
  if (code_point == 0x061c || code_point == 0x200e || code_point == 0x200f) return true;
  return (code_point >= 0x202a && code_point <= 0x202e) ||
         (code_point >= 0x2066 && code_point <= 0x2069);
}

bool IsUtf8(std::string_view text) {
  return AreAll(text, [](char32_t) { return true; });
}

bool IsPlainText(std::string_view text) {
  return AreAll(text, [](char32_t code_point) { return !IsControl(code_point); });
}

bool IsBlank(std::string_view text) { return AreAll(text, IsUnseen); }

std::string FormatCount(int64_t count) {
  std::string text = std::to_string(count);
  const std::size_t first_digit = count < 0 ? 1 : 0;
  for (std::size_t i = text.size(); i > first_digit + 3;) {
    i -= 3;
    text.insert(i, 1, ',');
  }
  return text;
}

std::string Hex(std::string_view bytes) {
  std::string hex;
  hex.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    hex += kHexDigits[byte >> 4];
    hex += kHexDigits[byte & 15];
  }
  return hex;
}

std::optional<std::string> BytesOfHex(std::string_view hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(hex.size() / 2);
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const std::size_t high = kHexDigits.find(hex[i]);
    const std::size_t low = kHexDigits.find(hex[i + 1]);
    if (high == kHexDigits.npos || low == kHexDigits.npos) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

}  // namespace allot
