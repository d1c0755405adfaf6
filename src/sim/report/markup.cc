#include "sim/report/markup.h"

#include "allot/base/result.h"
#include "allot/base/text.h"

namespace allot::sim {
namespace {

std::string_view Reference(char character) {
  switch (character) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

/// U+FFFE and U+FFFF are characters to UTF-8 and none to XML.
bool IsAllowed(char32_t code_point) {
  return !IsControl(code_point) && code_point != 0xfffe && code_point != 0xffff;
}

}  // namespace

std::string Escaped(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  while (!text.empty()) {
    const auto character = FirstCharacter(text);
    const std::size_t taken = character ? character->bytes : 1;
    if (!character || !IsAllowed(character->code_point)) {
      for (const char c : text.substr(0, taken)) {
        const auto byte = static_cast<unsigned char>(c);
        out += "\\x";
        out += kHex[byte >> 4];
        out += kHex[byte & 0x0fU];
      }
    } else if (const auto reference = Reference(text.front()); !reference.empty()) {
      out += reference;
    } else {
      out += text.substr(0, taken);
    }
    text.remove_prefix(taken);
  }
  return out;
}

std::string EscapedName(std::string_view name) { return Escaped(Printable(name)); }

std::string Tenths(int64_t tenths) {
  std::string out = tenths < 0 ? "-" : "";
  const int64_t size = tenths < 0 ? -tenths : tenths;
  out += std::to_string(size / 10);
  if (size % 10 != 0) out += "." + std::to_string(size % 10);
  return out;
}

std::string Section(std::string_view id, std::string_view english, std::string_view korean,
                    const std::string& body) {
  std::string out = "<section id=\"";
  out.append(id).append("\">\n<h2>").append(english);
  out.append(" <span class=\"ko\" lang=\"ko\">").append(korean).append("</span></h2>\n");
  return out + body + "</section>\n";
}

std::string Paragraph(const std::string& content) { return "<p>" + content + "</p>\n"; }

std::string Table(std::string_view caption, const std::string& rows) {
  std::string out = "<div class=\"wide\"><table>\n<caption>";
  out.append(caption).append("</caption>\n");
  return out + rows + "</table></div>\n";
}

std::string HeadCell(std::string_view content) {
  return "<th scope=\"col\">" + std::string(content) + "</th>";
}

std::string RowHead(std::string_view content) {
  return "<th scope=\"row\">" + std::string(content) + "</th>";
}

std::string Cell(std::string_view content, bool best) {
  std::string out = best ? "<td class=\"best\">" : "<td>";
  out += content;
  // A sign besides the colour, for paper and for whoever does not see colours.
  if (best) out += " ★";
  return out + "</td>";
}

std::string Row(const std::string& cells) { return "<tr>" + cells + "</tr>\n"; }

std::string Picture(std::string_view id, int width, int height, std::string_view title,
                    std::string_view description, const std::string& body) {
  const std::string name(id);
  std::string out = "<svg id=\"" + name + "\" role=\"img\" viewBox=\"0 0 " + std::to_string(width) +
                    " " + std::to_string(height) + "\" aria-labelledby=\"" + name + "-title " +
                    name + "-desc\">\n<title id=\"" + name + "-title\">";
  out.append(title).append("</title>\n<desc id=\"" + name + "-desc\">");
  out.append(description).append("</desc>\n");
  return out + body + "</svg>\n";
}

}  // namespace allot::sim
