#include <algorithm>
#include <sstream>

#include "cli/policy_file.h"
#include "cli/resource.h"
#include "cli/resource_name.h"
#include "cli/text.h"
#include "cli/views.h"

namespace allot::cli {
namespace {

std::string StateWord(v1::Policy::State state) {
  switch (state) {
    case v1::Policy::STATE_SCHEDULED:
      return "scheduled";
    case v1::Policy::STATE_IN_FORCE:
      return "in force";
    case v1::Policy::STATE_SUPERSEDED:
      return "superseded";
    case v1::Policy::STATE_WITHDRAWN:
      return "withdrawn";
    default:
      return "unknown";
  }
}

Cell StateCell(const v1::Policy& policy) {
  const bool in_force = policy.state() == v1::Policy::STATE_IN_FORCE;
  const bool ahead = policy.state() == v1::Policy::STATE_SCHEDULED;
  return {StateWord(policy.state()), in_force ? Paint::kGood
                                     : ahead  ? Paint::kWaiting
                                              : Paint::kDim};
}

}  // namespace

Table PolicyTable(const Repeated<v1::Policy>& policies, Instant now) {
  std::vector<const v1::Policy*> by_date;
  for (const v1::Policy& policy : policies) by_date.push_back(&policy);
  std::ranges::stable_sort(
      by_date, {}, [](const v1::Policy* policy) { return InstantOf(policy->effective_time()); });
  Table table({{"POLICY"}, {"STATE"}, {"FROM"}, {"PUBLISHED", Align::kLeft, true}, {"WHY"}});
  for (const v1::Policy* p : by_date) {
    table.Add({ShortName(p->name()), StateCell(*p), Moment(InstantOf(p->effective_time()), now),
               Moment(InstantOf(p->create_time()), now),
               p->withdraw_reason().empty()
                   ? p->reason()
                   : p->reason() + "; withdrawn: " + p->withdraw_reason()});
  }
  return table;
}

std::string PolicyDetails(const v1::Policy& policy, Instant now, bool colours) {
  std::ostringstream text;
  const auto line = [&text](const char* title, const std::string& value) {
    if (!value.empty()) text << title << Harmless(value) << '\n';
  };
  line("Policy:     ", policy.name().empty()
                           ? policy.version() + " (the server's configuration; none is published)"
                           : ShortName(policy.name()));
  line("State:      ", StateWord(policy.state()));
  if (policy.has_effective_time()) {
    line("From:       ", Moment(InstantOf(policy.effective_time()), now));
    line("Published:  ", Moment(InstantOf(policy.create_time()), now));
  }
  line("Why:        ", policy.reason());
  if (policy.has_withdraw_time()) {
    line("Withdrawn:  ",
         Moment(InstantOf(policy.withdraw_time()), now) + ": " + policy.withdraw_reason());
  }
  Table settings({{"SETTING"}, {"VALUE", Align::kRight}});
  for (const SettingLine& setting : SettingLines(policy.settings())) {
    settings.Add({setting.name, setting.value});
  }
  text << '\n';
  settings.Print(text, /*wide=*/false, colours);
  return text.str();
}

}  // namespace allot::cli
