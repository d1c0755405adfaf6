#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace allot::sim {

/// Text of others as content or as the value of an attribute: nothing in it is taken for markup,
/// and what XML does not allow (control characters, bytes that are not UTF-8) stands as \xNN.
std::string Escaped(std::string_view text);

/// A name out of a trace: escaped, and cut when it is absurdly long.
std::string EscapedName(std::string_view name);

/// Tenths of a pixel as a coordinate: "12.3" of 123, "12" of 120.
std::string Tenths(int64_t tenths);

/// `body` under a heading in English and Korean.
std::string Section(std::string_view id, std::string_view english, std::string_view korean,
                    const std::string& body);

std::string Paragraph(const std::string& content);

/// Rows of a table that a narrow screen scrolls by itself.
std::string Table(std::string_view caption, const std::string& rows);
/// Cells of one row.
std::string HeadCell(std::string_view content);
std::string RowHead(std::string_view content);
std::string Cell(std::string_view content, bool best = false);
std::string Row(const std::string& cells);

/// A picture with what it shows in words, for those who do not see it. `id` is unique in the page;
/// `title` and `description` are markup already.
std::string Picture(std::string_view id, int width, int height, std::string_view title,
                    std::string_view description, const std::string& body);

}  // namespace allot::sim
