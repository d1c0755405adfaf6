#include <cstdlib>
#include <sstream>

#include "allot/base/text.h"
#include "cli/resource.h"
#include "cli/resource_name.h"
#include "cli/text.h"
#include "cli/views.h"

namespace allot::cli {
namespace {

std::string Percent(int permille) {
  return std::to_string(permille / 10) + "." + std::to_string(permille % 10) + " %";
}

/// Of `requests` together; on average, since that is what people ask.
std::string EachBy(int64_t seconds, int requests) {
  return requests == 0 ? "" : FormatDuration(Seconds{seconds / requests / 60 * 60});
}

Table FiguresTable(const v1::PlanFigures& now, const v1::PlanFigures& then) {
  Table table({{"PLAN"}, {"NOW", Align::kRight}, {"THEN", Align::kRight}});
  const auto count = [&](const char* what, int before, int after) {
    table.Add({what, FormatCount(before), FormatCount(after)});
  };
  count("start at once", now.starts_now(), then.starts_now());
  count("planned for later", now.planned(), then.planned());
  count("of them promised", now.promised(), then.promised());
  count("without a start", now.deferred(), then.deferred());
  count("promises lost", now.slips(), then.slips());
  count("running work stopped", now.preemptions(), then.preemptions());
  count("GPUs held", now.gpus_now(), then.gpus_now());
  table.Add(
      {"of next week's GPU time", Percent(now.week_permille()), Percent(then.week_permille())});
  return table;
}

Table ShiftTable(const v1::WhatIfResponse& answer) {
  Table table({{"PROJECT"},
               {"SOONER", Align::kRight},
               {"EACH BY", Align::kRight},
               {"LATER", Align::kRight},
               {"EACH BY", Align::kRight},
               {"GAIN A START", Align::kRight},
               {"LOSE IT", Align::kRight}});
  for (const v1::ProjectShift& shift : answer.projects()) {
    table.Add({ShortName(shift.project()), FormatCount(shift.sooner()),
               EachBy(shift.seconds_sooner(), shift.sooner()), FormatCount(shift.later()),
               EachBy(shift.seconds_later(), shift.later()), FormatCount(shift.gained()),
               FormatCount(shift.lost())});
  }
  return table;
}

Table StoppedTable(const v1::WhatIfResponse& answer, Instant now) {
  Table table({{"STOPPED"}, {"AT"}, {"GOES ON"}, {"FOR"}});
  for (const v1::StoppedWork& stopped : answer.stopped()) {
    table.Add({ShortName(stopped.allocation()), Moment(InstantOf(stopped.stop_time()), now),
               Moment(InstantOf(stopped.restart_time()), now),
               ShortName(stopped.for_allocation())});
  }
  return table;
}

std::string FareText(const v1::RequestFare& fare, Instant now) {
  const bool more = fare.allocation().empty();
  std::string text =
      more ? "One more of " + ShortName(fare.project()) : ShortName(fare.allocation());
  if (fare.has_planned_start_time()) {
    text += " would start " + Moment(InstantOf(fare.planned_start_time()), now);
  } else {
    text += " would have no start";
  }
  if (fare.has_present_start_time()) {
    text += " instead of " + Moment(InstantOf(fare.present_start_time()), now);
  }
  return Harmless(text + ": " + fare.reason() + ": " + fare.message());
}

}  // namespace

std::string WhatIfText(const v1::WhatIfResponse& answer, Instant now, bool colours) {
  std::ostringstream text;
  text << "Planned beside revision " << answer.revision() << ", by policy "
       << Harmless(answer.changed_policy_version());
  if (answer.changed_policy_version() != answer.policy_version()) {
    text << " instead of " << Harmless(answer.policy_version());
  }
  text << "; nothing was changed.\n\n";
  FiguresTable(answer.now(), answer.then()).Print(text, /*wide=*/false, colours);
  text << '\n';
  if (answer.projects().empty()) {
    text << "Nobody who waits would start at another time.\n";
  } else {
    ShiftTable(answer).Print(text, /*wide=*/false, colours);
  }
  for (const v1::RequestFare& fare : answer.fares()) text << '\n' << FareText(fare, now) << '\n';
  if (answer.stopped().empty()) return text.str();
  text << '\n';
  StoppedTable(answer, now).Print(text, /*wide=*/false, colours);
  return text.str();
}

}  // namespace allot::cli
