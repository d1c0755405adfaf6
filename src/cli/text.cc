#include "cli/text.h"

#include <array>
#include <cstdio>

#include "allot/base/text.h"

namespace allot::cli {
namespace {

struct Range {
  char32_t first;
  char32_t last;
};

bool In(char32_t c, const auto& ranges) {
  for (const Range& range : ranges) {
    if (c >= range.first && c <= range.last) return true;
  }
  return false;
}

int WidthOf(char32_t c) {
  static constexpr std::array kZero = {
      Range{0x0300, 0x036F}, Range{0x1160, 0x11FF}, Range{0x200B, 0x200F}, Range{0x20D0, 0x20FF},
      Range{0xFE00, 0xFE0F}, Range{0xFE20, 0xFE2F}, Range{0xFEFF, 0xFEFF}};
  // East Asian Wide and Fullwidth of Unicode's EastAsianWidth.txt, in blocks.
  static constexpr std::array kWide = {
      Range{0x1100, 0x115F},   Range{0x2E80, 0x303E},   Range{0x3041, 0x33FF},
      Range{0x3400, 0x4DBF},   Range{0x4E00, 0x9FFF},   Range{0xA000, 0xA4CF},
      Range{0xA960, 0xA97F},   Range{0xAC00, 0xD7A3},   Range{0xF900, 0xFAFF},
      Range{0xFE30, 0xFE6F},   Range{0xFF00, 0xFF60},   Range{0xFFE0, 0xFFE6},
      Range{0x1F300, 0x1F64F}, Range{0x1F680, 0x1F6FF}, Range{0x1F900, 0x1F9FF},
      Range{0x20000, 0x3FFFD}};
  if (In(c, kZero)) return 0;
  return In(c, kWide) ? 2 : 1;
}

}  // namespace

int DisplayWidth(std::string_view text) {
  int width = 0;
  while (!text.empty()) {
    const auto character = FirstCharacter(text);
    width += character ? WidthOf(character->code_point) : 1;
    text.remove_prefix(character ? character->bytes : 1);
  }
  return width;
}

std::string Harmless(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto character = FirstCharacter(text);
    const std::size_t bytes = character ? character->bytes : 1;
    if (character && !IsControl(character->code_point)) {
      out += text.substr(0, bytes);
    } else {
      for (const char c : text.substr(0, bytes)) {
        std::array<char, 5> escaped{};
        const int length = std::snprintf(escaped.data(), escaped.size(), "\\x%02x",
                                         static_cast<unsigned>(static_cast<unsigned char>(c)));
        out.append(escaped.data(), static_cast<std::size_t>(length));
      }
    }
    text.remove_prefix(bytes);
  }
  return out;
}

std::string Relative(Instant time, Instant now) {
  const bool future = time > now;
  int64_t left = future ? Between(now, time).count : Between(time, now).count;
  struct Unit {
    int64_t seconds;
    char letter;
  };
  static constexpr std::array kUnits = {Unit{86'400, 'd'}, Unit{3'600, 'h'}, Unit{60, 'm'},
                                        Unit{1, 's'}};
  std::string text;
  for (std::size_t i = 0; i < kUnits.size(); ++i) {
    if (left < kUnits[i].seconds) continue;
    text = std::to_string(left / kUnits[i].seconds) + kUnits[i].letter;
    left %= kUnits[i].seconds;
    // The unit below only while it still says something: "1d4h", but "40d".
    if (i + 1 < kUnits.size() && text.size() == 2 && left >= kUnits[i + 1].seconds) {
      text += std::to_string(left / kUnits[i + 1].seconds) + kUnits[i + 1].letter;
    }
    break;
  }
  if (text.empty()) return "now";
  return future ? "in " + text : text + " ago";
}

std::string Moment(Instant time, Instant now) {
  std::string text = FormatRfc3339(Instant::FromSeconds(time.seconds()));
  // "2026-03-01T00:00:07Z": seconds matter to people only when they are not zero.
  if (text.size() == 20) {
    text[10] = ' ';
    if (text.compare(16, 3, ":00") == 0) text.erase(16, 3);
  }
  return text + " (" + Relative(time, now) + ")";
}

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (;;) {
    const std::size_t end = text.find(separator);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::string Join(const std::vector<std::string>& parts, std::string_view separator) {
  std::string text;
  for (const std::string& part : parts) {
    if (!text.empty()) text += separator;
    text += part;
  }
  return text;
}

}  // namespace allot::cli
