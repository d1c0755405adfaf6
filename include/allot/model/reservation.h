#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "allot/base/id.h"
#include "allot/base/result.h"
#include "allot/base/time.h"
#include "allot/base/time_window.h"

namespace allot {

/// Whole nodes of a cluster that operators set aside ahead of time: for a project, whose
/// allocations alone may run on them, or for nobody (maintenance, demonstrations).
struct Reservation {
  /// "<cluster>/<reservation>".
  ReservationId id;
  ClusterId cluster;
  /// Empty: nobody's.
  ProjectId project;
  /// What it is for.
  std::string display_name;
  /// Sorted, each once, not empty.
  std::vector<NodeId> nodes;
  /// The first one.
  TimeWindow window = *TimeWindow::Make(Instant{0}, Instant{1});
  /// From the start of one to the start of the next; zero when there is one only.
  Seconds repeat_every;
  /// How many windows, at least 1.
  int occurrences = 1;
  Instant create_time;
  /// Since when it holds no more.
  std::optional<Instant> cancel_time;
  int64_t version = 1;

  friend bool operator==(const Reservation&, const Reservation&) = default;
};

inline constexpr int kOccurrencesMax = 400;
inline constexpr Seconds kReservationLengthMax = Days(366);

/// All its windows, or those that are not over at `from`; apart and in order.
std::vector<TimeWindow> WindowsOf(const Reservation& reservation);
std::vector<TimeWindow> WindowsFrom(const Reservation& reservation, Instant from);

/// Whether its times can be served at all: not in the past (but for a minute), not too far ahead,
/// not too long, windows that do not meet. Fields are "reservation.start_time" and so on.
Status CheckTimes(const Reservation& reservation, Instant now);

}  // namespace allot
