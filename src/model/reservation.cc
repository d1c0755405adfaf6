#include "allot/model/reservation.h"

#include "allot/model/request.h"

namespace allot {
namespace {

/// What the clocks of a caller and ours may differ by.
constexpr Seconds kLate = Minutes(1);

Error OutOfRange(Reason reason, const std::string& field, const std::string& value,
                 const std::string& limit) {
  return FieldError(reason, "reservation." + field, value, limit);
}

TimeWindow WindowAt(const Reservation& reservation, int occurrence) {
  const Seconds after{reservation.repeat_every.count * occurrence};
  return *TimeWindow::Make(reservation.window.start() + after, reservation.window.end() + after);
}

}  // namespace

std::vector<TimeWindow> WindowsOf(const Reservation& reservation) {
  std::vector<TimeWindow> windows;
  windows.reserve(static_cast<std::size_t>(reservation.occurrences));
  for (int i = 0; i < reservation.occurrences; ++i) windows.push_back(WindowAt(reservation, i));
  return windows;
}

std::vector<TimeWindow> WindowsFrom(const Reservation& reservation, Instant from) {
  std::vector<TimeWindow> windows = WindowsOf(reservation);
  std::erase_if(windows, [&](const TimeWindow& window) { return window.end() <= from; });
  return windows;
}

Status CheckTimes(const Reservation& reservation, Instant now) {
  const TimeWindow& window = reservation.window;
  if (window.start() + kLate < now) {
    return OutOfRange(Reason::kTimeOutOfRange, "start_time", FormatRfc3339(window.start()),
                      "not before now, " + FormatRfc3339(now));
  }
  // First of all, so that no sum below can overflow.
  if (window.end() > now + kAheadMax) {
    return OutOfRange(Reason::kTimeOutOfRange, "end_time", FormatRfc3339(window.end()),
                      "at most " + FormatDuration(kAheadMax) + " ahead");
  }
  if (window.length() < kDurationMin || window.length() > kReservationLengthMax) {
    return OutOfRange(Reason::kTimeOutOfRange, "end_time", FormatRfc3339(window.end()),
                      FormatDuration(kDurationMin) + " to " +
                          FormatDuration(kReservationLengthMax) + " after start_time");
  }
  if (reservation.occurrences < 1 || reservation.occurrences > kOccurrencesMax) {
    return OutOfRange(Reason::kTimeOutOfRange, "occurrences",
                      std::to_string(reservation.occurrences),
                      "1 to " + std::to_string(kOccurrencesMax));
  }
  if (reservation.occurrences == 1) {
    if (reservation.repeat_every.count == 0) return Ok{};
    return OutOfRange(Reason::kTimeOutOfRange, "occurrences", "1",
                      "at least 2 where repeat_every is given");
  }
  if (reservation.repeat_every < window.length() || reservation.repeat_every > kAheadMax) {
    return OutOfRange(Reason::kDurationOutOfRange, "repeat_every",
                      FormatDuration(reservation.repeat_every),
                      FormatDuration(window.length()) + " (the length of a window) to " +
                          FormatDuration(kAheadMax));
  }
  const Instant last_end = WindowAt(reservation, reservation.occurrences - 1).end();
  if (last_end > now + kAheadMax) {
    return OutOfRange(Reason::kTimeOutOfRange, "occurrences",
                      std::to_string(reservation.occurrences),
                      "as many as end within " + FormatDuration(kAheadMax) +
                          "; the last would at " + FormatRfc3339(last_end));
  }
  return Ok{};
}

}  // namespace allot
