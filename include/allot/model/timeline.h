#pragma once

#include <algorithm>
#include <cstdint>

#include "allot/base/time.h"

namespace allot {

/// Revisions, epochs and sessions count within one timeline of the database. A restore goes back to
/// a moment, and what came after it is lost; somebody may still hold numbers from there. So with a
/// restore a new timeline begins, whose numbers start with the microseconds since 1970: nothing
/// counts a million a second, so they lie past all that any earlier timeline gave out. See
/// docs/adr/0034.
inline constexpr int64_t kTimelinesApart = 1'000'000;

/// `reached`: the newest number there is after the restore.
constexpr int64_t BeginningOfTimeline(Instant now, int64_t reached) {
  return std::max(now.micros, reached + 2 * kTimelinesApart);
}

/// Whether a restore lies between two numbers of one kind: any, which a caller names, and the
/// newest there is, which is not negative.
constexpr bool IsOfEarlierTimeline(int64_t number, int64_t newest) {
  return number <= newest - kTimelinesApart;
}

}  // namespace allot
