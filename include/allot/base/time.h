#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace allot {

/// A length of time in whole seconds; may be negative as the difference of two instants.
struct Seconds {
  int64_t count = 0;

  friend auto operator<=>(Seconds, Seconds) = default;
  friend constexpr Seconds operator+(Seconds a, Seconds b) { return {a.count + b.count}; }
  friend constexpr Seconds operator-(Seconds a, Seconds b) { return {a.count - b.count}; }
};

constexpr Seconds Minutes(int64_t n) { return {n * 60}; }
constexpr Seconds Hours(int64_t n) { return {n * 3'600}; }
constexpr Seconds Days(int64_t n) { return {n * 86'400}; }

/// A point in time: microseconds since 1970-01-01T00:00:00Z, PostgreSQL's own resolution, so that
/// a value read back equals the value written. Everything is UTC; zones exist only in formatting.
struct Instant {
  int64_t micros = 0;

  static constexpr Instant FromSeconds(int64_t seconds) { return {seconds * 1'000'000}; }
  /// Rounded towards the past.
  constexpr int64_t seconds() const {
    return micros / 1'000'000 - (micros % 1'000'000 < 0 ? 1 : 0);
  }

  friend auto operator<=>(Instant, Instant) = default;
  friend constexpr Instant operator+(Instant t, Seconds d) {
    return {t.micros + d.count * 1'000'000};
  }
  friend constexpr Instant operator-(Instant t, Seconds d) {
    return {t.micros - d.count * 1'000'000};
  }
};

/// Whole seconds from `start` to `end`, rounded down.
constexpr Seconds Between(Instant start, Instant end) {
  return {(end.micros - start.micros) / 1'000'000};
}

/// The first whole second not before `t`: passes know whole seconds only.
constexpr Instant WholeSecondFrom(Instant t) {
  const Instant whole = Instant::FromSeconds(t.seconds());
  return whole < t ? whole + Seconds{1} : whole;
}

/// 9999-12-31T23:59:59Z: later than anything the system accepts, still printable.
inline constexpr Instant kEndOfTime = Instant::FromSeconds(253'402'300'799);

/// "2026-03-01T00:00:07Z", with up to six decimals when they are not zero.
std::string FormatRfc3339(Instant t);
/// Accepts a zone offset and up to nine decimals, cut to microseconds; nothing that is not a real
/// date. Years 1970 to 9999.
std::optional<Instant> ParseRfc3339(std::string_view text);

/// "1m30s", "4h", "7d", "2d12h": the largest units first, exact; "0s".
std::string FormatDuration(Seconds d);
/// Whole numbers with units w, d, h, m, s, the largest first, each at most once: also "3600s".
/// No sign, no overflow.
std::optional<Seconds> ParseDuration(std::string_view text);

}  // namespace allot
