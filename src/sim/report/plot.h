#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "allot/base/time.h"
#include "allot/sim/discipline.h"

namespace allot::sim {

/// Pictures are this wide, in pixels of their own; screens and paper scale them.
inline constexpr int kPictureWidth = 960;

/// Where a plot lies in its picture.
struct Frame {
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
  constexpr int right() const { return left + width; }
  constexpr int bottom() const { return top + height; }
};

/// log2 of a number, in 1024ths, rounded down; of less than 1 it is 0. In integers: no machine's
/// library of mathematics moves a point of a plot.
int64_t Log2(int64_t value);

/// A scale on which the same factor is the same distance. Requires: 0 < low < high.
class LogScale {
 public:
  LogScale(int64_t low, int64_t high, int from, int to)
      : low_(Log2(low)), high_(Log2(high)), from_(from), to_(to) {}

  /// In tenths of a pixel; what lies outside is on the edge.
  int64_t At(int64_t value) const;

 private:
  int64_t low_;
  int64_t high_;
  int from_;
  int to_;
};

/// `content` is markup already; `kind` is a class of the style sheet, such as "tick" or "end" for
/// text that ends at x.
std::string Text(int x, int y, std::string_view kind, std::string_view content);
/// Positions are tenths of a pixel.
std::string Line(std::string_view kind, int64_t x1, int64_t y1, int64_t x2, int64_t y2);

/// Below the plot: days since measuring began.
std::string DaysAxis(const Frame& frame, Seconds length);
/// At the left, from 0 to `most` per mille, with lines across.
std::string PercentAxis(const Frame& frame, int most_permille);
/// The most that an axis shows, a round number not below `permille`.
int RoundPermille(int permille);

/// The class that gives lines of a discipline their colour and dashes.
std::string LookOf(Discipline discipline);
/// Samples of the lines with their names, in rows of four from `frame.left`.
std::string Legend(int left, int top, const std::vector<Discipline>& disciplines);
int LegendHeight(std::size_t disciplines);

}  // namespace allot::sim
