#include "cli/table.h"

#include <algorithm>
#include <array>
#include <utility>

#include "allot/base/check.h"
#include "cli/text.h"

namespace allot::cli {

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {
  // Some are named after what the table is of.
  for (Column& column : columns_) column.title = Harmless(column.title);
}

void Table::Add(std::vector<Cell> row) {
  ALLOT_CHECK(row.size() == columns_.size());
  for (Cell& cell : row) cell.text = cell.text.empty() ? "-" : Harmless(cell.text);
  rows_.push_back(std::move(row));
}

void Table::Print(std::ostream& out, bool wide, bool colours) const {
  std::vector<int> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    int width = DisplayWidth(columns_[c].title);
    for (const auto& row : rows_) width = std::max(width, DisplayWidth(row[c].text));
    widths.push_back(width);
  }
  const auto print_line = [&](const auto& text_of, const auto& paint_of) {
    std::string line;
    // Blanks are owed until another cell follows, so that no line ends in them.
    int owed = 0;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (columns_[c].wide && !wide) continue;
      const std::string& text = text_of(c);
      const int blanks = widths[c] - DisplayWidth(text);
      if (columns_[c].align == Align::kRight) owed += blanks;
      line.append(static_cast<std::size_t>(owed), ' ');
      line += Painted(text, paint_of(c), colours);
      owed = 2 + (columns_[c].align == Align::kLeft ? blanks : 0);
    }
    out << line << '\n';
  };
  print_line([&](std::size_t c) -> const std::string& { return columns_[c].title; },
             [](std::size_t) { return Paint::kDim; });
  for (const auto& row : rows_) {
    print_line([&](std::size_t c) -> const std::string& { return row[c].text; },
               [&](std::size_t c) { return row[c].paint; });
  }
}

Paint PaintOf(std::string_view word) {
  static constexpr std::array<std::pair<std::string_view, Paint>, 20> kPaints = {{
      {"active", Paint::kGood},          {"completed", Paint::kDim},
      {"ready", Paint::kGood},           {"created", Paint::kGood},
      {"configured", Paint::kGood},      {"done", Paint::kGood},
      {"pending", Paint::kWaiting},      {"planned", Paint::kWaiting},
      {"provisioning", Paint::kWaiting}, {"releasing", Paint::kWaiting},
      {"preempted", Paint::kWaiting},    {"unknown", Paint::kWaiting},
      {"draining", Paint::kWaiting},     {"open", Paint::kWaiting},
      {"rejected", Paint::kBad},         {"expired", Paint::kBad},
      {"failed", Paint::kBad},           {"down", Paint::kBad},
      {"cancelled", Paint::kDim},        {"unchanged", Paint::kDim},
  }};
  for (const auto& [name, paint] : kPaints) {
    if (name == word) return paint;
  }
  return Paint::kPlain;
}

std::string Painted(std::string_view text, Paint paint, bool colours) {
  if (!colours || paint == Paint::kPlain) return std::string(text);
  const char* code = "";
  switch (paint) {
    case Paint::kGood:
      code = "\x1b[32m";
      break;
    case Paint::kWaiting:
      code = "\x1b[33m";
      break;
    case Paint::kBad:
      code = "\x1b[31m";
      break;
    case Paint::kDim:
      code = "\x1b[2m";
      break;
    case Paint::kPlain:
      break;
  }
  return code + std::string(text) + "\x1b[0m";
}

}  // namespace allot::cli
