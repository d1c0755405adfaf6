#pragma once

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace allot::cli {

/// How a cell is painted on a terminal that takes colours.
enum class Paint { kPlain, kGood, kWaiting, kBad, kDim };

/// A row is written as a list of words, some of them painted: so its constructors are implicit.
struct Cell {
  // NOLINTNEXTLINE(google-explicit-constructor)
  Cell(std::string words, Paint colour = Paint::kPlain) : text(std::move(words)), paint(colour) {}
  // NOLINTNEXTLINE(google-explicit-constructor)
  Cell(const char* words) : text(words) {}
  std::string text;
  Paint paint = Paint::kPlain;
};

enum class Align { kLeft, kRight };

struct Column {
  std::string title;
  Align align = Align::kLeft;
  /// Shown with -o wide only.
  bool wide = false;
};

/// Columns two blanks apart, as wide as their widest cell; no line ends in blanks.
/// An empty cell is shown as "-", so that columns can be cut by position or by field.
class Table {
 public:
  explicit Table(std::vector<Column> columns);

  /// As many cells as there are columns.
  void Add(std::vector<Cell> row);
  bool empty() const { return rows_.empty(); }
  void Print(std::ostream& out, bool wide, bool colours) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

/// Of the named state or health; unknown words are plain.
Paint PaintOf(std::string_view word);
std::string Painted(std::string_view text, Paint paint, bool colours);

}  // namespace allot::cli
