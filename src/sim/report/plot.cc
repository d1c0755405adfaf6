#include "sim/report/plot.h"

#include <algorithm>
#include <bit>

#include "sim/report/markup.h"

namespace allot::sim {
namespace {

constexpr int kLegendColumns = 4;
constexpr int kLegendColumnWidth = 205;
constexpr int kLegendRowHeight = 18;
constexpr int kTicksMax = 15;

}  // namespace

int64_t Log2(int64_t value) {
  if (value < 1) return 0;
  const int whole = 63 - std::countl_zero(static_cast<uint64_t>(value));
  // The number scaled into [1, 2), in 2^31sts: squaring it shifts out one digit of the logarithm.
  uint64_t scaled = whole > 31 ? static_cast<uint64_t>(value) >> (whole - 31)
                               : static_cast<uint64_t>(value) << (31 - whole);
  int64_t fraction = 0;
  for (int digit = 0; digit < 10; ++digit) {
    scaled = scaled * scaled >> 31;
    fraction *= 2;
    if (scaled >> 32 != 0) {
      scaled /= 2;
      ++fraction;
    }
  }
  return int64_t{whole} * 1024 + fraction;
}

int64_t LogScale::At(int64_t value) const {
  const int64_t log = std::clamp(Log2(value), low_, high_);
  return from_ * int64_t{10} + (log - low_) * (to_ - from_) * 10 / (high_ - low_);
}

std::string Text(int x, int y, std::string_view kind, std::string_view content) {
  std::string out =
      "<text x=\"" + std::to_string(x) + "\" y=\"" + std::to_string(y) + "\" class=\"";
  out.append(kind).append("\">").append(content).append("</text>\n");
  return out;
}

std::string Line(std::string_view kind, int64_t x1, int64_t y1, int64_t x2, int64_t y2) {
  std::string out = "<path class=\"";
  out.append(kind).append("\" d=\"M");
  return out + Tenths(x1) + " " + Tenths(y1) + "L" + Tenths(x2) + " " + Tenths(y2) + "\"/>\n";
}

std::string DaysAxis(const Frame& frame, Seconds length) {
  int64_t step = 0;
  for (const int64_t days : {1, 2, 7, 14, 28, 56, 91, 182, 365, 3650}) {
    step = Days(days).count;
    if (length.count / step <= kTicksMax) break;
  }
  std::string out;
  for (int64_t at = 0; at <= length.count; at += step) {
    const int64_t x = frame.left * int64_t{10} + at * frame.width * 10 / length.count;
    out += Line("grid", x, frame.top * 10, x, frame.bottom() * 10);
    out += Text(static_cast<int>(x / 10), frame.bottom() + 16, "tick mid",
                std::to_string(at / Days(1).count));
  }
  return out + Text(frame.left + frame.width / 2, frame.bottom() + 34, "axis mid",
                    "days since measuring began");
}

std::string PercentAxis(const Frame& frame, int most_permille) {
  constexpr int kSteps = 5;
  std::string out;
  for (int i = 0; i <= kSteps; ++i) {
    const int y = frame.bottom() - frame.height * i / kSteps;
    const int permille = most_permille * i / kSteps;
    out += Line("grid", frame.left * 10, y * 10, frame.right() * 10, y * 10);
    out += Text(frame.left - 6, y + 4, "tick end", Tenths(permille) + " %");
  }
  return out;
}

int RoundPermille(int permille) {
  for (const int round : {10, 20, 50, 100, 200, 300, 500}) {
    if (permille <= round) return round;
  }
  return 1000;
}

std::string LookOf(Discipline discipline) { return "d-" + std::string(Name(discipline)); }

std::string Legend(int left, int top, const std::vector<Discipline>& disciplines) {
  std::string out;
  for (std::size_t i = 0; i < disciplines.size(); ++i) {
    const int x = left + static_cast<int>(i) % kLegendColumns * kLegendColumnWidth;
    const int y = top + static_cast<int>(i) / kLegendColumns * kLegendRowHeight;
    out += Line("sample series " + LookOf(disciplines[i]), x * 10, y * 10 + 80, x * 10 + 320,
                y * 10 + 80);
    out += Text(x + 38, y + 12, "label", Name(disciplines[i]));
  }
  return out;
}

int LegendHeight(std::size_t disciplines) {
  return (static_cast<int>(disciplines) + kLegendColumns - 1) / kLegendColumns * kLegendRowHeight;
}

}  // namespace allot::sim
