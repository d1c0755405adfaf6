#include "allot/base/time.h"

#include <array>
#include <cstddef>
#include <cstdio>

#include "allot/base/check.h"

namespace allot {
namespace {

constexpr int64_t kSecondsPerDay = 86'400;
constexpr int64_t kMicrosPerSecond = 1'000'000;

struct Date {
  int64_t year = 0;
  int64_t month = 0;
  int64_t day = 0;
};

/// Howard Hinnant's algorithms, exact for every day an Instant can name; std::chrono's end at the
/// year 32767.
constexpr int64_t DaysFromDate(Date date) {
  const int64_t y = date.year - (date.month <= 2 ? 1 : 0);
  const int64_t era = (y >= 0 ? y : y - 399) / 400;
  const int64_t year_of_era = y - era * 400;
  const int64_t month_from_march = date.month > 2 ? date.month - 3 : date.month + 9;
  const int64_t day_of_year = (153 * month_from_march + 2) / 5 + date.day - 1;
  const int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146'097 + day_of_era - 719'468;
}

constexpr Date DateFromDays(int64_t days) {
  const int64_t z = days + 719'468;
  const int64_t era = (z >= 0 ? z : z - 146'096) / 146'097;
  const int64_t day_of_era = z - era * 146'097;
  const int64_t year_of_era =
      (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const int64_t day_of_year =
      day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t month_from_march = (5 * day_of_year + 2) / 153;
  const int64_t day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
  const int64_t month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
  return {year_of_era + era * 400 + (month <= 2 ? 1 : 0), month, day};
}

static_assert(DaysFromDate({1970, 1, 1}) == 0);
static_assert(DaysFromDate({9999, 12, 31}) * kSecondsPerDay + kSecondsPerDay - 1 ==
              kEndOfTime.seconds());

constexpr bool IsLeapYear(int64_t year) {
  return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

constexpr int64_t DaysInMonth(int64_t year, int64_t month) {
  constexpr std::array<int64_t, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return kDays[static_cast<std::size_t>(month - 1)] + (month == 2 && IsLeapYear(year) ? 1 : 0);
}

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// Takes text from the front; every step says whether it found what it looked for.
class Scanner {
 public:
  explicit Scanner(std::string_view rest) : rest_(rest) {}

  bool AtEnd() const { return rest_.empty(); }
  bool Take(char wanted) {
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }
  /// Exactly `count` digits, between `low` and `high`.
  bool TakeNumber(int count, int64_t low, int64_t high, int64_t& value) {
    if (rest_.size() < static_cast<std::size_t>(count)) return false;
    value = 0;
    for (int i = 0; i < count; ++i) {
      const char c = rest_[static_cast<std::size_t>(i)];
      if (!IsDigit(c)) return false;
      value = value * 10 + (c - '0');
    }
    rest_.remove_prefix(static_cast<std::size_t>(count));
    return low <= value && value <= high;
  }
  /// As many digits as there are, at least one; nothing on overflow.
  bool TakeDigits(int64_t& value) {
    if (rest_.empty() || !IsDigit(rest_.front())) return false;
    value = 0;
    while (!rest_.empty() && IsDigit(rest_.front())) {
      if (__builtin_mul_overflow(value, 10, &value)) return false;
      if (__builtin_add_overflow(value, rest_.front() - '0', &value)) return false;
      rest_.remove_prefix(1);
    }
    return true;
  }
  /// The decimals after a point, one to nine, cut to microseconds.
  bool TakeDecimals(int64_t& micros) {
    int digits = 0;
    micros = 0;
    for (; !rest_.empty() && IsDigit(rest_.front()); ++digits) {
      if (digits < 6) micros = micros * 10 + (rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    for (int i = digits; i < 6; ++i) micros *= 10;
    return digits >= 1 && digits <= 9;
  }
  bool TakeUnit(std::string_view units, std::size_t& index) {
    if (rest_.empty()) return false;
    index = units.find(rest_.front());
    if (index == std::string_view::npos) return false;
    rest_.remove_prefix(1);
    return true;
  }

 private:
  std::string_view rest_;
};

/// "Z" or "+09:00": what to subtract to get UTC.
bool TakeOffset(Scanner& scanner, int64_t& offset_seconds) {
  offset_seconds = 0;
  if (scanner.Take('Z') || scanner.Take('z')) return true;
  int64_t sign = 1;
  if (!scanner.Take('+')) {
    if (!scanner.Take('-')) return false;
    sign = -1;
  }
  int64_t hours = 0;
  int64_t minutes = 0;
  if (!scanner.TakeNumber(2, 0, 23, hours) || !scanner.Take(':')) return false;
  if (!scanner.TakeNumber(2, 0, 59, minutes)) return false;
  offset_seconds = sign * (hours * 3'600 + minutes * 60);
  return true;
}

struct Unit {
  char letter;
  int64_t seconds;
};
/// The largest first; weeks are read but never written.
constexpr std::array<Unit, 5> kUnits = {
    {{'w', 7 * kSecondsPerDay}, {'d', kSecondsPerDay}, {'h', 3'600}, {'m', 60}, {'s', 1}}};

}  // namespace

std::string FormatRfc3339(Instant t) {
  const int64_t seconds = t.seconds();
  // Not the difference, which overflows near the smallest Instant.
  const int64_t micros = (t.micros % kMicrosPerSecond + kMicrosPerSecond) % kMicrosPerSecond;
  int64_t days = seconds / kSecondsPerDay;
  int64_t second_of_day = seconds % kSecondsPerDay;
  if (second_of_day < 0) {
    --days;
    second_of_day += kSecondsPerDay;
  }
  const Date date = DateFromDays(days);
  std::array<char, 64> buffer;
  const int length = std::snprintf(
      buffer.data(), buffer.size(), "%04lld-%02lld-%02lldT%02lld:%02lld:%02lld.%06lld",
      static_cast<long long>(date.year), static_cast<long long>(date.month),
      static_cast<long long>(date.day), static_cast<long long>(second_of_day / 3'600),
      static_cast<long long>(second_of_day / 60 % 60), static_cast<long long>(second_of_day % 60),
      static_cast<long long>(micros));
  ALLOT_CHECK(length > 0 && static_cast<std::size_t>(length) < buffer.size());
  std::string text(buffer.data(), static_cast<std::size_t>(length));
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text + 'Z';
}

std::optional<Instant> ParseRfc3339(std::string_view text) {
  Scanner scanner(text);
  Date date;
  int64_t hour = 0;
  int64_t minute = 0;
  int64_t second = 0;
  int64_t micros = 0;
  int64_t offset_seconds = 0;
  if (!scanner.TakeNumber(4, 1970, 9999, date.year) || !scanner.Take('-')) return std::nullopt;
  if (!scanner.TakeNumber(2, 1, 12, date.month) || !scanner.Take('-')) return std::nullopt;
  if (!scanner.TakeNumber(2, 1, DaysInMonth(date.year, date.month), date.day)) return std::nullopt;
  if (!scanner.Take('T') && !scanner.Take('t')) return std::nullopt;
  if (!scanner.TakeNumber(2, 0, 23, hour) || !scanner.Take(':')) return std::nullopt;
  if (!scanner.TakeNumber(2, 0, 59, minute) || !scanner.Take(':')) return std::nullopt;
  if (!scanner.TakeNumber(2, 0, 59, second)) return std::nullopt;
  if (scanner.Take('.') && !scanner.TakeDecimals(micros)) return std::nullopt;
  if (!TakeOffset(scanner, offset_seconds) || !scanner.AtEnd()) return std::nullopt;

  const int64_t seconds = DaysFromDate(date) * kSecondsPerDay + hour * 3'600 + minute * 60 + second;
  const Instant utc{(seconds - offset_seconds) * kMicrosPerSecond + micros};
  if (utc.micros < 0 || utc.seconds() > kEndOfTime.seconds()) return std::nullopt;
  return utc;
}

std::string FormatDuration(Seconds d) {
  if (d.count == 0) return "0s";
  std::string text = d.count < 0 ? "-" : "";
  // Unsigned, because the smallest number has no positive counterpart.
  uint64_t rest = d.count < 0 ? 0 - static_cast<uint64_t>(d.count) : static_cast<uint64_t>(d.count);
  for (const Unit& unit : kUnits) {
    if (unit.letter == 'w') continue;
    const auto seconds = static_cast<uint64_t>(unit.seconds);
    if (rest < seconds) continue;
    text += std::to_string(rest / seconds) + unit.letter;
    rest %= seconds;
  }
  return text;
}

std::optional<Seconds> ParseDuration(std::string_view text) {
  Scanner scanner(text);
  if (scanner.AtEnd()) return std::nullopt;
  int64_t total = 0;
  std::size_t next_unit = 0;
  while (!scanner.AtEnd()) {
    int64_t amount = 0;
    std::size_t unit = 0;
    if (!scanner.TakeDigits(amount) || !scanner.TakeUnit("wdhms", unit)) return std::nullopt;
    // Each unit once and the largest first: "1m1h" is more likely a slip than a wish.
    if (unit < next_unit) return std::nullopt;
    next_unit = unit + 1;
    if (__builtin_mul_overflow(amount, kUnits[unit].seconds, &amount)) return std::nullopt;
    if (__builtin_add_overflow(total, amount, &total)) return std::nullopt;
  }
  return Seconds{total};
}

}  // namespace allot
