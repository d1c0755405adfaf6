#include <algorithm>
#include <sstream>

#include "allot/base/text.h"
#include "cli/resource.h"
#include "cli/resource_name.h"
#include "cli/text.h"
#include "cli/views.h"

namespace allot::cli {
namespace {

/// The start of the window that runs at `now` or comes next; of the last when all are over.
Instant WindowAround(const v1::Reservation& reservation, Instant now) {
  const Instant start = InstantOf(reservation.start_time());
  const Seconds length = Between(start, InstantOf(reservation.end_time()));
  const int64_t every = SecondsOf(reservation.repeat_every()).count;
  if (every <= 0 || now < start + length) return start;
  const int64_t over = (Between(start + length, now).count) / every + 1;
  return start + Seconds{every * std::min<int64_t>(over, reservation.occurrences() - 1)};
}

std::string StateOf(const v1::Reservation& reservation, Instant now) {
  if (reservation.has_cancel_time()) return "cancelled";
  const Instant start = WindowAround(reservation, now);
  const Seconds length =
      Between(InstantOf(reservation.start_time()), InstantOf(reservation.end_time()));
  if (now < start) return "ahead";
  return now < start + length ? "open" : "over";
}

std::string Times(const v1::Reservation& reservation) {
  if (reservation.occurrences() <= 1) return "once";
  return std::to_string(reservation.occurrences()) + " times, every " +
         FormatDuration(SecondsOf(reservation.repeat_every()));
}

std::string Whose(const v1::Reservation& reservation) {
  return reservation.project().empty() ? "nobody" : ShortName(reservation.project());
}

std::string KindWord(v1::BookingConflict::Kind kind) {
  switch (kind) {
    case v1::BookingConflict::KIND_HELD:
      return "holds GPUs";
    case v1::BookingConflict::KIND_PROMISED:
      return "is promised GPUs";
    case v1::BookingConflict::KIND_RESERVED:
      return "has reserved";
    default:
      return "has booked";
  }
}

}  // namespace

Table ReservationTable(const Repeated<v1::Reservation>& reservations, Instant now) {
  Table table({{"RESERVATION"},
               {"STATE"},
               {"NODES", Align::kRight},
               {"FOR"},
               {"FROM"},
               {"LENGTH", Align::kRight},
               {"TIMES"},
               {"TITLE"}});
  for (const v1::Reservation& r : reservations) {
    const Seconds length = Between(InstantOf(r.start_time()), InstantOf(r.end_time()));
    table.Add({LastPart(ParentOf(r.name())) + "/" + LastPart(r.name()), StateOf(r, now),
               FormatCount(r.node_count()), Whose(r), Moment(WindowAround(r, now), now),
               FormatDuration(length), Times(r), r.display_name()});
  }
  return table;
}

std::string ReservationDetails(const v1::Reservation& reservation, Instant now, bool wide,
                               bool colours) {
  Repeated<v1::Reservation> rows;
  *rows.Add() = reservation;
  std::ostringstream text;
  ReservationTable(rows, now).Print(text, wide, colours);
  std::vector<std::string> nodes;
  for (const std::string& node : reservation.nodes()) nodes.push_back(LastPart(node));
  if (!nodes.empty()) text << "\nNodes: " << Harmless(Join(nodes, " ")) << "\n";
  if (reservation.conflicts().empty()) return text.str();
  Table conflicts({{"IN THE WAY"}, {"HOW"}, {"NODES", Align::kRight}, {"FROM"}, {"UNTIL"}});
  for (const v1::BookingConflict& c : reservation.conflicts()) {
    conflicts.Add({ShortName(c.booking()), KindWord(c.kind()), FormatCount(c.nodes()),
                   Moment(InstantOf(c.start_time()), now), Moment(InstantOf(c.end_time()), now)});
  }
  text << "\n";
  conflicts.Print(text, wide, colours);
  return text.str();
}

}  // namespace allot::cli
